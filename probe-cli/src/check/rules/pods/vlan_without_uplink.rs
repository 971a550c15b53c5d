//! A pod's VLAN ends at the bridge that the pod is on.

use std::collections::BTreeSet;

use super::super::prelude::*;
use crate::facts::netlink::{BridgeVlansFact, LinkData, LinkFact};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-vlan-without-uplink",
    family: Family::Pods,
    title: "a pod's VLAN leads nowhere from its bridge",
    symptom: "Pods on a bridge with a VLAN reach each other on this node and nobody outside.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "VLANs of the ports of bridges that filter them: that of a pod's port is on no uplink of the bridge, nor on the bridge \
              itself.",
        why: "The bridge plugin gives the pod's port its VLAN, and nobody gives it to the uplink.",
        fix: "Add the VLAN to the uplink, where the network is configured so that it lasts.",
        not_if: "The bridge has no uplink: then it is meant for this node's pods alone, and is not judged.",
        seen_in: "plugins#533",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let told = &model.snapshot.network.bridge_vlans;
    if let Some(why) = told.trouble() {
        return Outcome::NotJudged(why);
    }
    let rows = told.value().map(|table| table.rows.as_slice()).unwrap_or_default();
    let links = &model.snapshot.netlink.links;
    let filtering: Vec<&LinkFact> = links
        .iter()
        .filter(|link| matches!(link.data, Some(LinkData::Bridge(bridge)) if bridge.vlan_filtering))
        .collect();
    if filtering.is_empty() {
        return Outcome::DoesNotApply("no bridge filters VLANs");
    }
    Outcome::Judged(filtering.into_iter().flat_map(|bridge| of_bridge(links, rows, bridge)).collect())
}

fn of_bridge(links: &[LinkFact], rows: &[BridgeVlansFact], bridge: &LinkFact) -> Vec<Finding> {
    let link = |ifindex: u32| links.iter().find(|link| link.ifindex == ifindex);
    let leads_to_pod = |link: &LinkFact| link.kind.as_deref() == Some("veth") && link.link_netns.is_some();
    let of_bridge = || rows.iter().filter(|row| row.bridge == Some(bridge.ifindex));
    let ports = of_bridge()
        .filter(|row| row.ifindex != bridge.ifindex)
        .filter_map(|row| Some((row, link(row.ifindex)?)));
    let (pods, uplinks): (Vec<_>, Vec<_>) = ports.partition(|(_, port)| leads_to_pod(port));
    let Some((_, uplink)) = uplinks.first() else { return Vec::new() };
    let carries = |row: &BridgeVlansFact, vlan: u16| {
        row.vlans.iter().any(|range| (range.first..=range.last).contains(&vlan))
    };
    let mut bridges = of_bridge().filter(|row| row.ifindex == bridge.ifindex).peekable();
    // Where the bridge's own VLANs were not read, it may carry any.
    if bridges.peek().is_none() {
        return Vec::new();
    }
    let outside: Vec<&BridgeVlansFact> = bridges.chain(uplinks.iter().map(|(row, _)| *row)).collect();
    let of_pods: BTreeSet<u16> = pods
        .iter()
        .flat_map(|(row, _)| &row.vlans)
        .filter(|range| range.is_pvid)
        .map(|range| range.first)
        .collect();
    let lost = of_pods.into_iter().filter(|vlan| !outside.iter().any(|row| carries(row, *vlan)));
    lost.map(|vlan| {
        let (name, up) = (escape(&bridge.name), escape(&uplink.name));
        let count = pods.iter().filter(|(row, _)| carries(row, vlan)).count();
        Finding::new(
            Warn,
            SubjectKind::Interface,
            &bridge.name,
            format!("VLAN {vlan} of {} on {name} is on no uplink: it ends at the bridge.", counted(count, "pod port")),
        )
        .seen(format!("VLAN {vlan}"), counted(count, "pod port"), format!("bridge vlan, ports of {name}"))
        .seen(format!("uplink {up}"), format!("without VLAN {vlan}"), "bridge vlan")
        .fix("Add the VLAN to the uplink that leads to its network, and make it last in the network's configuration.")
        .run(format!("bridge vlan add dev {} vid {vlan}", quoted(&uplink.name)))
    })
    .collect()
}
