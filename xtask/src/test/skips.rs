//! Tests that could not judge on this machine: they pass as far as the test binary knows, and leave a line
//! `name: reason` in the file that `OVERLAY_PROBE_SKIPS` names.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::tally::{Results, Tally};
use crate::ui;

/// The environment variable that names the file.
pub(super) const VARIABLE: &str = "OVERLAY_PROBE_SKIPS";

/// The file.
pub(super) struct Skips(NamedTempFile);

impl Skips {
    /// Makes it, empty.
    pub(super) fn open() -> Result<Self> {
        Ok(Self(NamedTempFile::new().context("making the file for skipped tests")?))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Says what was skipped and why, and counts it as that.
    pub(super) fn move_from_passed(&self, results: Results) -> Result<Results> {
        let text = fs::read_to_string(self.path()).context("reading what was skipped")?;
        let skipped = parse(&text);
        for (name, reason) in &skipped {
            ui::note(&format!("skipped {name}: {reason}"));
        }
        Ok(Results { tally: moved(results.tally, skipped.len() as u64), ..results })
    }
}

/// Each test once, however many lines it left.
fn parse(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(": ").unwrap_or((line, "no reason given"))).collect()
}

fn moved(tally: Tally, skipped: u64) -> Tally {
    let moved = skipped.min(tally.passed);
    Tally { passed: tally.passed - moved, skipped: tally.skipped + moved, ..tally }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_has_not_passed() {
        let tally = Tally { passed: 3, failed: 0, skipped: 1 };
        let skips = parse("vf: no SR-IOV here: none\nvf: no SR-IOV here\n\nwg: no WireGuard\n");
        assert_eq!(skips.keys().collect::<Vec<_>>(), [&"vf", &"wg"]);
        assert_eq!(moved(tally, skips.len() as u64), Tally { passed: 1, failed: 0, skipped: 3 });
        assert_eq!(moved(tally, 9), Tally { passed: 0, failed: 0, skipped: 4 });
    }
}
