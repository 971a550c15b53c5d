//! One run of `cargo test`.

use std::{
    ffi::OsStr,
    io::Read as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    skips::{self, Skips},
    tally::{Reader, Results},
};
use crate::{command, ui};

/// Which tests, and what they are told.
pub(super) struct Suite {
    cargo: Command,
}

impl Suite {
    /// The tests of some packages. All of their binaries run, whatever the first one says.
    pub(super) fn new(packages: &[impl AsRef<OsStr>], skips: &Skips) -> Self {
        let mut cargo = command::cargo("test");
        cargo.args(["--locked", "--no-fail-fast"]).args(packages).arg("--");
        cargo.env(skips::VARIABLE, skips.path()).stdout(Stdio::piped());
        Self { cargo }
    }

    /// Tells the tests something.
    pub(super) fn env(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.cargo.env(name, value);
    }

    /// Runs them; what they print is passed on as it comes.
    pub(super) fn run(mut self, name: &str, arguments: &[String]) -> Result<Results> {
        ui::note(name);
        let mut child = self.cargo.args(arguments).spawn().context("cannot run cargo test")?;
        let mut reader = Reader::default();
        if let Some(mut stdout) = child.stdout.take() {
            let mut buffer = [0; 4096];
            loop {
                let length = stdout.read(&mut buffer).context("reading what the tests print")?;
                let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else { break };
                reader.take(piece);
                ui::pass_on(piece).context("printing what the tests print")?;
            }
        }
        let status = child.wait().context("waiting for cargo test")?;
        Ok(reader.end(status.success()))
    }
}
