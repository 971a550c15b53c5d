//! `completions` and `man`: what is made of the command line's definition.

use std::{io, path::Path};

use anyhow::Context as _;

use super::args;

/// Prints a completion script.
pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "overlay-probe", &mut script);
    io::Write::write_all(&mut io::stdout(), &script).context("cannot write the completion script")
}

/// Writes a manual page for each command.
pub(super) fn man(directory: &Path) -> anyhow::Result<()> {
    clap_mangen::generate_to(args::command(), directory)
        .with_context(|| format!("cannot write manual pages into {}", directory.display()))
}
