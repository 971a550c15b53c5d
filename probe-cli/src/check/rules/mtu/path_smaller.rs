//! The kernel has learned that the path to another node takes smaller packets than the NIC, or a pod has that its packets to pods of
//! other nodes must be smaller than the tunnel's.

use std::collections::BTreeSet;

use super::{super::prelude::*, lowered, oversize, paths};
use crate::model::{MtuPath, pods_learned};

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
              device below the tunnel; and those in pods' route caches to pods of other nodes, against what the tunnel carries.",
        why: "A router, VPN or cloud network on the way has a smaller MTU, and said so by ICMP. VXLAN of flannel does not lower \
              its own MTU for it, so that full-size packets are fragmented or dropped. Where only pods keep to less, it is the other \
              end of the tunnel that takes less, or somebody tells them what is not true: their packets are smaller than need be.",
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
    let mut explained = BTreeSet::new();
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
        explained.insert(tunnel);
    }
    // What this node has learned itself it tells its pods.
    let others = paths(model).filter(|path| !explained.contains(&path.ifindex));
    findings.extend(others.filter_map(|path| told(model, path)));
    Outcome::Judged(findings)
}

/// Pods that were told less than the path carries.
fn told(model: &Model, path: &MtuPath) -> Option<Finding> {
    let learned = pods_learned(model, path);
    let less = learned.rows.iter().filter(|told| told.mtu < path.usable);
    let pods: BTreeSet<&str> = less.clone().map(|told| told.pod.as_str()).collect();
    let smallest = less.map(|told| told.mtu).min()?;
    let device = escape(&path.device);
    let finding = Finding::new(
        Warn,
        SubjectKind::Interface,
        &path.device,
        format!(
            "{} told by ICMP to send less than {device} carries: {smallest} of {} bytes.",
            if pods.len() == 1 { "A pod was".to_owned() } else { format!("{} pods were", pods.len()) },
            path.usable
        ),
    )
    .on(path.ifindex)
    .seen(device, path.usable, "IFLA_MTU and what is below");
    Some(oversize::dropped(finding, model).fix(format!(
        "Compare the MTU of the tunnel and of pods on the node of the destination with {}, and measure: `overlay-probe mtu` with the \
         destination's address. Where all of it fits, find who sends such messages: `tcpdump -ni any 'icmp[0:2] == 0x0304 or \
         icmp6[0] == 2'`. Pods forget what they were told after ten minutes.",
        path.usable
    )))
}
