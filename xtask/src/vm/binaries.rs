//! What the machine runs: the tool and the test binaries, in one directory with the script that runs them. The machine
//! finds it where it is on the host.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use xtask::tree;

use super::guest;
use crate::{
    command::{self, program},
    test, ui,
};

/// The directory; it goes when this is dropped.
pub(super) struct Binaries {
    directory: TempDir,
    /// Somebody asked for these tests by name.
    are_chosen: bool,
}

impl Binaries {
    /// The tool and the tests that are wanted, all of them when `wanted` is empty.
    pub(super) fn build(wanted: &[String], filter: &[String], repeat: u16) -> Result<Self> {
        let tests = test::in_namespaces(|name| wanted.is_empty() || wanted.iter().any(|one| one == name))?;
        if let Some(unknown) = wanted.iter().find(|name| !tests.contains(name)) {
            bail!("there is no file of tests {unknown} that runs in network namespaces");
        }
        let mut this = Self::tool_only()?;
        this.are_chosen = !wanted.is_empty();
        ui::note("building the tests");
        let mut cargo = command::cargo("test");
        // Emulated processors are slow, so the tests are compiled as users' programs are.
        cargo.args(["--locked", "--release", "--no-run", "-p", "probe-tests"]);
        cargo.args(tests.iter().flat_map(|name| ["--test", name]));
        cargo.arg("--message-format=json-render-diagnostics").stderr(std::process::Stdio::inherit());
        let messages = command::capture(&mut cargo)?;
        let built: Vec<(String, PathBuf)> = messages.lines().filter_map(test_binary).collect();
        if built.len() != tests.len() {
            bail!("cargo built {} of {} test binaries", built.len(), tests.len());
        }
        for (name, file) in &built {
            this.add(file, Path::new("tests").join(name).as_path())?;
        }
        this.write("filter", filter.join("\n"))?;
        this.write("repeat", repeat.to_string())?;
        Ok(this)
    }

    /// For a machine without tests.
    pub(super) fn tool_only() -> Result<Self> {
        let tool = test::build()?;
        let target = tree::root().join("target");
        // The same place for every run would let two of them change each other's files.
        let directory = tempfile::Builder::new().prefix("vm-").tempdir_in(&target);
        let directory = directory.with_context(|| format!("making a directory in {}", target.display()))?;
        let this = Self { directory, are_chosen: false };
        for below in ["bin", "tests"] {
            fs::create_dir(this.directory.path().join(below)).context("making the machine's directory")?;
        }
        this.add(&tool, Path::new("bin/overlay-probe"))?;
        this.write("guest.sh", guest::SCRIPT.to_owned())?;
        this.write("filter", String::new())?;
        Ok(this)
    }

    /// Where they are, on the host and in the machine.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Somebody asked for these tests by name.
    pub(super) fn are_chosen(&self) -> bool {
        self.are_chosen
    }

    /// Copies a program without what only debuggers read: files come slowly into the machine.
    fn add(&self, file: &Path, to: &Path) -> Result<()> {
        let to = self.directory.path().join(to);
        command::capture(program("strip").arg("-o").arg(&to).arg(file)).map(drop)
    }

    fn write(&self, name: &str, text: String) -> Result<()> {
        fs::write(self.directory.path().join(name), text)
            .with_context(|| format!("writing the machine's {name}"))
    }
}

/// Name and file of a test binary, if this is cargo's message about one.
fn test_binary(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["target"]["kind"][0] == "test";
    let file = message["executable"].as_str().filter(|_| ours)?;
    Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_binaries_are_told_from_other_artifacts() {
        let test = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"numbers"},"executable":"/t/numbers-1"}"#;
        assert_eq!(test_binary(test), Some(("numbers".to_owned(), PathBuf::from("/t/numbers-1"))));
        let tool = test.replace("[\"test\"]", "[\"bin\"]");
        assert_eq!(test_binary(&tool), None);
        assert_eq!(test_binary(&test.replace("\"/t/numbers-1\"", "null")), None);
        assert_eq!(test_binary("warning: not JSON"), None);
    }
}
