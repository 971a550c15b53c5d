//! WireGuard drops what peers send from addresses that are not theirs.

use super::{
    super::{prelude::*, window::over},
    devices,
};

/// In a window: single ones come from anywhere.
const MANY: u64 = 10;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-source-refused",
    family: Family::Wireguard,
    title: "WireGuard drops packets whose source is not the peer's",
    symptom: "Pods of this node are not reached by some pods of another node, though that node sends and nothing is logged.",
    core: false,
    needs: &[Need::WireguardPeers, Need::Window],
    explained_by: &["wireguard-allowed-ips-overlap"],
    explain: Explain {
        how: "rx_frame_errors of the CNI's WireGuard devices during the window: decrypted packets whose source is not in the peer's \
              allowed IPs.",
        why: "Two nodes claim one pod network, and the kernel moved it to the peer that was set last; a node has another pod network \
              than the one its peers were told; or a node sends packets from addresses that are no pod's.",
        fix: "Restart the agents of the nodes that it is about, and give nodes pod networks of their own.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let counted = devices(model);
    if counted.is_empty() {
        return Outcome::DoesNotApply("no WireGuard device of the CNI has counters");
    }
    let dropping = counted.into_iter().filter(|(_, window)| window.rx_frame_errors > 0);
    Outcome::Judged(
        dropping
            .map(|(tunnel, window)| {
                let name = escape(&tunnel.name);
                let dropped = window.rx_frame_errors;
                Finding::new(
                    if dropped >= MANY { Fail } else { Warn },
                    SubjectKind::Interface,
                    &tunnel.name,
                    format!("{name} dropped {dropped} packets: their source is not in the allowed IPs of the peer that sent them."),
                )
                .on(tunnel.ifindex)
                .seen("dropped", format!("{dropped} {}", over(model)), format!("rx_frame_errors of {name}"))
                .fix(
                    "Compare `wg show allowed-ips` with the pod networks of the nodes (kubectl get nodes -o \
                     custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs), then restart the CNI's agent of the node that differs, \
                     and this node's.",
                )
                .run(format!("wg show {} allowed-ips", quoted(&tunnel.name)))
            })
            .collect(),
    )
}
