//! A commit, built beside the working tree: its sources below `target/against`, from git, and its tool and chores built there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use xtask::tree;

use crate::{command, ui};

/// See the module.
pub(super) struct Old {
    commit: String,
    tree: PathBuf,
    target: PathBuf,
    binary: PathBuf,
}

impl Old {
    /// Builds what a revision names.
    pub(super) fn build(revision: &str) -> Result<Self> {
        let name = format!("{revision}^{{commit}}");
        let commit = command::capture(command::program("git").args([
            "rev-parse",
            "--verify",
            "--end-of-options",
            &name,
        ]));
        let commit = commit.with_context(|| format!("there is no commit {revision}"))?.trim().to_owned();
        let against = tree::root().join("target/against");
        let (tree, target) = (against.join(&commit), against.join("build"));
        if !tree.exists() {
            unpack(&commit, &against, &tree)?;
        }
        ui::note(&format!("building {commit}"));
        let mut cargo = command::cargo("build");
        cargo.current_dir(&tree).env("CARGO_TARGET_DIR", &target);
        command::run(cargo.args(["--release", "--locked", "-p", "overlay-probe", "-p", "xtask"]))?;
        let binary = target.join("release/overlay-probe");
        Ok(Self { commit, tree, target, binary })
    }

    /// Its full name.
    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// Its tool.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// A kernel object of it; none where it did not have that one yet.
    pub(super) fn object(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.tree.join("probe-ebpf/prebuilt").join(name).with_extension("o");
        if !path.exists() {
            return Ok(None);
        }
        fs::read(&path).map(Some).with_context(|| format!("reading {}", path.display()))
    }

    /// Its programs' times, as its own benchmark says them: what, and the median.
    pub(super) fn programs(&self, rounds: u32) -> Result<Vec<(String, f64)>> {
        let mut bench = command::program(self.target.join("release/xtask"));
        bench.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        let text =
            command::capture(bench.args(["bench", "--only", "programs", "--rounds", &rounds.to_string()]))?;
        let rows: Vec<(String, f64)> = text.lines().filter_map(row).collect();
        if rows.is_empty() {
            bail!("the benchmark of {} printed no programs:\n{text}", self.commit);
        }
        Ok(rows)
    }
}

/// The sources of a commit in a folder that is there once they are complete.
fn unpack(commit: &str, against: &Path, tree: &Path) -> Result<()> {
    fs::create_dir_all(against).with_context(|| format!("making {}", against.display()))?;
    let scratch = tempfile::tempdir_in(against)?;
    let (archive, sources) = (scratch.path().join("tar"), scratch.path().join("sources"));
    fs::create_dir(&sources)?;
    command::run(command::program("git").args(["archive", "--format=tar", "-o"]).arg(&archive).arg(commit))?;
    command::run(command::program("tar").arg("-xf").arg(&archive).arg("-C").arg(&sources))?;
    fs::rename(&sources, tree).with_context(|| format!("making {}", tree.display()))
}

/// A row of the benchmark's table: columns are two blanks or more apart, and the second is the median.
fn row(line: &str) -> Option<(String, f64)> {
    let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    let what = cells.next()?.to_owned();
    Some((what, cells.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_name_and_a_median() {
        let line = "ovp_tunnel_tx beside one counter        2.130  2.100  2.200  times  at most 3";
        assert_eq!(row(line), Some(("ovp_tunnel_tx beside one counter".to_owned(), 2.13)));
        for other in ["what  median  p10  p90  unit  target", "", "building the tool"] {
            assert_eq!(row(other), None, "{other}");
        }
    }
}
