//! Pods by name: what the runtime, libcni's cache and a lab's registry say, one entry for each pod. Nothing of the kernel's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Namespaces, canonical};
use crate::{
    facts::pods::{Attachment, PodFacts, Sandbox},
    inventory::pod::{Evidence, PodSource},
    text::shown,
};

/// Interface of a pod to the cluster network: what runtimes call it (containerd `defaultIfName`, CRI-O `DefaultInterface`).
pub(super) const DEFAULT_INTERFACE: &str = "eth0";
/// The annotation that asks Multus for secondary networks.
const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";

/// A pod that a source knows by name.
pub(super) struct Named<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: Option<&'a str>,
    pub(super) source: PodSource,
    pub(super) host_network: bool,
    pub(super) netns: Option<&'a str>,
    /// Addresses on the cluster network, by who says so.
    pub(super) addresses: Vec<(Evidence, BTreeSet<IpAddr>)>,
    /// Its interfaces in libcni's cache.
    pub(super) attachments: Vec<&'a Attachment>,
    /// Name of the host end of its veth in a lab's registry.
    pub(super) registered: Option<&'a str>,
    pub(super) requested_networks: Option<&'a str>,
}

impl Named<'_> {
    /// Bounded and safe to print.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", shown(self.namespace), shown(self.name))
    }
}

/// Every pod that some source names, those of the strongest source first.
pub(super) fn named<'a>(facts: &'a PodFacts, namespaces: &Namespaces<'_>) -> Vec<Named<'a>> {
    let mut cache: BTreeMap<&str, Vec<&Attachment>> = BTreeMap::new();
    for attachment in &facts.attachments {
        cache.entry(&attachment.container_id).or_default().push(attachment);
    }
    let mut pods = Vec::new();
    if let Some(sandboxes) = facts.sandboxes.value() {
        for sandbox in newest(sandboxes) {
            pods.push(of_runtime(sandbox, cache.remove(sandbox.id.as_str()).unwrap_or_default()));
        }
        // What else is in the cache belongs to sandboxes that are gone.
    } else {
        let is_there =
            |pod: &Named<'_>| pod.netns.is_some_and(|path| namespaces.contains_key(canonical(path)));
        let mut cached: Vec<Named<'_>> = cache.into_values().filter_map(of_cache).collect();
        // A pod that was made again has two sandboxes in the cache: the one that is there goes first.
        cached.sort_by_key(|pod| !is_there(pod));
        let mut seen = BTreeSet::new();
        pods.extend(cached.into_iter().filter(|pod| seen.insert((pod.namespace, pod.name))));
    }
    let known: BTreeSet<(&str, &str)> = pods.iter().map(|pod| (pod.namespace, pod.name)).collect();
    let registered = facts.registered.iter().filter(|pod| !known.contains(&(&pod.namespace, &pod.name)));
    let registered: Vec<Named<'_>> = registered
        .map(|pod| Named {
            namespace: &pod.namespace,
            name: &pod.name,
            uid: None,
            source: PodSource::Lab,
            host_network: false,
            netns: Some(pod.netns.as_str()).filter(|path| !path.is_empty()),
            addresses: vec![(Evidence::LabRegistry, pod.addresses.iter().copied().collect())],
            attachments: Vec::new(),
            registered: Some(&pod.host_ifname),
            requested_networks: None,
        })
        .collect();
    pods.extend(registered);
    pods
}

/// The ready sandboxes, of each pod the newest: an older one is on its way out.
fn newest(sandboxes: &[Sandbox]) -> impl Iterator<Item = &Sandbox> {
    let mut by_pod: BTreeMap<(&str, &str), &Sandbox> = BTreeMap::new();
    for sandbox in sandboxes.iter().filter(|sandbox| sandbox.ready) {
        let newest = by_pod.entry((&sandbox.namespace, &sandbox.name)).or_insert(sandbox);
        if sandbox.created_at > newest.created_at {
            *newest = sandbox;
        }
    }
    by_pod.into_values()
}

fn of_runtime<'a>(sandbox: &'a Sandbox, attachments: Vec<&'a Attachment>) -> Named<'a> {
    let mut addresses = vec![(Evidence::Cri, sandbox.addresses.iter().copied().collect())];
    addresses.extend(cached_addresses(&attachments));
    Named {
        namespace: &sandbox.namespace,
        name: &sandbox.name,
        uid: Some(sandbox.uid.as_str()).filter(|uid| !uid.is_empty()),
        source: PodSource::Cri,
        host_network: sandbox.host_network,
        netns: sandbox
            .netns
            .as_deref()
            .filter(|_| !sandbox.host_network)
            .or_else(|| attachments.iter().find_map(|attachment| attachment.netns.as_deref())),
        addresses,
        requested_networks: sandbox
            .annotations
            .get(NETWORKS)
            .map(String::as_str)
            .or_else(|| requested(&attachments)),
        attachments,
        registered: None,
    }
}

fn of_cache(attachments: Vec<&Attachment>) -> Option<Named<'_>> {
    let first = attachments.first().copied()?;
    Some(Named {
        namespace: &first.namespace,
        name: &first.pod,
        uid: attachments.iter().find_map(|attachment| attachment.uid.as_deref()),
        source: PodSource::Libcni,
        // Pods on the node's network are not given to CNI.
        host_network: false,
        netns: attachments.iter().find_map(|attachment| attachment.netns.as_deref()),
        addresses: cached_addresses(&attachments).into_iter().collect(),
        requested_networks: requested(&attachments),
        attachments,
        registered: None,
    })
}

fn requested<'a>(attachments: &[&'a Attachment]) -> Option<&'a str> {
    attachments.iter().find_map(|attachment| attachment.requested_networks.as_deref())
}

fn cached_addresses(attachments: &[&Attachment]) -> Option<(Evidence, BTreeSet<IpAddr>)> {
    let addresses = default_attachment(attachments)?.addresses.iter().copied().collect();
    Some((Evidence::LibcniResult, addresses))
}

/// The attachment to the cluster network. Multus and the plugin that it calls have an entry each, with the same result.
pub(super) fn default_attachment<'a>(attachments: &[&'a Attachment]) -> Option<&'a Attachment> {
    attachments.iter().copied().find(|attachment| attachment.ifname == DEFAULT_INTERFACE)
}
