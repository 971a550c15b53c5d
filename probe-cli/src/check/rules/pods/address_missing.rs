//! A pod's interface does not have the address that the pod was given.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{super::prelude::*, inside};
use crate::model::Pod;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-address-missing",
    family: Family::Pods,
    title: "a pod does not have its address",
    symptom: "A pod runs, but nothing reaches it, not even the kubelet's probes; its own connections fail.",
    core: false,
    needs: &[Need::PodNetworks],
    explained_by: &["pod-interface-down"],
    explain: Explain {
        how: "The addresses that the container runtime and the CNI plugin know of each pod, against those of the interfaces in its \
              network namespace.",
        why: "A program in the pod that may change its network (NET_ADMIN), or on the node, deleted the address.",
        fix: "Delete the pod: its controller makes a new one (a pod without a controller does not come back). Look at what in it has NET_ADMIN.",
        not_if: "A virtual machine in the pod has taken the address over without a device of its own there.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    match inside::with_addresses(model) {
        Ok(pods) => Outcome::Judged(pods.into_iter().filter_map(finding).collect()),
        Err(outcome) => outcome,
    }
}

fn finding(pod: &Pod) -> Option<Finding> {
    let there: Vec<IpAddr> = pod.interfaces.iter().flat_map(|one| &one.addresses).map(IpNet::addr).collect();
    let words = |addresses: &[IpAddr]| {
        let words: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let missing: Vec<IpAddr> =
        pod.addresses.iter().copied().filter(|address| !there.contains(address)).collect();
    if missing.is_empty() {
        return None;
    }
    let label = pod.label();
    Some(
        Finding::new(
            Fail,
            SubjectKind::Pod,
            &label,
            format!("{} does not have its address {}.", escape(&label), words(&missing)),
        )
        .seen("was given", words(&pod.addresses), pod.source.words())
        .seen("has", words(&there), "ip address in the pod")
        .fix("Delete the pod: its controller makes a new one. Look at what in it may change its network (NET_ADMIN)."),
    )
}
