//! flannel encapsulates in user space.

use super::{super::prelude::*, link};
use crate::model::{LinkState, TunnelKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-udp-backend",
    family: Family::Dataplane,
    title: "flannel encapsulates in user space (backend udp)",
    symptom: "Throughput between nodes is a fraction of the network's, and flanneld uses a core; or nothing is reached at all.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "A tun device of flannel's; without a carrier no process holds it.",
        why: "The backend udp copies each packet to flanneld and back. It is there for debugging and for kernels without VXLAN.",
        fix: "Set Backend.Type to vxlan in the ConfigMap that net-conf.json comes from, restart flannel on all nodes, which do not reach each \
              other until all have changed, then recreate the pods: VXLAN leaves them 22 bytes less.",
        not_if: "",
        seen_in: "flannel#1049, flannel#751",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let mut tunnels =
        model.inventory.all_tunnels().filter(|tunnel| tunnel.kind == TunnelKind::Udp).peekable();
    if tunnels.peek().is_none() {
        return Outcome::DoesNotApply("no tunnel encapsulates in user space");
    }
    Outcome::Judged(
        tunnels
            .map(|tunnel| {
                let name = escape(&tunnel.name);
                let is_held = link(model, tunnel.ifindex).is_none_or(|row| row.state == LinkState::Up);
                let finding = |severity, summary: String| {
                    Finding::new(severity, SubjectKind::Interface, &tunnel.name, summary)
                };
                if is_held {
                    finding(Warn, format!("{name} is flannel's backend udp: a process copies every packet."))
                        .seen(name, "tun device, held by a process", "ip -d link")
                        .fix("Set Backend.Type to vxlan in the ConfigMap that net-conf.json comes from, restart flannel on all nodes, which do not reach each other until all have changed, then recreate the pods: VXLAN leaves them 22 bytes less.")
                } else {
                    finding(Fail, format!("{name} has no carrier: flanneld, which encapsulates its packets, does not run."))
                        .seen(name, "no carrier", "ip link")
                        .fix("Start flannel on this node, and read its log when it ends again.")
                }
            })
            .collect(),
    )
}
