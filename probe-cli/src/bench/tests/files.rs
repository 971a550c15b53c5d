//! Files that are not what they should be, and machines that cannot be compared: an error or "unknown", and never a pass.

use serde_json::{Value, json};

use crate::bench::{
    basis::Basis,
    gate::{self, FactsPolicy, Options, Outcome, Relation, Verdict, Why},
    metric::{Load, Metric, Side},
    random::Random,
    result::{Cpu, Document, Machine, ReadError, Remote, Run},
    rounds::Unstable,
    stats::Tails,
    testdata::{self, World},
};

fn run(seed: u64, rounds: usize) -> Run {
    testdata::run(&mut Random::new(seed), rounds, &World::quiet(0.01))
}

fn outcome(base: &Run, new: &Run) -> Outcome {
    let compared = gate::compare(std::slice::from_ref(base), new, &Options::default(), &mut Tails::default());
    compared.unwrap().outcome(FactsPolicy::Default)
}

#[test]
fn what_is_written_is_read() {
    let document = Document::of(run(1, 3));
    let text = document.to_json().unwrap();
    assert_eq!(Document::read(text.as_bytes()).unwrap(), document);
}

#[test]
fn a_file_that_is_none_of_ours_is_an_error() {
    let good: Value = serde_json::from_str(&Document::of(run(1, 3)).to_json().unwrap()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let rounds = good["runs"][0]["rounds"][0].clone();
    let text = good.to_string();
    for (text, expected) in [
        (String::new(), "not a document of"),
        ("{".to_owned(), "not a document of"),
        ("[]".to_owned(), "not a document of"),
        ("{\"verdict\": \"OK\", \"schema_version\": 1}".to_owned(), "`kind` is not"),
        (text[..text.len() / 2].to_owned(), "not a document of"),
        (text.replace("\"schema_version\":1", "\"schema_version\":2"), "schema_version is 2"),
        (text.replace("\"schema_version\":1", "\"schema_version\":\"1\""), "not a document of"),
        (text.replace(",\"schema_version\":1", ""), "no `schema_version`"),
        (text.replace("\"seconds\":1.0", "\"seconds\":NaN"), "not a document of"),
        (text.replace("\"seconds\":1.0", "\"seconds\":1e999"), "not a document of"),
        (text.replace("\"seconds\":1.0", "\"seconds\":-1.0"), "seconds is -1"),
        (text.replace("vxlan-v4", "carrier-pigeon"), "not a document of"),
        (with("/runs", json!([])), "no run"),
        (with("/runs/0/rounds", json!([])), "no finished round"),
        (with("/runs/0/rounds", json!(vec![rounds; 81])), "more than 80 rounds"),
        (with("/runs", json!(vec![good["runs"][0].clone(); 65])), "more than 64 runs"),
        (with("/runs/0/rounds/1/slices/0/cpu/steal", json!(7.0)), "round 2 has a value"),
        (with("/runs/0/machine/cores", json!(-1)), "not a document of"),
    ] {
        let error = Document::read(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    assert!(matches!(Document::read(&[0xff, 0xfe]), Err(ReadError::Foreign(_))));
}

#[test]
fn what_cannot_be_compared_is_refused_unless_forced() {
    type Change = fn(&mut Run);
    let changes: [(&str, Change); 8] = [
        ("architecture", |run| run.machine.architecture = "aarch64".to_owned()),
        ("processor", |run| run.machine.cpu = None),
        ("cores", |run| run.machine.cores = 1),
        ("kernel", |run| run.machine.kernel = Some("6.13.0".to_owned())),
        ("frequency governor", |run| run.machine.governor = Some("powersave".to_owned())),
        ("major version of overlay-probe", |run| run.tool_version = "1.0.0".to_owned()),
        ("length of a slice", |run| run.parameters.slice_ms = 500),
        ("underlay MTU", |run| run.parameters.underlay_mtu = 9000),
    ];
    let base = run(1, 20);
    for (what, change) in changes {
        let mut new = run(2, 20);
        change(&mut new);
        let refused =
            gate::compare(std::slice::from_ref(&base), &new, &Options::default(), &mut Tails::default())
                .unwrap_err();
        assert_eq!(refused.iter().map(|difference| difference.what).collect::<Vec<_>>(), [what]);
        let forced = Options { force: true, ..Options::default() };
        let compared =
            gate::compare(std::slice::from_ref(&base), &new, &forced, &mut Tails::default()).unwrap();
        assert_eq!(compared.forced, refused);
    }
    let mut new = run(2, 20);
    new.tool_version = "0.9.1".to_owned();
    assert_eq!(outcome(&base, &new), Outcome::Pass);
}

#[test]
fn another_machine_at_the_far_end_is_refused_and_its_boot_counts() {
    type Change = fn(&mut Remote);
    let between = |change: Change| {
        let mut one = run(2, 20);
        let machine = Machine { boot_id: Some("far".to_owned()), cores: 4, ..Machine::default() };
        let mut remote = Remote { to: "10.42.1.0:12473".to_owned(), underlay: Some(String::new()), machine };
        change(&mut remote);
        one.remote = Some(remote);
        one
    };
    let base = between(|_| {});
    let cases: [(&str, Change); 5] = [
        ("architecture of the other machine", |far| far.machine.architecture = "aarch64".to_owned()),
        ("processor of the other machine", |far| far.machine.cpu = Some("Example".to_owned())),
        ("cores of the other machine", |far| far.machine.cores = 2),
        ("kernel of the other machine", |far| far.machine.kernel = Some("6.13.0".to_owned())),
        ("ways to the other machine", |far| far.underlay = None),
    ];
    for (what, change) in cases {
        let differences = gate::differences(&base, &between(change));
        assert_eq!(differences.iter().map(|one| one.what).collect::<Vec<_>>(), [what]);
    }
    // Pods have another address each time, and the nodes are the same.
    assert!(gate::differences(&base, &between(|far| far.to = "10.42.1.7:1".to_owned())).is_empty());
    let lab = gate::differences(&base, &run(2, 20));
    assert_eq!(lab.iter().map(|one| one.what).collect::<Vec<_>>(), ["other machine"]);
    let relation = |new: &Run| Basis::of(std::slice::from_ref(&base), new).unwrap().relation();
    assert_eq!(relation(&between(|_| {})), Relation::OneSession);
    for boot in [None, Some("again".to_owned())] {
        let mut other = between(|_| {});
        other.remote.as_mut().unwrap().machine.boot_id = boot;
        assert_eq!(relation(&other), Relation::Advisory);
    }
}

#[test]
fn processors_of_two_machines_are_added_and_shares_are_not() {
    let one = Cpu { busy_cores: Some(1.0), steal: Some(0.1), softirq: Some(0.2), time_squeezes: Some(3) };
    let other = Cpu { busy_cores: Some(0.5), steal: Some(0.0), softirq: Some(0.3), time_squeezes: None };
    let both = Cpu { busy_cores: Some(1.5), steal: Some(0.1), softirq: Some(0.3), time_squeezes: None };
    assert_eq!((one.and(other), other.and(one)), (both, both));
    assert_eq!(one.and(Cpu::default()), Cpu::default());
}

#[test]
fn too_little_is_unknown_and_never_a_pass() {
    let base = run(1, 20);
    assert_eq!(outcome(&base, &run(2, 20)), Outcome::Pass);
    for rounds in [1, 2, 3, 9] {
        assert_eq!(outcome(&base, &run(2, rounds)), Outcome::Unknown, "{rounds}");
        assert_eq!(outcome(&run(2, rounds), &base), Outcome::Unknown, "{rounds}");
    }
    let without = |edit: &dyn Fn(&mut crate::bench::result::Slice)| {
        let mut new = run(2, 20);
        new.rounds.iter_mut().flat_map(|round| &mut round.slices).for_each(edit);
        new
    };
    for (what, new) in [
        ("no packet rate", without(&|slice| slice.packets_per_s = None)),
        ("no CPU", without(&|slice| slice.cpu.busy_cores = None)),
        ("no throughput", without(&|slice| slice.bits_per_s = None)),
        ("stolen", without(&|slice| slice.cpu.steal = Some(0.2))),
        ("half as fast", without(&|slice| slice.packets_per_s = slice.packets_per_s.map(|rate| rate / 2.0))),
    ] {
        assert_eq!(outcome(&base, &new), Outcome::Unknown, "{what}");
        assert_eq!(outcome(&new, &base), Outcome::Unknown, "{what}, the base");
    }
    let mut unsupported = run(2, 20);
    unsupported.scenarios.clear();
    unsupported.rounds.iter_mut().for_each(|round| round.slices.clear());
    assert_eq!(outcome(&base, &unsupported), Outcome::Unknown);
    assert_eq!(outcome(&unsupported, &unsupported), Outcome::Unknown, "nothing on both sides");
}

#[test]
fn a_run_beside_itself_is_the_same() {
    let base = run(1, 20);
    let compared =
        gate::compare(std::slice::from_ref(&base), &base, &Options::default(), &mut Tails::default())
            .unwrap();
    assert!(compared.changes.is_empty());
    assert_eq!(compared.outcome(FactsPolicy::Fail), Outcome::Pass);
}

#[test]
fn worse_fails_when_two_sessions_say_so_and_warns_otherwise() {
    let base = run(1, 20);
    let slow = |seed| testdata::run(&mut Random::new(seed), 20, &World { slower: 0.1, ..World::quiet(0.01) });
    let compare = |new: &Run| {
        gate::compare(std::slice::from_ref(&base), new, &Options::default(), &mut Tails::default()).unwrap()
    };
    assert_eq!(compare(&slow(2)).outcome(FactsPolicy::Default), Outcome::Warn);
    let both = compare(&slow(2)).confirm(compare(&slow(3)));
    assert_eq!(both.outcome(FactsPolicy::Default), Outcome::Fail);
    assert!(both.is_slower(crate::bench::metric::Scenario::VxlanV4));
    assert_eq!(compare(&slow(2)).confirm(compare(&run(4, 20))).outcome(FactsPolicy::Default), Outcome::Pass);
    // Of another day, or after a boot, nobody knows what else differs.
    for (hours, boot) in [(13, "b00t"), (1, "0ther")] {
        let other = |seed| {
            let mut new = slow(seed);
            new.started_at_s += hours * 3600;
            new.machine.boot_id = Some(boot.to_owned());
            new
        };
        let both = compare(&other(2)).confirm(compare(&other(3)));
        assert_eq!((both.relation, both.outcome(FactsPolicy::Default)), (Relation::Advisory, Outcome::Warn));
    }
}

#[test]
fn a_clock_that_was_set_changes_no_session() {
    const HOUR: u64 = 3600;
    let at = |started_at_s, since_boot_s| Run { started_at_s, since_boot_s, ..run(1, 10) };
    let base = at(100 * HOUR, Some(10 * HOUR));
    for (new, expected) in [
        (at(101 * HOUR, Some(11 * HOUR)), Relation::OneSession),
        // Set forward by a month, and back to the epoch.
        (at(820 * HOUR, Some(11 * HOUR)), Relation::OneSession),
        (at(0, Some(11 * HOUR)), Relation::OneSession),
        // Set back, so that what is a day apart looks like an hour.
        (at(101 * HOUR, Some(34 * HOUR)), Relation::Advisory),
        (at(101 * HOUR, None), Relation::OneSession),
        (at(125 * HOUR, None), Relation::Advisory),
    ] {
        let basis = Basis::of(std::slice::from_ref(&base), &new).unwrap();
        assert_eq!(basis.relation(), expected, "{} {:?}", new.started_at_s, new.since_boot_s);
    }
}

#[test]
fn a_machine_that_wanders_decides_nothing() {
    let (base, drifting) = (run(1, 20), testdata::drifting(run(2, 20)));
    let why = |base: &Run, new: &Run| {
        let base = std::slice::from_ref(base);
        let compared = gate::compare(base, new, &Options::default(), &mut Tails::default()).unwrap();
        assert_eq!(compared.outcome(FactsPolicy::Default), Outcome::Unknown);
        compared.rows.iter().find(|row| row.metric == Metric::Throughput).unwrap().why
    };
    let found = why(&base, &drifting);
    assert!(matches!(found, Some(Why::Unstable(Unstable::Drift(drift))) if drift < 0.87), "{found:?}");
    let found = why(&drifting, &base);
    assert!(matches!(found, Some(Why::BaseUnstable(Unstable::Drift(drift))) if drift < 0.87), "{found:?}");
}

/// In one round the host came to a fiftieth of its speed.
fn with_a_wild_round(mut run: Run) -> Run {
    let slices = run.rounds.iter_mut().take(1).flat_map(|round| &mut round.slices);
    for slice in slices.filter(|slice| slice.side == Side::Host) {
        slice.bits_per_s = slice.bits_per_s.map(|rate| rate / 50.0);
    }
    run
}

#[test]
fn what_wandering_cannot_account_for_is_worse_all_the_same() {
    for (slower, expected) in [(0.15, Verdict::Inconclusive), (0.85, Verdict::Worse)] {
        let mut slow = run(2, 20);
        let overlay = slow.rounds.iter_mut().flat_map(|round| &mut round.slices);
        for slice in overlay.filter(|slice| slice.side == Side::Overlay) {
            slice.bits_per_s = slice.bits_per_s.map(|rate| rate * (1.0 - slower));
        }
        for (base, new) in [
            (run(1, 20), testdata::drifting(slow.clone())),
            (testdata::drifting(run(1, 20)), slow.clone()),
            // A wild round is no measure of how far a machine wanders.
            (testdata::drifting(run(1, 20)), with_a_wild_round(slow.clone())),
        ] {
            let base = std::slice::from_ref(&base);
            let found = gate::compare(base, &new, &Options::default(), &mut Tails::default()).unwrap();
            let row = found.rows.iter().find(|row| row.metric == Metric::Throughput).unwrap();
            assert_eq!(row.verdict, expected, "{row:?}");
            assert!(matches!(row.why, Some(Why::Unstable(_) | Why::BaseUnstable(_))), "{row:?}");
            // A fifth of its own speed, and a little noise, both ways.
            let width = row.growth.map(|growth| growth.high - growth.low);
            assert!(width.is_none_or(|width| (0.4..0.8).contains(&width)), "{row:?}");
        }
    }
}

/// A tunnel keeps a processor busier than the host's own path: what the hypervisor takes makes it slower, and no code does.
#[test]
fn what_the_hypervisor_took_is_no_slowdown() {
    let with = |slower: f64, steal: f64| {
        let mut run = run(2, 20);
        let slices = run.rounds.iter_mut().flat_map(|round| &mut round.slices);
        for slice in slices.filter(|slice| slice.side == Side::Overlay) {
            slice.bits_per_s = slice.bits_per_s.map(|rate| rate * (1.0 - slower));
            slice.cpu.steal = Some(steal);
        }
        run
    };
    let quiet = run(1, 20);
    let stolen = |why| matches!(why, Some(Why::Stolen(part)) if (0.07..0.1).contains(&part));
    for (base, new, expected, is_stolen) in [
        // Of two processors, four percent of all are eight of one.
        (&quiet, with(0.08, 0.0), Verdict::Worse, false),
        (&quiet, with(0.08, 0.04), Verdict::Inconclusive, true),
        (&quiet, with(0.5, 0.04), Verdict::Worse, false),
        (&quiet, with(0.0, 0.0), Verdict::Same, false),
        // What made the base slower hides as much.
        (&with(0.0, 0.04), quiet.clone(), Verdict::Inconclusive, true),
    ] {
        let base = std::slice::from_ref(base);
        let found = gate::compare(base, &new, &Options::default(), &mut Tails::default()).unwrap();
        let row = found.rows.iter().find(|row| row.metric == Metric::Throughput).unwrap();
        assert_eq!((row.verdict, stolen(row.why)), (expected, is_stolen), "{row:?}");
    }
}

#[test]
fn what_was_left_out_on_both_sides_is_no_row_and_on_one_side_no_pass() {
    let datagrams = |mut run: Run| {
        run.parameters.only = vec![Load::Datagrams];
        run.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.load == Load::Datagrams));
        run
    };
    let compare = |base: Run, new: &Run| {
        let compared = gate::compare(&[base], new, &Options::default(), &mut Tails::default()).unwrap();
        let metrics: Vec<Metric> = compared.rows.iter().map(|row| row.metric).collect();
        (compared.outcome(FactsPolicy::Default), metrics)
    };
    let (base, new) = (datagrams(run(1, 20)), datagrams(run(2, 20)));
    assert_eq!(compare(base.clone(), &new), (Outcome::Pass, vec![Metric::PacketRate]));
    assert_eq!(compare(base, &run(2, 20)).0, Outcome::Unknown);
    assert_eq!(compare(run(1, 20), &new).0, Outcome::Unknown);
}
