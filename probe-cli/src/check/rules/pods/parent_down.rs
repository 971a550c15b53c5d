//! The NIC below pods' secondary interfaces carries nothing.

use std::collections::BTreeMap;

use super::super::prelude::*;
use crate::{
    facts::netlink::LinkFact,
    model::{LinkState, Pod},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-parent-down",
    family: Family::Pods,
    title: "the device below pods' secondary interfaces is down",
    symptom: "Pods' secondary interfaces (net1) have no carrier; nothing goes in or out by them.",
    core: false,
    needs: &[],
    explained_by: &["dataplane-underlay-down"],
    explain: Explain {
        how: "IFF_UP and carrier of the node's device below each macvlan, ipvlan and VLAN interface in a pod.",
        why: "A cable, a switch port, or a NIC that nobody configures and so nobody brings up: the plugins do not.",
        fix: "Bring the device up, at boot too; look at the cable and the switch port.",
        not_if: "",
        seen_in: "multus#390, multus#1183",
    },
    run,
};

/// Kinds of interfaces that are as good as the device below them.
const KINDS: [&str; 5] = ["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan"];

fn run(model: &Model) -> Outcome {
    // All of the node's: a bond or a VLAN that the overlay does not use is as good.
    let links = &model.snapshot.netlink.links;
    let mut pods_above: BTreeMap<u32, (&LinkFact, Vec<&Pod>)> = BTreeMap::new();
    for pod in &model.inventory.pods {
        let above =
            pod.secondary().filter(|one| one.kind.as_deref().is_some_and(|kind| KINDS.contains(&kind)));
        for interface in above {
            let Some(parent) = interface.parent.as_deref() else { continue };
            // What is below a VLAN may be in the pod as well.
            if pod.interfaces.iter().any(|other| other.name == parent) {
                continue;
            }
            let Some(link) = links.iter().find(|link| link.name == parent) else { continue };
            let pods = &mut pods_above.entry(link.ifindex).or_insert((link, Vec::new())).1;
            if !pods.iter().any(|other| std::ptr::eq(*other, &raw const **pod)) {
                pods.push(pod);
            }
        }
    }
    if pods_above.is_empty() {
        return Outcome::DoesNotApply("no pod has an interface above a device of the node");
    }
    let down = pods_above.into_values().filter(|(link, _)| LinkState::of(link) != LinkState::Up);
    Outcome::Judged(
        down.map(|(link, pods)| {
            let name = escape(&link.name);
            let is_set_down = LinkState::of(link) == LinkState::Down;
            let state = if is_set_down { "down" } else { "up, no carrier" };
            let label = pods.first().map_or_else(String::new, |pod| escape(&pod.label()));
            let finding = Finding::new(
                Fail,
                SubjectKind::Interface,
                &link.name,
                format!(
                    "{name} is {state}: secondary interfaces of {} carry nothing.",
                    counted(pods.len(), "pod")
                ),
            )
            .seen(name.clone(), state, "ip link: flags, operstate")
            .seen("such as", label, "links in its namespace");
            if is_set_down {
                finding
                    .fix("Bring the device up, and let the network's manager do so at boot.")
                    .run(format!("ip link set {} up", quoted(&link.name)))
            } else {
                finding.fix_elsewhere(format!("look at the cable and the switch port of {name}."))
            }
        })
        .collect(),
    )
}
