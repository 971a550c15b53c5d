//! The corpora in the repository: inputs that the fuzzer chose, under their SHA-1 as it names them, and inputs that showed a fault,
//! under names of ours.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xtask::tree;

/// Where they are.
fn all() -> PathBuf {
    tree::root().join("fuzz/corpus")
}

/// The corpus of one target.
pub(super) fn kept(name: &str) -> PathBuf {
    all().join(name)
}

/// Names of the targets, sorted.
pub(super) fn names() -> Result<Vec<String>> {
    entries(&all())
}

fn entries(folder: &Path) -> Result<Vec<String>> {
    let reading = || format!("reading {}", folder.display());
    let entries = fs::read_dir(folder).with_context(reading)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<Result<_, _>>().with_context(reading)?;
    names.sort();
    Ok(names)
}

/// Puts these inputs in the place of those that the fuzzer chose before. Says how many there are now, and how large.
pub(super) fn replace(name: &str, by: &Path) -> Result<String> {
    let kept = kept(name);
    for input in entries(&kept)?.iter().filter(|input| is_chosen(input)) {
        fs::remove_file(kept.join(input)).with_context(|| format!("removing {input}"))?;
    }
    for input in entries(by)? {
        fs::copy(by.join(&input), kept.join(&input)).with_context(|| format!("copying {input}"))?;
    }
    let inputs = entries(&kept)?;
    let sizes = inputs.iter().map(|input| fs::metadata(kept.join(input)).map(|found| found.len()));
    let bytes: u64 = sizes.sum::<Result<_, _>>().context("reading the corpus")?;
    Ok(format!("{name}: {} inputs, {bytes} bytes", inputs.len()))
}

/// The fuzzer chose it; those with a name stay whatever they reach.
fn is_chosen(input: &str) -> bool {
    input.len() == 40 && input.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_with_a_name_stays() {
        assert!(is_chosen("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        assert!(!is_chosen("long-section-name"));
    }
}
