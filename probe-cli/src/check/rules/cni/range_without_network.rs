//! The CNI asks for a pod network of a family that the node has none of.

use super::{super::prelude::*, directory};
use crate::{
    facts::{
        files::{CniNetwork, Sourced},
        netlink::RouteType,
    },
    model::PodCidrSource,
};

/// What Canal's configuration has in place of the node's IPv6 network.
const OF_NODE: &str = "usePodCidrIPv6";

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-range-without-network",
    family: Family::Cni,
    title: "the CNI wants an IPv6 pod network, and the node has none",
    symptom: "New pods stay in ContainerCreating: \"usePodCidrIPv6 found but there is no IPv6 CIDR configured\".",
    core: false,
    needs: &[Need::Files, Need::Routes, Need::Addresses],
    explained_by: &[],
    explain: Explain {
        how: "`usePodCidrIPv6` among the ranges of the default network, where no route, address or tunnel of this node is of an IPv6 \
              pod network, and of an IPv4 one some are.",
        why: "IPv6 was added to the configuration of a cluster that was made without: nodes keep the pod networks that they were given \
              when they joined.",
        fix: "Take IPv6 out of cluster-cidr and of the CNI's configuration again, or make the cluster anew with both families.",
        not_if: "flannel has just started and has no IPv6 tunnel yet.",
        seen_in: "rke2#3664, rke2#2524",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let directory = directory(model);
    let network = directory.and_then(|directory| directory.files.get(directory.default_network?));
    let Some(range) = network.and_then(|file| wanted(&file.network)) else {
        return Outcome::DoesNotApply("the default network asks for no IPv6 network of the node");
    };
    let inventory = &model.inventory;
    let own = &inventory.node.pod_cidrs;
    // Only a blackhole route or a bridge is sure to be there for each family that the node has a network of.
    let is_sure = |source| matches!(source, PodCidrSource::BlackholeRoute | PodCidrSource::Bridge);
    let Some(ipv4) = own.iter().find(|own| own.cidr.addr().is_ipv4() && is_sure(own.source)) else {
        return Outcome::DoesNotApply("this node's IPv4 pod network is not known");
    };
    let netlink = &model.snapshot.netlink;
    let has_ipv6 = own.iter().any(|own| own.cidr.addr().is_ipv6())
        || netlink.routes.ipv6.rows().iter().any(|route| route.kind == RouteType::Blackhole)
        || inventory
            .pods
            .iter()
            .any(|pod| !pod.host_network && pod.addresses.iter().any(std::net::IpAddr::is_ipv6))
        || inventory.all_tunnels().any(|tunnel| {
            tunnel.outer_family == Some(6) || tunnel.addresses.iter().any(|own| own.addr().is_ipv6())
        });
    if has_ipv6 {
        return Outcome::Judged(Vec::new());
    }
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            &range.file,
            "The CNI takes pods' addresses out of an IPv6 network that this node does not have.".to_owned(),
        )
        .seen("range", OF_NODE, escape(&range.place()))
        .seen("this node's pods", ipv4.cidr, "ip route, ip address")
        .seen("IPv6 pod network", "none", "ip -6 route, ip link")
        .fix_elsewhere(
            "take IPv6 out of cluster-cidr and service-cidr on the servers again and restart rke2-server there, or make the cluster anew \
             with both families: nodes get their pod networks when they join.",
        ),
    ])
}

/// The range of the first network that pods get, behind Multus where that is the default.
fn wanted(network: &CniNetwork) -> Option<&Sourced<String>> {
    let delegates = network.plugins.iter().filter_map(|plugin| plugin.multus.as_deref());
    let behind = delegates.filter_map(|multus| multus.delegates.first());
    let plugins = network.plugins.iter().chain(behind.flat_map(|delegate| &delegate.plugins));
    plugins.flat_map(|plugin| &plugin.ranges).find(|range| range.value == OF_NODE)
}
