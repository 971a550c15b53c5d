//! The kernel objects that the tool embeds: what each is made of, and where it lies.

use std::path::PathBuf;

use crate::tree;

/// One of them.
#[derive(Debug)]
pub struct KernelObject {
    /// Name of the object's file without its extension, and of the program that it is made of.
    pub name: &'static str,
    /// The package of that program.
    pub package: &'static str,
    /// File name of its manifest.
    manifest: &'static str,
    /// Folders with the sources that run in the kernel.
    pub sources: &'static [&'static str],
    /// Manifests of their packages.
    pub packages: &'static [&'static str],
}

/// What counts.
pub const PROBE: KernelObject = KernelObject {
    name: "probe",
    package: "probe-ebpf",
    manifest: "manifest.toml",
    sources: &["probe-ebpf/src", "probe-common/src"],
    packages: &["probe-ebpf/Cargo.toml", "probe-common/Cargo.toml"],
};

/// What says why packets are "other": made of the same sources and its own.
pub const EXPLAIN: KernelObject = KernelObject {
    name: "explain",
    package: "probe-explain",
    manifest: "explain-manifest.toml",
    sources: &["probe-explain/src", "probe-ebpf/src", "probe-common/src"],
    packages: &["probe-explain/Cargo.toml", "probe-ebpf/Cargo.toml", "probe-common/Cargo.toml"],
};

/// What counts the kernel's drops.
pub const DROPS: KernelObject = KernelObject {
    name: "drops",
    package: "probe-drops",
    manifest: "drops-manifest.toml",
    sources: &["probe-drops/src", "probe-common/src"],
    packages: &["probe-drops/Cargo.toml", "probe-common/Cargo.toml"],
};

/// What times encapsulation.
pub const ENCAP: KernelObject = KernelObject {
    name: "encap",
    package: "probe-encap",
    manifest: "encap-manifest.toml",
    sources: &["probe-encap/src"],
    packages: &["probe-encap/Cargo.toml"],
};

/// All.
pub const ALL: [&KernelObject; 4] = [&PROBE, &EXPLAIN, &DROPS, &ENCAP];

impl KernelObject {
    /// The compiled object.
    pub fn path(&self) -> PathBuf {
        tree::prebuilt().join(self.name).with_extension("o")
    }

    /// What it is, and what it was made of.
    pub fn manifest(&self) -> PathBuf {
        tree::prebuilt().join(self.manifest)
    }
}
