//! How one kernel did, held against what `kernels.toml` says of it.

use std::{path::PathBuf, time::Duration};

use super::{
    guest::{self, Line},
    kernels::Kernel,
};
use crate::test::tally::{Reader, Results, Tally};

/// How a machine ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    reader: Reader,
    /// Tests that could not judge, each with what it said.
    skips: Vec<(String, String)>,
    /// None when the last word never came.
    good: Option<bool>,
    /// What went wrong beside tests.
    faults: Vec<String>,
    /// What is worth knowing and not wrong.
    remarks: Vec<String>,
    pub(super) took: Duration,
    pub(super) logs: Option<PathBuf>,
}

impl Ending {
    /// It could not be started.
    pub(super) fn broken(why: &anyhow::Error) -> Self {
        Self { good: Some(true), faults: vec![format!("{why:#}")], ..Self::default() }
    }

    /// Takes one line of what the machine printed.
    pub(super) fn line(&mut self, text: &str) {
        match guest::line(text) {
            Line::Skip { test, said } => self.skips.push((test.to_owned(), said.to_owned())),
            Line::End { good } => self.good = Some(good),
            Line::Other => {
                self.reader.take(text.as_bytes());
                self.reader.take(b"\n");
            }
        }
    }

    /// Something went wrong that is not a test of its own.
    pub(super) fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    /// Something is worth knowing that is not wrong.
    pub(super) fn remark(&mut self, what: String) {
        self.remarks.push(what);
    }
}

/// What is said of a kernel at the end.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) kernel: Kernel,
    release: String,
    took: Duration,
    results: Results,
    remarks: Vec<String>,
}

impl Verdict {
    /// The kernel ran, or should have.
    pub(super) fn new(kernel: &Kernel, release: Option<&str>, ending: Ending) -> Self {
        let Ending { reader, skips, good, mut faults, mut remarks, took, logs } = ending;
        if good.is_none() {
            faults.push("ended before all tests had run".to_owned());
        }
        let mut results = reader.end(good.unwrap_or(true));
        for failure in &mut results.failures {
            failure.test = format!("on {}: {}", kernel.version, failure.test);
        }
        let tally = &mut results.tally;
        for (test, said) in &skips {
            tally.passed = tally.passed.saturating_sub(1);
            match allowed(kernel, said) {
                Ok(feature) => {
                    tally.skipped += 1;
                    remarks.push(format!("skipped {test}: {feature}"));
                }
                Err(why) => {
                    tally.failed += 1;
                    remarks.push(format!("FAILED {test}: {why}"));
                }
            }
        }
        tally.failed += faults.len() as u64;
        remarks.extend(faults);
        if let Some(logs) = logs.filter(|_| tally.failed > 0) {
            remarks.push(format!("its logs are in {}", logs.display()));
        }
        Self { kernel: kernel.clone(), release: release.unwrap_or("-").to_owned(), took, results, remarks }
    }

    /// The kernel cannot be had and need not be.
    pub(super) fn missing(kernel: &Kernel, why: &anyhow::Error) -> Self {
        Self {
            kernel: kernel.clone(),
            release: "-".to_owned(),
            took: Duration::ZERO,
            results: Tally::SKIPPED.into(),
            remarks: vec![format!("skipped, as it is optional and cannot be had: {why:#}")],
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.results.tally
    }

    pub(super) fn results(&self) -> &Results {
        &self.results
    }

    /// What `uname -r` says of the kernel, else its series.
    pub(super) fn release(&self) -> &str {
        if self.release == "-" { &self.kernel.version } else { &self.release }
    }

    /// What it takes to understand the verdict.
    pub(super) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Kernel, release, seconds, verdict.
    pub(super) fn row(&self) -> Vec<String> {
        let tally = self.tally();
        let word = if tally.failed > 0 { "FAILED" } else { "passed" };
        let seconds = format!("{:.0}", self.took.as_secs_f64());
        vec![self.kernel.version.clone(), self.release.clone(), seconds, format!("{word}: {tally}")]
    }
}

/// What the kernel lacks that a test needed, if it may lack it. `said` is like `needs tcx: the reason`.
fn allowed(kernel: &Kernel, said: &str) -> Result<String, String> {
    let Some((feature, why)) = said.strip_prefix("needs ").and_then(|rest| rest.split_once(": ")) else {
        return Err(format!("was skipped for no need of its own: {said}"));
    };
    if kernel.supports.iter().any(|one| one == feature) {
        return Err(format!("was skipped, though this kernel supports {feature}: {why}"));
    }
    match kernel.lacks.get(feature) {
        Some(reason) => Ok(format!("no {feature}, which {reason}")),
        None => Err(format!("was skipped for {feature}, of which kernels.toml says nothing: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "running 2 tests\ntest a ... ok\ntest b ... ok\n\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";

    fn kernel() -> Kernel {
        Kernel {
            version: "6.1".to_owned(),
            suite: "bookworm".to_owned(),
            required: true,
            supports: vec!["wireguard".to_owned()],
            lacks: [("tcx".to_owned(), "came later".to_owned())].into(),
            leaves_out: Vec::new(),
        }
    }

    fn verdict(text: &str) -> Verdict {
        let mut ending = Ending::default();
        text.lines().for_each(|line| ending.line(line));
        Verdict::new(&kernel(), Some("6.1.0-1"), ending)
    }

    fn counts(text: &str) -> (u64, u64, u64) {
        let Tally { passed, failed, skipped } = verdict(text).tally();
        (passed, failed, skipped)
    }

    #[test]
    fn what_ran_to_its_end_passes() {
        assert_eq!(counts(&format!("{GOOD}{GOOD}@vm end 0\n")), (4, 0, 0));
        assert_eq!(verdict(&format!("{GOOD}@vm end 0\n")).row()[3], "passed: 2 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_machine_that_ends_early_has_failed() {
        assert_eq!(counts(GOOD), (2, 1, 0));
        assert_eq!(counts(""), (0, 1, 0));
        assert_eq!(counts("running 3 tests\ntest a ... "), (0, 2, 0));
    }

    #[test]
    fn a_bad_status_without_a_failed_test_has_failed() {
        assert_eq!(counts(&format!("{GOOD}@vm end 1\n")), (2, 1, 0));
    }

    #[test]
    fn a_skip_is_held_against_what_the_kernel_must_have() {
        let skip = |said: &str| counts(&format!("{GOOD}@vm skip a: {said}\n@vm end 0\n"));
        assert_eq!(skip("needs tcx: none"), (1, 0, 1));
        assert_eq!(skip("needs wireguard: Operation not supported"), (1, 1, 0));
        assert_eq!(skip("needs sriov: no PCI device"), (1, 1, 0));
        assert_eq!(skip("not in the mood"), (1, 1, 0));
    }

    #[test]
    fn faults_beside_tests_count() {
        let mut ending = Ending::default();
        ending.line("@vm end 0");
        ending.fault("hangs".to_owned());
        let verdict = Verdict::new(&kernel(), None, ending);
        assert_eq!((verdict.tally().failed, verdict.remarks()), (1, &["hangs".to_owned()][..]));
        let broken = Verdict::new(&kernel(), None, Ending::broken(&anyhow::anyhow!("no QEMU")));
        assert_eq!(broken.tally(), Tally::FAILED);
        assert_eq!(Verdict::missing(&kernel(), &anyhow::anyhow!("gone")).tally(), Tally::SKIPPED);
    }
}
