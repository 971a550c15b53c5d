//! Before a switch to WireGuard: another device has the UDP port that flannel takes.

use super::super::{planned, prelude::*};
use crate::model::Tunnel;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-port-taken",
    family: Family::Wireguard,
    title: "another device has the UDP port that flannel's WireGuard takes",
    symptom: "After the switch flannel does not start: its device stays down, \"address already in use\".",
    core: false,
    needs: &[Need::Planned, Need::Routes, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "With --for wireguard: the UDP ports of WireGuard, VXLAN and Geneve devices against 51820 and, for IPv6, 51821, which \
              flannel takes unless backendPort says another. Sockets of programs are not looked at.",
        why: "A VPN of the node's own has WireGuard's usual port. The kernel gives a port to one device only.",
        fix: "Give the other device another port, or set flannel.backendPort (and backendPortv6).",
        not_if: "The other device is removed before the switch.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let planned = match planned::of(model) {
        Ok(planned) => planned,
        Err(outcome) => return outcome,
    };
    // flannel makes a device of its own name anew.
    let is_ours = |tunnel: &Tunnel| planned.after.iter().any(|path| path.device == tunnel.name);
    let ports = planned::ports(&planned);
    let others = model.inventory.all_tunnels().filter(|tunnel| !is_ours(tunnel));
    let taken = others.filter_map(|tunnel| Some((tunnel, tunnel.port.filter(|port| ports.contains(port))?)));
    Outcome::Judged(
        taken
            .map(|(tunnel, port)| {
                let name = escape(&tunnel.name);
                Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    &tunnel.name,
                    format!("{name} has UDP port {port}, which flannel's WireGuard device takes."),
                )
                .on(tunnel.ifindex)
                .seen(name, format!("port {port}"), "ip -d link, wg show")
                .fix(
                    "Give the other device another port, or set flannel.backendPort (for IPv6 flannel.backendPortv6) in the same \
                     change as the backend; the port must be the same on every node.",
                )
            })
            .collect(),
    )
}
