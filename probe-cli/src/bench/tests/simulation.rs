//! Thousands of gates on machines whose truth is known. The seeds are fixed: what is found once is found always.

use std::{fmt::Write as _, fs, path::Path};

use crate::bench::{
    basis::Basis,
    gate::{self, Comparison, FactsPolicy, Options, Outcome, Relation, Verdict},
    margin::{Margin, Margins},
    metric::{Metric, Scenario},
    plan::{LOOKS, Looks, Next},
    random::Random,
    result::{MOST_ROUNDS, Run},
    rounds::Series,
    stats::Tails,
    testdata::{self, Trouble, World},
};

const NOISE: [f64; 4] = [0.01, 0.03, 0.05, 0.08];
const TROUBLES: [(Trouble, &str); 4] = [
    (Trouble::None, "steady"),
    (Trouble::Drift, "drifting"),
    (Trouble::Poison, "poisoned"),
    (Trouble::Tails, "heavy tails"),
];
/// Gates for each noise and trouble: 2,000 of identical code in all, and 1,008 of slower.
const GATES: usize = 125;
const SLOWER: usize = 63;
/// Rounds of the base, as `bench run` measures by default.
const BASE: usize = 20;

/// A whole gate against a base, as `bench gate` runs it: looks, and a second session before anything is called worse. Also says how
/// many rounds it took.
fn gate(base: &Run, random: &mut Random, world: &World, tails: &mut Tails) -> (Comparison, usize) {
    let options = Options::default();
    let mut looks = Looks::new(LOOKS.to_vec());
    let (mut new, mut next) = (testdata::empty(), looks.first());
    let (mut rows, mut taken) = (Vec::new(), 0);
    loop {
        let rounds = match next {
            Next::Measure(rounds) => rounds,
            Next::Confirm(rounds) => {
                new = testdata::empty();
                rounds
            }
            Next::Done => break,
        };
        taken += rounds - new.rounds.len();
        testdata::grow(&mut new, random, rounds, world);
        rows = gate::verdicts(base, &new, rounds, &options.margins, tails);
        next = looks.look(&mut rows);
    }
    let basis = Basis::one(base, Relation::OneSession);
    (Comparison::of(rows, &basis, &new, &options, looks.to_confirm()), taken)
}

/// What came of many gates.
#[derive(Default)]
struct Count {
    failed: usize,
    passed: usize,
    undecided: usize,
    rounds: usize,
}

fn gates(number: usize, world: World, tails: &mut Tails) -> Count {
    let World { noise, trouble, slower } = world;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a seed")]
    let mut random = Random::new((noise * 1000.0 + slower * 1e6) as u64 * 10 + trouble as u64);
    let mut count = Count::default();
    for _ in 0..number {
        let base = testdata::run(&mut random, BASE, &World { slower: 0.0, noise, trouble });
        let (found, rounds) = gate(&base, &mut random, &world, tails);
        count.rounds += rounds;
        match found.outcome(FactsPolicy::Default) {
            Outcome::Fail => count.failed += 1,
            Outcome::Pass => count.passed += 1,
            Outcome::Warn | Outcome::Unknown => count.undecided += 1,
        }
    }
    count
}

/// The table in docs/bench.md, made here. `UPDATE_DOCS=1` writes it.
#[test]
fn noise_costs_rounds_and_never_errors() {
    let mut tails = Tails::default();
    let mut table = String::from(
        "| Noise | Machine | Identical: red | undecided | Rounds | 5 % slower: passes | red | undecided | Rounds |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let (mut red, mut missed) = (0, 0);
    for noise in NOISE {
        for (trouble, name) in TROUBLES {
            let same = gates(GATES, World { noise, trouble, slower: 0.0 }, &mut tails);
            let slow = gates(SLOWER, World { noise, trouble, slower: 0.05 }, &mut tails);
            red += same.failed;
            missed += slow.passed;
            let _ = writeln!(
                table,
                "| {:.0} % | {name} | {} | {} | {} | {} | {} | {} | {} |",
                noise * 100.0,
                same.failed,
                same.undecided,
                same.rounds / GATES,
                slow.passed,
                slow.failed,
                slow.undecided,
                slow.rounds / SLOWER,
            );
        }
    }
    let [identical, slower] = [GATES, SLOWER].map(|gates| NOISE.len() * TROUBLES.len() * gates);
    let _ = writeln!(table, "| all | | {red} of {identical} | | | {missed} of {slower} | | | |");
    // At most one in a hundred of either error.
    assert!(red * 100 <= identical && missed * 100 <= slower, "{table}");
    documented(&table);
}

fn documented(table: &str) {
    const BEGIN: &str = "<!-- simulation -->\n";
    const END: &str = "<!-- end of simulation -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench.md");
    let text = fs::read_to_string(&path).unwrap();
    let from = text.find(BEGIN).unwrap() + BEGIN.len();
    let to = text.find(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{}{table}{}", &text[..from], &text[to..])).unwrap();
        return;
    }
    assert_eq!(&text[from..to], table, "docs/bench.md: UPDATE_DOCS=1 writes it");
}

/// Where noise leaves gates of identical code undecided, the margin that a run names has most of them pass; one that is slower by it
/// does not pass.
#[test]
fn the_margin_that_a_run_names_lets_identical_code_pass() {
    const METRIC: Metric = Metric::PacketRate;
    const OF: u32 = 50;
    let mut tails = Tails::default();
    let (mut same, mut usual, mut slow) = (0, 0, 0);
    for seed in 0..u64::from(OF) {
        let mut random = Random::new(seed);
        let world = World::quiet(0.12);
        let base = testdata::run(&mut random, BASE, &world);
        let costs = Series::of(&base, usize::MAX, Scenario::VxlanV4, METRIC).costs;
        let share = gate::passable(METRIC, &costs).unwrap();
        let margins = Margins::new([Margin { metric: Some(METRIC), share }]);
        let new = testdata::run(&mut random, MOST_ROUNDS, &world);
        let slower = testdata::run(&mut random, MOST_ROUNDS, &World { slower: share, ..world });
        let mut is_same = |new: &Run, margins: &Margins| {
            let rows = gate::verdicts(&base, new, usize::MAX, margins, &mut tails);
            let row = rows.iter().find(|row| row.metric == METRIC).unwrap();
            u32::from(row.verdict == Verdict::Same)
        };
        same += is_same(&new, &margins);
        usual += is_same(&new, &Margins::default());
        slow += is_same(&slower, &margins);
    }
    assert!(same >= OF * 7 / 10 && usual <= OF / 10 && slow <= OF / 50, "{same} {usual} {slow} of {OF}");
}

/// One round in five is poisoned, in the base, the new run or both: the verdict stays what it was.
#[test]
fn one_poisoned_round_in_five_changes_no_verdict() {
    let mut tails = Tails::default();
    for (slower, expected) in [(0.0, Verdict::Same), (0.12, Verdict::Worse), (-0.12, Verdict::Better)] {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let base = testdata::run(&mut random, 40, &World::quiet(0.015));
            let new = testdata::run(&mut random, 40, &World { slower, ..World::quiet(0.015) });
            for (poison_base, poison_new) in [(false, false), (true, false), (false, true), (true, true)] {
                let pick = |run: &Run, is_poisoned: bool| {
                    if is_poisoned { poisoned(run) } else { run.clone() }
                };
                let (base, new) = (pick(&base, poison_base), pick(&new, poison_new));
                let rows = gate::verdicts(&base, &new, usize::MAX, &Margins::default(), &mut tails);
                let row = rows.iter().find(|row| row.metric == Metric::PacketRate).unwrap();
                assert_eq!(row.verdict, expected, "seed {seed} {poison_base} {poison_new} {row:?}");
            }
        }
    }
}

/// The overlay's slices of each fifth round are four times slower, and nothing else shows it.
fn poisoned(run: &Run) -> Run {
    let mut run = run.clone();
    for round in run.rounds.iter_mut().skip(3).step_by(5) {
        for slice in &mut round.slices {
            if slice.side == crate::bench::metric::Side::Overlay {
                slice.packets_per_s = slice.packets_per_s.map(|rate| rate / 4.0);
            }
        }
    }
    run
}
