//! Pods of this node: those that a source knows by name, matched to their host interface, and those that only the
//! kernel's routes show.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use super::{
    Pod, PodSource,
    index::Index,
    notes::{NoteKind, Notes, shown},
};
use crate::netlink::facts::{LinkFact, RouteFact, RouteType};

/// A pod that a source knows by name. Every text in it is hostile input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedPod {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Its addresses, every family.
    pub addresses: Vec<IpAddr>,
    /// Name of the host end of its veth, when the source knows it or can derive it.
    pub host_ifname: Option<String>,
}

/// The pods, sorted by key.
pub(super) fn pods(index: &Index<'_>, named: &[NamedPod], notes: &mut Notes) -> Vec<Pod> {
    let routed = routed(index);
    let by_address: HashMap<IpAddr, u32> = routed
        .iter()
        .flat_map(|(&ifindex, addresses)| addresses.iter().map(move |&address| (address, ifindex)))
        .collect();
    let mut taken: HashMap<u32, &NamedPod> = HashMap::new();
    let mut pods = Vec::new();
    for pod in named {
        let host = host_link(index, pod, &by_address);
        if host.is_none() && pod.host_ifname.is_some() {
            notes.add(NoteKind::PodWithoutInterface, || {
                let ifname = pod.host_ifname.as_deref().unwrap_or_default();
                format!(
                    "pod {}: neither its interface {} nor a route to it is there",
                    label(pod),
                    shown(ifname)
                )
            });
            continue;
        }
        if let Some(link) = host {
            if let Some(first) = taken.get(&link.ifindex) {
                notes.add(NoteKind::PodsOnOneInterface, || {
                    format!(
                        "pod {} is left out: its interface {} is already that of pod {}",
                        label(pod),
                        shown(&link.name),
                        label(first)
                    )
                });
                continue;
            }
            taken.insert(link.ifindex, pod);
        }
        let mut addresses: BTreeSet<IpAddr> = pod.addresses.iter().copied().collect();
        addresses.extend(host.and_then(|link| routed.get(&link.ifindex)).into_iter().flatten());
        pods.push(Pod {
            namespace: Some(pod.namespace.clone()),
            name: Some(pod.name.clone()),
            addresses: addresses.into_iter().collect(),
            host_ifindex: host.map(|link| link.ifindex),
            host_ifname: host.map(|link| link.name.clone()),
            source: PodSource::Lab,
        });
    }
    for (ifindex, addresses) in &routed {
        let Some(link) = index.link(*ifindex).filter(|_| !taken.contains_key(ifindex)) else { continue };
        pods.push(Pod {
            namespace: None,
            name: None,
            addresses: addresses.iter().copied().collect(),
            host_ifindex: Some(*ifindex),
            host_ifname: Some(link.name.clone()),
            source: PodSource::Route,
        });
    }
    pods.sort_by_cached_key(Pod::key);
    pods
}

/// The host end of a named pod's veth: by its name, else by the route to one of its addresses.
fn host_link<'a>(
    index: &Index<'a>,
    pod: &NamedPod,
    by_address: &HashMap<IpAddr, u32>,
) -> Option<&'a LinkFact> {
    let by_name = || pod.host_ifname.as_deref().and_then(|name| index.link_named(name));
    let by_route = || {
        let ifindex = pod.addresses.iter().find_map(|address| by_address.get(address))?;
        index.link(*ifindex)
    };
    by_name().or_else(by_route)
}

/// By host veth, the single addresses that are routed to it.
fn routed(index: &Index<'_>) -> BTreeMap<u32, BTreeSet<IpAddr>> {
    let mut routed: BTreeMap<u32, BTreeSet<IpAddr>> = BTreeMap::new();
    for route in &index.facts.routes {
        let Some(ifindex) = route.ifindex.filter(|_| is_to_one_station(route)) else { continue };
        let address = route.destination.addr();
        // The kernel adds such routes for the host's own addresses, too.
        if index.link(ifindex).is_some_and(is_pod_veth) && index.owners(address).is_empty() {
            routed.entry(ifindex).or_default().insert(address);
        }
    }
    routed
}

/// On the link itself: a /32 or /128 without a gateway.
fn is_to_one_station(route: &RouteFact) -> bool {
    route.kind == RouteType::Unicast
        && route.gateway.is_none()
        && route.destination.prefix_len() == route.destination.max_prefix_len()
}

/// A veth whose other end is in another network namespace.
fn is_pod_veth(link: &LinkFact) -> bool {
    link.kind.as_deref() == Some("veth") && link.link_netns.is_some()
}

fn label(pod: &NamedPod) -> String {
    format!("{}/{}", shown(&pod.namespace), shown(&pod.name))
}
