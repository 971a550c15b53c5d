//! A pod on a bridge does not reach its gateway, which is the bridge itself.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{super::prelude::*, inside};
use crate::{
    facts::netlink::LinkFact,
    model::{Cni, Pod, System},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-gateway-unreachable",
    family: Family::Pods,
    title: "a pod does not reach its gateway, the node's bridge",
    symptom: "Pods run, but nothing reaches them, not even the kubelet's probes; their own connections time out.",
    core: false,
    needs: &[Need::Addresses, Need::PodNetworks],
    explained_by: &["pod-interface-down", "intent-pod-cidr-differs"],
    explain: Explain {
        how: "The gateway of each pod's default route is an address of the node's bridge, and the node's end of the pod's veth is a \
              port of that bridge.",
        why: "A network manager took the veth out of the bridge, or deleted the bridge's address, as it was not in its own \
              configuration: systemd-networkd when it starts again, NetworkManager when it takes a device over.",
        fix: "Put it back, and tell the network manager to leave the CNI's devices alone.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let links = &model.snapshot.netlink.links;
    let is_bridge = |link: &&LinkFact| link.kind.as_deref() == Some("bridge");
    let with_index = |ifindex: Option<u32>| links.iter().find(|link| Some(link.ifindex) == ifindex);
    // A bridge that has lost its address is no sign of flannel any more.
    let intended = model.setup.intent.as_ref().and_then(|intent| intent.cni.as_ref()).map(|cni| &cni.value);
    let mut planes = model.inventory.data_planes.iter();
    let is_flannel = matches!(intended, Some(Cni::Flannel | Cni::K3sFlannel))
        || planes.any(|plane| matches!(plane.system, System::Flannel | System::Rke2Flannel));
    let mut judged = 0;
    let mut findings = Vec::new();
    for pod in inside::with_interfaces(model) {
        let Some(end) = with_index(pod.host_ifindex) else { continue };
        let master = with_index(end.master).filter(is_bridge);
        for gateway in gateways(model, pod) {
            let rows = model.snapshot.netlink.addresses.rows();
            let mut owners = rows.iter().filter(|own| own.address.addr() == gateway);
            let owner = owners.find_map(|own| with_index(Some(own.ifindex)));
            match (owner, master) {
                (Some(owner), _) if is_bridge(&owner) => {
                    judged += 1;
                    if end.master != Some(owner.ifindex) {
                        findings.push(not_a_port(pod, end, owner, gateway));
                    }
                }
                (None, Some(bridge)) if is_flannel => {
                    judged += 1;
                    findings.push(without_address(pod, bridge, gateway));
                }
                (Some(_) | None, _) => {}
            }
        }
    }
    if judged == 0 {
        return Outcome::DoesNotApply("no pod has a bridge of the node as its gateway");
    }
    // One bridge is one fault, however many pods are on it.
    let mut known = BTreeSet::new();
    findings.retain(|finding| known.insert((finding.subject.clone(), finding.summary.clone())));
    Outcome::Judged(findings)
}

/// Gateways of the default routes by the pod's interface to the cluster network.
fn gateways(model: &Model, pod: &Pod) -> Vec<IpAddr> {
    let Some(facts) = inside::facts(model, pod) else { return Vec::new() };
    let defaults = [true, false].map(|is_ipv4| inside::default_routes(facts, is_ipv4));
    let is_ours = |ifindex: Option<u32>| {
        pod.interfaces.iter().any(|one| one.is_default && Some(one.ifindex) == ifindex)
    };
    let routes = defaults.into_iter().flatten().flatten().filter(|route| is_ours(route.ifindex));
    // Link-local ones are the other end's own.
    let is_link_local = |gateway: &IpAddr| match gateway {
        IpAddr::V4(gateway) => gateway.is_link_local(),
        IpAddr::V6(gateway) => gateway.is_unicast_link_local(),
    };
    routes.filter_map(|route| route.gateway).filter(|gateway| !is_link_local(gateway)).collect()
}

fn not_a_port(pod: &Pod, end: &LinkFact, bridge: &LinkFact, gateway: IpAddr) -> Finding {
    let (label, name, bridge_name) = (escape(&pod.label()), escape(&end.name), escape(&bridge.name));
    Finding::new(
        Fail,
        SubjectKind::Interface,
        &end.name,
        format!("{name} of {label} is not a port of {bridge_name}, where its gateway {gateway} is."),
    )
    .on(end.ifindex)
    .seen(format!("master of {name}"), if end.master.is_some() { "another device" } else { "none" }, "ip link")
    .seen("gateway", gateway.to_string(), "ip route in the pod")
    .fix("Make the interface a port of the bridge again, and tell the node's network manager to leave the CNI's devices alone.")
    .run(format!("ip link set {} master {}", quoted(&end.name), quoted(&bridge.name)))
    // flannel's plugin sets it (`hairpinMode`), for pods that reach themselves by a service; a new port does not have it.
    .run(format!("bridge link set dev {} hairpin on", quoted(&end.name)))
}

fn without_address(pod: &Pod, bridge: &LinkFact, gateway: IpAddr) -> Finding {
    let name = escape(&bridge.name);
    let own = pod.interfaces.iter().filter(|one| one.is_default).flat_map(|one| &one.addresses);
    let length = own.clone().find(|own| own.contains(&gateway)).map(IpNet::prefix_len);
    let finding = Finding::new(
        Fail,
        SubjectKind::Interface,
        &bridge.name,
        format!("{name} does not have the address {gateway}, which is its pods' gateway."),
    )
    .on(bridge.ifindex)
    .seen("gateway", gateway.to_string(), "ip route in the pod")
    .seen(format!("such an address of {name}"), "none", "ip address")
    .fix("Give the bridge its address back, and tell the node's network manager to leave the CNI's devices alone.");
    match length {
        Some(length) => {
            finding.run(format!("ip address add {gateway}/{length} dev {}", quoted(&bridge.name)))
        }
        None => finding,
    }
}
