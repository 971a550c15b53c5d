//! `kernels.toml`: the kernels, where they come from, and what each must be able to do.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xtask::tree;

/// One kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    /// Its series, such as 6.12.
    pub(super) version: String,
    /// Debian's suite that has it.
    pub(super) suite: String,
    /// False when the suite may leave the mirrors one day.
    pub(super) required: bool,
    /// What tests may need and this kernel has: a test skipped for one of these has failed.
    pub(super) supports: Vec<String>,
    /// What tests may need and this kernel lacks, each with the reason.
    #[serde(default)]
    pub(super) lacks: BTreeMap<String, String>,
    /// Files of tests that are run on this kernel only when somebody asks for them: another one runs them.
    #[serde(default)]
    pub(super) leaves_out: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kernel: Vec<Kernel>,
}

/// Reads it, from old to new.
pub(super) fn read() -> Result<Vec<Kernel>> {
    let path = tree::root().join("kernels.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    Ok(file.kernel)
}
