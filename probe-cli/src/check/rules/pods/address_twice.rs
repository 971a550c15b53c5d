//! Two pods have one address.

use std::{collections::BTreeMap, net::IpAddr};

use super::super::prelude::*;
use crate::model::Pod;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-address-twice",
    family: Family::Pods,
    title: "two pods have the same address",
    symptom: "Connections to a pod reach another one, or are reset now and then.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "Addresses of pods as the runtime, the CNI's cache, their namespaces and routes tell.",
        why: "host-local's files were lost, so that addresses were given a second time; or two networks overlap.",
        fix: "Recreate one of the pods. Where host-local's directory was emptied, recreate all pods of the node.",
        not_if: "",
        seen_in: "rancher#21348",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pods = model.inventory.pods.iter().filter(|pod| !pod.host_network);
    let mut by_address: BTreeMap<IpAddr, Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        let secondary = pod
            .interfaces
            .iter()
            .filter(|interface| !interface.is_default)
            .flat_map(|interface| &interface.addresses);
        let mut all: Vec<IpAddr> =
            pod.addresses.iter().copied().chain(secondary.map(ipnet::IpNet::addr)).collect();
        all.sort_unstable();
        all.dedup();
        for address in all {
            by_address.entry(address).or_default().push(pod);
        }
    }
    if by_address.is_empty() {
        return Outcome::DoesNotApply("no pod's address is known");
    }
    let twice = by_address.into_iter().filter(|(_, pods)| pods.len() > 1);
    Outcome::Judged(
        twice
            .map(|(address, pods)| {
                let names: Vec<String> = pods.iter().take(3).map(|pod| escape(&pod.label())).collect();
                let mut finding = Finding::new(
                    Fail,
                    SubjectKind::Pod,
                    &address.to_string(),
                    format!("{address} is the address of {} pods: {}.", pods.len(), names.join(", ")),
                );
                for name in &names {
                    finding = finding.seen(name.clone(), address, "show pods");
                }
                finding.fix("Recreate all but one of them: kubectl delete pod, which restarts them.")
            })
            .collect(),
    )
}
