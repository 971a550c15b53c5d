//! Installs what is missing on a bare Debian 12 that has rustup: packages, components of the toolchain, and two
//! programs from crates.io. What is there is left alone.

use std::ffi::OsStr;

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{self, cargo, program},
    ebpf::toolchain,
    ui, vm,
};

/// To build, to run the tests, and to boot other kernels.
const PACKAGES: [&str; 19] = [
    "gcc",
    "g++",
    "libc6-dev",
    "iproute2",
    "tcpdump",
    "ethtool",
    "bpftool",
    "util-linux",
    "procps",
    "tmux",
    "wireguard-tools",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "binutils",
    "busybox-static",
    "cpio",
    "kmod",
    "xz-utils",
];

/// Judges licences, duplicates and sources.
const DENY_VERSION: &str = "0.20.2";

pub(super) fn run() -> Result<()> {
    packages()?;
    vm::install_qemu()?;
    component("rustfmt", "fmt")?;
    component("clippy", "clippy")?;
    let linker = toolchain::linker_version().ok();
    tool("bpf-linker", linker.as_deref() == Some(toolchain::LINKER_VERSION), &toolchain::LINKER_INSTALL)?;
    let deny = command::capture(cargo("deny").arg("--version")).unwrap_or_default();
    let deny = deny.trim().strip_prefix("cargo-deny ") == Some(DENY_VERSION);
    tool("cargo-deny", deny, &["cargo-deny", "--version", DENY_VERSION, "--locked"])
}

/// Debian's packages.
fn packages() -> Result<()> {
    let missing: Vec<&str> =
        PACKAGES.into_iter().chain(toolchain::PACKAGES).filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        ui::note("no package is missing");
        return Ok(());
    }
    if !command::is_root() {
        bail!("missing packages, which only root can install: {}", missing.join(" "));
    }
    ui::note(&format!("installing packages: {}", missing.join(" ")));
    command::run(apt().arg("update")).context("updating the list of packages")?;
    command::run(apt().args(["install", "-y", "--no-install-recommends"]).args(missing))
}

fn installed(package: &str) -> bool {
    let status = command::capture(program("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

fn apt() -> std::process::Command {
    let mut command = program("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

/// A component of the toolchain that runs this.
fn component(name: &str, subcommand: &str) -> Result<()> {
    if command::succeeds(cargo(subcommand).arg("--version")) {
        return Ok(());
    }
    ui::note(&format!("installing {name}"));
    command::run(program("rustup").args(["component", "add", name]))
}

/// A program from crates.io.
fn tool(name: &str, there: bool, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    if there {
        ui::note(&format!("{name} is installed"));
        return Ok(());
    }
    ui::note(&format!("compiling {name}, which takes some minutes"));
    let mut install = cargo("install");
    // An interrupted build goes on where it was.
    install.env("CARGO_TARGET_DIR", "target/tools").env("LLVM_PREFIX", toolchain::LLVM_PREFIX);
    command::run(install.arg("--force").args(arguments))
}
