//! A peer has an address of this node.

use super::super::{agent, prelude::*};
use crate::{facts::netlink::AddressFact, model::Tunnel};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-own-address",
    family: Family::Peers,
    title: "a peer has an address of this node",
    symptom: "Pods of one other node are not reached: packets to them stay on this node.",
    core: false,
    needs: &[Need::Addresses, Need::TunnelTables, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "Destinations of FDB entries, WireGuard endpoints and permanent neighbours of tunnels, against the addresses of this node.",
        why: "This node had another pod network before, whose address stayed on the tunnel device and now belongs to another \
              node; or two nodes announce one address.",
        fix: "Delete the stale address (`ip address delete ADDRESS dev DEVICE`); where two nodes have one address, correct the other one.",
        not_if: "",
        seen_in: "flannel#844, flannel#1060",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let netlink = &model.snapshot.netlink;
    let inventory = &model.inventory;
    if inventory.peers.is_empty() && netlink.neighbours.iter().next().is_none() {
        return Outcome::DoesNotApply("no peer is known");
    }
    let own = |address| netlink.addresses.rows().iter().find(|own| own.address.addr() == address);
    let mut findings = Vec::new();
    for peer in inventory.peers.iter().filter(|peer| inventory.is_of_cni(peer.tunnel)) {
        let Some(address) = peer.node_address.filter(|address| own(*address).is_some()) else { continue };
        let name = super::tunnel_name(model, peer.tunnel);
        findings.push(
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &address.to_string(),
                format!("{name} sends packets for another node to {address}, an address of this node."),
            )
            .on(peer.tunnel)
            .seen(format!("peer {}", peer.key.short()), address, format!("peers of {name}"))
            .fix_elsewhere("correct the address that the other node announces (node-ip, flannel.iface), then restart its agent."),
        );
    }
    for neighbour in
        netlink.neighbours.iter().filter(|neighbour| neighbour.permanent && neighbour.mac.is_some())
    {
        let Some(stale) = own(neighbour.address) else { continue };
        let Some(tunnel) = inventory.tunnels.iter().find(|tunnel| tunnel.ifindex == neighbour.ifindex) else {
            continue;
        };
        let name = escape(&tunnel.name);
        let address = stale.address;
        findings.push(fixed(
            model,
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &neighbour.address.to_string(),
                format!("{} is an address of this node and of another node: packets for that node's pods stay here.", neighbour.address),
            )
            .on(tunnel.ifindex)
            .seen(name.clone(), address, "ip address")
            .seen(format!("neighbour of {name}"), neighbour.address, "ip neigh"),
            tunnel,
            stale,
        ));
    }
    Outcome::Judged(findings)
}

/// With the address deleted from where it is, if the tunnel keeps another one of the family: an only address is this node's own,
/// and the other node is wrong.
fn fixed(model: &Model, finding: Finding, tunnel: &Tunnel, stale: &AddressFact) -> Finding {
    let rows = model.snapshot.netlink.addresses.rows();
    let is_v4 = stale.address.addr().is_ipv4();
    let keeps_one = rows.iter().any(|own| {
        own.ifindex == tunnel.ifindex
            && own.global
            && own.address != stale.address
            && own.address.addr().is_ipv4() == is_v4
    });
    let device = model.snapshot.netlink.links.iter().find(|link| link.ifindex == stale.ifindex);
    match device.filter(|_| keeps_one) {
        Some(device) => agent::restarted(
            model,
            finding
                .fix("Delete the address that this node had before, then restart the CNI's agent, which writes the route.")
                .run(format!("ip address del {} dev {}", stale.address, quoted(&device.name))),
        ),
        None => finding.fix_elsewhere(
            "the other node announces this node's pod network: give that node a podCIDR of its own, or correct this node's. \
             An agent gets another one by `kubectl delete node` and a restart of rke2-agent there; a server would lose its member of \
             etcd by that, and has to be replaced as the distribution's documentation says.",
        ),
    }
}
