//! Running other programs.
//!
//! `cargo xtask` runs inside cargo and inherits what cargo tells its children. Cargo started from here would take that
//! for the user's wish, so it is removed.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use xtask::tree;

/// What cargo tells its children about the package that runs.
const FROM_CARGO: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The user's settings of where crates come from and over which network: any build may need them.
const ACCESS: [&str; 5] = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

/// A program, run at the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(tree::root());
    command.env("PATH", path());
    remove(&mut command, |name| FROM_CARGO.iter().any(|prefix| name.starts_with(prefix)));
    command
}

/// The cargo that runs this, for a subcommand.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = program("cargo");
    command.arg(subcommand);
    command
}

/// A program that no setting of cargo, rustc or rustup reaches, except where crates come from.
pub(crate) fn sealed(name: &str) -> Command {
    let mut command = program(name);
    remove(&mut command, |name| {
        let tool = name.starts_with("CARGO") || name.starts_with("RUST");
        tool && !ACCESS.iter().any(|prefix| name.starts_with(prefix))
    });
    command
}

fn remove(command: &mut Command, unwanted: impl Fn(&str) -> bool) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(&unwanted) {
            command.env_remove(name);
        }
    }
}

/// `PATH`, with what cargo installs.
fn path() -> OsString {
    let before = env::var_os("PATH").unwrap_or_default();
    let installed = cargo_home().map(|home| home.join("bin"));
    let directories = installed.into_iter().chain(env::split_paths(&before));
    // A directory with a colon in its name cannot be in a path.
    env::join_paths(directories).unwrap_or(before)
}

/// Where cargo keeps crates and installed programs.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Runs a command that must succeed; it prints for itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = shown(command);
    let status = command.status().with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name}: {status}");
    }
    Ok(())
}

/// Runs a command that must succeed and returns what it printed.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = shown(command);
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a command can be run and succeeds; what it prints is nobody's business.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it: the program and its first arguments.
fn shown(command: &Command) -> String {
    let words = command.get_args().take(2).map(OsStr::to_string_lossy);
    let program = command.get_program().to_string_lossy();
    [program].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Whether this runs as root: the owner of a process's folder is its effective user.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
