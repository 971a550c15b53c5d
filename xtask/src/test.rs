//! `cargo xtask test`: every test, and one line at the end that counts them.

mod skips;
mod suite;
pub(crate) mod tally;

use std::{
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde_json::Value;
use xtask::tree;

use self::{skips::Skips, suite::Suite, tally::Tally};
use crate::{command, ui};

/// Run the unit tests and the tests in network namespaces (those need root).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only one of the two.
    #[arg(long)]
    only: Option<Part>,
    /// What the test binaries are told, such as a part of a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Of every crate, with the examples in its documentation.
    Unit,
    /// In network namespaces, with the built tool.
    Netns,
}

/// Integration tests that read the repository and nothing else: they need neither root nor the built tool.
const ABOUT_SOURCES: [&str; 2] = ["layering", "tidy"];

pub(crate) fn run(args: &Args) -> ExitCode {
    let tally = all(args).unwrap_or_else(|error| {
        ui::error(&error);
        Tally::FAILED
    });
    ui::line(&tally.to_string());
    tally.exit_code()
}

/// Every test of every crate.
pub(crate) fn everything() -> Result<Tally> {
    all(&Args { only: None, filter: Vec::new() })
}

fn all(args: &Args) -> Result<Tally> {
    let wanted = |part: Part| args.only.is_none_or(|only| only == part);
    let skips = Skips::open()?;
    let mut tally = Tally::default();
    if wanted(Part::Unit) {
        let suite = Suite::new(&["--workspace", "--exclude", "probe-tests"], &skips);
        tally += suite.run("unit tests", &args.filter)?;
        let suite = Suite::new(&targets(ABOUT_SOURCES.map(str::to_owned).to_vec()), &skips);
        tally += suite.run("tests of the repository", &args.filter)?;
    }
    if wanted(Part::Netns) {
        tally += namespaces(args, &skips)?;
    }
    skips.move_from_passed(tally)
}

fn namespaces(args: &Args, skips: &Skips) -> Result<Tally> {
    if !command::is_root() {
        ui::note(
            "the tests in network namespaces need root, so they count as failed; --only unit leaves them out",
        );
        return Ok(Tally::FAILED);
    }
    let binary = match build() {
        Ok(binary) => binary,
        Err(error) => {
            ui::error(&error);
            return Ok(Tally::FAILED);
        }
    };
    let mut suite = Suite::new(&targets(in_namespaces(|_| true)?), skips);
    suite.env("OVERLAY_PROBE_BIN", &binary);
    // Tests share the kernel's programs and the machine's processors.
    let arguments: Vec<String> =
        ["--test-threads=1".to_owned()].into_iter().chain(args.filter.clone()).collect();
    suite.run("tests in network namespaces", &arguments)
}

/// Names of the integration tests that run in network namespaces, if they are wanted.
pub(crate) fn in_namespaces(wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    files(|name| !ABOUT_SOURCES.contains(&name) && wanted(name))
}

/// Names of integration tests: each file in their folder is one, and each folder with a `main.rs`.
fn files(wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let files = tree::files(&tree::root().join("tests/tests"))?;
    let names = files.iter().filter_map(|file| match file.parent().and_then(Path::to_str) {
        Some("") => file.file_stem()?.to_str().filter(|_| file.extension().is_some_and(|end| end == "rs")),
        Some(folder) => Some(folder).filter(|_| file.ends_with(Path::new(folder).join("main.rs"))),
        None => None,
    });
    Ok(names.filter(|name| wanted(name)).map(str::to_owned).collect())
}

/// Arguments that choose some of the integration tests.
fn targets(names: Vec<String>) -> Vec<String> {
    let chosen = names.into_iter().flat_map(|name| ["--test".to_owned(), name]);
    ["-p".to_owned(), "probe-tests".to_owned()].into_iter().chain(chosen).collect()
}

/// Builds the tool as users get it: the tests that count packets send as fast as they can.
pub(crate) fn build() -> Result<PathBuf> {
    ui::note("building the tool");
    // With this program in the same build, what it shares with the tool is not compiled a second time.
    let mut cargo = command::cargo("build");
    cargo.args(["--release", "--locked", "-p", "overlay-probe", "-p", "xtask"]);
    cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let messages = command::capture(&mut cargo)?;
    let binary = messages.lines().filter_map(executable).next_back();
    binary.context("cargo built no binary overlay-probe")
}

/// The tool's binary, if this is cargo's message about it.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["target"]["name"] == "overlay-probe";
    message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
}
