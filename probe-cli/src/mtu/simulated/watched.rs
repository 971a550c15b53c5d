//! Probes that go on, on simulated paths: what is said of each, and that rate and numbers have bounds.

use std::collections::BTreeMap;

use super::*;
use crate::model::{PathProbes, Signal};

/// What was sent and what that came to.
struct Seen {
    paths: Vec<PathProbes>,
    /// Small and large probes by path.
    sent: BTreeMap<usize, (u32, u32)>,
    /// The most that left in a second.
    busiest: u32,
    /// Paths of which it was said at some time that only large packets are lost.
    accused: BTreeSet<usize>,
}

/// Watches paths for a time; from `change` on they are the others.
fn watched(
    paths: &[(Path, u32)],
    then: Option<(Duration, &[(Path, u32)])>,
    time: Duration,
    seed: u64,
) -> Seen {
    let targets: Vec<(IpAddr, u32)> =
        paths.iter().enumerate().map(|(at, (_, size))| (address(at, false), *size)).collect();
    let mut watcher = Watcher::new(&targets, Duration::ZERO);
    let (mut chance, mut now, mut order) = (Chance(seed | 1), Duration::ZERO, 0);
    let mut coming: BTreeMap<(Duration, u64), Input> = BTreeMap::new();
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    let mut seconds: BTreeMap<u64, u32> = BTreeMap::new();
    let mut seen = Seen { paths: Vec::new(), sent: BTreeMap::new(), busiest: 0, accused: BTreeSet::new() };
    let mut looked = 0;
    while now < time {
        let paths = then.filter(|(change, _)| now >= *change).map_or(paths, |(_, others)| others);
        while let Some(command) = watcher.next_command(now) {
            let (path, size) = paths[command.path];
            let (small, large) = seen.sent.entry(command.path).or_default();
            *if command.size == size { large } else { small } += 1;
            *seconds.entry(now.as_secs()).or_default() += 1;
            for (after, input) in answers(&path, command, told.entry(command.path).or_default(), &mut chance)
            {
                order += 1;
                coming.insert((now + after, order), input);
            }
        }
        if now.as_secs() > looked {
            looked = now.as_secs();
            let found = watcher.read(now).into_iter().enumerate();
            let accused = found.filter(|(_, path)| path.signal == Signal::LargeLost);
            seen.accused.extend(accused.map(|(at, _)| at));
        }
        let wait = watcher.poll_timeout(now).unwrap();
        let first = coming.first_key_value().map(|((at, _), _)| *at);
        // A clock of whole microseconds goes on in any case.
        now = first.unwrap_or(Duration::MAX).min(now + wait).max(now + Duration::from_micros(1));
        while let Some(entry) = coming.first_entry().filter(|entry| entry.key().0 <= now) {
            watcher.handle(entry.remove(), now);
        }
    }
    seen.paths = watcher.read(now);
    seen.busiest = seconds.into_values().max().unwrap_or(0);
    seen
}

fn only(path: Path, seconds: u64, seed: u64) -> (PathProbes, (u32, u32), bool) {
    let mut seen = watched(&[(path, 1450)], None, Duration::from_secs(seconds), seed);
    (seen.paths.remove(0), seen.sent[&0], !seen.accused.is_empty())
}

const HOLE: Path = Path { forward: 1400, says: Says::Nothing, ..CLEAN };

#[test]
fn a_clean_path_gets_one_small_probe_a_second_and_a_large_one_every_ten() {
    let (path, (small, large), _) = only(Path { delay_ms: 7, ..CLEAN }, 100, 3);
    assert_eq!((small, large), (100, 10));
    assert_eq!((path.small.sent, path.small.lost, path.large.sent, path.large.lost), (100, 0, 10, 0));
    assert_eq!(path.signal, Signal::Answered);
    let trips = path.round_trips.unwrap();
    assert_eq!((trips.p50.as_millis(), trips.p99.as_millis(), trips.jitter.as_millis()), (7, 7, 0));
    assert!(path.answered_ago.unwrap() <= Duration::from_secs(1));
}

#[test]
fn each_signal_by_what_the_path_was_made_with() {
    let told = Signal::TooBig { from: hop(), mtu: 1400 };
    for (name, path, signal) in [
        ("clean", CLEAN, Signal::Answered),
        ("hole", HOLE, Signal::LargeLost),
        ("hole on the way back", Path { back: 1400, cuts: false, ..CLEAN }, Signal::LargeLost),
        ("told", Path { forward: 1400, ..CLEAN }, told),
        ("refused", Path { device: 1400, ..CLEAN }, Signal::RefusedHere),
        ("off", Path { is_there: false, ..CLEAN }, Signal::Unanswered),
        ("lossy", Path { loss: 10, ..CLEAN }, Signal::SomeLost),
        ("a lie of zero", Path { forward: 1400, says: Says::Other(0), ..CLEAN }, Signal::LargeLost),
        ("a lie that is larger", Path { forward: 1400, says: Says::Other(9000), ..CLEAN }, Signal::LargeLost),
        ("answers come twice", Path { twice: 100, ..CLEAN }, Signal::Answered),
        ("answers are late", Path { delay_ms: 2500, ..CLEAN }, Signal::Unanswered),
    ] {
        let (found, _, _) = only(path, 40, 5);
        assert_eq!(found.signal, signal, "{name}: {found:?}");
    }
}

#[test]
fn a_black_hole_is_found_beside_loss_and_loss_is_none() {
    for loss in [0, 1, 10, 30] {
        for seed in 1..=10 {
            let (found, _, is_accused) = only(Path { loss, ..HOLE }, 180, seed * 7919);
            // With half of all round trips lost, so may the last ones be.
            let is_found = if loss < 30 { found.signal == Signal::LargeLost } else { is_accused };
            assert!(is_found, "{loss} %, {seed}: {found:?}");
            let (found, (_, large), is_accused) = only(Path { loss, ..CLEAN }, 1800, seed * 7919);
            assert!(!is_accused, "{loss} %, {seed}: {found:?}");
            assert!(u64::from(large) <= 1800, "{found:?}");
        }
    }
}

#[test]
fn what_begins_meanwhile_is_seen_and_what_ends_is_forgotten() {
    let hole = [(HOLE, 1450)];
    let clean = [(CLEAN, 1450)];
    let from = Duration::from_secs(60);
    for (before, after, signal) in [
        (clean, hole, Signal::LargeLost),
        (hole, clean, Signal::Answered),
        (clean, [(Path { is_there: false, ..CLEAN }, 1450)], Signal::Unanswered),
    ] {
        let seen = watched(&before, Some((from, &after)), from + Duration::from_secs(30), 3);
        assert_eq!(seen.paths[0].signal, signal, "{:?}", seen.paths[0]);
    }
}

#[test]
fn many_paths_share_the_rate() {
    let paths = vec![(CLEAN, 1450); 3000];
    let seen = watched(&paths, None, Duration::from_secs(60), 3);
    assert!(seen.busiest <= PER_SECOND + 16, "{}", seen.busiest);
    assert!(seen.sent.len() == 3000 && seen.paths.iter().all(|path| path.small.lost == 0));
    let least = seen.paths.iter().map(|path| path.small.sent).min().unwrap();
    let most = seen.paths.iter().map(|path| path.small.sent).max().unwrap();
    assert!(least >= 4 && most - least <= 2, "{least} to {most}");
}

#[test]
fn paths_come_and_go_and_those_that_stay_keep_what_they_have() {
    let targets =
        |from: usize, to: usize| (from..to).map(|at| (address(at, false), 1450)).collect::<Vec<_>>();
    let mut watcher = Watcher::new(&targets(0, 3), Duration::ZERO);
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(5) {
        while let Some(command) = watcher.next_command(now) {
            let Command { probe, address: from, size, .. } = command;
            watcher.handle(Input::Reply { probe, from, size, fragment: None }, now);
        }
        now += watcher.poll_timeout(now).unwrap().max(Duration::from_micros(1));
    }
    watcher.follow(&targets(1, 5), now);
    let sent: Vec<u64> = watcher.read(now).iter().map(|path| path.small.sent).collect();
    assert_eq!(sent, [5, 5, 0, 0]);
    // With another size it is another path.
    watcher.follow(&[(address(1, false), 8950)], now);
    assert_eq!(watcher.read(now)[0].small.sent, 0);
    watcher.follow(&[], now);
    assert_eq!((watcher.next_command(now), watcher.poll_timeout(now)), (None, None));
    watcher.follow(&targets(0, 5000), now);
    assert_eq!((watcher.watched(), watcher.left_out()), (MOST_WATCHED, 5000 - MOST_WATCHED));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Nobody is accused of what a path carries, whatever happens on it.
    #[test]
    fn what_carries_large_packets_is_no_black_hole(
        delay_ms in 0_u64..900,
        jitter_ms in 0_u64..900,
        loss in 0_u64..40,
        twice in 0_u64..50,
        foreign in 0_u64..50,
        seed: u64,
    ) {
        let path = Path { delay_ms, jitter_ms, loss, twice, foreign, says: Says::Nothing, ..CLEAN };
        let (found, (small, large), is_accused) = only(path, 300, seed);
        prop_assert!(!is_accused, "{found:?}");
        prop_assert_eq!((found.small.sent, found.large.sent), (u64::from(small), u64::from(large)));
        prop_assert!(small <= 301 && large <= 301);
        prop_assert!(found.small.lost <= found.small.sent && found.large.lost <= found.large.sent);
        if let Some(trips) = found.round_trips {
            let most = Duration::from_millis(delay_ms + jitter_ms + 1);
            prop_assert!(trips.p50 <= trips.p99 && trips.p99 <= most && trips.jitter <= most, "{trips:?}");
        }
    }
}
