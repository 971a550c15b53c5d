//! One number for everything in the repository that decides the bytes of a kernel object.
//!
//! It covers the sources that the object names ([`KernelObject`]) with their manifests, the profile and the edition they are
//! built with, and the version and checksum of each crate that is compiled into the object. Macros and build scripts
//! of those crates run on the host and may change without the object changing: they are not covered, and neither are
//! the flags in `ebpf/build.rs`. `cargo xtask ebpf --check` compares the bytes and so sees those too.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::{object::KernelObject, tree};

/// What of the workspace's manifest matters.
const SETTINGS: [&[&str]; 5] = [
    &["profile", "bpf"],
    &["profile", "release"],
    &["workspace", "resolver"],
    &["workspace", "package", "edition"],
    &["workspace", "dependencies", "aya-ebpf"],
];

/// Crates that are compiled into an object are called this or something that starts with it.
const COMPILED_IN: &str = "aya-ebpf";

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Digest of everything that decides the object's bytes, in the tree at `root`.
pub fn sources(object: &KernelObject, root: &Path) -> Result<String> {
    let mut lines = String::new();
    for folder in object.sources {
        for file in tree::files(&root.join(folder))? {
            file_line(root, &Path::new(folder).join(file), &mut lines)?;
        }
    }
    for manifest in object.packages {
        file_line(root, Path::new(manifest), &mut lines)?;
    }
    settings(&table(&root.join("Cargo.toml"))?, &mut lines)?;
    crates(&table(&root.join("Cargo.lock"))?, &mut lines);
    Ok(sha256(lines.as_bytes()))
}

fn file_line(root: &Path, file: &Path, lines: &mut String) -> Result<()> {
    let bytes = fs::read(root.join(file)).with_context(|| format!("reading {}", file.display()))?;
    line(lines, &file.to_string_lossy(), &sha256(&bytes));
    Ok(())
}

fn settings(workspace: &Table, lines: &mut String) -> Result<()> {
    for path in SETTINGS {
        let value = path.split_first().and_then(|(first, rest)| {
            rest.iter().try_fold(workspace.get(*first)?, |value, key| value.get(key))
        });
        let text = serde_json::to_string(&value).context("writing a setting down")?;
        line(lines, &path.join("."), &text);
    }
    Ok(())
}

fn crates(lock: &Table, lines: &mut String) {
    let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for package in packages {
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("name").starts_with(COMPILED_IN) {
            line(lines, text("name"), &format!("{} {}", text("version"), text("checksum")));
        }
    }
}

fn line(lines: &mut String, name: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(lines, "{name} = {value}");
}

fn table(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.parse().with_context(|| format!("parsing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::object::{EXPLAIN, PROBE};

    /// The smallest tree that has a digest.
    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("probe-ebpf/src/main.rs", "fn main() {}"),
            ("probe-ebpf/Cargo.toml", "[package]"),
            ("probe-common/src/lib.rs", "pub struct Key;"),
            ("probe-common/Cargo.toml", "[package]"),
            ("probe-explain/src/main.rs", "fn main() {}"),
            ("probe-explain/Cargo.toml", "[package]"),
            ("probe-drops/src/main.rs", "fn main() {}"),
            ("probe-drops/Cargo.toml", "[package]"),
            ("probe-encap/src/main.rs", "fn main() {}"),
            ("probe-encap/Cargo.toml", "[package]"),
            ("Cargo.toml", "[profile.bpf]\nopt-level = 3\n[profile.dev]\nopt-level = 0"),
            ("Cargo.lock", "[[package]]\nname = \"aya-ebpf\"\nversion = \"1\"\n[[package]]\nname = \"syn\""),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn after(object: &KernelObject, change: impl Fn(PathBuf)) -> bool {
        let tree = tree();
        let before = sources(object, tree.path()).unwrap();
        change(tree.path().to_owned());
        before != sources(object, tree.path()).unwrap()
    }

    fn replace(path: &Path, from: &str, to: &str) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    }

    #[test]
    fn what_decides_the_bytes_changes_the_digest() {
        for object in crate::object::ALL {
            let after = |change: &dyn Fn(PathBuf)| after(object, change);
            for folder in object.sources.iter().filter(|folder| !folder.starts_with("probe-common")) {
                assert!(after(&|root| replace(&root.join(folder).join("main.rs"), "{}", "{ }")));
            }
            let is_shared = object.sources.contains(&"probe-common/src");
            assert_eq!(
                after(&|root| fs::write(root.join("probe-common/src/new.rs"), "").unwrap()),
                is_shared
            );
            assert!(after(&|root| replace(&root.join("Cargo.toml"), "opt-level = 3", "opt-level = 2")));
            assert!(after(&|root| replace(&root.join("Cargo.lock"), "\"1\"", "\"2\"")));
        }
    }

    #[test]
    fn what_does_not_decide_them_leaves_it_alone() {
        for object in crate::object::ALL {
            let after = |change: &dyn Fn(PathBuf)| after(object, change);
            assert!(!after(&|root| replace(&root.join("Cargo.toml"), "opt-level = 0", "opt-level = 1")));
            assert!(!after(&|root| replace(&root.join("Cargo.lock"), "syn", "sym")));
            assert!(!after(&|root| fs::write(root.join("README.md"), "words").unwrap()));
        }
    }

    #[test]
    fn what_explains_is_not_part_of_what_counts() {
        let change = |root: PathBuf| replace(&root.join("probe-explain/src/main.rs"), "{}", "{ }");
        assert!(after(&EXPLAIN, change) && !after(&PROBE, change));
    }

    #[test]
    fn sha256_is_what_others_compute() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
