//! Where things lie in the repository, and which files are in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Folders that are not part of the repository, wherever they lie in the tree.
const FOREIGN: [&str; 2] = ["target", ".git"];

/// Root of the repository.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where the compiled kernel objects lie, with their manifests and their budget.
pub fn prebuilt() -> PathBuf {
    root().join("probe-ebpf/prebuilt")
}

/// The table of full runs on all kernels.
pub fn kernels_table() -> PathBuf {
    root().join("docs/kernels.md")
}

/// Every file below `directory`, as paths relative to it, sorted.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk(directory, Path::new(""), &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(root: &Path, below: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let directory = root.join(below);
    let entries = fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", directory.display()))?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().with_context(|| format!("reading {}", path.display()))?;
        if kind.is_dir() {
            if !FOREIGN.iter().any(|name| entry.file_name() == *name) {
                walk(root, &path, found)?;
            }
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
