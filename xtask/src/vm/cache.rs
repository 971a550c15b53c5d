//! Kernels that were fetched and unpacked, kept between runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::kernels::Kernel;
use crate::{
    command::{self, program},
    debian::{self, Apt},
    ui,
};

/// An unpacked kernel.
pub(super) struct Image {
    /// What `uname -r` says of it.
    pub(super) release: String,
    /// The directory that holds `lib/modules/<release>`.
    pub(super) root: PathBuf,
    /// The file to boot.
    pub(super) vmlinuz: PathBuf,
}

/// Finds the kernel in the cache or fetches it.
pub(super) fn prepare(kernel: &Kernel, refresh: bool) -> Result<Image> {
    let place = debian::cache().join(&kernel.version);
    if refresh || !place.exists() {
        fetch(kernel, &place)?;
    }
    look(&place)
}

fn fetch(kernel: &Kernel, place: &Path) -> Result<()> {
    ui::note(&format!("fetching Linux {} of {}", kernel.version, kernel.suite));
    let parent = place.parent().context("a cache without a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    // What is half done has another name, and goes when this run fails.
    let work =
        TempDir::new_in(parent).with_context(|| format!("making a directory in {}", parent.display()))?;
    let apt = Apt::of(&kernel.suite)?;
    let packages = apt.kernel_packages()?;
    apt.unpack(&packages, work.path())?;
    // Where /lib and /usr/lib are one, packages have the modules in the latter.
    if !work.path().join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", work.path().join("lib")).context("linking lib to usr/lib")?;
    }
    let release = release(work.path())?;
    if !release.starts_with(&format!("{}.", kernel.version)) {
        bail!("{} has Linux {release}, and kernels.toml says {}", kernel.suite, kernel.version);
    }
    // Warnings about missing lists of built-in modules are of no use to anybody.
    command::capture(program("depmod").arg("-b").arg(work.path()).arg(&release))?;
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", place.display()));
        }
        _ => {}
    }
    fs::rename(work.keep(), place).with_context(|| format!("keeping {}", place.display()))
}

/// The only entry of `lib/modules`.
fn release(root: &Path) -> Result<String> {
    let modules = root.join("lib/modules");
    let entries = fs::read_dir(&modules).with_context(|| format!("reading {}", modules.display()))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        _ => bail!("{} does not hold one kernel's modules: try --refresh", modules.display()),
    }
}

fn look(place: &Path) -> Result<Image> {
    let release = release(place)?;
    let candidates = [
        place.join("boot").join(format!("vmlinuz-{release}")),
        place.join("lib/modules").join(&release).join("vmlinuz"),
    ];
    let vmlinuz = candidates
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} has no kernel image: try --refresh", place.display()))?;
    Ok(Image { release, root: place.to_owned(), vmlinuz })
}
