//! `cargo xtask ebpf`: compiles the kernel object that the tool embeds, or checks that it is what the sources give.

mod budget;
mod build;
pub(crate) mod toolchain;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use xtask::{
    digest,
    manifest::{Manifest, Object, Sources},
    tree,
};

use crate::ui;

/// Compile the kernel object into probe-ebpf/prebuilt.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: fail when the object in the repository is not what the sources give.
    #[arg(long)]
    pub(crate) check: bool,
    /// Build nothing: have the running kernel verify the object in the repository, and print what that costs.
    #[arg(long, conflicts_with = "check")]
    pub(crate) verify: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.verify {
        let object = tree::object();
        let bytes = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
        budget::hold(&bytes, &tree::prebuilt().join("budget.toml"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let toolchain = toolchain::find()?;
    let manifest_path = tree::prebuilt().join("manifest.toml");
    if args.check {
        let manifest = Manifest::read(&manifest_path)?;
        if manifest.toolchain != toolchain {
            ui::note(&format!(
                "the object was made with {:?}, here is {toolchain:?}: other bytes may come out of the same sources",
                manifest.toolchain
            ));
        }
        // Said before the minute that building takes.
        compare_digests()?;
        let built = build::build()?;
        compare(&built, &manifest)?;
        budget::hold(&built, &tree::prebuilt().join("budget.toml"))?;
        ui::note("the object in the repository is what the sources give");
    } else {
        let sources = Sources { sha256: digest::sources(tree::root())? };
        let built = build::build()?;
        let manifest = Manifest { object: Object::of(&built), sources, toolchain };
        write(&tree::object(), &built)?;
        write(&manifest_path, manifest.text().as_bytes())?;
        budget::hold(&built, &tree::prebuilt().join("budget.toml"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The object, its sources and the manifest are of one another, as far as digests tell. Builds nothing.
pub(crate) fn compare_digests() -> Result<()> {
    let manifest = Manifest::read(&tree::prebuilt().join("manifest.toml"))?;
    if manifest.sources.sha256 != digest::sources(tree::root())? {
        bail!(
            "the kernel side changed and its object did not: run `cargo xtask ebpf` and commit probe-ebpf/prebuilt"
        );
    }
    let object = tree::object();
    let kept = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    if Object::of(&kept) != manifest.object {
        bail!("the object and its manifest differ: run `cargo xtask ebpf` and commit probe-ebpf/prebuilt");
    }
    Ok(())
}

/// Whether a full run compiled this very object from these very sources: then its row in docs/kernels.md names both.
pub(crate) fn was_rebuilt_by_a_full_run() -> Result<bool> {
    let text = fs::read_to_string(tree::kernels_table()).context("reading docs/kernels.md")?;
    Ok(text.contains(&object_of_these_sources()?))
}

/// The object and its sources as docs/kernels.md names them: the first digits of both digests.
pub(crate) fn object_of_these_sources() -> Result<String> {
    let manifest = Manifest::read(&tree::prebuilt().join("manifest.toml"))?;
    let short = |digest: &str| digest.get(..SHORT).unwrap_or(digest).to_owned();
    Ok(format!("{} of {}", short(&manifest.object.sha256), short(&digest::sources(tree::root())?)))
}

/// Digits of a digest that tell it from all others here.
const SHORT: usize = 16;

fn compare(built: &[u8], manifest: &Manifest) -> Result<()> {
    let object = tree::object();
    let kept = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    if built != kept {
        bail!(
            "the sources give another object ({} bytes, sha256 {}) than the one in the repository ({} bytes, sha256 {}): \
             run `cargo xtask ebpf` with the toolchain that the manifest names and commit probe-ebpf/prebuilt",
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
