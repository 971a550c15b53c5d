//! The kernel has learned that the path to another node takes smaller packets than the NIC.

use super::{super::prelude::*, lowered, oversize, paths};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-path-smaller",
    family: Family::Mtu,
    title: "the path to another node takes smaller packets than the NIC",
    symptom: "Large transfers to one node hang or are slow, to others they are not.",
    core: false,
    needs: &[Need::Routes, Need::TunnelTables, Need::LearnedMtus],
    explained_by: &[],
    explain: Explain {
        how: "Path MTUs in the kernel's route cache (`ip route show cache`) to addresses of other nodes, against the MTU of the \
              device below the tunnel.",
        why: "A router, VPN or cloud network on the way has a smaller MTU, and said so by ICMP. VXLAN of flannel does not lower \
              its own MTU for it, so that full-size packets are fragmented or dropped.",
        fix: "Make the tunnel for the smaller path (flannel: Backend.MTU; Calico: installation.calicoNetwork.mtu), or raise the MTU on the path.",
        not_if: "The exception is old: it expires after ten minutes (net.ipv4.route.mtu_expires).",
        seen_in: "calico#1709, hetzner-k3s#733",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let network = &model.snapshot.network;
    let mut findings = Vec::new();
    let mut peers =
        inventory.peers.iter().filter_map(|peer| Some((peer.tunnel, peer.node_address?))).peekable();
    if peers.peek().is_none() {
        return Outcome::DoesNotApply("no peer's address is known");
    }
    for (tunnel, address) in peers {
        let Some(path) = paths(model).find(|path| path.ifindex == tunnel) else { continue };
        let table = if address.is_ipv6() { &network.pmtu_ipv6 } else { &network.pmtu_ipv4 };
        let known = table.value().and_then(|table| table.rows.iter().find(|row| row.destination == address));
        let Some(known) = known.filter(|known| known.mtu < path.mtu + path.overhead) else { continue };
        let device = escape(&path.device);
        let takes = known.mtu.saturating_sub(path.overhead);
        let finding = Finding::new(
            Fail,
            SubjectKind::Peer,
            &address.to_string(),
            format!(
                "The path to {address} takes packets of {} bytes; {device} sends up to {}.",
                known.mtu,
                path.mtu + path.overhead
            ),
        )
        .seen(format!("path MTU to {address}"), known.mtu, "ip route show cache")
        .seen(device, path.mtu, "IFLA_MTU")
        .seen("outer headers", path.overhead, path.encapsulation.to_string());
        findings.push(lowered(model, oversize::dropped(finding, model), path, takes));
    }
    Outcome::Judged(findings)
}
