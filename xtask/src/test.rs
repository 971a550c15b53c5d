//! `cargo xtask test`: what CI runs for a change, or a part of its tests, and one line at the end that counts them.

mod skips;
mod suite;
pub(crate) mod tally;

use std::{
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde_json::Value;
use xtask::tree;

use self::{skips::Skips, suite::Suite, tally::Results};
use crate::{
    ci, command,
    install::{self, Consent, Purpose},
    ui,
};

/// Run what CI runs for a change (`cargo xtask ci --tier pr`), or only some of its tests.
///
/// As root on Debian 12 or Ubuntu it installs what is missing first: programs that the tests call and an emulator for
/// other kernels.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only one kind of tests, and no judging of sources.
    #[arg(long)]
    only: Option<Part>,
    /// Do not install what is missing: say in one line what to install, and end.
    #[arg(long)]
    no_install: bool,
    /// What the test binaries are told, such as a part of a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Of every crate, with the examples in its documentation, and about the repository. Needs no root.
    Unit,
    /// In network namespaces, with the built tool, as root.
    Netns,
}

/// Integration tests that read the repository and nothing else: they need neither root nor the built tool.
const ABOUT_SOURCES: [&str; 2] = ["layering", "tidy"];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.only.is_none() && args.filter.is_empty() {
        return ci::run(&ci::Args::of_a_change(args.no_install));
    }
    let wanted = |part: Part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Netns) {
        install::ensure(&[Purpose::Namespaces], Consent::unless(args.no_install))?;
    }
    let mut results = Results::default();
    if wanted(Part::Unit) {
        results += units(&args.filter)?;
    }
    if wanted(Part::Netns) {
        results += namespaces(&args.filter)?;
    }
    Ok(results.conclude())
}

/// Tests that need neither root nor namespaces.
pub(crate) fn unit() -> Result<Results> {
    units(&[])
}

/// Every test in network namespaces.
pub(crate) fn in_namespaces_of_this_kernel() -> Result<Results> {
    namespaces(&[])
}

fn units(filter: &[String]) -> Result<Results> {
    let skips = Skips::open()?;
    let mut results =
        Suite::new(&["--workspace", "--exclude", "probe-tests"], &skips).run("unit tests", filter)?;
    let sources = targets(ABOUT_SOURCES.map(str::to_owned).to_vec());
    results += Suite::new(&sources, &skips).run("tests of the repository", filter)?;
    skips.move_from_passed(results)
}

fn namespaces(filter: &[String]) -> Result<Results> {
    if !command::is_root() {
        bail!("the tests in network namespaces need root; `cargo xtask test --only unit` leaves them out");
    }
    let binary = build()?;
    let skips = Skips::open()?;
    // Compiled as for the virtual machines, which run the same binaries.
    let mut arguments = vec!["--release".to_owned()];
    arguments.extend(targets(in_namespaces(|_| true)?));
    let mut suite = Suite::new(&arguments, &skips);
    suite.env("OVERLAY_PROBE_BIN", &binary);
    // Tests share the kernel's programs and the machine's processors.
    let arguments: Vec<String> = ["--test-threads=1".to_owned()].into_iter().chain(filter.to_vec()).collect();
    let results = suite.run("tests in network namespaces", &arguments)?;
    skips.move_from_passed(results)
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
