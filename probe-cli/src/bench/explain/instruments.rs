//! What changed of what eBPF shows: programs on the path, what the tunnel adds to a packet, and what is dropped why.

use super::{Count, What};
use crate::bench::instruments::{Hooked, Instruments, Program};

/// What a program costs in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    /// It is not there.
    Absent,
    /// It is there and did not run.
    Idle,
    /// Nanoseconds per run, on average.
    Ns(f64),
}

/// So many nanoseconds more for each run are felt: a small packet takes some microseconds through a tunnel.
const HEAVY_NS: f64 = 500.0;
/// Times of the same program differ by chance by half, and so much.
const SLOWER: f64 = 0.5;
const SLOWER_NS: f64 = 200.0;
/// Bytes that a tunnel adds differ a little where it pads.
const OVERHEAD: f64 = 0.05;
/// The middle of fewer times is a matter of chance, and that of more differs by a third, and so much.
const FEWEST_TIMED: u64 = 30;
const LONGER: f64 = 0.33;
const LONGER_NS: f64 = 200.0;
/// Fewer drops of a thousand buffers are of no account.
const FEW_DROPS: f64 = 1.0;

impl Cost {
    fn of(program: Option<&Program>) -> Self {
        match program.map(Program::ns_per_run) {
            None => Self::Absent,
            Some(None) => Self::Idle,
            Some(Some(ns)) => Self::Ns(ns),
        }
    }

    fn ns(self) -> f64 {
        match self {
            Self::Absent | Self::Idle => 0.0,
            Self::Ns(ns) => ns,
        }
    }

    /// From the one to the other a run takes so much longer that packets are slower.
    pub(super) fn is_felt((base, new): (Self, Self)) -> bool {
        new.ns() - base.ns() >= HEAVY_NS
    }

    /// It runs now, and takes some time more.
    pub(super) fn is_more((base, new): (Self, Self)) -> bool {
        matches!(new, Self::Ns(_)) && new.ns() > base.ns()
    }
}

/// What changed from one run to the other.
pub(super) fn changes(base: &Instruments, new: &Instruments) -> Vec<What> {
    let mut found = Vec::new();
    if let (Some(base), Some(new)) = (&base.programs, &new.programs) {
        found.extend(programs(base, new));
    }
    if let (Some(base), Some(new)) = (&base.tunnel, &new.tunnel)
        && let Some(values) = base.overhead().zip(new.overhead())
        && (values.1 - values.0).abs() > OVERHEAD * values.0
    {
        found.push(What::Count { count: Count::Overhead, values });
    }
    let p50 = |of: &Instruments| {
        let times = of.encapsulation.as_ref().filter(|times| times.buffers() >= FEWEST_TIMED)?;
        times.within(0.5)
    };
    if let Some((before, now)) = p50(base).zip(p50(new))
        && (now - before).abs() > (LONGER * before).max(LONGER_NS)
    {
        found.push(What::Count { count: Count::Encapsulation, values: (before / 1e3, now / 1e3) });
    }
    if let (Some(before), Some(now)) = (&base.drops, &new.drops) {
        let buffers =
            |of: &Instruments| of.tunnel.map(|tunnel| tunnel.buffers).filter(|buffers| *buffers > 0);
        let per_mille = |packets: u64, of: &Instruments| Some(packets as f64 * 1e3 / buffers(of)? as f64);
        for (reason, packets) in now {
            let earlier = before.get(reason).copied().unwrap_or(0);
            let values = per_mille(earlier, base).zip(per_mille(*packets, new));
            if let Some(values) = values.filter(|(base, new)| *base <= FEW_DROPS && *new > FEW_DROPS) {
                found.push(What::Dropped { reason: reason.clone(), values });
            }
        }
    }
    found
}

/// Programs that came, went, or cost something else. Ours, which only counted for this, are none of them.
fn programs(base: &[Program], new: &[Program]) -> Vec<What> {
    type Key<'a> = (Option<&'a Hooked>, &'a str);
    fn by_place(programs: &[Program]) -> Vec<(Key<'_>, Program)> {
        let mut found: Vec<(Key<'_>, Program)> = Vec::new();
        for program in programs.iter().filter(|program| !program.is_own) {
            let key = (program.device.as_ref(), program.name.as_str());
            match found.iter_mut().find(|(other, _)| *other == key) {
                Some((_, sum)) => {
                    sum.runs = sum.runs.saturating_add(program.runs);
                    sum.run_time_ns = sum.run_time_ns.saturating_add(program.run_time_ns);
                }
                None => found.push((key, program.clone())),
            }
        }
        found
    }
    let (base, new) = (by_place(base), by_place(new));
    let find = |rows: &[(Key<'_>, Program)], key: &Key<'_>| {
        Cost::of(rows.iter().find(|(other, _)| other == key).map(|(_, program)| program))
    };
    let gone = base.iter().filter(|(key, _)| new.iter().all(|(other, _)| other != key));
    let keys = new.iter().chain(gone).map(|(key, _)| key);
    keys.map(|key| (key, (find(&base, key), find(&new, key))))
        .filter(|((device, _), costs)| is_change(device.is_some(), *costs))
        .map(|((device, name), costs)| What::Program {
            device: device.cloned(),
            name: (*name).to_owned(),
            costs,
        })
        .collect()
}

fn is_change(is_on_path: bool, costs: (Cost, Cost)) -> bool {
    match costs {
        (Cost::Absent, Cost::Absent | Cost::Idle | Cost::Ns(_))
        | (Cost::Idle | Cost::Ns(_), Cost::Absent)
            if is_on_path =>
        {
            true
        }
        // What runs elsewhere comes and goes with whatever else the machine does.
        (Cost::Absent, Cost::Ns(_)) => Cost::is_felt(costs),
        (Cost::Ns(base), Cost::Ns(new)) => (new - base).abs() > (SLOWER * base).max(SLOWER_NS),
        (Cost::Absent | Cost::Idle | Cost::Ns(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::tests::between, *};
    use crate::bench::{
        explain::{Change, Weight},
        facts::Facts,
        instruments::Hook,
        metric::Scenario,
        testdata,
    };

    fn facts(programs: &[Program]) -> Facts {
        let seen = Instruments {
            programs: Some(programs.to_vec()),
            tunnel: Some(testdata::full_packets(40_000)),
            drops: Some(BTreeMap::new()),
            encapsulation: Some(testdata::encapsulation(1000)),
            missing: Vec::new(),
        };
        Facts { instruments: Some(seen), ..testdata::facts(&["tx-checksum-ip-generic"]) }
    }

    fn program(name: &str, ns: u64) -> Program {
        let device = Hooked { place: "node 1".to_owned(), name: "flannel.1".to_owned(), hook: Hook::Egress };
        Program {
            device: Some(device),
            name: name.to_owned(),
            runs: 1000,
            run_time_ns: 1000 * ns,
            ..Program::default()
        }
    }

    fn elsewhere(ns: u64) -> Program {
        Program { device: None, ..program("trace", ns) }
    }

    #[test]
    fn a_program_that_came_or_got_slower_is_named_and_others_are_not() {
        type Case<'a> = (&'a [Program], &'a [Program], &'a [(bool, Weight)]);
        let cases: [Case<'_>; 11] = [
            // (base, new, is it a cause and how much does it weigh).
            (&[], &[program("burn", 2013)], &[(true, Weight::Warns)]),
            (&[], &[program("count", 90)], &[(true, Weight::Warns)]),
            (&[], &[Program { runs: 0, ..program("count", 90) }], &[(false, Weight::Warns)]),
            (&[program("burn", 2013)], &[], &[(false, Weight::Warns)]),
            (&[program("count", 90)], &[program("count", 150)], &[]),
            (&[program("count", 90)], &[program("count", 900)], &[(true, Weight::Informs)]),
            (&[program("count", 900)], &[program("count", 90)], &[(false, Weight::Informs)]),
            (&[], &[elsewhere(90)], &[]),
            (&[], &[elsewhere(2000)], &[(true, Weight::Informs)]),
            (&[elsewhere(2000)], &[], &[]),
            (&[], &[Program { is_own: true, ..program("ovp_tunnel_tx", 2000) }], &[]),
        ];
        for (number, (base, new, expected)) in cases.into_iter().enumerate() {
            let found = between(&facts(base), &facts(new));
            let seen: Vec<(bool, Weight)> =
                found.iter().map(|change| (change.is_cause(), change.weight())).collect();
            assert_eq!(seen, expected, "case {number}: {found:?}");
        }
        // Nobody looked, or could not.
        let mut unknown = facts(&[]);
        unknown.instruments.as_mut().unwrap().programs = None;
        assert!(between(&unknown, &facts(&[program("burn", 2013)])).is_empty());
        unknown.instruments = None;
        assert!(between(&unknown, &facts(&[program("burn", 2013)])).is_empty());
    }

    #[test]
    fn one_on_the_path_that_is_felt_goes_before_an_offload_of_another_device() {
        let base = facts(&[program("count", 90)]);
        let mut new = facts(&[program("count", 90), program("burn", 2013)]);
        new.devices[2].features.as_mut().unwrap().insert("tx-checksum-ip-generic".to_owned(), false);
        let found = between(&base, &new);
        assert!(
            matches!(&found[0].what, What::Program { name, costs: (Cost::Absent, Cost::Ns(ns)), .. }
                if name == "burn" && (2012.0..2014.0).contains(ns)),
            "{found:?}"
        );
        assert_eq!(found.len(), 2);
        // Two of one name on one hook are one.
        let twice = facts(&[program("burn", 1000), program("burn", 3000)]);
        let found = between(&facts(&[]), &twice);
        assert!(matches!(&found[..], [Change { what: What::Program { costs: (_, Cost::Ns(ns)), .. }, .. }]
                if (1999.0..2001.0).contains(ns)));
    }

    #[test]
    fn encapsulation_that_takes_longer_is_named_behind_what_makes_it_so() {
        let base = facts(&[]);
        let with = |programs: &[Program], times| {
            let mut new = facts(programs);
            new.instruments.as_mut().unwrap().encapsulation = times;
            new
        };
        let found = between(&base, &with(&[program("burn", 2013)], Some(testdata::encapsulation(3000))));
        assert!(matches!(&found[0].what, What::Program { .. }), "{found:?}");
        let What::Count { count: Count::Encapsulation, values: (before, now) } = found[1].what else {
            panic!("{found:?}")
        };
        assert!((1.0..1.2).contains(&before) && (3.0..3.4).contains(&now), "{found:?}");
        assert!(found[1].is_cause() && found[1].weight() == Weight::Informs);
        let back = between(&with(&[], Some(testdata::encapsulation(3000))), &base);
        assert!(back.len() == 1 && !back[0].is_cause(), "{back:?}");
        let little = between(&base, &with(&[], Some(testdata::encapsulation(1450))));
        assert!(little.len() == 1 && !little[0].is_cause(), "{little:?}");
        // By chance, of too few, and of which nothing is known.
        let mut few = testdata::encapsulation(3000);
        few.times.iter_mut().for_each(|class| class.buffers = 1);
        for times in [Some(testdata::encapsulation(1100)), Some(few), None] {
            let found = between(&base, &with(&[], times));
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn more_bytes_for_each_packet_and_new_reasons_of_drops_are_named() {
        let base = facts(&[]);
        let mut new = base.clone();
        let seen = new.instruments.as_mut().unwrap();
        seen.tunnel.as_mut().unwrap().outer_bytes = 40_000 * 1520;
        seen.drops = Some(BTreeMap::from([("NO_SOCKET".to_owned(), 900), ("OTHERHOST".to_owned(), 1)]));
        let found = between(&base, &new);
        assert!(matches!(found[0].what, What::Count { count: Count::Overhead, values: (50.0, 70.0) }));
        assert!(
            matches!(&found[1].what, What::Dropped { reason, values: (0.0, 900.0) } if reason == "NO_SOCKET")
        );
        let seen: Vec<(bool, Weight)> =
            found.iter().map(|change| (change.is_cause(), change.weight())).collect();
        assert_eq!(seen, [(true, Weight::Warns), (true, Weight::Informs)]);
        let back = between(&new, &base);
        assert!(back.len() == 1 && !back[0].is_cause(), "{back:?}");
        let remote = Change { scenario: Scenario::Remote, what: found[0].what.clone() };
        assert_eq!(remote.weight(), Weight::Informs);
    }
}
