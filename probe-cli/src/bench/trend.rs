//! What runs measured, one after the other: a level for each run and metric, and what changed about the machine in between. Decides
//! nothing. Pure.

use super::{
    gate::{self, Difference, SIDE, Why},
    history::whole,
    metric::{Metric, Scenario},
    result::Run,
    stats::Tails,
};

/// Runs over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// The runs, the oldest first.
    pub sessions: Vec<Session>,
    /// A line for each metric of each scenario that a run has measured.
    pub lines: Vec<Line>,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// When it began, in seconds since the Unix epoch.
    pub started_at_s: u64,
    /// `uname -r`; hostile input, as all that a file says.
    pub kernel: Option<String>,
    /// Version of the tool.
    pub tool_version: String,
    /// What is another than in the run before, and would keep the two from being compared.
    pub changes: Vec<Difference>,
    /// Why it was taken into a baseline.
    pub accepted: Option<String>,
}

/// A metric over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The data plane.
    pub scenario: Scenario,
    /// What is measured.
    pub metric: Metric,
    /// What each run says of it, or why that is nothing.
    pub points: Vec<Result<Point, Why>>,
}

/// The level of a run: overlay over host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// In the middle.
    pub ratio: f64,
    /// The lower end of its interval of 95 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Trend {
    /// The trend of these runs, in whatever order they come. A run that is there twice counts once, with the reason that one of
    /// the two has.
    pub fn of(runs: &[Run]) -> Self {
        let mut sorted: Vec<&Run> = Vec::new();
        for run in runs {
            match sorted.iter_mut().find(|known| known.is_session_of(run)) {
                Some(known) if known.accepted.is_none() => *known = run,
                Some(_) => {}
                None => sorted.push(run),
            }
        }
        sorted.sort_by_key(|run| run.started_at_s);
        let before = std::iter::once(None).chain(sorted.iter().map(Some));
        let sessions = sorted.iter().zip(before).map(|(run, before)| Session {
            started_at_s: run.started_at_s,
            kernel: run.machine.kernel.clone(),
            tool_version: run.tool_version.clone(),
            changes: before.map(|before| gate::differences(before, run)).unwrap_or_default(),
            accepted: run.accepted.as_ref().map(|accepted| accepted.reason.clone()),
        });
        let mut tails = Tails::default();
        let mut lines = Vec::new();
        for scenario in Scenario::ALL {
            if !sorted.iter().any(|run| run.measured().any(|one| one == scenario)) {
                continue;
            }
            for metric in Metric::ALL {
                let points = sorted.iter().map(|run| point(run, scenario, metric, &mut tails));
                let points: Vec<Result<Point, Why>> = points.collect();
                if points.iter().any(|point| *point != Err(Why::Missing)) {
                    lines.push(Line { scenario, metric, points });
                }
            }
        }
        Self { sessions: sessions.collect(), lines }
    }
}

fn point(run: &Run, scenario: Scenario, metric: Metric, tails: &mut Tails) -> Result<Point, Why> {
    let level = whole(run, scenario, metric, tails)?;
    let ends = [level.low(SIDE), level.high(SIDE)].map(|cost| metric.ratio(cost));
    // The cost of a rate grows as the rate falls.
    let [low, high] = if metric.is_rate() { [ends[1], ends[0]] } else { ends };
    Ok(Point { ratio: metric.ratio(level.estimate()), low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        random::Random,
        result::Accepted,
        testdata::{self, World},
    };

    fn run(seed: u64, at_s: u64, slower: f64) -> Run {
        let world = World { slower, ..World::quiet(0.01) };
        Run { started_at_s: at_s, ..testdata::run(&mut Random::new(seed), 20, &world) }
    }

    #[test]
    fn runs_are_in_the_order_of_their_time_and_a_run_counts_once() {
        let (first, second) = (run(1, 100, 0.0), run(2, 200, 0.1));
        let mut third = run(3, 300, 0.0);
        third.machine.kernel = Some("7.3".to_owned());
        let accepted = Some(Accepted { reason: "a filter".to_owned(), at_s: 1 });
        let taken_in = Run { accepted, ..second.clone() };
        let trend = Trend::of(&[second.clone(), first, third, taken_in, second]);
        assert_eq!(trend.sessions[1].accepted.as_deref(), Some("a filter"));
        let times: Vec<u64> = trend.sessions.iter().map(|session| session.started_at_s).collect();
        assert_eq!(times, [100, 200, 300]);
        let changed: Vec<Vec<&str>> = trend
            .sessions
            .iter()
            .map(|session| session.changes.iter().map(|change| change.what).collect())
            .collect();
        assert_eq!(changed, [vec![], vec![], vec!["kernel"]]);
        let rate = trend.lines.iter().find(|line| line.metric == Metric::PacketRate).unwrap();
        let ratios: Vec<f64> = rate.points.iter().map(|point| point.unwrap().ratio).collect();
        assert!(ratios[1] < 0.95 * ratios[0] && ratios[2] > 0.95 * ratios[0], "{ratios:?}");
        for line in &trend.lines {
            for point in line.points.iter().map(|point| point.unwrap()) {
                assert!(point.low < point.ratio && point.ratio < point.high, "{:?}: {point:?}", line.metric);
            }
        }
    }

    #[test]
    fn what_a_run_does_not_say_has_a_reason() {
        let mut short = run(1, 100, 0.0);
        short.rounds.truncate(4);
        let mut other = run(2, 200, 0.0);
        other.scenarios.retain(|one| one.scenario != Scenario::VxlanV4);
        for round in &mut other.rounds {
            round.slices.retain(|slice| slice.scenario != Scenario::VxlanV4);
        }
        let trend = Trend::of(&[short, other]);
        assert_eq!(trend.lines[0].points, [Err(Why::Few(10)), Err(Why::Missing)]);
        assert_eq!(Trend::of(&[]), Trend { sessions: Vec::new(), lines: Vec::new() });
    }
}
