//! Compares two runs and says of each metric what can be said: same, worse, better, or that it cannot be decided yet. Refuses what
//! cannot be compared. Noise costs rounds, never errors.

use std::time::Duration;

use super::{
    basis::{Basis, Scope},
    explain::{self, Change},
    margin::Margins,
    metric::{Metric, Scenario},
    plan::{Key, LOOKS},
    result::{MOST_ROUNDS, Machine, Outside, Run},
    rounds::{Series, Unstable},
    stats::{self, Shift, Tails},
};

/// Probability that identical code is called worse, over all looks and gating metrics of a session.
pub const LEVEL: f64 = 0.01;
/// Runs further apart are of different sessions, also without a boot in between: the state of a machine wanders.
const SESSION: Duration = Duration::from_secs(12 * 3600);

/// With fewer runs of other days a baseline does not know how much days differ.
pub const FEWEST_RUNS: usize = 5;

/// How to judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What is slower by less is the same.
    pub margins: Margins,
    /// Compare what should not be compared.
    pub force: bool,
    /// What changed facts lead to.
    pub facts: FactsPolicy,
}

/// What a changed fact leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FactsPolicy {
    /// New fragments, drops and checksum errors fail; other exact facts warn.
    #[default]
    Default,
    /// Every exact fact that changed fails.
    Fail,
    /// None does.
    Warn,
}

/// What can be said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Certainly not slower by the margin.
    Same,
    /// Certainly faster.
    Better,
    /// Certainly slower, and perhaps by the margin.
    Worse,
    /// None of these.
    Inconclusive,
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Overlay over host, in the middle.
    pub ratio: f64,
    /// Half of the width of its interval of 95 %, as a share; infinite with too few rounds.
    pub error: f64,
    /// Rounds that count.
    pub rounds: usize,
    /// Rounds that do not.
    pub thrown: usize,
    /// Standard deviation of the logarithm of the ratio from round to round.
    pub spread: Option<f64>,
    /// Payload of each datagram, of loads that send some; none where that is not known.
    pub datagram_bytes: Option<u32>,
}

/// How much more the new one costs, as a logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The estimate.
    pub estimate: f64,
    /// It is at least this.
    pub low: f64,
    /// It is at most this.
    pub high: f64,
}

/// Why nothing can be decided; beside what is worse, why its interval is as wide as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// One of the runs did not measure it.
    Missing,
    /// The machine is unstable.
    Unstable(Unstable),
    /// It was when the base was measured: no round of the new run helps.
    BaseUnstable(Unstable),
    /// One of the runs has fewer rounds than this, with which nothing is decided.
    Few(usize),
    /// Too much noise: about so many in each run would do; none when even the most would not.
    Rounds(Option<usize>),
    /// The rounds would decide; what the hypervisor took may be so much of the difference, as a logarithm.
    Stolen(f64),
    /// So many runs of the base differ too much from each other.
    Runs(usize),
}

/// A metric of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The data plane.
    pub scenario: Scenario,
    /// What is compared.
    pub metric: Metric,
    /// The base.
    pub base: Option<Summary>,
    /// The new run.
    pub new: Option<Summary>,
    /// The difference.
    pub growth: Option<Growth>,
    /// What can be said.
    pub verdict: Verdict,
    /// Why that is nothing.
    pub why: Option<Why>,
    /// How what it is compared with is related to the new run.
    pub relation: Relation,
}

impl Row {
    /// Nothing is known.
    pub fn nothing(scenario: Scenario, metric: Metric) -> Self {
        Self {
            scenario,
            metric,
            base: None,
            new: None,
            growth: None,
            verdict: Verdict::Inconclusive,
            why: Some(Why::Missing),
            relation: Relation::OneSession,
        }
    }

    /// Which comparison it is.
    pub fn key(&self) -> Key {
        (self.scenario, self.metric)
    }
}

/// Why two runs are not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub what: &'static str,
    /// In the base.
    pub base: String,
    /// In the new run.
    pub new: String,
}

/// How the runs are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Measured on one machine within hours, without a boot in between.
    OneSession,
    /// Another boot or another day, and so many accepted runs that show how much days differ.
    History(usize),
    /// Another boot or another day: nobody knows how much the machine's state matters, so that it warns at most.
    Advisory,
}

/// Two runs beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// A row for each metric of each scenario.
    pub rows: Vec<Row>,
    /// What is exact and changed, the likeliest cause first.
    pub changes: Vec<Change>,
    /// How the runs are related; of the metric of which least is known, where they differ.
    pub relation: Relation,
    /// Levels that were accepted by themselves: the metrics and the reason.
    pub levels: Vec<(Vec<Metric>, String)>,
    /// What differs and was compared all the same, by force.
    pub forced: Vec<Difference>,
    /// Which rows two sessions say are worse; none when there was only one.
    pub confirmed: Option<Vec<Key>>,
    /// By how much each metric may get worse.
    pub margins: Margins,
}

/// What it all comes to, in the order of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing got slower.
    Pass,
    /// Something did, which does not count as certain; or a fact changed.
    Warn,
    /// It cannot be decided.
    Unknown,
    /// Something got slower.
    Fail,
}

/// What of two runs keeps them from being compared; empty when nothing does.
pub fn differences(base: &Run, new: &Run) -> Vec<Difference> {
    let unknown = || "unknown".to_owned();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(unknown);
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let (a, b): (&Machine, &Machine) = (&base.machine, &new.machine);
    let load = |run: &Run| match &run.parameters.load {
        None => "its own".to_owned(),
        Some(Outside { client, server: None }) => client.clone(),
        Some(Outside { client, server: Some(server) }) => format!("{client}, to {server}"),
    };
    let milliseconds = |run: &Run| format!("{} ms", run.parameters.slice_ms);
    let far = |run: &Run| -> Vec<(&'static str, String)> {
        let Some(remote) = &run.remote else { return vec![("other machine", "none".to_owned())] };
        let Machine { kernel, architecture, cpu, cores, .. } = &remote.machine;
        let sides = if remote.underlay.is_some() { "overlay and underlay" } else { "overlay only" };
        vec![
            ("other machine", "one".to_owned()),
            ("architecture of the other machine", architecture.clone()),
            ("processor of the other machine", text(cpu)),
            ("cores of the other machine", cores.to_string()),
            ("kernel of the other machine", text(kernel)),
            ("ways to the other machine", sides.to_owned()),
        ]
    };
    let rows = [
        ("architecture", a.architecture.clone(), b.architecture.clone()),
        ("processor", text(&a.cpu), text(&b.cpu)),
        ("cores", a.cores.to_string(), b.cores.to_string()),
        ("kernel", text(&a.kernel), text(&b.kernel)),
        ("frequency governor", text(&a.governor), text(&b.governor)),
        ("major version of overlay-probe", major(&base.tool_version), major(&new.tool_version)),
        ("length of a slice", milliseconds(base), milliseconds(new)),
        ("load", load(base), load(new)),
        ("underlay MTU", base.parameters.underlay_mtu.to_string(), new.parameters.underlay_mtu.to_string()),
    ];
    let differs = |(what, base, new): (&'static str, String, String)| {
        (base != new).then_some(Difference { what, base, new })
    };
    let far = far(base).into_iter().zip(far(new)).map(|((what, base), (_, new))| (what, base, new));
    rows.into_iter().chain(far).filter_map(differs).collect()
}

pub(super) fn is_one_session(base: &Run, new: &Run) -> bool {
    let boots = |run: &Run| {
        let far = run.remote.as_ref().map(|remote| remote.machine.boot_id.clone());
        [Some(run.machine.boot_id.clone()), far]
    };
    let is_known = boots(base).iter().flatten().all(Option::is_some);
    let is_one_boot = is_known && boots(base) == boots(new);
    // Within a boot its own clock counts: the other one may have been set in between.
    let apart = match (base.since_boot_s, new.since_boot_s) {
        (Some(base), Some(new)) => Duration::from_secs(new.abs_diff(base)),
        (None, _) | (_, None) => new.started_at().abs_diff(base.started_at()),
    };
    is_one_boot && apart <= SESSION
}

/// Compares with the runs of a baseline, which has some, or says why not.
pub fn compare(
    base: &[Run],
    new: &Run,
    options: &Options,
    tails: &mut Tails,
) -> Result<Comparison, Vec<Difference>> {
    let Some(basis) = Basis::of(base, new) else { return Ok(Comparison::nothing(options)) };
    let differences = basis.differences(new);
    if !differences.is_empty() && !options.force {
        return Err(differences);
    }
    let rows = basis.verdicts(new, &options.margins, tails);
    let mut comparison = Comparison::of(rows, &basis, new, options, None);
    comparison.summarize(&basis, new, tails);
    Ok(comparison)
}

/// What two series say of a metric before the levels of all are known.
struct Found {
    row: Row,
    shift: Option<Shift>,
    /// How far the machine wanders, where it is unstable.
    unrest: Option<f64>,
    /// See [`Series::stolen_until`].
    stolen: [f64; 2],
    /// Rounds that count, of both.
    counts: (usize, usize),
}

impl Found {
    /// Nothing but the rounds decides.
    fn is_the_rounds_alone(&self) -> bool {
        self.unrest.is_none() && self.stolen.iter().all(|part| *part <= 0.0)
    }
}

/// The rows of a base and the first `rounds` rounds of a new run, without their summaries.
pub fn verdicts(base: &Run, new: &Run, rounds: usize, margins: &Margins, tails: &mut Tails) -> Vec<Row> {
    rows(base, new, rounds, &Scope { metrics: &Metric::ALL, share: 1.0, margins }, tails)
}

/// The same of some metrics. A scenario that one of the runs has measured has rows.
pub(super) fn rows(base: &Run, new: &Run, rounds: usize, scope: &Scope<'_>, tails: &mut Tails) -> Vec<Row> {
    let is_measured = |scenario: &Scenario| base.measured().chain(new.measured()).any(|one| one == *scenario);
    let mut found = Vec::new();
    for scenario in Scenario::ALL.into_iter().filter(is_measured) {
        for metric in scope.metrics.iter().copied() {
            let old = Series::of(base, usize::MAX, scenario, metric);
            let now = Series::of(new, rounds, scenario, metric);
            let is_wanted = base.parameters.measures(metric) || new.parameters.measures(metric);
            if !is_wanted && old.rounds + now.rounds == 0 {
                continue;
            }
            let (shift, why) = match between(&old, &now, tails) {
                Ok((shift, why)) => (Some(shift), why),
                Err(why) => (None, Some(why)),
            };
            found.push(Found {
                row: Row { why, ..Row::nothing(scenario, metric) },
                shift,
                unrest: why.map(|_| old.unrest(&now)),
                stolen: old.stolen_until(&now),
                counts: (old.costs.len(), now.costs.len()),
            });
        }
    }
    // The probability of an error is split over those that decide.
    let level = LEVEL * scope.share / LOOKS.len() as f64;
    let p = |found: &Found| match &found.shift {
        Some(shift) if found.is_the_rounds_alone() => shift.p_positive(),
        Some(_) | None => 1.0,
    };
    let gating: Vec<f64> = found.iter().filter(|found| found.row.metric.gates()).map(p).collect();
    let mut levels = stats::holm(&gating, level).into_iter();
    let judged = |found: Found| {
        let is_alone = found.is_the_rounds_alone();
        let Found { row, shift, unrest, stolen: [slower, faster], counts } = found;
        let own = if row.metric.gates() { levels.next().unwrap_or(level) } else { level };
        let Some(shift) = shift else { return row };
        // A p that is not of the rounds alone is none that the others' levels may depend on, so that it gets the smallest one.
        let own = if is_alone { own } else { level / gating.len().max(1) as f64 };
        if let Some(unrest) = unrest {
            return beside_unrest(row, &shift, unrest, own);
        }
        let rounds = Growth { estimate: shift.estimate(), low: shift.low(own), high: shift.high(level) };
        let growth = Growth { low: rounds.low - slower, high: rounds.high + faster, ..rounds };
        let margin = row.metric.margin(scope.margins.of(row.metric));
        let verdict = verdict(&growth, margin);
        let why = || match self::verdict(&rounds, margin) {
            Verdict::Inconclusive => Why::Rounds(needed(counts, &growth, margin)),
            Verdict::Same | Verdict::Better | Verdict::Worse => Why::Stolen(slower.max(faster)),
        };
        Row { verdict, why: (verdict == Verdict::Inconclusive).then(why), growth: Some(growth), ..row }
    };
    found.into_iter().map(judged).collect()
}

/// The difference, and why it has to be a large one where the machine is unstable.
fn between(base: &Series, new: &Series, tails: &mut Tails) -> Result<(Shift, Option<Why>), Why> {
    if base.is_missing() || new.is_missing() {
        return Err(Why::Missing);
    }
    let fewest = LOOKS.first().copied().unwrap_or_default();
    let of_new = || new.unstable.or_else(|| new.moved_from(base)).map(Why::Unstable);
    let why = base.unstable.map(Why::BaseUnstable).or_else(of_new);
    if base.rounds.min(new.rounds) < fewest {
        return Err(why.unwrap_or(Why::Few(fewest)));
    }
    let shift = Shift::between(&base.costs, &new.costs, tails).ok_or_else(|| why.unwrap_or(Why::Missing))?;
    Ok((shift, why))
}

/// On an unstable machine only that decides which the machine cannot account for: a ratio that got worse by more than the host's own
/// speed wandered. Something that breaks the data plane altogether is such, and is not to be hidden by noise.
fn beside_unrest(row: Row, shift: &Shift, unrest: f64, level: f64) -> Row {
    let (low, high) = (shift.low(level) - unrest, shift.high(level) + unrest);
    if low <= 0.0 || !low.is_finite() {
        return row;
    }
    let growth = Growth { estimate: shift.estimate(), low, high };
    Row { verdict: Verdict::Worse, growth: Some(growth), ..row }
}

/// One side of an interval of 95 %.
pub(super) const SIDE: f64 = 0.025;

fn summary(metric: Metric, series: &Series, tails: &mut Tails) -> Option<Summary> {
    let middle = Shift::middle(&series.costs, tails)?;
    let half = (middle.high(SIDE) - middle.low(SIDE)) / 2.0;
    Some(Summary {
        ratio: metric.ratio(middle.estimate()),
        error: half.exp_m1(),
        rounds: series.costs.len(),
        thrown: series.thrown,
        spread: stats::spread(&series.costs),
        datagram_bytes: series.datagram_bytes,
    })
}

/// What an interval says.
pub(super) fn verdict(growth: &Growth, margin: f64) -> Verdict {
    if growth.high < 0.0 {
        Verdict::Better
    } else if growth.high < margin {
        Verdict::Same
    } else if growth.low > 0.0 {
        Verdict::Worse
    } else {
        Verdict::Inconclusive
    }
}

/// About how many rounds in each run would make the interval so narrow that it decides, if the estimate is right: its width
/// shrinks with the square root of their number.
fn needed((base, new): (usize, usize), growth: &Growth, margin: f64) -> Option<usize> {
    let half = (growth.high - growth.low) / 2.0;
    if !half.is_finite() {
        return LOOKS.get(1).copied();
    }
    let target = growth.estimate.max(margin - growth.estimate);
    let now = 2.0 / (1.0 / base as f64 + 1.0 / new as f64);
    let rounds = now * (half / target).powi(2);
    (1..=MOST_ROUNDS).find(|most| *most as f64 >= rounds)
}

/// The margin, as a share, at which a gate with this base finds identical code the same four times in five, when it measures as many
/// rounds as it may: the half of an interval and a bit, of ratios that differ as much as these.
pub fn passable(metric: Metric, costs: &[f64]) -> Option<f64> {
    /// It takes one time in five longer.
    const MISSED: f64 = 0.2;
    let error = stats::spread(costs)? * (1.0 / costs.len() as f64 + 1.0 / MOST_ROUNDS as f64).sqrt();
    let degrees = costs.len() - 1;
    let quantiles: f64 = [LEVEL / LOOKS.len() as f64, MISSED]
        .into_iter()
        .map(|probability| stats::student_quantile(degrees, probability))
        .sum();
    Some(metric.change(quantiles * error).abs())
}

impl Comparison {
    /// Of a baseline without a run.
    fn nothing(options: &Options) -> Self {
        Self {
            rows: Vec::new(),
            changes: Vec::new(),
            relation: Relation::Advisory,
            levels: Vec::new(),
            forced: Vec::new(),
            confirmed: None,
            margins: options.margins.clone(),
        }
    }

    /// Of rows that were judged already, with what a first session found worse, where this is the second. Without summaries.
    pub fn of(
        rows: Vec<Row>,
        basis: &Basis<'_>,
        new: &Run,
        options: &Options,
        first: Option<&[Key]>,
    ) -> Self {
        let is_worse =
            |key: &&Key| rows.iter().any(|row| row.verdict == Verdict::Worse && row.key() == **key);
        let confirmed = first.map(|keys| keys.iter().filter(is_worse).copied().collect());
        let run = basis.run();
        Self {
            rows,
            changes: run.map(|run| explain::changes(run, new)).unwrap_or_default(),
            relation: basis.relation(),
            levels: basis.levels(),
            forced: basis.differences(new),
            confirmed,
            margins: options.margins.clone(),
        }
    }

    /// Adds to each row what its runs say by themselves.
    pub fn summarize(&mut self, basis: &Basis<'_>, new: &Run, tails: &mut Tails) {
        for row in &mut self.rows {
            let of = |run| Series::of(run, usize::MAX, row.scenario, row.metric);
            row.new = summary(row.metric, &of(new), tails);
            if let Some(base) = basis.rounds_of(row.metric) {
                row.base = summary(row.metric, &of(base), tails);
            }
        }
    }

    /// What it comes to, of `compare` and `gate`.
    pub fn outcome(&self, policy: FactsPolicy) -> Outcome {
        let gating = || self.rows.iter().filter(|row| row.metric.gates());
        let worse = || gating().filter(|row| row.verdict == Verdict::Worse);
        let is_confirmed = |row: &Row| self.confirmed.as_ref().is_some_and(|keys| keys.contains(&row.key()));
        let is_sure = |row: &&Row| self.forced.is_empty() && row.relation != Relation::Advisory;
        let rates = if worse().filter(is_sure).any(is_confirmed) {
            Outcome::Fail
        } else if gating().next().is_none() || gating().any(|row| row.verdict == Verdict::Inconclusive) {
            Outcome::Unknown
        } else if worse().next().is_some() {
            Outcome::Warn
        } else {
            Outcome::Pass
        };
        let facts = self.changes.iter().map(|change| match (policy, change.weight()) {
            (_, explain::Weight::Informs) => Outcome::Pass,
            (FactsPolicy::Fail, _) | (FactsPolicy::Default, explain::Weight::Fails) => Outcome::Fail,
            (FactsPolicy::Default | FactsPolicy::Warn, _) => Outcome::Warn,
        });
        facts.fold(rates, Ord::max)
    }

    /// Whether something of a scenario is slower, certainly or perhaps: then what changed there is its likely cause.
    pub fn is_slower(&self, scenario: Scenario) -> bool {
        self.rows.iter().any(|row| row.scenario == scenario && row.verdict == Verdict::Worse)
    }

    /// Adds what a second new run says: what both say is worse is confirmed. The rows are the second one's.
    #[must_use]
    pub fn confirm(self, second: Self) -> Self {
        let worse = |rows: &[Row]| -> Vec<Key> {
            rows.iter().filter(|row| row.verdict == Verdict::Worse).map(Row::key).collect()
        };
        let first = worse(&self.rows);
        let both = worse(&second.rows).into_iter().filter(|key| first.contains(key)).collect();
        Self { confirmed: Some(both), ..second }
    }
}
