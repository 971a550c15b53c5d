//! Two pods have one address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

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
    // Secondary networks may have addresses of each other: only in one of them two pods must not have the same.
    let mut by_address: BTreeMap<(Option<&str>, IpAddr), Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        let secondary =
            pod.secondary().filter_map(|interface| Some((interface.network.as_deref()?, interface)));
        let secondary = secondary.flat_map(|(network, interface)| {
            interface.addresses.iter().map(move |address| (Some(network), address.addr()))
        });
        let all: BTreeSet<_> =
            pod.addresses.iter().map(|address| (None, *address)).chain(secondary).collect();
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
            .map(|((_, address), pods)| {
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
                let later =
                    pods.iter().skip(1).filter_map(|pod| pod.namespace.as_ref().zip(pod.name.as_ref()));
                later.fold(
                    finding.fix("Delete all but one of these pods: their controllers make new ones."),
                    |finding, (namespace, name)| {
                        finding.run(format!("kubectl -n {} delete pod {}", quoted(namespace), quoted(name)))
                    },
                )
            })
            .collect(),
    )
}
