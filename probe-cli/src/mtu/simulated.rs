//! Searches on simulated paths: with loss, delay, packets that overtake each other and come twice, routers that say nothing, and
//! some that lie.

mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use proptest::prelude::*;

use super::{pace::PER_SECOND, *};

/// What the hop says that does not pass larger packets on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Truth,
    /// It, or who is asked to pass its messages on, says nothing.
    Nothing,
    /// Only so many times.
    Times(u32),
    /// Another MTU.
    Other(u32),
}

#[derive(Clone, Copy, Debug)]
struct Path {
    /// What this node's device takes.
    device: u32,
    /// What passes there, and back.
    forward: u32,
    back: u32,
    /// Larger answers come in fragments; else they are lost.
    cuts: bool,
    /// Somebody says of datagrams that nobody listens.
    says_no_port: bool,
    says: Says,
    delay_ms: u64,
    jitter_ms: u64,
    /// Percent lost in each direction, of those that come twice, and of messages about packets of others.
    loss: u64,
    /// Every so many packets of both directions one is lost.
    every: Option<u32>,
    twice: u64,
    foreign: u64,
    is_there: bool,
}

const CLEAN: Path = Path {
    device: 1500,
    forward: 1500,
    back: 1500,
    cuts: true,
    says_no_port: true,
    says: Says::Truth,
    delay_ms: 1,
    jitter_ms: 0,
    loss: 0,
    every: None,
    twice: 0,
    foreign: 0,
    is_there: true,
};

impl Path {
    /// The largest size that can be answered.
    fn carries(&self) -> u32 {
        let back = if self.cuts { u32::MAX } else { self.back };
        self.device.min(self.forward).min(back)
    }
}

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Run {
    outcomes: Vec<Option<Outcome>>,
    sent: BTreeMap<usize, u32>,
    took: Duration,
    strays: u64,
}

fn hop() -> IpAddr {
    "192.0.2.254".parse().unwrap()
}

fn address(path: usize, is_v6: bool) -> IpAddr {
    if is_v6 {
        format!("2001:db8::{:x}", path + 1).parse().unwrap()
    } else {
        format!("10.0.{}.{}", path / 250, path % 250 + 1).parse().unwrap()
    }
}

fn run(paths: &[(Path, u32)], is_v6: bool, seed: u64) -> Run {
    run_as(None, paths, is_v6, seed)
}

/// Of one flow of segments, or of echo requests.
fn run_as(flow: Option<u16>, paths: &[(Path, u32)], is_v6: bool, seed: u64) -> Run {
    let targets: Vec<Target> = paths
        .iter()
        .enumerate()
        .map(|(at, (_, expected))| Target { address: address(at, is_v6), expected: *expected, flow })
        .collect();
    let mut prober = Prober::new(&targets, Duration::from_secs(10));
    let mut chance = Chance(seed | 1);
    let mut now = Duration::ZERO;
    let mut coming: BTreeMap<(Duration, u64), Input> = BTreeMap::new();
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    let (mut order, mut sent) = (0, BTreeMap::new());
    loop {
        while let Some(command) = prober.next_command(now) {
            let (path, _) = paths[command.path];
            let count: &mut u32 = sent.entry(command.path).or_default();
            *count += 1;
            assert!(*count <= MOST_PROBES, "{path:?}");
            let already = told.entry(command.path).or_default();
            for (after, input) in answers(&path, command, already, &mut chance) {
                order += 1;
                coming.insert((now + after, order), input);
            }
        }
        let Some(wait) = prober.poll_timeout(now) else { break };
        let first = coming.first_key_value().map(|((at, _), _)| *at);
        now = first.unwrap_or(Duration::MAX).min(now + wait).max(now);
        while let Some(entry) = coming.first_entry().filter(|entry| entry.key().0 <= now) {
            prober.handle(entry.remove(), now);
        }
        assert!(now < Duration::from_secs(3600), "it does not end");
    }
    let strays = prober.strays();
    Run { outcomes: prober.outcomes(), sent, took: now, strays }
}

/// What went over a path so far.
#[derive(Default)]
struct Told {
    /// Messages that something is too big.
    said: u32,
    /// Packets.
    packets: u32,
}

impl Told {
    /// Whether the next packet is the one that is lost.
    fn is_lost(&mut self, every: Option<u32>) -> bool {
        self.packets += 1;
        every.is_some_and(|every| self.packets.is_multiple_of(every))
    }
}

fn answers(path: &Path, command: Command, told: &mut Told, chance: &mut Chance) -> Vec<(Duration, Input)> {
    let Command { probe, address, kind, size, .. } = command;
    if size > path.device {
        return vec![(Duration::ZERO, Input::Refused { probe, why: Refusal::TooBig })];
    }
    let mut found = Vec::new();
    let about = Quoted { destination: address, size };
    if chance.is(path.foreign) {
        let mtu = 1000 + u32::try_from(chance.below(600)).unwrap();
        let foreign = [
            Input::TooBig { probe, from: hop(), mtu, about: Quoted { size: size + 8, ..about } },
            Input::TooBig { probe, from: hop(), mtu, about: Quoted { destination: hop(), size } },
            Input::TooBig { probe, from: hop(), mtu: 0, about },
            Input::TooBig { probe, from: hop(), mtu: size, about },
            Input::Reply { probe, from: hop(), size, fragment: None },
            Input::Reply { probe, from: address, size: size + 1, fragment: None },
            Input::Reply { probe: probe.wrapping_add(20_000), from: address, size, fragment: None },
        ];
        let at = usize::try_from(chance.below(7)).unwrap();
        found.push(foreign[at].clone());
    }
    let is_lost = chance.is(path.loss) || told.is_lost(path.every) || !path.is_there;
    if !is_lost && size > path.forward {
        let mtu = match path.says {
            Says::Truth => Some(path.forward),
            Says::Times(times) => (told.said < times).then_some(path.forward),
            Says::Other(mtu) => Some(mtu),
            Says::Nothing => None,
        };
        told.said += u32::from(mtu.is_some());
        found.extend(mtu.map(|mtu| Input::TooBig { probe, from: hop(), mtu, about }));
    } else if !is_lost && kind == Kind::Datagram {
        // The kernel sends few such messages.
        told.said += 1;
        if path.says_no_port && told.said <= 6 {
            found.push(Input::Unreachable { probe, from: address, about, no_port: true });
        }
    } else if !is_lost && kind == Kind::Segment {
        // The reset is small.
        found.push(Input::Reply { probe, from: address, size, fragment: None });
    } else if !is_lost && (size <= path.back || path.cuts) {
        let fragment = (size > path.back).then_some(path.back);
        found.push(Input::Reply { probe, from: address, size, fragment });
    }
    let mut coming = Vec::new();
    for input in found {
        for _ in 0..=u32::from(chance.is(path.twice)) {
            if !chance.is(path.loss) && !told.is_lost(path.every) {
                let after = path.delay_ms + chance.below(path.jitter_ms + 1);
                coming.push((Duration::from_millis(after), input.clone()));
            }
        }
    }
    coming
}

fn only(path: Path, expected: u32, seed: u64) -> Outcome {
    let mut run = run(&[(path, expected)], false, seed);
    run.outcomes.remove(0).unwrap()
}

/// A path, the size that is expected, and what it must come to.
type Class = (&'static str, Path, u32, Verdict, Option<u32>, Reverse);

fn classes() -> Vec<Class> {
    let too_big = Verdict::TooBig { from: hop(), of_other: false };
    let filtered = Path { says: Says::Nothing, ..CLEAN };
    let whole = Reverse::Whole;
    vec![
        ("fits", CLEAN, 1500, Verdict::Fits, Some(1500), whole),
        ("told", Path { forward: 1433, ..CLEAN }, 1500, too_big.clone(), Some(1433), whole),
        (
            "told once",
            Path { forward: 1433, says: Says::Times(1), ..CLEAN },
            1500,
            too_big,
            Some(1433),
            whole,
        ),
        ("silent", Path { forward: 1433, ..filtered }, 1500, Verdict::BlackHole, Some(1433), whole),
        ("silent, usual", Path { forward: 1400, ..filtered }, 1500, Verdict::BlackHole, Some(1400), whole),
        ("silent by a byte", Path { forward: 1499, ..filtered }, 1500, Verdict::BlackHole, Some(1499), whole),
        ("tiny", Path { forward: 100, ..filtered }, 1500, Verdict::BlackHole, Some(100), whole),
        ("refused", Path { device: 1410, ..CLEAN }, 1500, Verdict::Refused, Some(1410), whole),
        ("jumbo", Path { device: 9000, ..filtered }, 9000, Verdict::BlackHole, Some(1500), whole),
        (
            "off",
            Path { is_there: false, ..CLEAN },
            1500,
            Verdict::Unreachable { said_by: None },
            None,
            Reverse::Unmeasured,
        ),
        (
            "cut on the way back",
            Path { back: 1396, ..CLEAN },
            1500,
            Verdict::Fits,
            Some(1500),
            Reverse::Fragments { largest: 1396 },
        ),
        (
            "lost on the way back",
            Path { back: 1396, cuts: false, ..CLEAN },
            1500,
            Verdict::BlackHole,
            Some(1396),
            whole,
        ),
        (
            "lies low",
            Path { forward: 1433, says: Says::Other(1200), ..CLEAN },
            1500,
            Verdict::BlackHole,
            Some(1433),
            whole,
        ),
        (
            "lies high",
            Path { forward: 1433, says: Says::Other(1600), ..CLEAN },
            1500,
            Verdict::BlackHole,
            Some(1433),
            whole,
        ),
        (
            "lies nothing",
            Path { forward: 1433, says: Says::Other(0), ..CLEAN },
            1500,
            Verdict::BlackHole,
            Some(1433),
            whole,
        ),
    ]
}

#[test]
fn each_class_by_what_the_path_was_made_with() {
    for (name, path, expected, verdict, size, reverse) in classes() {
        let outcome = only(path, expected, 7);
        assert_eq!((&outcome.verdict, outcome.size, outcome.reverse), (&verdict, size, reverse), "{name}");
        assert_eq!(outcome.loss.lost, 0, "{name}");
        assert_eq!(outcome.ignored.lies() > 0, name.starts_with("lies"), "{name}: {:?}", outcome.ignored);
    }
}

#[test]
fn a_flow_of_segments_has_the_size_of_the_way_there() {
    for (name, path, expected, verdict, size, _) in classes() {
        let (verdict, size) = match name {
            "lost on the way back" => (Verdict::Fits, Some(1500)),
            _ => (verdict, size),
        };
        for loss in [0, 10] {
            if name == "told once" && loss > 0 {
                continue;
            }
            let path = Path { loss, ..path };
            let outcome = run_as(Some(3), &[(path, expected)], false, 7919).outcomes.remove(0).unwrap();
            assert_eq!((&outcome.verdict, outcome.size), (&verdict, size), "{name}, {loss} %");
            assert_eq!(
                (outcome.reverse, outcome.forward),
                (Reverse::Unmeasured, Forward::Unmeasured),
                "{name}"
            );
        }
    }
}

#[test]
fn where_larger_packets_are_lost() {
    let there = Path { forward: 1400, says: Says::Nothing, ..CLEAN };
    let back = Path { back: 1400, cuts: false, ..CLEAN };
    for (name, path, forward) in [
        ("there", there, Forward::Loses),
        ("back", back, Forward::Carries),
        ("both", Path { back: 1300, ..Path { cuts: false, ..there } }, Forward::Loses),
        ("nobody says", Path { says_no_port: false, ..there }, Forward::Unmeasured),
        ("nobody says it back", Path { says_no_port: false, ..back }, Forward::Unmeasured),
        ("all is well", CLEAN, Forward::Unmeasured),
    ] {
        let outcome = only(path, 1500, 7);
        assert_eq!((outcome.forward, outcome.size), (forward, Some(path.carries().min(1500))), "{name}");
        for seed in 1..=20 {
            let outcome = only(Path { loss: 20, ..path }, 1500, seed * 7919);
            assert!(
                outcome.forward == Forward::Unmeasured || outcome.forward == forward,
                "{name}: {outcome:?}"
            );
        }
    }
}

#[test]
fn chance_is_told_from_size_in_each_of_twenty_runs() {
    for loss in [1, 10, 30] {
        for (name, path, expected, verdict, size, _) in classes() {
            // The one message may be lost; and so many sizes take more probes than there are when half of them are lost.
            if name == "told once" || (name == "tiny" && loss == 30) {
                continue;
            }
            for seed in 1..=20 {
                let outcome = only(Path { loss, ..path }, expected, seed * 7919);
                assert_eq!((&outcome.verdict, outcome.size), (&verdict, size), "{name}, {loss} %, {seed}");
                assert!(loss < 30 || size.is_none() || outcome.loss.lost >= 2, "{name}, {seed}: {outcome:?}");
            }
        }
    }
}

#[test]
fn what_comes_late_is_not_lost() {
    for seed in 1..=20 {
        for (forward, verdict) in [(1500, Verdict::Fits), (1400, Verdict::BlackHole)] {
            let late = Path { forward, says: Says::Nothing, jitter_ms: 700, ..CLEAN };
            let outcome = only(late, 1500, seed * 7919);
            assert_eq!(
                (outcome.verdict, outcome.size, outcome.loss.lost),
                (verdict, Some(forward), 0),
                "{seed}"
            );
        }
    }
}

/// What is lost in a pattern: by a member of a bundle of links that is not there, or by who polices packets.
#[test]
fn a_pattern_is_told_from_size() {
    for every in [3, 4, 5, 7, 10] {
        for forward in [1372, 1400, 1433, 1500] {
            let path = Path { forward, every: Some(every), says: Says::Nothing, ..CLEAN };
            let outcome = only(path, 1500, 1);
            let verdict = if forward == 1500 { Verdict::Fits } else { Verdict::BlackHole };
            assert_eq!((outcome.verdict, outcome.size), (verdict, Some(forward)), "every {every}");
            assert!(outcome.loss.lost > 0);
        }
    }
}

#[test]
fn a_healthy_path_takes_little_and_many_are_done_in_time() {
    for (count, limit_s) in [(1, 1), (200, 10), (2000, 60)] {
        let run = run(&vec![(CLEAN, 1500); count], false, 3);
        assert!(run.outcomes.iter().all(|outcome| outcome.as_ref().unwrap().verdict == Verdict::Fits));
        assert!(run.took < Duration::from_secs(limit_s), "{count}: {:?}", run.took);
        assert!(run.sent.values().all(|sent| *sent <= 20));
        assert_eq!(run.strays, 0);
    }
}

/// A path's deadline is not used up by the probes of others: of so many each sends four a second.
#[test]
fn many_black_holes_are_found_to_the_byte() {
    let run = run(&vec![(Path { forward: 1400, says: Says::Nothing, ..CLEAN }, 1500); 130], false, 9);
    for outcome in &run.outcomes {
        let Outcome { verdict, size, .. } = outcome.as_ref().unwrap();
        assert_eq!((verdict, *size), (&Verdict::BlackHole, Some(1400)));
    }
    assert!((11..30).contains(&run.took.as_secs()), "{:?}", run.took);
}

#[test]
fn who_says_it_of_one_path_says_it_of_the_others() {
    let told = Path { forward: 1400, ..CLEAN };
    let silent = Path { says: Says::Nothing, ..told };
    let run = run(&[(told, 1500), (silent, 1500), (Path { forward: 1380, ..silent }, 1500)], false, 5);
    let verdicts: Vec<Verdict> = run.outcomes.into_iter().map(|outcome| outcome.unwrap().verdict).collect();
    assert_eq!(verdicts.len(), 3);
    assert_eq!(verdicts[1], Verdict::TooBig { from: hop(), of_other: true });
    assert_eq!(verdicts[2], Verdict::BlackHole);
}

#[test]
fn what_cannot_be_sent_ends_at_once() {
    for (why, verdict) in [
        (Refusal::NoRoute, Verdict::Unreachable { said_by: Some(Who::Here) }),
        (Refusal::Other("denied".to_owned()), Verdict::NotSent { why: "denied".to_owned() }),
    ] {
        let targets = [Target { address: hop(), expected: 1500, flow: None }];
        let mut prober = Prober::new(&targets, Duration::from_secs(10));
        let probe = prober.next_command(Duration::ZERO).unwrap().probe;
        prober.handle(Input::Refused { probe, why }, Duration::ZERO);
        assert_eq!((prober.next_command(Duration::ZERO), prober.poll_timeout(Duration::ZERO)), (None, None));
        let outcome = prober.outcomes().remove(0).unwrap();
        assert_eq!((outcome.verdict, outcome.sent, outcome.size), (verdict, 0, None));
    }
}

#[test]
fn queues_that_stay_full_end_it_too() {
    let mut prober =
        Prober::new(&[Target { address: hop(), expected: 1500, flow: None }], Duration::from_secs(10));
    let mut now = Duration::ZERO;
    loop {
        while let Some(command) = prober.next_command(now) {
            prober.handle(Input::Refused { probe: command.probe, why: Refusal::Busy }, now);
        }
        let Some(wait) = prober.poll_timeout(now) else { break };
        now += wait;
    }
    let outcome = prober.outcomes().remove(0).unwrap();
    assert_eq!((outcome.verdict, outcome.sent), (Verdict::Undecided { below: None }, 0));
    assert!(now <= Duration::from_secs(11), "{now:?}");
}

#[test]
fn a_router_that_says_nothing_can_be_delivered_is_named() {
    let mut prober = Prober::new(
        &[Target { address: address(0, false), expected: 1500, flow: None }],
        Duration::from_secs(10),
    );
    let mut now = Duration::ZERO;
    loop {
        while let Some(Command { probe, address, size, .. }) = prober.next_command(now) {
            let about = Quoted { destination: address, size };
            prober.handle(Input::Unreachable { probe, from: hop(), about, no_port: false }, now);
        }
        let Some(wait) = prober.poll_timeout(now) else { break };
        now += wait;
    }
    let outcome = prober.outcomes().remove(0).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unreachable { said_by: Some(Who::From(hop())) });
    assert!(outcome.sent <= 4);
}

fn paths() -> impl Strategy<Value = (Path, u32)> {
    let says = prop_oneof![
        Just(Says::Truth),
        Just(Says::Nothing),
        (0_u32..4).prop_map(Says::Times),
        (0_u32..10_000).prop_map(Says::Other),
    ];
    let sizes = (90_u32..9100, 60_u32..9100, 60_u32..9100, 68_u32..9100);
    let times = (0_u64..400, 0_u64..400);
    let percents = (0_u64..60, 0_u64..40, 0_u64..40);
    (sizes, says, times, percents, any::<bool>(), prop::bool::weighted(0.9)).prop_map(
        |(
            (device, forward, back, expected),
            says,
            (delay_ms, jitter_ms),
            (loss, twice, foreign),
            cuts,
            is_there,
        )| {
            let path = Path {
                device,
                forward,
                back,
                cuts,
                says_no_port: cuts,
                says,
                every: None,
                delay_ms,
                jitter_ms,
                loss,
                twice,
                foreign,
                is_there,
            };
            (path, expected)
        },
    )
}

proptest! {
    /// Whatever the paths are: it ends within the number of probes and in time, and no size is named that is not carried.
    #[test]
    fn it_ends_and_names_no_size_that_is_not_carried(
        paths in prop::collection::vec(paths(), 1..6),
        is_v6 in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let run = run(&paths, is_v6, seed);
        prop_assert!(run.took <= Duration::from_secs(30), "{:?}", run.took);
        for ((path, expected), outcome) in paths.iter().zip(&run.outcomes) {
            let outcome = outcome.as_ref().unwrap();
            let most = path.carries().min(*expected);
            prop_assert!(outcome.size.is_none_or(|size| size <= most && path.is_there), "{:?} of {}", outcome, most);
            prop_assert!(outcome.verdict != Verdict::Fits || outcome.size == Some(*expected));
            prop_assert!(outcome.sent <= MOST_PROBES);
        }
    }

    /// Without loss, the size is exact and the class that of the path, however late and in whatever order answers come.
    #[test]
    fn without_loss_it_is_exact(
        forward in 100_u32..1600,
        expected in prop::sample::select(vec![1280_u32, 1420, 1450, 1500, 9000]),
        is_silent in any::<bool>(),
        (delay_ms, jitter_ms) in (0_u64..120, 0_u64..60),
        (twice, foreign) in (0_u64..50, 0_u64..50),
        seed in any::<u64>(),
    ) {
        let says = if is_silent { Says::Nothing } else { Says::Truth };
        let path = Path { device: 9000, forward, says, delay_ms, jitter_ms, twice, foreign, ..CLEAN };
        let outcome = only(path, expected, seed);
        prop_assert_eq!(outcome.size, Some(forward.min(expected)), "{:?}", outcome);
        let verdict = match (forward >= expected, is_silent || forward < 576) {
            (true, _) => Verdict::Fits,
            (false, true) => Verdict::BlackHole,
            (false, false) => Verdict::TooBig { from: hop(), of_other: false },
        };
        prop_assert_eq!(outcome.verdict, verdict);
    }
}
