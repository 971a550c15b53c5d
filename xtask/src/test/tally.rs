//! Counting tests from what their binaries print.

use std::{fmt, ops::AddAssign, process::ExitCode};

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

/// Reads the output of test binaries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    tally: Tally,
    line: Vec<u8>,
    started: u64,
    ended: u64,
}

impl Reader {
    /// Takes what was printed since.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.judge(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
        }
    }

    fn judge(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.tally.passed += count(result, "passed");
            self.tally.failed += count(result, "failed");
            self.tally.skipped += count(result, "ignored");
        } else if line
            .strip_prefix("running ")
            .is_some_and(|rest| rest.ends_with(" tests") || rest == "1 test")
        {
            self.started += 1;
        }
    }

    /// The count, given whether cargo was content. A binary that ended without a result has failed, and so has a run
    /// that cargo calls failed for a reason that no binary told.
    pub(crate) fn end(mut self, success: bool) -> Tally {
        self.take(b"\n");
        self.tally.failed += self.started.saturating_sub(self.ended);
        if !success && self.tally.failed == 0 {
            self.tally.failed = 1;
        }
        self.tally
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
    const BAD: &str = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.50s\n\n";
    const CRASHED: &str = "running 1 test\ntest a ... ";

    fn tally(text: &str, success: bool) -> Tally {
        let mut reader = Reader::default();
        // In pieces, as a pipe gives them.
        for piece in text.as_bytes().chunks(7) {
            reader.take(piece);
        }
        reader.end(success)
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
    fn a_good_run_is_good() {
        assert_eq!(tally(GOOD, true), Tally { passed: 2, failed: 0, skipped: 1 });
        assert_eq!(tally(GOOD, true).to_string(), "2 passed, 0 failed, 1 skipped");
    }
}
