//! What pods send by is set down: an end of their veths, or the bridge that they are on.

use std::collections::BTreeMap;

use super::{
    super::{agent, prelude::*},
    inside,
};
use crate::{facts::netlink::LinkFact, model::Pod};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-interface-down",
    family: Family::Pods,
    title: "a pod's interface is down, or the bridge of pods",
    symptom: "Pods run and are not reached, by probes of the kubelet neither; their own connections time out.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "IFF_UP of both ends of each pod's veth, and of the bridge that the node's end is a port of.",
        why: "Somebody or a network manager set the device down. That deletes its routes and IPv6 addresses, and setting it up \
              again does not bring them back.",
        fix: "Set the device up, then restart the CNI's agent; delete pods that are still not reached. Keep network managers off \
              the CNI's devices.",
        not_if: "The pod starts or ends just now.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let links = &model.snapshot.netlink.links;
    let with_index = |ifindex: Option<u32>| links.iter().find(|link| Some(link.ifindex) == ifindex);
    let pods = model.inventory.pods.iter().map(AsRef::as_ref).filter(|pod: &&Pod| !pod.host_network);
    let ends: Vec<(&Pod, &LinkFact)> =
        pods.filter_map(|pod| Some((pod, with_index(pod.host_ifindex)?))).collect();
    if ends.is_empty() {
        return Outcome::DoesNotApply("no pod's interface is known");
    }
    // A bridge takes all of its pods with it.
    let mut bridges: BTreeMap<u32, (&LinkFact, usize)> = BTreeMap::new();
    for bridge in ends.iter().filter_map(|(_, link)| with_index(link.master)).filter(|bridge| !bridge.up) {
        bridges.entry(bridge.ifindex).or_insert((bridge, 0)).1 += 1;
    }
    let of_bridges =
        bridges.into_values().map(|(bridge, pods)| down(bridge, &format!("{} on it", counted(pods, "pod"))));
    let of_pods =
        ends.iter().filter(|(_, link)| !link.up).map(|(pod, link)| down(link, &escape(&pod.label())));
    let on_node = of_bridges.chain(of_pods).map(|finding| agent::restarted(model, finding));
    Outcome::Judged(on_node.chain(inside::with_interfaces(model).filter_map(inside_down)).collect())
}

fn down(link: &LinkFact, whose: &str) -> Finding {
    let name = escape(&link.name);
    Finding::new(
        Fail,
        SubjectKind::Interface,
        &link.name,
        format!("{name} is down, and {whose} cannot send or receive."),
    )
    .on(link.ifindex)
    .seen(name, "down", "ip link: flags")
    .fix("Set the interface up, then restart the CNI's agent on this node: setting it down has deleted routes and IPv6 addresses.")
    .run(format!("ip link set {} up", quoted(&link.name)))
}

/// The pod's own end: the runtime and CNI plugins leave it up.
fn inside_down(pod: &Pod) -> Option<Finding> {
    let end = pod.interfaces.iter().find(|one| one.is_default && !one.up)?;
    let (label, name) = (pod.label(), escape(&end.name));
    Some(
        Finding::new(
            Fail,
            SubjectKind::Pod,
            &label,
            format!("{name} in {} is down: it cannot send or receive.", escape(&label)),
        )
        .seen(name, "down", "ip link in the pod: flags")
        .fix("Delete the pod: its controller makes a new one. Setting the interface down has deleted its routes."),
    )
}
