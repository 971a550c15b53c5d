//! Probes of full size to another node are lost silently, and small ones are answered.

use super::{super::prelude::*, oversize, probed};
use crate::model::{Limit, ProbedPath};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-black-hole",
    family: Family::Mtu,
    title: "large packets to another node are lost silently",
    symptom: "TLS handshakes, uploads and large answers to one node hang; ping and DNS work.",
    core: false,
    needs: &[Need::Routes, Need::TunnelTables, Need::Probes],
    explained_by: &[],
    explain: Explain {
        how: "With --probe: echo requests that may not be cut are sent to each node's own address and through the tunnel. The largest \
              size that is answered is searched for; larger ones count as lost when so many are, while smaller ones sent at the same \
              time are answered, that it is no chance.",
        why: "A switch, VPN or cloud network on the way takes less than the NICs, and drops what is larger without a message; or a \
              firewall drops the ICMP messages \"fragmentation needed\" and \"packet too big\".",
        fix: "Raise the MTU where packets are stopped, or make NICs, tunnels and pods smaller: `overlay-probe show mtu --if \
              underlay=BYTES` has the values. Let ICMP type 3 code 4 and ICMPv6 type 2 pass. `overlay-probe mtu` shows each path.",
        not_if: "The other node answers large pings with nothing on purpose: `overlay-probe mtu` then says \"on the way back\".",
        seen_in: "hetzner-k3s#733, cilium#47176",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    probed::judged(model, |_| true, |paths| finding(model, paths))
}

fn finding(model: &Model, paths: &[&ProbedPath]) -> Option<Finding> {
    let is_silent = |path: &&&ProbedPath| matches!(path.limit, Limit::Silent | Limit::SilentBack);
    // What is wrong below the tunnel is why it is wrong inside.
    let path = paths.iter().find(is_silent)?;
    let (size, who) = (path.measured?, probed::who(path));
    let (what, way) = if path.limit == Limit::SilentBack {
        ("Answers", "on the way back from")
    } else {
        ("Packets", "on the way to")
    };
    let summary = format!(
        "{what} of more than {size} bytes are lost silently {way} {who}; {} are expected.",
        path.expected
    );
    let below = size + path.overhead;
    let finding = Finding::new(Fail, SubjectKind::Peer, &path.peer, summary);
    Some(oversize::dropped(probed::seen(finding, paths), model).fix_elsewhere(format!(
        "raise the MTU to {} where they are stopped between the nodes. Or set {below} on the NICs of all nodes, and what that leaves on \
         tunnels and pods: `overlay-probe show mtu --if underlay={below}` has the values. Let ICMP \"fragmentation needed\" (type 3 code \
         4) and ICMPv6 \"packet too big\" (type 2) pass.",
        path.expected + path.overhead
    )))
}
