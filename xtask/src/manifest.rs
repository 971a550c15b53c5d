//! `probe-ebpf/prebuilt/manifest.toml`: what the compiled object is, and what it was made of.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::digest;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The compiled object.
    pub object: Object,
    /// What it was made of.
    pub sources: Sources,
    /// What it was made with.
    pub toolchain: Toolchain,
}

/// The compiled object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its bytes.
    pub size: usize,
    /// Their SHA-256.
    pub sha256: String,
}

impl Object {
    /// Describes an object.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len(), sha256: digest::sha256(bytes) }
    }
}

/// What the object was made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// See [`digest::sources`].
    pub sha256: String,
}

/// What the object was made with: another compiler makes other bytes of the same sources.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Toolchain {
    /// Version of the compiler.
    pub rustc: String,
    /// Version of the LLVM in the compiler.
    pub llvm: String,
    /// Version of the linker.
    pub bpf_linker: String,
}

impl Manifest {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))
    }

    /// Text of the file.
    pub fn text(&self) -> String {
        let Self { object, sources, toolchain } = self;
        format!(
            "# Written by `cargo xtask ebpf`, compared by `cargo xtask ebpf --check`. Not edited by hand.\n\
             \n\
             [object]\n\
             size = {}\n\
             sha256 = \"{}\"\n\
             \n\
             # Everything in the repository that decides the object's bytes: xtask/src/digest.rs says what that is.\n\
             [sources]\n\
             sha256 = \"{}\"\n\
             \n\
             [toolchain]\n\
             rustc = \"{}\"\n\
             llvm = \"{}\"\n\
             bpf-linker = \"{}\"\n",
            object.size, object.sha256, sources.sha256, toolchain.rustc, toolchain.llvm, toolchain.bpf_linker
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let manifest = Manifest {
            object: Object::of(b"object"),
            sources: Sources { sha256: digest::sha256(b"sources") },
            toolchain: Toolchain {
                rustc: "1.96.0".to_owned(),
                llvm: "22.1.8".to_owned(),
                bpf_linker: "0.13.0".to_owned(),
            },
        };
        assert_eq!(toml::from_str::<Manifest>(&manifest.text()).unwrap(), manifest);
    }
}
