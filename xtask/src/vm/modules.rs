//! The kernel modules that it takes to reach the host's file system. All others are loaded in the machine from there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::cache::Image;
use crate::command::{self, program};

/// A bus to find devices on, the file system that QEMU serves, and a layer in memory above it.
const WANTED: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// Copies what is needed, uncompressed, and gives the names in the order to load them.
pub(super) fn copy(image: &Image, into: &Path) -> Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    for wanted in WANTED {
        for file in needed(image, wanted) {
            let name = file.file_name().and_then(|name| name.to_str()).context("a module without a name")?;
            let plain = name.strip_suffix(".xz");
            let bytes = if plain.is_some() { unpacked(&file)? } else { read(&file)? };
            let plain = plain.unwrap_or(name).to_owned();
            if order.contains(&plain) {
                continue;
            }
            let to = into.join(&plain);
            fs::write(&to, bytes).with_context(|| format!("writing {}", to.display()))?;
            order.push(plain);
        }
    }
    Ok(order)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let output = program("xz").arg("-dc").arg(file).output().context("cannot run xz")?;
    if !output.status.success() {
        bail!("xz -dc {}: {}", file.display(), output.status);
    }
    Ok(output.stdout)
}

/// The files of a module and of what it needs, those first; none for one that is built in.
fn needed(image: &Image, module: &str) -> Vec<PathBuf> {
    let mut ask = program("modprobe");
    ask.arg("-d").arg(&image.root).args(["-S", &image.release, "--show-depends", module]);
    // A package without a list of what is built in: what is not there is taken to be.
    let text = command::capture(&mut ask).unwrap_or_default();
    text.lines().filter_map(inserted).map(PathBuf::from).collect()
}

/// The file of a line like `insmod /lib/modules/6.1.0/kernel/fs/9p/9p.ko.xz option=1`.
fn inserted(line: &str) -> Option<&str> {
    line.strip_prefix("insmod ")?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_what_is_built_in() {
        assert_eq!(inserted("insmod /m/virtio.ko.xz "), Some("/m/virtio.ko.xz"));
        assert_eq!(inserted("insmod /m/9p.ko x=1"), Some("/m/9p.ko"));
        assert_eq!(inserted("builtin virtio_pci"), None);
    }
}
