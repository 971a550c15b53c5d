//! Probes show that less gets to another node in one piece than the tunnel or the NIC sends, and somebody says so.

use super::{super::prelude::*, probed};
use crate::model::{Limit, ProbedPath};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-path-measured-smaller",
    family: Family::Mtu,
    title: "less gets to another node in one piece than is sent",
    symptom: "Large transfers to one node are slow, or hang for programs that do not heed \"too big\".",
    core: false,
    needs: &[Need::Routes, Need::TunnelTables, Need::Probes],
    explained_by: &["mtu-tunnel-exceeds-underlay", "mtu-path-smaller"],
    explain: Explain {
        how: "With --probe: echo requests that may not be cut are sent to each node's own address and through the tunnel. A router \
              answers \"too big\", this node's kernel refuses to send, or what fits in the tunnel is larger than what gets there below \
              it in one piece.",
        why: "A router, VPN or cloud network between the nodes takes less than the NICs. VXLAN packets may be cut: they get there as \
              fragments, which costs throughput and which some networks drop.",
        fix: "Raise the MTU between the nodes, or make NICs, tunnels and pods smaller: `overlay-probe show mtu --if underlay=BYTES` has \
              the values. `overlay-probe mtu` shows each path.",
        not_if: "",
        seen_in: "calico#1709, hetzner-k3s#733",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    probed::judged(model, |_| true, finding)
}

fn finding(paths: &[&ProbedPath]) -> Option<Finding> {
    let is_less =
        |path: &&&ProbedPath| matches!(path.limit, Limit::Here | Limit::Said { .. }) || path.cut_at.is_some();
    // Of a node behind a black hole that is said, and that flows differ is another check's business.
    let is_said = |path: &&ProbedPath| {
        matches!(path.limit, Limit::Silent | Limit::SilentBack | Limit::SomeFlows { .. })
    };
    if paths.iter().any(is_said) {
        return None;
    }
    let path = paths.iter().find(is_less)?;
    let who = probed::who(path);
    let below = match path.cut_at {
        Some(below) => below,
        None => path.measured? + path.overhead,
    };
    let (size, expected) = (path.measured?, path.expected);
    let summary = if path.cut_at.is_some() {
        format!("Packets of {size} bytes get to {who} only in outer packets that are cut on the way.")
    } else if path.limit == Limit::Here {
        format!("This node sends packets of up to {size} bytes to {who}; {expected} are expected.")
    } else {
        format!("Packets of up to {size} bytes get to {who} in one piece; {expected} are expected.")
    };
    let finding = Finding::new(Warn, SubjectKind::Peer, &path.peer, summary);
    Some(probed::seen(finding, paths).fix_elsewhere(format!(
        "raise the MTU between the nodes to {}. Or set {below} on the NICs of all nodes, and what that leaves on tunnels and pods: \
         `overlay-probe show mtu --if underlay={below}` has the values.",
        path.expected + path.overhead
    )))
}
