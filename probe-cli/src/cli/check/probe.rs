//! `check --probe`: sends probes as `mtu` does, and hands what they came to to the checks.

use std::{process::ExitCode, time::Duration};

use crate::{
    cli::{
        exit,
        live::{self, Stop},
        mtu::measure,
    },
    model::{Limit, Model, Probed, ProbedPath},
    mtu::{self, Forward, Judged, Row, SomeFlows, Verdict, wire, wire::WireError},
    observed::Observed,
};

/// How long one path is measured at most.
const DEADLINE: Duration = Duration::from_secs(30);

/// Measures the paths to every other node that is known; the exit code when somebody stops it. What keeps it from measuring is a
/// matter of the checks that need it, and of no other.
pub(super) fn probed(model: &Model, flows: u16) -> Result<Observed<Probed>, ExitCode> {
    let paths = match mtu::plan(model, &[], &mut wire::route_mtu) {
        Ok(paths) => paths,
        Err(error) => return Ok(Observed::Failed { error: error.to_string() }),
    };
    if paths.is_empty() {
        return Ok(Observed::Value(Probed { flows, ..Probed::default() }));
    }
    let judged = live::block_on(async {
        let mut stop = Stop::catch()?;
        tokio::select! {
            judged = measure(model, paths, flows, DEADLINE) => judged.map(Some),
            () = stop.asked() => Ok(None),
        }
    });
    match judged {
        Ok(Some(judged)) => Ok(Observed::Value(of_judged(&judged))),
        Ok(None) => Err(ExitCode::from(exit::UNKNOWN)),
        Err(error) if matches!(error.downcast_ref(), Some(WireError::Denied)) => {
            Ok(Observed::Denied { need: "CAP_NET_RAW to send probes (run as root)".to_owned() })
        }
        Err(error) => Ok(Observed::Failed { error: exit::words(&error) }),
    }
}

fn of_judged(judged: &Judged) -> Probed {
    Probed { paths: judged.rows.iter().map(of_row).collect(), sent: judged.sent(), flows: judged.flows }
}

fn of_row(row: &Row) -> ProbedPath {
    let Row { path, outcome, in_outer_fragments, .. } = row;
    ProbedPath {
        peer: path.peer.clone(),
        address: path.address,
        node_address: path.node_address,
        tunnel: path.device.clone(),
        overhead: path.overhead,
        expected: path.expected,
        measured: outcome.size,
        flows: outcome.flows,
        limit: match &outcome.verdict {
            Verdict::Fits => Limit::None,
            Verdict::Refused => Limit::Here,
            Verdict::TooBig { from, .. } => Limit::Said { by: *from },
            Verdict::BlackHole if outcome.forward == Forward::Carries => Limit::SilentBack,
            Verdict::BlackHole => Limit::Silent,
            Verdict::Unreachable { .. } => Limit::Unanswered,
            Verdict::SomeFlows(SomeFlows { limited, dead, most, said_by }) => {
                Limit::SomeFlows { limited: *limited, dead: *dead, most: *most, said_by: *said_by }
            }
            Verdict::Undecided { .. } | Verdict::Interrupted { .. } | Verdict::NotSent { .. } => {
                Limit::Unknown
            }
        },
        cut_at: *in_outer_fragments,
    }
}
