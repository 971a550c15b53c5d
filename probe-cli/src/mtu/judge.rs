//! What measured paths mean together: what is wrong, how bad it is, what gets there only in pieces.

use std::{net::IpAddr, time::Duration};

use super::{
    classify::{Ignored, Loss, Outcome, Reverse, SomeFlows, Verdict},
    plan::{Path, Way},
};

/// Packets lost of those that fit, beside each other, before that is a warning.
const LOST: u32 = 2;
/// WireGuard pads inner packets to 16 bytes: of what the underlay carries, up to 15 are of no use.
const PADDING: u32 = 16;

/// How bad it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Packets that should get there do not, and nobody is told.
    Failure,
    /// It works, and worse than it should.
    Warning,
    /// It could not be judged.
    Unknown,
    /// As it should be.
    Good,
}

/// A path with what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path.
    pub path: Path,
    /// What was measured.
    pub outcome: Outcome,
    /// How bad it is.
    pub severity: Severity,
    /// Packets of this size get there in outer packets that are cut on the way: what fits on the underlay.
    pub in_outer_fragments: Option<u32>,
    /// What is larger is lost because the underlay loses outer packets of that size: its black hole is this one's cause.
    pub follows_from_underlay: bool,
    /// The path MTU that this node's kernel keeps to, where more fits.
    pub held_to: Option<u32>,
    /// The underlay does not answer, and what is sent through the tunnel does: it is there.
    pub answers_inside: bool,
    /// Nothing is answered through the tunnel, and the node's own address answers: it is up.
    pub answers_below: bool,
}

/// A path MTU that the kernel has learned while paths were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// For what.
    pub destination: IpAddr,
    /// Bytes.
    pub mtu: u32,
    /// Seconds until it is forgotten; none when the kernel does not say.
    pub expires_s: Option<u64>,
}

/// All paths, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The paths.
    pub rows: Vec<Row>,
    /// Flows to each address that were asked for; 0 is 1.
    pub flows: u16,
    /// What the kernel has learned meanwhile.
    pub learned: Vec<Learned>,
    /// How long it took.
    pub took: Duration,
}

impl Judged {
    /// The worst; good when there is nothing.
    pub fn severity(&self) -> Severity {
        self.rows.iter().map(|row| row.severity).min().unwrap_or(Severity::Good)
    }

    /// Packets that were sent.
    pub fn sent(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.outcome.sent)).sum()
    }

    /// Messages that were not believed.
    pub fn ignored(&self) -> Ignored {
        self.rows.iter().fold(Ignored::default(), |all, row| all.with(row.outcome.ignored))
    }
}

/// Puts paths and what they came to together; a path without outcome is left out.
pub fn judge(
    paths: Vec<Path>,
    outcomes: Vec<Option<Outcome>>,
    took: Duration,
    learned: Vec<Learned>,
) -> Judged {
    let measured: Vec<(Path, Outcome)> =
        paths.into_iter().zip(outcomes).filter_map(|(path, outcome)| Some((path, outcome?))).collect();
    let mut rows: Vec<Row> = measured.iter().map(|(path, outcome)| row(path, outcome, &measured)).collect();
    // Rows of one severity stay in the order of nodes.
    rows.sort_by_key(|row| row.severity);
    Judged { rows, flows: 1, learned, took }
}

fn row(path: &Path, outcome: &Outcome, all: &[(Path, Outcome)]) -> Row {
    let of_node = |way: Way| {
        all.iter().filter(move |(other, _)| {
            other.way == way && other.node_address.is_some() && other.node_address == path.node_address
        })
    };
    let below = of_node(Way::Underlay).find_map(|(_, below)| below.size);
    let is_cut = |below: &u32| outcome.size.is_some_and(|size| size + path.overhead > *below);
    let gets_there = path.way == Way::Overlay && outcome.verdict == Verdict::Fits;
    let in_outer_fragments = below.filter(|below| gets_there && is_cut(below));
    let is_as_far = |below: &Outcome| {
        let least = outcome.size.map(|size| size + path.overhead);
        below.size.zip(least).is_some_and(|(below, least)| (least..least + PADDING).contains(&below))
    };
    let follows_from_underlay = path.way == Way::Overlay
        && outcome.verdict == Verdict::BlackHole
        && of_node(Way::Underlay).any(|(_, below)| below.verdict == Verdict::BlackHole && is_as_far(below));
    let held_to = path.learned.filter(|learned| outcome.size.is_some_and(|size| *learned < size));
    let is_silent = matches!(outcome.verdict, Verdict::Unreachable { .. });
    let answers_by = |way| of_node(way).any(|(_, other)| other.size.is_some());
    let answers_inside = is_silent && path.way == Way::Underlay && answers_by(Way::Overlay);
    let answers_below = is_silent && path.way == Way::Overlay && answers_by(Way::Underlay);
    let Loss { lost, .. } = outcome.loss;
    let severity = match outcome.verdict {
        Verdict::Unreachable { .. } if answers_inside => Severity::Unknown,
        Verdict::SomeFlows(SomeFlows { dead: 0, said_by: Some(_), .. })
        | Verdict::TooBig { .. }
        | Verdict::Refused => Severity::Warning,
        Verdict::SomeFlows(_) | Verdict::BlackHole | Verdict::Unreachable { .. } => Severity::Failure,
        Verdict::Undecided { .. } | Verdict::Interrupted { .. } | Verdict::NotSent { .. } => {
            Severity::Unknown
        }
        Verdict::Fits if in_outer_fragments.is_some() || held_to.is_some() || lost >= LOST => {
            Severity::Warning
        }
        Verdict::Fits if matches!(outcome.reverse, Reverse::Fragments { .. }) => Severity::Warning,
        Verdict::Fits => Severity::Good,
    };
    Row {
        path: path.clone(),
        outcome: outcome.clone(),
        severity,
        in_outer_fragments,
        follows_from_underlay,
        held_to,
        answers_inside,
        answers_below,
    }
}

#[cfg(test)]
pub(crate) mod testdata {
    use super::{super::classify::Forward, *};

    pub(crate) fn path(way: Way, address: &str, expected: u32) -> Path {
        let node: IpAddr = "192.0.2.2".parse().unwrap();
        let is_overlay = way == Way::Overlay;
        Path {
            peer: "node2".to_owned(),
            way,
            address: address.parse().unwrap(),
            is_assumed: false,
            node: (way != Way::Other).then_some(node),
            node_address: (way != Way::Other).then_some(node),
            device: is_overlay.then(|| "flannel.1".to_owned()),
            overhead: if is_overlay { 50 } else { 0 },
            expected,
            learned: None,
        }
    }

    pub(crate) fn outcome(verdict: Verdict, size: Option<u32>) -> Outcome {
        Outcome {
            verdict,
            size,
            reverse: size.map_or(Reverse::Unmeasured, |_| Reverse::Whole),
            forward: Forward::Unmeasured,
            sent: 20,
            flows: 1,
            loss: Loss { sent: 20, lost: 0 },
            rtt: size.map(|_| Duration::from_micros(350)),
            ignored: Ignored::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::classify::Who, testdata::*, *};

    fn severities(rows: Vec<(Path, Outcome)>) -> (Severity, Vec<(Way, Severity)>) {
        let (paths, outcomes): (Vec<_>, Vec<_>) =
            rows.into_iter().map(|(path, one)| (path, Some(one))).unzip();
        let judged = judge(paths, outcomes, Duration::ZERO, Vec::new());
        (judged.severity(), judged.rows.iter().map(|row| (row.path.way, row.severity)).collect())
    }

    fn both(under: Outcome, over: Outcome) -> Vec<(Path, Outcome)> {
        vec![(path(Way::Underlay, "192.0.2.2", 1500), under), (path(Way::Overlay, "10.42.2.0", 1450), over)]
    }

    #[test]
    fn how_bad_it_is_and_the_worst_first() {
        use Severity::{Failure, Good, Unknown, Warning};
        let fits = |size| outcome(Verdict::Fits, Some(size));
        let from: IpAddr = "192.0.2.254".parse().unwrap();
        let some = |said_by| {
            let some = SomeFlows { limited: 4, dead: 0, most: 1500, said_by };
            outcome(Verdict::SomeFlows(some), Some(1400))
        };
        let off = || outcome(Verdict::Unreachable { said_by: Some(Who::Here) }, None);
        let (under, over) = (Way::Underlay, Way::Overlay);
        for (name, rows, expected) in [
            ("all is well", both(fits(1500), fits(1450)), (Good, vec![(under, Good), (over, Good)])),
            (
                "in outer fragments",
                both(outcome(Verdict::TooBig { from, of_other: false }, Some(1400)), fits(1450)),
                (Warning, vec![(under, Warning), (over, Warning)]),
            ),
            (
                "a black hole below only",
                both(outcome(Verdict::BlackHole, Some(1400)), fits(1350)),
                (Failure, vec![(under, Failure), (over, Good)]),
            ),
            (
                "the tunnel is broken",
                both(fits(1500), off()),
                (Failure, vec![(over, Failure), (under, Good)]),
            ),
            ("no pings below", both(off(), fits(1450)), (Unknown, vec![(under, Unknown), (over, Good)])),
            ("off", both(off(), off()), (Failure, vec![(under, Failure), (over, Failure)])),
            (
                "out of time",
                both(fits(1500), outcome(Verdict::Undecided { below: Some(1400) }, Some(1300))),
                (Unknown, vec![(over, Unknown), (under, Good)]),
            ),
            (
                "lossy",
                both(Outcome { loss: Loss { sent: 50, lost: 2 }, ..fits(1500) }, fits(1450)),
                (Warning, vec![(under, Warning), (over, Good)]),
            ),
            (
                "less on the way back",
                both(Outcome { reverse: Reverse::Fragments { largest: 1396 }, ..fits(1500) }, fits(1450)),
                (Warning, vec![(under, Warning), (over, Good)]),
            ),
            (
                "one of several ways, and somebody says so",
                both(some(Some(from)), fits(1350)),
                (Warning, vec![(under, Warning), (over, Good)]),
            ),
            (
                "one of several ways, silently",
                both(some(None), fits(1350)),
                (Failure, vec![(under, Failure), (over, Good)]),
            ),
            ("nothing", Vec::new(), (Good, Vec::new())),
        ] {
            assert_eq!(severities(rows), expected, "{name}");
        }
    }

    /// Who answers on one way is up, whatever the other way does.
    #[test]
    fn a_node_that_answers_on_one_way_is_told_from_one_that_is_off() {
        let off = || outcome(Verdict::Unreachable { said_by: None }, None);
        let fits = |size| outcome(Verdict::Fits, Some(size));
        for (rows, expected) in [
            (both(off(), fits(1450)), (true, false)),
            (both(fits(1500), off()), (false, true)),
            (both(off(), off()), (false, false)),
            (both(fits(1500), fits(1450)), (false, false)),
        ] {
            let (paths, outcomes) = rows.into_iter().map(|(path, one)| (path, Some(one))).unzip();
            let judged = judge(paths, outcomes, Duration::ZERO, Vec::new());
            let is = |of: fn(&Row) -> bool| judged.rows.iter().any(of);
            assert_eq!((is(|row| row.answers_inside), is(|row| row.answers_below)), expected);
        }
    }

    #[test]
    fn a_black_hole_below_explains_the_one_inside() {
        let hole = |size| outcome(Verdict::BlackHole, Some(size));
        for (below, inside, expected) in [
            (hole(1400), 1350, true),
            // With WireGuard's padding.
            (hole(1400), 1335, true),
            (hole(1400), 1334, false),
            (outcome(Verdict::Fits, Some(1500)), 1350, false),
        ] {
            let (paths, outcomes) =
                both(below, hole(inside)).into_iter().map(|(path, one)| (path, Some(one))).unzip();
            let judged = judge(paths, outcomes, Duration::ZERO, Vec::new());
            let is_of_overlay = |row: &&Row| row.follows_from_underlay && row.path.way == Way::Overlay;
            assert_eq!(judged.rows.iter().filter(is_of_overlay).count() == 1, expected, "{inside}");
        }
    }

    #[test]
    fn what_the_kernel_keeps_to_counts_where_more_fits() {
        for (learned, size, expected) in
            [(Some(1300), 1500, Some(1300)), (Some(1400), 1400, None), (None, 1500, None)]
        {
            let path = Path { learned, ..path(Way::Underlay, "192.0.2.2", 1500) };
            let outcomes = vec![Some(outcome(Verdict::Fits, Some(size)))];
            let judged = judge(vec![path], outcomes, Duration::ZERO, Vec::new());
            assert_eq!(judged.rows[0].held_to, expected);
            assert_eq!(judged.severity() == Severity::Warning, expected.is_some());
        }
    }
}
