//! Pods of this node: those that a source knows by name, matched to their interfaces, and those that only the kernel's
//! routes show.

mod interfaces;
mod named;
mod veth;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use self::{
    named::{DEFAULT_INTERFACE, Named},
    veth::{HostEnds, Routed},
};
use super::{
    index::Index,
    pod::{Disagreement, Disputed, Evidence, Pod, PodSource},
    warnings::{WarningKind, Warnings},
};
use crate::{
    facts::{OfNamespace, netlink::NamespaceFact, pods::PodFacts},
    text::{counted, shown},
};

/// Namespaces of pods by what all ways to write their path have in common.
pub(super) type Namespaces<'a> = BTreeMap<&'a str, &'a NamespaceFact>;

/// The pods, sorted by key.
pub(super) fn pods(
    index: &Index<'_>,
    facts: &PodFacts,
    namespaces: &[OfNamespace],
    notes: &mut Warnings,
) -> Vec<Pod> {
    let read = namespaces.iter().filter_map(|namespace| namespace.told.value());
    let unread: BTreeSet<&str> = namespaces
        .iter()
        .filter(|namespace| namespace.told.trouble().is_some())
        .map(|namespace| canonical(&namespace.path))
        .collect();
    let namespaces: Namespaces<'_> = read.map(|fact| (canonical(&fact.path), fact)).collect();
    let routed = Routed::new(index);
    let ends = HostEnds::new(index, &routed);
    let mut taken: HashMap<u32, String> = HashMap::new();
    let mut stale = 0_usize;
    let mut gone: Vec<&str> = Vec::new();
    let mut pods = Vec::new();
    for pod in named::named(facts, &namespaces) {
        let fact = pod.netns.and_then(|path| namespaces.get(canonical(path)).copied());
        let found = if pod.host_network { Vec::new() } else { ends.of(&pod, fact) };
        let host = found.first().copied();
        // It is there, though it cannot be looked into.
        let is_unread = pod.netns.is_some_and(|path| unread.contains(canonical(path)));
        if host.is_none() && fact.is_none() && !is_unread && !pod.host_network {
            match (pod.source, pod.registered) {
                // The cache outlives pods, after a crash for ever.
                (PodSource::Libcni, _) => {
                    stale += 1;
                    continue;
                }
                (PodSource::Lab, Some(ifname)) => {
                    notes.add(WarningKind::PodWithoutInterface, || {
                        format!(
                            "pod {}: its interface {} does not exist, and no route leads to it",
                            pod.label(),
                            shown(ifname)
                        )
                    });
                    continue;
                }
                _ => {}
            }
        }
        if let Some((_, link)) = host {
            if let Some(first) = taken.get(&link.ifindex) {
                // Names and addresses are given again: the pod that is there has the interface.
                if pod.source == PodSource::Libcni && fact.is_none() {
                    stale += 1;
                    continue;
                }
                notes.add(WarningKind::PodsOnOneInterface, || {
                    format!(
                        "pod {} is left out: its interface {} is already that of pod {first}",
                        pod.label(),
                        shown(&link.name),
                    )
                });
                continue;
            }
            taken.insert(link.ifindex, pod.label());
        }
        if let Some(path) = pod.netns
            && fact.is_none()
            && !is_unread
            && !pod.host_network
        {
            match lost(&pod) {
                Some(lost) => notes.add(WarningKind::PodNamespaceGone, || {
                    format!(
                        "pod {}: its network namespace {} does not exist; only the CNI cache lists {lost}",
                        pod.label(),
                        shown(path)
                    )
                }),
                None => gone.push(path),
            }
        }
        pods.push(one(index, &pod, &found, fact, &routed));
    }
    if let Some(first) = gone.first() {
        notes.add(WarningKind::PodNamespaceGone, || {
            format!(
                "network namespaces of {} do not exist ({}); their interfaces are unknown",
                counted(gone.len(), "pod"),
                shown(first)
            )
        });
    }
    if stale > 0 {
        notes.add(WarningKind::StaleCache, || {
            format!(
                "the CNI cache names {stale} sandbox(es) whose pods are gone; they are left out (remove the files of \
                 /var/lib/cni/results once the runtime does not know their container IDs)"
            )
        });
    }
    tell_disagreements(&pods, notes);
    pods.extend(unnamed(index, &routed, &taken));
    shared_addresses(&pods, notes);
    pods.sort_by_cached_key(Pod::key);
    pods
}

fn one(
    index: &Index<'_>,
    pod: &Named<'_>,
    found: &[veth::Found<'_>],
    fact: Option<&NamespaceFact>,
    routed: &Routed,
) -> Pod {
    let host = found.first().copied();
    let interfaces = fact.map(|fact| interfaces::of(index, pod, fact)).unwrap_or_default();
    let mut said = pod.addresses.clone();
    let inside: BTreeSet<IpAddr> = interfaces
        .iter()
        .filter(|interface| interface.is_default)
        .flat_map(|interface| interface.addresses.iter().map(ipnet::IpNet::addr))
        .collect();
    said.push((Evidence::InPod, inside));
    let routes = host.and_then(|(_, link)| routed.addresses(link.ifindex)).cloned().unwrap_or_default();
    said.push((Evidence::Route, routes));
    said.retain(|(_, addresses)| !addresses.is_empty());
    let mut disagreements: Vec<Disagreement> = found
        .iter()
        .skip(1)
        .filter(|(_, link)| host.is_some_and(|(_, first)| first.ifindex != link.ifindex))
        .map(|(evidence, link)| Disagreement {
            about: Disputed::HostInterface,
            evidence: *evidence,
            says: link.name.clone(),
        })
        .collect();
    let first = said.first().map(|(_, addresses)| addresses.clone()).unwrap_or_default();
    disagreements.extend(said.iter().skip(1).filter(|(_, addresses)| !agree(&first, addresses)).map(
        |(evidence, addresses)| Disagreement {
            about: Disputed::Addresses,
            evidence: *evidence,
            says: words(addresses),
        },
    ));
    // What the node's own network has is not this pod's alone.
    let addresses: BTreeSet<IpAddr> = if pod.host_network {
        BTreeSet::new()
    } else {
        said.into_iter().flat_map(|(_, some)| some).collect()
    };
    Pod {
        namespace: Some(pod.namespace.to_owned()),
        name: Some(pod.name.to_owned()),
        uid: pod.uid.map(str::to_owned),
        source: pod.source,
        host_network: pod.host_network,
        addresses: addresses.into_iter().collect(),
        host_ifindex: host.map(|(_, link)| link.ifindex),
        host_ifname: host.map(|(_, link)| link.name.clone()),
        host_evidence: host.map(|(evidence, _)| evidence),
        netns: pod.netns.map(str::to_owned),
        interfaces,
        requested_networks: pod.requested_networks.map(str::to_owned),
        disagreements,
    }
}

/// What is lost with a pod's namespace: the interfaces beside the one to the cluster network.
fn lost(pod: &Named<'_>) -> Option<String> {
    let secondary = pod.attachments.iter().filter(|attachment| attachment.ifname != DEFAULT_INTERFACE);
    let mut words: Vec<String> = secondary
        .map(|attachment| format!("{} ({})", shown(&attachment.ifname), shown(&attachment.network)))
        .collect();
    words.sort();
    words.dedup();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Within each family that both name: a source may know one family only.
fn agree(one: &BTreeSet<IpAddr>, other: &BTreeSet<IpAddr>) -> bool {
    [false, true].into_iter().all(|is_v6| {
        let of = |all: &BTreeSet<IpAddr>| -> BTreeSet<IpAddr> {
            all.iter().copied().filter(|address| address.is_ipv6() == is_v6).collect()
        };
        let (one, other) = (of(one), of(other));
        one.is_empty() || other.is_empty() || one == other
    })
}

fn words(addresses: &BTreeSet<IpAddr>) -> String {
    let words: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    words.join(" ")
}

fn tell_disagreements(pods: &[Pod], notes: &mut Warnings) {
    for pod in pods {
        for other in &pod.disagreements {
            notes.add(WarningKind::PodDisagreement, || {
                let (what, ours) = match other.about {
                    Disputed::HostInterface => {
                        ("host interface", pod.host_ifname.clone().unwrap_or_default())
                    }
                    Disputed::Addresses => ("addresses", words(&pod.addresses.iter().copied().collect())),
                };
                format!(
                    "pod {}: {} has {what} {}; all sources together: {}",
                    shown(&pod.label()),
                    other.evidence.words(),
                    shown(&other.says),
                    shown(&ours),
                )
            });
        }
    }
}

/// Pods that no source names: host veths with routes to single addresses.
fn unnamed<'a>(
    index: &'a Index<'_>,
    routed: &'a Routed,
    taken: &'a HashMap<u32, String>,
) -> impl Iterator<Item = Pod> + 'a {
    routed.iter().filter(|(ifindex, _)| !taken.contains_key(ifindex)).filter_map(|(ifindex, addresses)| {
        let link = index.link(ifindex)?;
        Some(Pod {
            addresses: addresses.iter().copied().collect(),
            host_ifindex: Some(ifindex),
            host_ifname: Some(link.name.clone()),
            host_evidence: Some(Evidence::Route),
            source: PodSource::Route,
            ..Pod::default()
        })
    })
}

/// One address, two pods: packets of both count for the first.
fn shared_addresses(pods: &[Pod], notes: &mut Warnings) {
    let mut owners: HashMap<IpAddr, &Pod> = HashMap::new();
    for pod in pods {
        for address in &pod.addresses {
            let first = *owners.entry(*address).or_insert(pod);
            if !std::ptr::eq(first, pod) {
                notes.add(WarningKind::SharedAddress, || {
                    format!(
                        "pods {} and {} both have the address {address}: one of them is not reached; delete the one that \
                         is not ready, so that it gets another",
                        shown(&first.label()),
                        shown(&pod.label())
                    )
                });
            }
        }
    }
}

/// `/var/run` is `/run` on every system that runs containers.
pub fn canonical(path: &str) -> &str {
    match path.strip_prefix("/var") {
        Some(rest) if rest.starts_with("/run/") => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests;
