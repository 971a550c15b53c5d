//! A peer has an address of this node.

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-own-address",
    family: Family::Peers,
    title: "a peer has an address of this node",
    symptom: "Pods of one other node are not reached: packets to them stay on this node.",
    core: false,
    needs: &[Need::Addresses, Need::TunnelTables],
    explained_by: &[],
    explain: Explain {
        how: "Destinations of FDB entries, WireGuard endpoints and gateways of pod networks, against the addresses of this node.",
        why: "This node had another pod network before, whose address stayed on the tunnel device and now belongs to another \
              node; or two nodes announce one address.",
        fix: "Delete the stale address; where two nodes have one address, correct the other one.",
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
    for peer in &inventory.peers {
        let Some(address) = peer.node_address.filter(|address| own(*address).is_some()) else { continue };
        let name = super::tunnel_name(model, peer.tunnel);
        findings.push(
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &address.to_string(),
                format!("{name} sends packets for another node to {address}, an address of this node."),
            )
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
        findings.push(
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &neighbour.address.to_string(),
                format!("{} is an address of this node and of another node: packets for that node's pods stay here.", neighbour.address),
            )
            .seen(name.clone(), address, "ip address")
            .seen(format!("neighbour of {name}"), neighbour.address, "ip neigh")
            .fix("Delete the address that this node had before, then restart the CNI's agent, which writes the route.")
            .run(format!("ip address del {address} dev {}", quoted(&tunnel.name))),
        );
    }
    Outcome::Judged(findings)
}
