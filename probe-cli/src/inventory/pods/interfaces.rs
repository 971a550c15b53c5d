//! The interfaces in a pod's network namespace, with what is behind them on the node and the CNI network they belong to.

use ipnet::IpNet;

use super::named::{DEFAULT_INTERFACE, Named};
use crate::{
    facts::{
        netlink::{LinkFact, NamespaceFact},
        pods::Attachment,
    },
    inventory::{index::Index, pod::PodInterface},
};

/// Devices that the kernel puts into every namespace when their module is loaded: nobody gave them to the pod.
const FALLBACKS: [&str; 8] = ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0"];

/// The interfaces, by their index; loopback is left out.
pub(super) fn of(index: &Index<'_>, pod: &Named<'_>, namespace: &NamespaceFact) -> Vec<PodInterface> {
    let mut found: Vec<PodInterface> = namespace
        .links
        .iter()
        .filter(|link| link.hardware_type != libc::ARPHRD_LOOPBACK && !is_fallback(link))
        .map(|link| PodInterface {
            name: link.name.clone(),
            ifindex: link.ifindex,
            kind: link.kind.clone(),
            parent: parent(index, namespace, link),
            hardware: link.parent_device.clone(),
            mtu: link.mtu,
            mac: link.mac,
            up: link.up,
            addresses: addresses(namespace, link.ifindex),
            network: attachment(pod, &link.name).map(|of| of.network.clone()).filter(|name| !name.is_empty()),
            ipam: attachment(pod, &link.name).and_then(|of| of.ipam.clone()),
            is_default: link.name == DEFAULT_INTERFACE,
        })
        .collect();
    found.sort_by_key(|interface| interface.ifindex);
    found
}

fn is_fallback(link: &LinkFact) -> bool {
    !link.up && FALLBACKS.contains(&link.name.as_str())
}

fn addresses(namespace: &NamespaceFact, ifindex: u32) -> Vec<IpNet> {
    let of = namespace.addresses.iter().filter(|fact| fact.ifindex == ifindex && fact.global);
    of.map(|fact| fact.address).collect()
}

/// What libcni's cache has of the interface. Multus' own entry says less than that of the plugin it called.
fn attachment<'a>(pod: &Named<'a>, ifname: &str) -> Option<&'a Attachment> {
    let of = pod.attachments.iter().copied().filter(|attachment| attachment.ifname == ifname);
    of.min_by_key(|attachment| {
        attachment.plugin.as_deref().is_some_and(|plugin| plugin.starts_with("multus"))
    })
}

/// The node's interface behind one of the pod's.
fn parent(index: &Index<'_>, namespace: &NamespaceFact, link: &LinkFact) -> Option<String> {
    let below = link.link?;
    match link.link_netns {
        // Of the node, as far as the number tells.
        Some(nsid) if Some(nsid) == namespace.node_nsid => {
            let below = index.link(below)?;
            if link.kind.as_deref() == Some("veth") {
                return below.master.and_then(|master| index.link(master)).map(|bridge| bridge.name.clone());
            }
            Some(below.name.clone())
        }
        Some(_) => None,
        None => namespace.links.iter().find(|other| other.ifindex == below).map(|other| other.name.clone()),
    }
}
