//! What the chores need of the machine: programs, packages, components of the toolchain. Looks for what is missing,
//! installs it where root and apt can, and otherwise says in one line what to install. Nothing that is there is touched.

mod needs;

use std::ffi::OsStr;

use anyhow::{Context as _, Result, bail};

use self::needs::Need;
pub(crate) use self::needs::Purpose;
use crate::{
    command::{self, cargo, program},
    debian,
    ebpf::toolchain,
    ui,
};

/// Whether what is missing may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Install,
    Refuse,
}

impl Consent {
    /// As `--no-install` says.
    pub(crate) fn unless(refused: bool) -> Self {
        if refused { Self::Refuse } else { Self::Install }
    }
}

/// Makes sure that everything is there that these purposes need.
pub(crate) fn ensure(purposes: &[Purpose], consent: Consent) -> Result<()> {
    let missing = missing(purposes);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().filter_map(Need::package).collect();
    let possible = command::is_root() && command::succeeds(program("apt-get").arg("--version"));
    if consent == Consent::Refuse || !(possible || packages.is_empty()) {
        bail!("{}", request(&missing));
    }
    apt(&packages)?;
    for need in &missing {
        match need {
            Need::Qemu if debian::qemu_is_elsewhere() => debian::install_qemu()?,
            Need::Program { .. } | Need::Package(_) | Need::Qemu => {}
            Need::Component { name, .. } => component(name)?,
            Need::Crate { name, arguments } => tool(name, arguments)?,
        }
    }
    // A package may be there under its name and hold something else.
    let still = self::missing(purposes);
    if !still.is_empty() {
        bail!("installed what is known to be needed, and still {}", request(&still));
    }
    Ok(())
}

fn missing(purposes: &[Purpose]) -> Vec<Need> {
    let mut missing: Vec<Need> = Vec::new();
    for need in purposes.iter().flat_map(|purpose| purpose.needs()) {
        if !missing.contains(&need) && !need.is_met() {
            missing.push(need);
        }
    }
    missing
}

/// One line that says what is missing and how to get it.
fn request(missing: &[Need]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let mut commands: Vec<String> = Vec::new();
    let packages: Vec<&str> = missing.iter().filter_map(Need::package).collect();
    if !packages.is_empty() {
        commands.push(format!("apt-get install -y --no-install-recommends {}", packages.join(" ")));
    }
    commands.extend(missing.iter().filter_map(Need::command));
    format!("missing: {}; install with: {}", names.join(", "), commands.join("; "))
}

/// Debian's packages, under the names that this system has for them.
fn apt(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    ui::note(&format!("installing packages: {}", packages.join(" ")));
    command::run(debian::apt().arg("update")).context("updating the list of packages")?;
    command::run(debian::apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// A component of the toolchain that runs this.
fn component(name: &str) -> Result<()> {
    ui::note(&format!("installing {name}"));
    command::run(program("rustup").args(["component", "add", name]))
}

/// A program from crates.io.
fn tool(name: &str, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    ui::note(&format!("compiling {name}, which takes some minutes"));
    let mut install = cargo("install");
    // An interrupted build goes on where it was.
    install.env("CARGO_TARGET_DIR", "target/tools").env("LLVM_PREFIX", toolchain::LLVM_PREFIX);
    command::run(install.arg("--force").args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_to_install() {
        let missing = [
            Need::Program { names: &["tcpdump"], package: "tcpdump" },
            Need::Component { name: "clippy", subcommand: "clippy" },
        ];
        assert_eq!(
            request(&missing),
            "missing: tcpdump, the component clippy; install with: \
             apt-get install -y --no-install-recommends tcpdump; rustup component add clippy"
        );
    }

    #[test]
    fn what_is_there_is_not_missing() {
        assert!(Need::Program { names: &["/nowhere/sh", "sh"], package: "dash" }.is_met());
        assert!(!Need::Program { names: &["no-such-program-anywhere"], package: "none" }.is_met());
    }
}
