//! Compiles a kernel object, to the same bytes on every machine that has the same toolchain.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use xtask::{object::KernelObject, tree};

use super::toolchain::{CARGO, RUSTC, STRIP, sysroot};
use crate::command;

/// Everything below lies in `target/`.
const TARGET: &str = "target/ebpf";

/// Compiles the object.
pub(super) fn build(object: &KernelObject) -> Result<Vec<u8>> {
    let root = tree::root();
    // The paths of the crates are only known when the crates are there.
    command::run(command::sealed(CARGO).args(["fetch", "--locked"]))?;
    command::run(
        command::sealed(CARGO)
            .env("RUSTC", RUSTC)
            // `build-std` is not stable; the compiler and its library come as one package, so they fit.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags(root)?)
            .env("CARGO_TARGET_DIR", TARGET)
            .args(["build", "--locked", "--profile", "bpf", "--target", "bpfel-unknown-none"])
            .args(["-Z", "build-std=core", "-p", object.package, "--bin", object.name, "--features", "bpf"]),
    )?;
    let linked = root.join(TARGET).join("bpfel-unknown-none/bpf").join(object.name);
    let stripped = root.join(TARGET).join(object.name).with_extension("o");
    // Drops DWARF, keeps the BTF that the kernel reads.
    command::run(command::sealed(STRIP).arg("-g").arg("-o").arg(&stripped).arg(&linked))?;
    fs::read(&stripped).with_context(|| format!("reading {}", stripped.display()))
}

/// What the compiler is told. Source paths become part of the object, so each place that differs between machines
/// gets a name of its own. Of several prefixes that fit, the compiler takes the last.
fn flags(root: &Path) -> Result<String> {
    let mut flags =
        ["-C", "debuginfo=2", "-C", "link-arg=--btf", "-C", "linker=bpf-linker"].map(str::to_owned).to_vec();
    let mut name = |place: &Path, name: &str| {
        flags.push(format!("--remap-path-prefix={}={name}", place.display()));
    };
    name(&Path::new(&sysroot()?).join("lib/rustlib/src/rust"), "rust");
    let crates = command::cargo_home().context("no home directory")?.join("registry/src");
    // One folder for each place crates were taken from; which one it was makes no difference to what they are.
    let registries = fs::read_dir(&crates).with_context(|| format!("reading {}", crates.display()))?;
    for registry in registries {
        let registry = registry.with_context(|| format!("reading {}", crates.display()))?;
        name(&registry.path(), "crates");
    }
    name(root, ".");
    Ok(flags.join(" "))
}
