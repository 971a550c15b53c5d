//! Without a default route pods with Calico's interfaces do not reach anything.

use super::{super::prelude::*, has_system};
use crate::model::{System, Tunnel};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-default-route-missing",
    family: Family::Host,
    title: "the node has no default route, which Calico's pod interfaces need",
    symptom: "Pods reach nothing at all, not even this node.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["dataplane-underlay-down"],
    explain: Explain {
        how: "Pods with Calico's interfaces have 169.254.1.1 as their gateway, for which the node answers ARP (proxy_arp) only \
              while it has a route to it: the default route, as a rule.",
        why: "An air-gapped node without a gateway.",
        fix: "Add a default route by the NIC that leads to the other nodes: RKE2 finds the node's address by it, and services are \
              reached from the node by it. A route to 169.254.1.1 alone, by any device but a pod's, brings pods back and nothing else.",
        not_if: "A route to 169.254.1.1 exists.",
        seen_in: "calico#3270, calico#7866",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if !has_system(model, &[System::Canal, System::Calico]) {
        return Outcome::DoesNotApply("no pod has Calico's interface");
    }
    let has_ipv4 = model.inventory.pods.iter().any(|pod| pod.addresses.iter().any(std::net::IpAddr::is_ipv4));
    if !has_ipv4 {
        return Outcome::DoesNotApply("no pod has an IPv4 address");
    }
    let gateway = std::net::IpAddr::from([169, 254, 1, 1]);
    if model.snapshot.netlink.routes.ipv4.rows().iter().any(|route| route.destination.contains(&gateway)) {
        return Outcome::Judged(Vec::new());
    }
    if let Some(outcome) = super::super::peers::beside_policy_routes(model) {
        return outcome;
    }
    let finding = Finding::new(
        Fail,
        SubjectKind::Node,
        "default route",
        "No route leads to 169.254.1.1, the gateway of pods: the node does not answer for it.".to_owned(),
    )
    .seen("IPv4 default route", "missing", "ip route");
    let nic = model.inventory.all_tunnels().flat_map(Tunnel::underlays).next();
    Outcome::Judged(vec![match nic {
        Some(nic) => finding
            .fix(
                "Add a default route by the NIC that leads to the other nodes, and make it last in the network's configuration: RKE2 and \
                 services need it too. Until then this brings pods back.",
            )
            .run(format!("ip route add 169.254.1.1/32 dev {}", quoted(&nic.name))),
        None => finding
            .fix(
                "Add a default route, and make it last in the network's configuration: RKE2 and services need it too. Until then this \
                 brings pods back.",
            )
            .run("ip link add ovp-gw up type dummy && ip route add 169.254.1.1/32 dev ovp-gw"),
    }])
}
