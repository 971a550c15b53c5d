//! Bridges that flannel's pods are on, where only files tell: without a tunnel and without other nodes the kernel shows nothing
//! but a bridge, as container runtimes have them, too. No networks, no pods.

use std::collections::BTreeSet;

use super::index::Index;
use crate::facts::{files::HostFiles, pods::PodFacts};

/// The plugin that has a bridge made.
const PLUGIN: &str = "flannel";

/// Interface indices of the bridges that have the address that flannel wrote down for this node's, and of those that flannel's
/// plugin made for a pod.
pub(super) fn flannel_bridges(
    index: &Index<'_>,
    files: Option<&HostFiles>,
    pods: &PodFacts,
) -> BTreeSet<u32> {
    let env = files.and_then(|files| files.subnet_env.value());
    let written = env.into_iter().flat_map(|env| [&env.subnet, &env.ipv6_subnet]).flatten();
    let written: BTreeSet<_> = written.map(|subnet| subnet.value).collect();
    let of_flannel =
        pods.attachments.iter().filter(|attachment| attachment.plugin.as_deref() == Some(PLUGIN));
    let made: BTreeSet<&str> =
        of_flannel.flat_map(|attachment| &attachment.host_ifnames).map(String::as_str).collect();
    let bridges = index.facts.links.iter().filter(|link| link.kind.as_deref() == Some("bridge"));
    bridges
        .filter(|link| {
            made.contains(link.name.as_str())
                || index.addresses(link.ifindex).iter().any(|fact| written.contains(&fact.address))
        })
        .map(|link| link.ifindex)
        .collect()
}
