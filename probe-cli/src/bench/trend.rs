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
pub struct Trend<'a> {
    /// The runs, the oldest first.
    pub sessions: Vec<Session<'a>>,
    /// A line for each metric of each scenario that a run has measured.
    pub lines: Vec<Line>,
}

/// A run and the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session<'a> {
    /// The run. What it says is hostile input, as all that a file says.
    pub run: &'a Run,
    /// What is another than in the run before, and would keep the two from being compared.
    pub changes: Vec<Difference>,
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

impl<'a> Trend<'a> {
    /// The trend of these runs, in whatever order they come. A run that is there twice counts once, with the reason that one of
    /// the two has.
    pub fn of(runs: &'a [Run]) -> Self {
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
            run,
            changes: before.map(|before| gate::differences(before, run)).unwrap_or_default(),
        });
        let mut tails = Tails::default();
        let mut lines = Vec::new();
        for scenario in Scenario::ALL {
            for metric in Metric::ALL {
                let points = sorted.iter().map(|run| point(run, scenario, metric, &mut tails));
                let points: Vec<Result<Point, Why>> = points.collect();
                // What no run has measured has no line.
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
        let accepted = Some(Accepted { reason: "a filter".to_owned(), at_s: 1, metrics: Vec::new() });
        let taken_in = Run { accepted, ..second.clone() };
        let runs = [second.clone(), first, third, taken_in, second];
        let trend = Trend::of(&runs);
        let reason = trend.sessions[1].run.accepted.as_ref().map(|accepted| accepted.reason.as_str());
        assert_eq!(reason, Some("a filter"));
        let times: Vec<u64> = trend.sessions.iter().map(|session| session.run.started_at_s).collect();
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
        let runs = [short, other];
        let trend = Trend::of(&runs);
        assert_eq!(trend.lines[0].points, [Err(Why::Few(10)), Err(Why::Missing)]);
        assert_eq!(Trend::of(&[]), Trend { sessions: Vec::new(), lines: Vec::new() });
    }
}
