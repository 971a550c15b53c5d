//! How the steps ended.

use std::time::Duration;

use crate::{
    test::tally::{Results, Tally},
    ui::{self, Align},
};

/// How one step ended.
pub(super) enum Outcome {
    Passed,
    /// With what there is to say of it.
    PassedAs(String),
    Failed,
    Skipped(String),
    /// It counted tests.
    Tests(Results),
    /// It counted tests on several kernels; with what each of them counted.
    Machines(Results, String),
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Passed
    }
}

impl Outcome {
    fn words(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::PassedAs(how) => format!("passed: {how}"),
            Self::Failed => "FAILED".to_owned(),
            Self::Skipped(why) => format!("skipped: {why}"),
            Self::Tests(Results { tally, .. }) | Self::Machines(Results { tally, .. }, _) => {
                format!("{}: {tally}", if tally.failed == 0 { "passed" } else { "FAILED" })
            }
        }
    }

    /// What it adds to the last line: tests one by one, of other steps what did not pass.
    fn results(&self) -> Results {
        match self {
            Self::Passed | Self::PassedAs(_) => Results::default(),
            Self::Failed => Tally::FAILED.into(),
            Self::Skipped(_) => Tally::SKIPPED.into(),
            Self::Tests(results) | Self::Machines(results, _) => results.clone(),
        }
    }
}

/// All steps so far.
#[derive(Default)]
pub(super) struct Report(Vec<(&'static str, Outcome, Duration)>);

impl Report {
    pub(super) fn add(&mut self, name: &'static str, outcome: Outcome, took: Duration) {
        self.0.push((name, outcome, took));
    }

    pub(super) fn print(&self) {
        let heading = ["step", "seconds", "result"].map(str::to_owned).to_vec();
        let rows = self.0.iter().map(|(name, outcome, took)| {
            vec![(*name).to_owned(), format!("{:.0}", took.as_secs_f64()), outcome.words()]
        });
        let rows: Vec<Vec<String>> = [heading].into_iter().chain(rows).collect();
        ui::table(&[Align::Left, Align::Right, Align::Left], &rows);
    }

    /// What each kernel counted.
    pub(super) fn kernels(&self) -> String {
        let each = self.0.iter().filter_map(|(_, outcome, _)| match outcome {
            Outcome::Machines(_, each) => Some(each.as_str()),
            Outcome::Passed
            | Outcome::PassedAs(_)
            | Outcome::Failed
            | Outcome::Skipped(_)
            | Outcome::Tests(_) => None,
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// Tests, and the steps that did not pass.
    pub(super) fn results(&self) -> Results {
        self.0.iter().map(|(_, outcome, _)| outcome.results()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_in_the_last_line() {
        let mut report = Report::default();
        report.add("format", Outcome::Failed, Duration::ZERO);
        report.add("clippy", Outcome::Passed, Duration::ZERO);
        report.add("advisories", Outcome::Skipped("no network".to_owned()), Duration::ZERO);
        report.add(
            "tests",
            Outcome::Tests(Tally { passed: 5, failed: 0, skipped: 2 }.into()),
            Duration::ZERO,
        );
        assert_eq!(report.results().tally, Tally { passed: 5, failed: 1, skipped: 3 });
    }
}
