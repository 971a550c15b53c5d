//! `cargo xtask ebpf`: compiles the kernel objects that the tool embeds, or checks that they are what the sources give.

mod budget;
mod build;
pub(crate) mod toolchain;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use xtask::{
    digest,
    manifest::{Manifest, Object, Sources},
    object::{self, KernelObject},
    tree,
};

pub(crate) use self::budget::{map_bytes, verified};
use crate::ui;

/// Compile the kernel objects into probe-ebpf/prebuilt.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: fail when an object in the repository is not what the sources give.
    #[arg(long)]
    pub(crate) check: bool,
    /// Build nothing: have the running kernel verify the objects in the repository, and print what that costs.
    #[arg(long, conflicts_with = "check")]
    pub(crate) verify: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.verify {
        for object in object::ALL {
            budget::hold(object, &kept(object)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let toolchain = toolchain::find()?;
    if args.check {
        // Said before the minute that building takes.
        compare_digests()?;
    }
    for object in object::ALL {
        if args.check {
            let manifest = Manifest::read(&object.manifest())?;
            if manifest.toolchain != toolchain {
                ui::note(&format!(
                    "{}.o was made with {:?}, here is {toolchain:?}: other bytes may come out of the same sources",
                    object.name, manifest.toolchain
                ));
            }
            let built = build::build(object)?;
            compare(object, &built, &manifest)?;
            budget::hold(object, &built)?;
        } else {
            let sources = Sources { sha256: digest::sources(object, tree::root())? };
            let built = build::build(object)?;
            let manifest = Manifest { object: Object::of(&built), sources, toolchain: toolchain.clone() };
            write(&object.path(), &built)?;
            write(&object.manifest(), manifest.text().as_bytes())?;
            budget::hold(object, &built)?;
        }
    }
    if args.check {
        ui::note("the objects in the repository are what the sources give");
    }
    Ok(ExitCode::SUCCESS)
}

/// The object in the repository.
fn kept(object: &KernelObject) -> Result<Vec<u8>> {
    fs::read(object.path()).with_context(|| format!("reading {}", object.path().display()))
}

/// The objects, their sources and the manifests are of one another, as far as digests tell. Builds nothing.
pub(crate) fn compare_digests() -> Result<()> {
    for object in object::ALL {
        let manifest = Manifest::read(&object.manifest())?;
        if manifest.sources.sha256 != digest::sources(object, tree::root())? {
            bail!(
                "the kernel side changed and {}.o did not: run `cargo xtask ebpf` and commit probe-ebpf/prebuilt",
                object.name
            );
        }
        if Object::of(&kept(object)?) != manifest.object {
            bail!(
                "{}.o and its manifest differ: run `cargo xtask ebpf` and commit probe-ebpf/prebuilt",
                object.name
            );
        }
    }
    Ok(())
}

/// Whether full runs compiled these very objects from these very sources: then rows in docs/kernels.md name both.
pub(crate) fn were_rebuilt_by_a_full_run() -> Result<bool> {
    let text = fs::read_to_string(tree::kernels_table()).context("reading docs/kernels.md")?;
    let pairs: Vec<String> = object::ALL.into_iter().map(of_its_sources).collect::<Result<_>>()?;
    Ok(pairs.iter().all(|pair| text.contains(pair)))
}

/// The objects and their sources as docs/kernels.md names them.
pub(crate) fn objects_of_these_sources() -> Result<String> {
    let named = |object: &KernelObject| Ok(format!("{}: {}", object.name, of_its_sources(object)?));
    let all: Vec<String> = object::ALL.into_iter().map(named).collect::<Result<_>>()?;
    Ok(all.join(", "))
}

/// The first digits of both digests.
fn of_its_sources(object: &KernelObject) -> Result<String> {
    let manifest = Manifest::read(&object.manifest())?;
    let short = |digest: &str| digest.get(..SHORT).unwrap_or(digest).to_owned();
    Ok(format!("{} of {}", short(&manifest.object.sha256), short(&digest::sources(object, tree::root())?)))
}

/// Digits of a digest that tell it from all others here.
const SHORT: usize = 16;

fn compare(object: &KernelObject, built: &[u8], manifest: &Manifest) -> Result<()> {
    let kept = kept(object)?;
    if built != kept {
        bail!(
            "the sources give another {}.o ({} bytes, sha256 {}) than the one in the repository ({} bytes, sha256 {}): \
             run `cargo xtask ebpf` with the toolchain that the manifest names and commit probe-ebpf/prebuilt",
            object.name,
            built.len(),
            digest::sha256(built),
            kept.len(),
            manifest.object.sha256
        );
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
