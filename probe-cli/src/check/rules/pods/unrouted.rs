//! The node has no route to an address of one of its own pods.

use std::collections::HashSet;

use super::super::{agent, prelude::*};
use crate::{
    facts::netlink::RouteLookup,
    model::{LinkState, Pod, System},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-unrouted",
    family: Family::Pods,
    title: "the node drops what goes to one of its own pods",
    symptom: "A pod runs, but nothing reaches it, not even the kubelet's probes; its own connections time out.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["pod-address-twice", "pod-address-outside"],
    explain: Explain {
        how: "The most specific route to each address of a pod with Calico's interface: it drops packets, as the blackhole route \
              of the node's own pod network or block does, although the node's end of the pod's interface is there and up.",
        why: "Calico's agent did not write the route, or somebody deleted it; the interface was taken down and up again.",
        fix: "Restart the agent, which writes routes of all pods again, or delete the pod.",
        not_if: "The pod starts or ends just now.",
        seen_in: "calico#10834",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    if !inventory.data_planes.iter().any(|plane| matches!(plane.system, System::Canal | System::Calico)) {
        return Outcome::DoesNotApply("no pod has Calico's interface");
    }
    let up = inventory.links.links.iter().filter(|link| link.state == LinkState::Up);
    let up: HashSet<u32> = up.map(|link| link.ifindex).collect();
    let is_up = |ifindex: u32| up.contains(&ifindex);
    let with_interface =
        |pod: &&Pod| !pod.host_network && pod.host_ifindex.is_some_and(is_up) && !pod.addresses.is_empty();
    let pods: Vec<&Pod> = inventory.pods.iter().map(AsRef::as_ref).filter(with_interface).collect();
    if pods.is_empty() {
        return Outcome::DoesNotApply("no pod's address and interface are known");
    }
    let routes = RouteLookup::new(model.snapshot.netlink.routes.iter());
    let findings = pods.into_iter().flat_map(|pod| {
        pod.addresses.iter().filter_map(|address| {
            let route = routes.longest(*address).iter().max_by_key(|route| route.rank())?;
            let dropped = format!("{} {}", route.kind.dropping()?, route.destination);
            let label = pod.label();
            let name = pod.host_ifname.as_deref().map_or_else(|| "-".to_owned(), escape);
            Some(
                Finding::new(
                    Fail,
                    SubjectKind::Pod,
                    &label,
                    format!("No route leads to {address} of {}: packets to it are dropped.", escape(&label)),
                )
                .seen(format!("route to {address}"), dropped, "ip route get")
                .seen("its interface", name, "ip link: up")
                .fix(
                    "Restart the CNI's agent on this node, which writes the routes of all pods (pods keep running); when that does \
                     not help, delete the pod: its controller makes a new one.",
                ),
            )
        })
    });
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}
