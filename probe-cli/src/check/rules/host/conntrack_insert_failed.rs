//! Connections that chose the same source port race each other.

use super::super::{prelude::*, window::over};

/// In a window: single ones happen on every busy node.
const SOME: u64 = 5;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-conntrack-insert-failed",
    family: Family::Host,
    title: "connections lose a race for their source port",
    symptom: "Some new connections, DNS queries above all, take one to five seconds longer.",
    core: false,
    needs: &[Need::Window],
    explained_by: &["host-conntrack-full"],
    explain: Explain {
        how: "`insert_failed` of /proc/net/stat/nf_conntrack during the window.",
        why: "Two packets of one flow, or two flows that source NAT gave the same port, are entered at the same moment; the second \
              packet is dropped. DNS clients that ask for A and AAAA with one socket do that. Or source NAT has no free port left \
              for a destination that very many connections go to.",
        fix: "NodeLocal DNSCache, `options single-request-reopen` in pods, or --random-fully for source NAT. Where ports run out: \
              connections that are kept and used again.",
        not_if: "",
        seen_in: "flannel#1004, kubernetes#56903, rke2#3924",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(failed) = model.window.as_ref().and_then(|window| window.conntrack_insert_failed) else {
        return Outcome::DoesNotApply("nf_conntrack is not loaded, or counts no such failures");
    };
    if failed < SOME {
        return Outcome::Judged(Vec::new());
    }
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Node,
            "connection tracking",
            format!(
                "{failed} packets were dropped {}, since an equal connection was entered first.",
                over(model)
            ),
        )
        .seen("insert_failed", format!("+{failed}"), "/proc/net/stat/nf_conntrack")
        .fix(
            "Use NodeLocal DNSCache (RKE2: rke2-coredns with nodelocal.enabled), which leaves DNS untracked.",
        ),
    ])
}
