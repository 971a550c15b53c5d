//! What the observer costs: its process all the time, its programs in the kernel as often as they are timed.

use std::time::Duration;

use super::{ObserverRow, ProgramRow};
use crate::sample::{ProgramCost, Sample};

/// The row, with what is only measured now and then from what was measured last.
pub(super) fn observer(now: &Sample, before: Option<&Sample>, interval: Option<Duration>) -> ObserverRow {
    let cpu_percent = before.zip(interval).and_then(|(before, interval)| {
        let spent = now.observer.cpu?.checked_sub(before.observer.cpu?)?;
        Some(spent.as_secs_f64() / interval.as_secs_f64() * 100.0)
    });
    let timed = before.and_then(|before| Some((before, timed(now, before)?)));
    let spent: Option<u64> = timed.map(|(before, _)| {
        let of = |program: &ProgramCost| {
            let earlier = earlier(before, &program.name).map_or(0, |earlier| earlier.run_time_ns);
            program.run_time_ns.saturating_sub(earlier)
        };
        now.observer.programs.iter().map(of).sum()
    });
    let packets = timed.map_or(0, |(before, _)| packets(now).saturating_sub(packets(before)));
    ObserverRow {
        programs: now
            .observer
            .programs
            .iter()
            .map(|program| {
                let earlier = before.and_then(|before| earlier(before, &program.name));
                ProgramRow {
                    name: program.name.clone(),
                    runs: program.runs,
                    runs_per_s: timed.map(|(_, timed)| {
                        let runs = program.runs.saturating_sub(earlier.map_or(0, |earlier| earlier.runs));
                        runs as f64 / timed.as_secs_f64()
                    }),
                    ns_per_run: ns_per_run(program, earlier),
                }
            })
            .collect(),
        cpu_percent,
        kernel_percent: spent
            .zip(timed)
            .map(|(spent, (_, timed))| spent as f64 / 1e9 / timed.as_secs_f64() * 100.0),
        ns_per_packet: spent.filter(|_| packets > 0).map(|spent| spent as f64 / packets as f64),
        rss_bytes: now.observer.rss_bytes,
        map_bytes: now.observer.map_bytes,
        events_lost: now.observer.events_ring_full + now.observer.events_rate_limited,
        unknown_fragments: now.observer.unknown_fragments,
        pods_without_slot: now.observer.pods_without_slot,
        peers_without_slot: now.observer.peers_without_slot,
    }
}

/// For how long programs were timed between two samples; none where they were not.
pub(super) fn timed(now: &Sample, before: &Sample) -> Option<Duration> {
    now.observer.timed.checked_sub(before.observer.timed).filter(|timed| !timed.is_zero())
}

/// Nanoseconds of a run between two samples; none when there was no run.
pub(super) fn ns_between(before: &ProgramCost, now: &ProgramCost) -> Option<f64> {
    let runs = now.runs.checked_sub(before.runs).filter(|runs| *runs > 0)?;
    Some(now.run_time_ns.checked_sub(before.run_time_ns)? as f64 / runs as f64)
}

/// What was measured when programs were timed last stays until they are timed again.
pub(super) fn keep_timed(row: &mut ObserverRow, before: &ObserverRow) {
    if row.kernel_percent.is_some() {
        return;
    }
    (row.kernel_percent, row.ns_per_packet) = (before.kernel_percent, before.ns_per_packet);
    for program in &mut row.programs {
        let earlier = before.programs.iter().find(|earlier| earlier.name == program.name);
        program.runs_per_s = earlier.and_then(|earlier| earlier.runs_per_s);
        program.ns_per_run = earlier.and_then(|earlier| earlier.ns_per_run).or(program.ns_per_run);
    }
}

fn earlier<'a>(before: &'a Sample, name: &str) -> Option<&'a ProgramCost> {
    before.observer.programs.iter().find(|program| program.name == name)
}

/// Packets of the wire that programs counted on tunnels and VFs. Each runs through several of them.
fn packets(sample: &Sample) -> u64 {
    let tunnels = sample.tunnels.values().map(|tunnel| tunnel.counts);
    let vfs = sample.vfs.iter().filter_map(|vf| Some(vf.programs.as_ref()?.counts));
    tunnels.chain(vfs).map(|counts| counts.tx.packets + counts.rx.packets).sum()
}

/// Over the interval when it had measured runs, else over all of them.
fn ns_per_run(now: &ProgramCost, before: Option<&ProgramCost>) -> Option<f64> {
    before.and_then(|before| ns_between(before, now)).or_else(|| ns_between(&ProgramCost::default(), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::testdata::{inventory, sample},
        sample::PerDirection,
    };

    /// A second in which the programs took 48 ms of 40 000 runs, for 160 000 packets, and the process 1 ms.
    fn second(timed: bool) -> (Sample, Sample) {
        let inventory = inventory(1);
        let (mut before, mut now) = (sample(&inventory, 1), sample(&inventory, 2));
        let cost = |name: &str, runs: u64, ms: u64| ProgramCost {
            name: name.to_owned(),
            runs,
            run_time_ns: ms * 1_000_000,
            ..ProgramCost::default()
        };
        before.observer.programs = vec![cost("a", 500, 7), cost("b", 100, 3)];
        now.observer.programs = vec![cost("a", 30_500, 47), cost("b", 10_100, 11)];
        if !timed {
            now.observer.programs = before.observer.programs.clone();
        }
        now.observer.timed = Duration::from_secs(u64::from(timed));
        before.observer.timed = Duration::ZERO;
        for (sample, packets) in [(&mut before, 1000), (&mut now, 161_000)] {
            for tunnel in sample.tunnels.values_mut() {
                tunnel.counts = PerDirection::default();
            }
            sample.tunnels.values_mut().next().unwrap().counts.tx.packets = packets;
        }
        (before, now)
    }

    #[test]
    fn the_cost_is_that_of_the_process_and_of_the_programs_together() {
        let (before, now) = second(true);
        let row = observer(&now, Some(&before), Some(Duration::from_secs(1)));
        let near = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-9;
        assert!(near(row.cpu_percent, 0.4) && near(row.kernel_percent, 4.8), "{row:?}");
        assert!(near(row.total_percent(), 5.2), "{row:?}");
        assert!(near(row.ns_per_packet, 300.0), "{row:?}");
        assert!(near(row.programs[0].runs_per_s, 30_000.0), "{row:?}");
    }

    #[test]
    fn what_was_not_timed_is_unknown_until_it_was_and_stays_then() {
        let (before, now) = second(false);
        let untimed = observer(&now, Some(&before), Some(Duration::from_secs(1)));
        assert_eq!(
            (untimed.kernel_percent, untimed.total_percent(), untimed.ns_per_packet),
            (None, None, None)
        );
        let (before, now) = second(true);
        let timed = observer(&now, Some(&before), Some(Duration::from_secs(1)));
        let mut later = untimed;
        keep_timed(&mut later, &timed);
        assert_eq!((later.kernel_percent, later.ns_per_packet), (timed.kernel_percent, timed.ns_per_packet));
        assert_eq!(later.programs[1].runs_per_s, timed.programs[1].runs_per_s);
    }

    #[test]
    fn no_packet_has_no_cost_per_packet() {
        let (mut before, mut now) = second(true);
        before.tunnels.clear();
        now.tunnels.clear();
        assert_eq!(observer(&now, Some(&before), Some(Duration::from_secs(1))).ns_per_packet, None);
    }
}
