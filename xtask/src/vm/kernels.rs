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

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Files of tests that find the same on every kernel, of which the host's is one.
    same_everywhere: Vec<String>,
    /// Those that the newest runs beside the host's: the oldest does not.
    newest_is_enough: Vec<String>,
    /// Those that the oldest runs beside the host's: the newest does not.
    oldest_is_enough: Vec<String>,
    kernel: Vec<Kernel>,
}

/// All of them, from old to new.
pub(super) fn all() -> Result<Vec<Kernel>> {
    Ok(read()?.kernel)
}

/// The oldest that can be had and the newest, each without the tests that another kernel's run makes needless.
pub(super) fn oldest_and_newest(can_be_had: impl Fn(&Kernel) -> bool) -> Result<Vec<Kernel>> {
    let File { same_everywhere, newest_is_enough, oldest_is_enough, mut kernel } = read()?;
    let mut newest = kernel.pop();
    // One that is required is taken in any case: then it fails, and says why.
    let mut oldest = kernel.into_iter().find(|kernel| kernel.required || can_be_had(kernel));
    for kernel in oldest.iter_mut().chain(&mut newest) {
        kernel.leaves_out.extend(same_everywhere.iter().cloned());
    }
    for (kernel, others) in [(&mut oldest, newest_is_enough), (&mut newest, oldest_is_enough)] {
        if let Some(kernel) = kernel {
            kernel.leaves_out.extend(others);
        }
    }
    Ok(oldest.into_iter().chain(newest).collect())
}

fn read() -> Result<File> {
    let path = tree::root().join("kernels.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn the_oldest_is_the_oldest_that_there_is() {
        let versions = |can_be_had: bool| -> Vec<String> {
            let kernels = oldest_and_newest(|_| can_be_had).unwrap().into_iter();
            kernels.map(|kernel| kernel.version).collect()
        };
        assert_eq!(versions(true), ["5.10", "7.3"]);
        assert_eq!(versions(false), ["6.1", "7.3"]);
    }

    #[test]
    fn what_is_left_out_exists_and_is_run_somewhere() {
        let File { same_everywhere, newest_is_enough, oldest_is_enough, kernel } = read().unwrap();
        let tests = test::in_namespaces(|_| true).unwrap();
        let left = kernel.iter().flat_map(|kernel| &kernel.leaves_out);
        for name in same_everywhere.iter().chain(&newest_is_enough).chain(&oldest_is_enough).chain(left) {
            assert!(tests.contains(name), "kernels.toml names {name}, and there is no such file of tests");
        }
        let both = newest_is_enough.iter().find(|name| oldest_is_enough.contains(name));
        assert_eq!(both, None, "no machine would run it");
        assert_eq!(kernel.last().unwrap().leaves_out, Vec::<String>::new(), "the newest runs everything");
    }
}
