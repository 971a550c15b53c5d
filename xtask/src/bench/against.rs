//! `cargo xtask bench --against REV`: the working tree beside a commit, in turns within one run. What is exact fails when it got
//! worse; rates are printed with their intervals and decide nothing, since machines differ and are busy.

mod commit;
mod exact;
mod old;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use overlay_probe::bench::stats::{self, Shift, Tails};

use self::old::Old;
use super::{
    Args, Part, check,
    cost::cost,
    programs, rate, show, watch,
    world::{World, mebibytes},
};
use crate::{
    test,
    ui::{self, Align},
};

/// A figure of both, of each round.
struct Pair {
    what: String,
    unit: &'static str,
    old: Vec<f64>,
    new: Vec<f64>,
}

/// Measures and prints; fails when something exact got worse.
pub(super) fn run(args: &Args, revision: &str) -> Result<ExitCode> {
    let old = Old::build(revision)?;
    let new = test::build()?;
    let wanted = |part: Part| args.only.is_none_or(|only| only == part);
    let mut exact = exact::objects(|object| old.object(object.name))?;
    let mut pairs = Vec::new();
    if wanted(Part::Programs) {
        pairs.extend(timed_programs(args.rounds, &old)?);
    }
    if wanted(Part::Rate) {
        pairs.push(small_packets(args.rounds, [old.binary(), &new])?);
    }
    if [Part::Show, Part::Check, Part::Watch].into_iter().any(&wanted) {
        let world = World::busy(args.peers)?;
        let both = [old.binary(), new.as_path()];
        if wanted(Part::Show) {
            pairs.extend(commands(args.rounds, "show node", |side| show::show(both[side], &world.node(1)))?);
        }
        if wanted(Part::Check) {
            pairs.extend(commands(args.rounds, "check", |side| check::check(both[side], &world.node(1)))?);
        }
        if wanted(Part::Watch) {
            let (watched, facts) = watches(args.rounds, both, &world, args.peers)?;
            pairs.extend(watched);
            exact.extend(facts);
        }
    }
    ui::header(&format!("beside {}", old.commit()));
    print(&pairs);
    Ok(if exact::hold(&exact) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is exact about the compiled objects beside the commit that this change begins at, without building that: seconds, and no time is
/// taken. Fails where something got worse and the budget of the objects is what it was.
pub(crate) fn objects() -> Result<Beside> {
    let Some(base) = commit::base() else {
        return Ok(Beside::Nothing("this clone has no commit before this one".to_owned()));
    };
    let facts = exact::objects(|object| commit::object(&base, object))?;
    if exact::hold(&facts) {
        return Ok(Beside::Commit(format!("nothing exact is worse than in {base}")));
    }
    anyhow::ensure!(
        commit::changes_budget(&base),
        "something exact got worse than in {base}; where that is meant, change {} in the same commit, with the reason",
        commit::BUDGET
    );
    Ok(Beside::Commit(format!("worse than in {base}, and {} was changed for it", commit::BUDGET)))
}

/// What the working tree was compared with.
pub(crate) enum Beside {
    /// A commit, with what came of it.
    Commit(String),
    /// There is none, for this reason.
    Nothing(String),
}

/// Old, new, new, old: a machine that slows down slows both alike.
const TURNS: [usize; 4] = [0, 1, 1, 0];

/// Measures both in turns; a round's value is the sum of its two.
fn in_turns(rounds: u32, mut measure: impl FnMut(usize) -> Result<Vec<f64>>) -> Result<Vec<[Vec<f64>; 2]>> {
    let mut found: Vec<[Vec<f64>; 2]> = Vec::new();
    for round in 0..=rounds {
        let mut sums: Vec<[f64; 2]> = Vec::new();
        for side in TURNS {
            for (at, value) in measure(side)?.into_iter().enumerate() {
                if sums.len() <= at {
                    sums.push([0.0; 2]);
                }
                sums[at][side] += value / 2.0;
            }
        }
        found.resize_with(sums.len(), Default::default);
        // Once before, to warm up; it is not counted.
        for (found, sums) in found.iter_mut().zip(sums).filter(|_| round > 0) {
            found.iter_mut().zip(sums).for_each(|(found, sum)| found.push(sum));
        }
    }
    Ok(found)
}

fn pair(what: String, unit: &'static str, [old, new]: [Vec<f64>; 2]) -> Pair {
    Pair { what, unit, old, new }
}

fn commands(rounds: u32, what: &str, command: impl Fn(usize) -> std::process::Command) -> Result<Vec<Pair>> {
    ui::note(&format!("{what}, in turns, {rounds} rounds"));
    let measured = in_turns(rounds, |side| {
        let cost = cost(command(side))?;
        Ok(vec![cost.cpu.as_secs_f64() * 1000.0, mebibytes(cost.memory)])
    })?;
    let names = [("CPU", "ms"), ("memory", "MiB")];
    Ok(measured
        .into_iter()
        .zip(names)
        .map(|(both, (name, unit))| pair(format!("{what}: {name}"), unit, both))
        .collect())
}

fn small_packets(rounds: u32, both: [&Path; 2]) -> Result<Pair> {
    ui::note(&format!("small packets, in turns, {rounds} rounds"));
    let world = World::up(2, 1)?;
    let (sender, _receiver) = rate::sockets(&world)?;
    let measured = in_turns(rounds, |side| {
        let tool = rate::tool(both[side], &world.node(1), &[])?;
        let found = rate::best_tenth(&sender, rate::SLICE)?;
        tool.end()?;
        Ok(vec![found])
    })?;
    let both = measured.into_iter().next().context("no round")?;
    Ok(pair("small UDP packet with the probe".to_owned(), "ns", both))
}

/// Lines of a `watch`, of which the first is of its start.
const LINES: u32 = 4;

fn watches(
    rounds: u32,
    both: [&Path; 2],
    world: &World,
    peers: u32,
) -> Result<(Vec<Pair>, Vec<exact::Fact>)> {
    let load = world.load()?;
    ui::note(&format!("watch, in turns, {rounds} rounds of {} s", 4 * LINES));
    let measured = in_turns(rounds, |side| {
        let lines = watch::watched(both[side], &world.node(1), peers, LINES)?;
        let middle = |name: &str| -> Result<f64> {
            let values: Vec<f64> =
                lines.iter().skip(1).filter_map(|observer| observer[name].as_f64()).collect();
            stats::median(&values).with_context(|| format!("the tool did not say its {name}"))
        };
        Ok(vec![middle("cpu_percent")?, middle("rss_bytes")? / 1_048_576.0, middle("map_bytes")?])
    })?;
    drop(load.stop());
    let names = [("CPU", "% of a core"), ("memory", "MiB"), ("kernel maps", "bytes")];
    let pairs: Vec<Pair> = measured
        .into_iter()
        .zip(names)
        .map(|(both, (name, unit))| pair(format!("watch at 1 s: {name}"), unit, both))
        .collect();
    let facts = exact::of_watch(&pairs[0].old, &pairs[0].new, &pairs[2].old, &pairs[2].new);
    Ok((pairs, facts))
}

/// The programs, each version by its own harness: an object and what loads it belong together.
fn timed_programs(rounds: u32, old: &Old) -> Result<Vec<Pair>> {
    /// Rounds of a turn, the fewest that a harness takes.
    const EACH: u32 = 3;
    /// For so many rounds all turns are taken once, which gives two pairs: the usual twelve give six, the fewest that have an interval of 95 %.
    const ROUNDS_OF_TURNS: u32 = 4;
    ui::note("timing the programs, in turns");
    let mut found: BTreeMap<String, [Vec<f64>; 2]> = BTreeMap::new();
    for side in TURNS.repeat(usize::try_from(rounds.div_ceil(ROUNDS_OF_TURNS))?) {
        let rows = if side == 0 {
            old.programs(EACH)?
        } else {
            programs::measure(EACH)?.into_iter().map(|row| (row.what, row.found.median)).collect()
        };
        for (what, median) in rows {
            found.entry(what).or_default()[side].push(median);
        }
    }
    let unit = |what: &str| if what.ends_with(programs::MORE) { "ns" } else { "times" };
    Ok(found.into_iter().map(|(what, both)| pair(what.clone(), unit(&what), both)).collect())
}

/// Half of the interval's error on each side: 95 %.
const SIDE: f64 = 0.025;

fn print(pairs: &[Pair]) {
    let heading = ["what", "base", "new", "unit", "change", "95 % interval"].map(str::to_owned).to_vec();
    let mut tails = Tails::default();
    let mut lines = vec![heading];
    for pair in pairs {
        let middle =
            |values: &[f64]| stats::median(values).map_or("-".to_owned(), |value| format!("{value:.3}"));
        let logs: Vec<f64> = pair.old.iter().zip(&pair.new).map(|(old, new)| (new / old).ln()).collect();
        let shift = Shift::middle(&logs, &mut tails).filter(|_| logs.iter().all(|log| log.is_finite()));
        let percent = |log: f64| {
            if log.is_finite() { format!("{:+.1}", log.exp_m1() * 100.0) } else { "?".to_owned() }
        };
        let (change, interval) = shift.map_or(("-".to_owned(), String::new()), |shift| {
            let ends = [shift.low(SIDE), shift.high(SIDE)].map(percent);
            (format!("{} %", percent(shift.estimate())), format!("[{}, {}]", ends[0], ends[1]))
        });
        lines.push(vec![
            pair.what.clone(),
            middle(&pair.old),
            middle(&pair.new),
            pair.unit.to_owned(),
            change,
            interval,
        ]);
    }
    ui::table(&[Align::Left, Align::Right, Align::Right, Align::Left, Align::Right, Align::Left], &lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_as_many_turns_and_the_first_round_does_not_count() {
        let mut turns = Vec::new();
        let found = in_turns(2, |side| {
            turns.push(side);
            // The second figure of the old one grows with each turn.
            Ok(vec![1.0, if side == 0 { turns.len() as f64 } else { 7.0 }])
        })
        .unwrap();
        assert_eq!(turns, [0, 1, 1, 0].repeat(3));
        assert_eq!(found[0], [vec![1.0, 1.0], vec![1.0, 1.0]]);
        assert_eq!(found[1], [vec![6.5, 10.5], vec![7.0, 7.0]]);
    }
}
