//! What cargo itself can judge.

use anyhow::Result;

use crate::command::{self, cargo};

pub(super) fn format() -> Result<()> {
    command::run(cargo("fmt").args(["--all", "--check"]))
}

/// The programs of the kernel side are left out: built for the host they have neither a panic handler nor a `main`.
pub(super) fn clippy() -> Result<()> {
    command::run(cargo("clippy").args(["--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

pub(super) fn documentation() -> Result<()> {
    command::run(cargo("doc").env("RUSTDOCFLAGS", "-D warnings").args([
        "--workspace",
        "--no-deps",
        "--locked",
    ]))
}
