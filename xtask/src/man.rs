//! `cargo xtask man`: the manual pages, made of the command line's definition.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use xtask::tree;

use crate::{command, ui};

/// Write the manual pages of `overlay-probe`, one for each command, into target/man.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    let directory = tree::root().join("target/man");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut tool = command::cargo("run");
    tool.args(["--release", "--locked", "--quiet", "--package", "overlay-probe", "--", "man"])
        .arg(&directory);
    command::run(&mut tool)?;
    ui::line(&directory.display().to_string());
    Ok(ExitCode::SUCCESS)
}
