//! Counting tests from what their binaries print, and keeping what those that failed have said.

use std::{fmt, iter::Sum, mem, ops::AddAssign, process::ExitCode};

use crate::ui;

/// Lines of a failed test that are repeated at the end: its panic is among the first.
const LINES_OF_A_FAILURE: usize = 40;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Something failed that is not a test of its own.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// Something was left out that is not a test of its own.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    pub(crate) fn exit_code(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name, with the kernel that it ran on where there are several.
    pub(crate) test: String,
    /// The first lines of what it printed.
    said: Vec<String>,
}

/// What was counted, and each test that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) tally: Tally,
    pub(crate) failures: Vec<Failure>,
}

impl Results {
    /// Ends a chore: repeats what failed, since it stands far above by now, and counts everything in the last line.
    pub(crate) fn conclude(&self) -> ExitCode {
        for Failure { test, said } in &self.failures {
            ui::line(&format!("FAILED {test}"));
            for line in said {
                ui::line(&format!("    {line}"));
            }
        }
        ui::line(&self.tally.to_string());
        self.tally.exit_code()
    }
}

impl From<Tally> for Results {
    fn from(tally: Tally) -> Self {
        Self { tally, failures: Vec::new() }
    }
}

impl Sum for Results {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

impl AddAssign for Results {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.failures.extend(other.failures);
    }
}

/// Reads the output of test binaries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    results: Results,
    line: Vec<u8>,
    /// A binary has begun and not yet told its result.
    is_open: bool,
    /// The test that began last.
    begun: String,
    /// The last of the failures is being read.
    is_in_failure: bool,
}

impl Reader {
    /// Takes what was printed since.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = mem::take(&mut self.line);
                self.judge(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
        }
    }

    fn judge(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.is_open = false;
            self.results.tally += Tally {
                passed: count(result, "passed"),
                failed: count(result, "failed"),
                skipped: count(result, "ignored"),
            };
        } else if line
            .strip_prefix("running ")
            .is_some_and(|rest| rest.ends_with(" tests") || rest == "1 test")
        {
            self.close();
            (self.is_open, self.is_in_failure) = (true, false);
        } else if let Some(test) =
            line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.is_in_failure = true;
            self.results.failures.push(Failure { test: test.to_owned(), said: Vec::new() });
        } else if line == "failures:" || line == "stack backtrace:" {
            self.is_in_failure = false;
        } else if let Some(failure) = self.results.failures.last_mut().filter(|_| self.is_in_failure) {
            if failure.said.len() < LINES_OF_A_FAILURE && !line.is_empty() {
                failure.said.push(line.to_owned());
            }
        } else if let Some((test, _)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            test.clone_into(&mut self.begun);
        }
    }

    /// A binary that is still open ended without a result: the test that began last has ended it, or took too long.
    fn close(&mut self) {
        if mem::take(&mut self.is_open) {
            self.results.tally += Tally::FAILED;
            let said = vec!["its binary ended without a result".to_owned()];
            self.results.failures.push(Failure { test: mem::take(&mut self.begun), said });
        }
    }

    /// What was found, given whether cargo was content. A binary that ended without a result has failed, and so has a run
    /// that cargo calls failed for a reason that no binary told.
    pub(crate) fn end(mut self, success: bool) -> Results {
        self.take(b"\n");
        self.close();
        if !success && self.results.tally.failed == 0 {
            self.results.tally.failed = 1;
        }
        self.results
    }
}

/// The number before a word of `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
fn count(result: &str, word: &str) -> u64 {
    let parts = result.split([';', '.']);
    let number =
        parts.filter_map(|part| part.trim().strip_suffix(word)).find_map(|number| number.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "running 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... ignored\n\n\
        test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n";
    const BAD: &str = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n\
        ---- b stdout ----\n\nthread 'b' panicked at b.rs:1:2:\nis 3\nstack backtrace:\n   0: std\n\nfailures:\n    b\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.50s\n\n";
    const CRASHED: &str = "running 1 test\ntest a ... ";

    fn results(text: &str, success: bool) -> Results {
        let mut reader = Reader::default();
        // In pieces, as a pipe gives them.
        for piece in text.as_bytes().chunks(7) {
            reader.take(piece);
        }
        reader.end(success)
    }

    fn tally(text: &str, success: bool) -> Tally {
        results(text, success).tally
    }

    #[test]
    fn results_add_up() {
        let text = format!("{GOOD}{GOOD}{BAD}");
        assert_eq!(tally(&text, false), Tally { passed: 5, failed: 1, skipped: 2 });
    }

    #[test]
    fn a_binary_without_a_result_has_failed() {
        assert_eq!(tally(&format!("{CRASHED}{GOOD}"), false), Tally { passed: 2, failed: 1, skipped: 1 });
        assert_eq!(tally(&format!("{GOOD}{CRASHED}"), false), Tally { passed: 2, failed: 1, skipped: 1 });
    }

    #[test]
    fn what_cargo_calls_failed_never_counts_as_good() {
        assert_eq!(tally("", false), Tally { passed: 0, failed: 1, skipped: 0 });
        assert_eq!(tally(GOOD, false), Tally { passed: 2, failed: 1, skipped: 1 });
    }

    #[test]
    fn what_failed_is_repeated_with_its_panic() {
        let said = ["thread 'b' panicked at b.rs:1:2:", "is 3"].map(str::to_owned).to_vec();
        let b = Failure { test: "b".to_owned(), said };
        assert_eq!(results(&format!("{GOOD}{BAD}{GOOD}{BAD}"), false).failures, [b.clone(), b]);
        assert_eq!(results(GOOD, true).failures, []);
        let many = "line\n".repeat(2 * LINES_OF_A_FAILURE);
        let cut = results(&BAD.replace("is 3\n", &many), false);
        assert_eq!(cut.failures.iter().map(|one| one.said.len()).collect::<Vec<_>>(), [LINES_OF_A_FAILURE]);
    }

    #[test]
    fn the_test_that_ended_its_binary_is_named() {
        // What comes next stands on the line of the test that never ended.
        let text = format!("running 2 tests\ntest a ... ok\ntest b ...      Running c\n\n{GOOD}");
        let results = results(&text, false);
        assert_eq!(results.tally, Tally { passed: 2, failed: 1, skipped: 1 });
        assert_eq!(results.failures.iter().map(|one| one.test.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_good_run_is_good() {
        assert_eq!(tally(GOOD, true), Tally { passed: 2, failed: 0, skipped: 1 });
        assert_eq!(tally(GOOD, true).to_string(), "2 passed, 0 failed, 1 skipped");
    }
}
