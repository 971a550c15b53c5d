//! Two nodes have one VTEP MAC address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{super::prelude::*, another_identity, with_tables};
use crate::model::Mac;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-vtep-mac-shared",
    family: Family::Peers,
    title: "two nodes have the same VTEP MAC address",
    symptom: "Pods of one of two nodes are reached, those of the other are not; it changes when an agent restarts.",
    core: false,
    needs: &[Need::TunnelTables],
    explained_by: &[],
    explain: Explain {
        how: "Neighbour entries of one VXLAN device with one MAC address and several gateways of a family; FDB entries of one \
              MAC address with several destinations; the device's own MAC address among its peers'.",
        why: "Cloned machines have one machine-id, of which udev makes MAC addresses (MACAddressPolicy=persistent); or the address stands in \
              the annotations of both Nodes, where flannel keeps it. Calico makes it of the node's name.",
        fix: "On the clone: a new machine-id, delete the tunnel device, remove flannel's annotations from the Node, reboot.",
        not_if: "The device floods or learns, and the address is a router's.",
        seen_in: "flannel#1788, systemd#14744",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let tunnels = with_tables(model);
    let asks_around = |flood: u32| flood > 0;
    let tunnels: Vec<_> = tunnels.into_iter().filter(|tunnel| !asks_around(tunnel.flood)).collect();
    if tunnels.is_empty() {
        return Outcome::DoesNotApply("no VXLAN device has its peers in the kernel's tables");
    }
    let netlink = &model.snapshot.netlink;
    let mut findings = Vec::new();
    for tunnel in tunnels {
        let mut nodes: BTreeMap<Mac, BTreeSet<IpAddr>> = BTreeMap::new();
        let of_tunnel = netlink.fdb.iter().filter(|entry| entry.ifindex == tunnel.ifindex);
        for entry in of_tunnel.filter(|entry| !entry.mac.0.iter().all(|byte| *byte == 0)) {
            nodes.entry(entry.mac).or_default().extend(entry.destination);
        }
        let mut gateways: BTreeMap<(Mac, bool), BTreeSet<IpAddr>> = BTreeMap::new();
        for neighbour in
            netlink.neighbours.iter().filter(|entry| entry.ifindex == tunnel.ifindex && entry.permanent)
        {
            if let Some(mac) = neighbour.mac {
                gateways.entry((mac, neighbour.address.is_ipv6())).or_default().insert(neighbour.address);
            }
        }
        let name = escape(&tunnel.name);
        let several =
            |all: &BTreeSet<IpAddr>| all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        let mut seen: BTreeSet<Mac> = BTreeSet::new();
        let by_gateway =
            gateways.iter().filter(|(_, all)| all.len() > 1).map(|((mac, _), all)| (*mac, all, "ip neigh"));
        let by_fdb =
            nodes.iter().filter(|(_, all)| all.len() > 1).map(|(mac, all)| (*mac, all, "bridge fdb"));
        for (mac, all, source) in by_gateway.chain(by_fdb) {
            if seen.insert(mac) {
                findings.push(
                    finding(mac, format!("Several nodes have the VTEP MAC address {mac}: {}.", several(all)))
                        .on(tunnel.ifindex)
                        .seen(mac.to_string(), several(all), format!("{source} show dev {name}")),
                );
            }
        }
        if let Some(mac) = tunnel.mac.filter(|mac| nodes.contains_key(mac)) {
            let node = nodes.get(&mac).map(several).unwrap_or_default();
            findings.push(
                finding(
                    mac,
                    format!(
                        "{node} has this node's own VTEP MAC address {mac}: each drops the other's packets."
                    ),
                )
                .on(tunnel.ifindex)
                .seen(format!("{name} here"), mac, "ip link")
                .seen(node, mac, format!("bridge fdb show dev {name}")),
            );
        }
    }
    Outcome::Judged(findings)
}

fn finding(mac: Mac, summary: String) -> Finding {
    Finding::new(Fail, SubjectKind::Peer, &mac.to_string(), summary)
        .fix_elsewhere(another_identity("the cloned machine"))
}
