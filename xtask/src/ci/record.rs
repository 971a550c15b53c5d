//! `docs/kernels.md`: when all of tier full last passed, on which commit, on which kernels.

use std::fs;

use anyhow::{Context as _, Result, bail};
use xtask::tree;

use crate::{
    command::{self, program},
    ebpf,
};

/// What begins the table's rows: its heading and the line below.
const HEADING: &str =
    "| Date | Commit | Kernel object, of sources | Tests in all | On each kernel |\n|---|---|---|---|---|\n";

/// Adds the run that just passed, as the first row.
pub(super) fn add(tests: &str, kernels: &str) -> Result<()> {
    let path = tree::kernels_table();
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let date = command::capture(program("date").args(["-u", "+%F"]))?;
    let row = row(date.trim(), &commit()?, &ebpf::objects_of_these_sources()?, tests, kernels);
    let Some(text) = with_row(&text, &row) else {
        bail!("{} does not hold the table's heading:\n{HEADING}", path.display());
    };
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// The commit that was tested.
fn commit() -> Result<String> {
    let git = |args: &[&str]| command::capture(program("git").args(args));
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Ok(format!("{}{}", commit.trim(), if changed.trim().is_empty() { "" } else { " with changes" }))
}

fn row(date: &str, commit: &str, object: &str, tests: &str, kernels: &str) -> String {
    format!("| {date} | {commit} | {object} | {tests} | {kernels} |\n")
}

fn with_row(text: &str, row: &str) -> Option<String> {
    let (before, after) = text.split_once(HEADING)?;
    Some(format!("{before}{HEADING}{row}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_comes_first() {
        let empty = format!("# Kernels\n\n{HEADING}");
        let first =
            with_row(&empty, &row("2026-01-01", "aaa", "1 of 2", "3 passed", "6.1: 1 passed")).unwrap();
        let both =
            with_row(&first, &row("2026-01-02", "bbb", "1 of 2", "4 passed", "6.1: 2 passed")).unwrap();
        let rows: Vec<&str> = both.lines().skip(4).collect();
        assert_eq!(
            rows,
            [
                "| 2026-01-02 | bbb | 1 of 2 | 4 passed | 6.1: 2 passed |",
                "| 2026-01-01 | aaa | 1 of 2 | 3 passed | 6.1: 1 passed |"
            ]
        );
        assert_eq!(with_row("no table", "| row |\n"), None);
    }

    #[test]
    fn the_table_in_the_repository_can_be_added_to() {
        let text = fs::read_to_string(tree::kernels_table()).unwrap();
        assert!(with_row(&text, "| row |\n").is_some());
    }
}
