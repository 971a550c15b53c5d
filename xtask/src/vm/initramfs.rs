//! The first file system of a machine: busybox, the kernel modules that it takes to reach the host's, and a script.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{cache::Image, guest, modules};
use crate::command::{self, program};

/// Where Debian's busybox-static is.
const BUSYBOX: &str = "/bin/busybox";

/// Where things get mounted.
const DIRECTORIES: [&str; 9] = ["bin", "modules", "proc", "sys", "dev", "lower", "memory", "host", "etc"];

/// Packs it into `to`. The settings are what the scripts in the machine are told.
pub(super) fn pack(image: &Image, mut settings: BTreeMap<&str, String>, to: &Path) -> Result<()> {
    let tree = TempDir::new().context("making a directory for the initramfs")?;
    let at = |below: &str| tree.path().join(below);
    for directory in DIRECTORIES {
        fs::create_dir(at(directory)).with_context(|| format!("making /{directory} of the initramfs"))?;
    }
    fs::copy(BUSYBOX, at("bin/busybox"))
        .with_context(|| format!("copying {BUSYBOX}: install busybox-static"))?;
    symlink("busybox", at("bin/sh")).context("linking /bin/sh of the initramfs")?;
    let order = modules::copy(image, &at("modules"))?;
    settings.insert("MODULES", order.join(" "));
    fs::write(at("settings"), guest::settings(&settings)).context("writing the machine's settings")?;
    fs::write(at("init"), guest::INIT).context("writing /init")?;
    fs::set_permissions(at("init"), fs::Permissions::from_mode(0o755)).context("opening /init")?;
    let mut cpio = program("sh");
    cpio.args(["-c", "find . | cpio --quiet -o -H newc >\"$1\"", "sh"]).arg(to).current_dir(tree.path());
    command::run(&mut cpio).context("packing the initramfs: install cpio")
}
