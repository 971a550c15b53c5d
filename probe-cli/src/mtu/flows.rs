//! Several flows to one address, which a bundle of links or a router may send by several ways: what to measure, and what it comes to
//! together. Pure.

use super::{
    classify::{Ignored, Loss, Outcome, SomeFlows, Verdict},
    plan::Path,
    search::Target,
};

/// Flows to one address at most.
pub const MOST_FLOWS: u16 = 64;

/// So many flows for each path, those of one path together: echo requests are the first of them, and segments of TCP all others.
pub fn targets(paths: &[Path], flows: u16) -> Vec<Target> {
    let flows = flows.clamp(1, MOST_FLOWS);
    let of_path = |path: &Path| {
        let (address, expected) = (path.address, path.expected);
        (0..flows).map(move |flow| Target { address, expected, flow: (flow > 0).then_some(flow) })
    };
    paths.iter().flat_map(of_path).collect()
}

/// The outcomes of flows, in the order of [`targets`], as those of paths.
pub fn together(outcomes: &[Option<Outcome>], flows: u16) -> Vec<Option<Outcome>> {
    let flows = usize::from(flows.clamp(1, MOST_FLOWS));
    outcomes.chunks(flows).map(|of_path| of_one(&of_path.iter().flatten().collect::<Vec<_>>())).collect()
}

/// Of one path; none where no flow has an outcome. The first is that of echo requests. Where these are answered and segments of no
/// flow are, or the other way round, a packet filter takes the one and not the other: nothing is known of flows then, or by the others.
fn of_one(flows: &[&Outcome]) -> Option<Outcome> {
    let (first, others) = flows.split_first()?;
    let is_dead = |flow: &&Outcome| matches!(flow.verdict, Verdict::Unreachable { .. });
    let measured = match (is_dead(first), others.iter().all(is_dead)) {
        (false, true) => std::slice::from_ref(first),
        (true, false) => others,
        _ => flows,
    };
    let sent = flows.iter().map(|flow| flow.sent).sum();
    combined(measured).map(|outcome| Outcome { sent, ..outcome })
}

fn combined(flows: &[&Outcome]) -> Option<Outcome> {
    let first = *flows.first()?;
    let (unsure, decided): (Vec<&Outcome>, Vec<&Outcome>) = flows
        .iter()
        .copied()
        .partition(|flow| matches!(flow.verdict, Verdict::Undecided { .. } | Verdict::NotSent { .. }));
    let most = decided.iter().filter_map(|flow| flow.size).max();
    let limited: Vec<&Outcome> =
        decided.iter().copied().filter(|flow| most.is_some() && flow.size != most).collect();
    let base = match most {
        Some(most) if !limited.is_empty() => {
            let verdict = Verdict::SomeFlows(some_flows(&limited, most));
            let least = decided.iter().filter(|flow| flow.size.is_some()).min_by_key(|flow| flow.size);
            Outcome { verdict, ..(**least.unwrap_or(&first)).clone() }
        }
        // What one flow does not know is not known of all, unless the others have found what is wrong.
        _ => {
            let is_wrong = |flow: &&&Outcome| flow.verdict != Verdict::Fits;
            let wrong = decided.iter().find(|flow| flow.size.is_some() && is_wrong(flow));
            (*wrong.or(unsure.first()).or(decided.first()).unwrap_or(&first)).clone()
        }
    };
    Some(Outcome {
        flows: number(flows.len()),
        loss: Loss {
            sent: flows.iter().map(|flow| flow.loss.sent).sum(),
            lost: flows.iter().map(|flow| flow.loss.lost).sum(),
        },
        rtt: flows.iter().filter_map(|flow| flow.rtt).min(),
        ignored: flows.iter().fold(Ignored::default(), |all, flow| all.with(flow.ignored)),
        ..base
    })
}

fn some_flows(limited: &[&Outcome], most: u32) -> SomeFlows {
    let told = |flow: &&Outcome| {
        if let Verdict::TooBig { from, .. } = flow.verdict { Some(from) } else { None }
    };
    SomeFlows {
        limited: number(limited.len()),
        dead: number(limited.iter().filter(|flow| flow.size.is_none()).count()),
        most,
        // Where some are lost silently, that is what is wrong.
        said_by: limited.iter().map(told).min().flatten(),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::mtu::{
        Way,
        testdata::{outcome, path},
    };

    fn fits(size: u32) -> Outcome {
        outcome(Verdict::Fits, Some(size))
    }

    fn hole(size: u32) -> Outcome {
        outcome(Verdict::BlackHole, Some(size))
    }

    fn dead() -> Outcome {
        outcome(Verdict::Unreachable { said_by: None }, None)
    }

    fn told(size: u32) -> Outcome {
        outcome(Verdict::TooBig { from: hop(), of_other: false }, Some(size))
    }

    fn hop() -> IpAddr {
        "192.0.2.254".parse().unwrap()
    }

    fn some(limited: u32, dead: u32, most: u32, said_by: Option<IpAddr>) -> Verdict {
        Verdict::SomeFlows(SomeFlows { limited, dead, most, said_by })
    }

    #[test]
    fn flows_that_fare_alike_are_one_and_others_are_told_apart() {
        let unsure = || outcome(Verdict::Undecided { below: None }, None);
        let cases: Vec<(&str, Vec<Outcome>, Verdict, Option<u32>)> = vec![
            ("all fit", vec![fits(1450); 4], Verdict::Fits, Some(1450)),
            ("all are lost", vec![hole(1350); 4], Verdict::BlackHole, Some(1350)),
            ("none answers", vec![dead(); 4], Verdict::Unreachable { said_by: None }, None),
            (
                "one of four",
                vec![fits(1450), hole(1350), fits(1450), fits(1450)],
                some(1, 0, 1450, None),
                Some(1350),
            ),
            ("one is dead", vec![fits(1450), dead(), fits(1450)], some(1, 1, 1450, None), Some(1450)),
            ("dead and less", vec![fits(1450), dead(), hole(1350)], some(2, 1, 1450, None), Some(1350)),
            ("one is told", vec![fits(1500), told(1400)], some(1, 0, 1500, Some(hop())), Some(1400)),
            ("told and silent", vec![fits(1500), told(1400), hole(1300)], some(2, 0, 1500, None), Some(1300)),
            ("no flow fits", vec![hole(1400), hole(1300)], some(1, 0, 1400, None), Some(1300)),
            ("no pings", vec![dead(), fits(1450), fits(1450)], Verdict::Fits, Some(1450)),
            ("no pings, and less", vec![dead(), fits(1450), hole(1350)], some(1, 0, 1450, None), Some(1350)),
            ("no resets", vec![fits(1450), dead(), dead()], Verdict::Fits, Some(1450)),
            ("unsure", vec![fits(1450), unsure()], Verdict::Undecided { below: None }, None),
            ("unsure beside lost", vec![unsure(), hole(1350), hole(1350)], Verdict::BlackHole, Some(1350)),
            (
                "unsure beside less",
                vec![fits(1450), hole(1350), unsure()],
                some(1, 0, 1450, None),
                Some(1350),
            ),
        ];
        for (name, flows, verdict, size) in cases {
            let count = flows.len();
            let found = of_one(&flows.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!((&found.verdict, found.size), (&verdict, size), "{name}");
            let measured = match name {
                "no pings" | "no pings, and less" => 2,
                "no resets" => 1,
                _ => number(count),
            };
            assert_eq!((found.flows, found.sent), (measured, 20 * number(count)), "{name}");
        }
        assert_eq!(of_one(&[]), None);
    }

    #[test]
    fn each_path_has_its_own_flows() {
        let paths = [path(Way::Underlay, "192.0.2.2", 1500), path(Way::Overlay, "10.42.2.0", 1450)];
        let of = |flows| -> Vec<(u32, Option<u16>)> {
            targets(&paths, flows).iter().map(|target| (target.expected, target.flow)).collect()
        };
        assert_eq!(of(1), [(1500, None), (1450, None)]);
        assert_eq!(of(2), [(1500, None), (1500, Some(1)), (1450, None), (1450, Some(1))]);
        let outcomes = vec![Some(fits(1500)), Some(hole(1400)), Some(fits(1450)), Some(fits(1450))];
        let verdicts: Vec<Verdict> =
            together(&outcomes, 2).into_iter().map(|outcome| outcome.unwrap().verdict).collect();
        assert_eq!(verdicts, [some(1, 0, 1500, None), Verdict::Fits]);
    }
}
