//! Builds the fuzzer. Any compiler does: counting which code runs is a pass of LLVM, and nothing else of what fuzzers use is
//! needed.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xtask::tree;

use crate::command::{self, cargo, program};

/// The flags that cargo-fuzz gives, without the address sanitizer, which needs a nightly compiler: next to no code here is unsafe.
const FLAGS: [&str; 9] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

/// The built fuzzer.
pub(super) fn fuzzer() -> Result<PathBuf> {
    let host = host()?;
    let mut build = cargo("build");
    // Not --locked: its lock file follows the workspace's when that gets another crate.
    build.args(["--release", "--manifest-path=fuzz/Cargo.toml", "--target-dir=fuzz/target"]);
    // With a target named, build scripts and macros are compiled without these flags.
    build.arg("--target").arg(&host).env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS.join(" "));
    command::run(&mut build)?;
    Ok(tree::root().join("fuzz/target").join(host).join("release/probe-fuzz"))
}

/// The machine, as the compiler calls it.
fn host() -> Result<String> {
    let text = command::capture(program("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV does not tell its `host: `")
}
