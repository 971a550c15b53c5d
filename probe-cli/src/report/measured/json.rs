//! `mtu --format json`.

use std::net::IpAddr;

use serde::Serialize;

use super::{table, words};
use crate::mtu::{
    Forward, Ignored, Judged, Learned, Loss, Outcome, Path, Reverse, Row, Severity, Verdict, Who,
};

/// The document.
#[derive(Serialize)]
pub(super) struct Measured<'a> {
    schema_version: u32,
    verdict: &'static str,
    took_s: f64,
    sent: u64,
    paths: Vec<Measurement<'a>>,
    learned: Vec<LearnedPath>,
    ignored: IgnoredMessages,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own")]
struct Measurement<'a> {
    #[serde(flatten)]
    path: Target<'a>,
    severity: &'static str,
    verdict: &'static str,
    measured: Option<u32>,
    flows: u32,
    flows_limited: u32,
    flows_dead: u32,
    flows_most: Option<u32>,
    limited_by: Option<IpAddr>,
    of_other_path: bool,
    unreachable_said_by: Option<IpAddr>,
    undecided_below: Option<u32>,
    interrupted_by: Option<&'a str>,
    error: Option<&'a str>,
    forward: &'static str,
    reverse: &'static str,
    reverse_fragment: Option<u32>,
    outer_fragments: bool,
    held_to: Option<u32>,
    answers_inside: bool,
    answers_below: bool,
    sent: u32,
    fitting_sent: u32,
    fitting_lost: u32,
    rtt_s: Option<f64>,
    ignored: IgnoredMessages,
    advice: Vec<String>,
}

#[derive(Serialize)]
struct Target<'a> {
    peer: &'a str,
    node: Option<IpAddr>,
    node_address: Option<IpAddr>,
    way: &'static str,
    family: u8,
    address: IpAddr,
    address_assumed: bool,
    device: Option<&'a str>,
    overhead: u32,
    expected: u32,
    learned: Option<u32>,
}

#[derive(Serialize)]
struct LearnedPath {
    destination: IpAddr,
    mtu: u32,
    expires_s: Option<u64>,
}

#[derive(Serialize)]
struct IgnoredMessages {
    too_small: u32,
    too_large: u32,
    refuted: u32,
    foreign: u32,
    repeated: u32,
}

/// The document of what would be measured.
#[derive(Serialize)]
pub(super) struct Planned<'a> {
    schema_version: u32,
    planned: Vec<Target<'a>>,
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Failure => "fail",
        Severity::Warning => "warn",
        Severity::Unknown => "unknown",
        Severity::Good => "ok",
    }
}

impl<'a> From<&'a [Path]> for Planned<'a> {
    fn from(paths: &'a [Path]) -> Self {
        Self { schema_version: 1, planned: paths.iter().map(Target::from).collect() }
    }
}

impl<'a> From<&'a Judged> for Measured<'a> {
    fn from(judged: &'a Judged) -> Self {
        let Judged { rows, learned, took, .. } = judged;
        let learned = learned.iter().map(|learned| {
            let Learned { destination, mtu, expires_s } = *learned;
            LearnedPath { destination, mtu, expires_s }
        });
        Self {
            schema_version: 1,
            verdict: severity(judged.severity()),
            took_s: took.as_secs_f64(),
            sent: judged.sent(),
            paths: rows.iter().map(Measurement::from).collect(),
            learned: learned.collect(),
            ignored: judged.ignored().into(),
            notes: table::notes(judged),
        }
    }
}

impl<'a> From<&'a Row> for Measurement<'a> {
    fn from(row: &'a Row) -> Self {
        let Row {
            path,
            outcome,
            severity: how_bad,
            in_outer_fragments,
            follows_from_underlay: _,
            held_to,
            answers_inside,
            answers_below,
        } = row;
        let Outcome { verdict, size, reverse, forward, sent, flows, loss, rtt, ignored } = outcome;
        let some = if let Verdict::SomeFlows(some) = verdict { Some(*some) } else { None };
        let Loss { sent: fitting_sent, lost: fitting_lost } = *loss;
        let Said { limited_by, of_other_path, unreachable_said_by, undecided_below, interrupted_by, error } =
            said(verdict);
        let (reverse, reverse_fragment) = match reverse {
            Reverse::Unmeasured => ("not-measured", None),
            Reverse::Whole => ("same-size", None),
            Reverse::Fragments { largest } => ("fragments", Some(*largest)),
            Reverse::Shorter => ("shorter", None),
        };
        let forward = match forward {
            _ if *verdict == Verdict::Fits => "carries",
            Forward::Unmeasured => "not-measured",
            Forward::Carries => "carries",
            Forward::Loses => "loses",
        };
        Self {
            path: path.into(),
            severity: severity(*how_bad),
            verdict: words::name(verdict),
            measured: *size,
            flows: *flows,
            flows_limited: some.map_or(0, |some| some.limited),
            flows_dead: some.map_or(0, |some| some.dead),
            flows_most: some.map_or(*size, |some| Some(some.most)),
            limited_by,
            of_other_path,
            unreachable_said_by,
            undecided_below,
            interrupted_by,
            error,
            forward,
            reverse,
            reverse_fragment,
            outer_fragments: in_outer_fragments.is_some(),
            held_to: *held_to,
            answers_inside: *answers_inside,
            answers_below: *answers_below,
            sent: *sent,
            fitting_sent,
            fitting_lost,
            rtt_s: rtt.map(|rtt| rtt.as_secs_f64()),
            ignored: (*ignored).into(),
            advice: words::advice(row),
        }
    }
}

/// What only some verdicts say.
#[derive(Default)]
struct Said<'a> {
    limited_by: Option<IpAddr>,
    of_other_path: bool,
    unreachable_said_by: Option<IpAddr>,
    undecided_below: Option<u32>,
    interrupted_by: Option<&'a str>,
    error: Option<&'a str>,
}

fn said(verdict: &Verdict) -> Said<'_> {
    match verdict {
        Verdict::Fits | Verdict::Refused | Verdict::BlackHole | Verdict::Unreachable { said_by: None } => {
            Said::default()
        }
        Verdict::SomeFlows(some) => Said { limited_by: some.said_by, ..Said::default() },
        Verdict::TooBig { from, of_other } => {
            Said { limited_by: Some(*from), of_other_path: *of_other, ..Said::default() }
        }
        Verdict::Unreachable { said_by: Some(Who::From(from)) } => {
            Said { unreachable_said_by: Some(*from), ..Said::default() }
        }
        Verdict::Unreachable { said_by: Some(Who::Here) } => {
            Said { error: Some("no route"), ..Said::default() }
        }
        Verdict::Undecided { below } => Said { undecided_below: *below, ..Said::default() },
        Verdict::Interrupted { device } => Said { interrupted_by: Some(device), ..Said::default() },
        Verdict::NotSent { why } => Said { error: Some(why), ..Said::default() },
    }
}

impl<'a> From<&'a Path> for Target<'a> {
    fn from(path: &'a Path) -> Self {
        let Path { peer, way, address, is_assumed, node, node_address, device, overhead, expected, learned } =
            path;
        Self {
            peer,
            node: *node,
            node_address: *node_address,
            way: words::way(*way),
            family: if address.is_ipv6() { 6 } else { 4 },
            address: *address,
            address_assumed: *is_assumed,
            device: device.as_deref(),
            overhead: *overhead,
            expected: *expected,
            learned: *learned,
        }
    }
}

impl From<Ignored> for IgnoredMessages {
    fn from(ignored: Ignored) -> Self {
        let Ignored { too_small, too_large, refuted, foreign, repeated } = ignored;
        Self { too_small, too_large, refuted, foreign, repeated }
    }
}
