//! The host end of a pod's veth, by every rule that finds one. Which of them is believed is for the caller.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use super::named::{DEFAULT_INTERFACE, Named};
use crate::{
    facts::netlink::{LinkFact, NamespaceFact, RouteFact, RouteType},
    inventory::{
        index::Index,
        node::is_single,
        pod::{Evidence, calico_veth_name},
        uplink::{beyond, is_of_network, uplinks},
    },
};

/// A host end, and the rule that found it.
pub(super) type Found<'a> = (Evidence, &'a LinkFact);

/// By host veth, the single addresses that are routed to it: a pod's, where the veth is not a NIC of the node.
pub(super) struct Routed(BTreeMap<u32, BTreeSet<IpAddr>>);

impl Routed {
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut routed: BTreeMap<u32, BTreeSet<IpAddr>> = BTreeMap::new();
        let (uplinks, beyond) = (uplinks(index), beyond(index));
        for route in index.facts.routes.iter().filter(|route| is_to_one_station(route)) {
            let Some(ifindex) = route.ifindex.filter(|ifindex| !uplinks.contains(ifindex)) else { continue };
            let address = route.destination.addr();
            // The kernel adds such routes for the host's own addresses, too.
            let may_be_pods = index.owners(address).is_empty() && !beyond.contains(&address);
            if index.link(ifindex).is_some_and(is_pod_veth) && may_be_pods && !is_of_network(route) {
                routed.entry(ifindex).or_default().insert(address);
            }
        }
        Self(routed)
    }

    /// What is routed to the veth with this index.
    pub(super) fn addresses(&self, ifindex: u32) -> Option<&BTreeSet<IpAddr>> {
        self.0.get(&ifindex)
    }

    /// All of them, by interface index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &BTreeSet<IpAddr>)> {
        self.0.iter().map(|(ifindex, addresses)| (*ifindex, addresses))
    }
}

/// The node's veths by what the rules look them up by.
pub(super) struct HostEnds<'a> {
    index: &'a Index<'a>,
    by_address: HashMap<IpAddr, u32>,
    /// By the number of the namespace that the other end is in, and its index there.
    by_peer: HashMap<(i32, u32), &'a LinkFact>,
}

impl<'a> HostEnds<'a> {
    pub(super) fn new(index: &'a Index<'a>, routed: &Routed) -> Self {
        let by_peer = index
            .facts
            .links
            .iter()
            .filter(|link| is_pod_veth(link))
            .filter_map(|link| Some(((link.link_netns?, link.link?), link)))
            .collect();
        let by_address = routed
            .iter()
            .flat_map(|(ifindex, addresses)| addresses.iter().map(move |&address| (address, ifindex)))
            .collect();
        Self { index, by_address, by_peer }
    }

    /// What each rule finds, the strongest first. `namespace` is the pod's.
    pub(super) fn of(&self, pod: &Named<'_>, namespace: Option<&NamespaceFact>) -> Vec<Found<'a>> {
        // A bridge is no pod's: plugins name it among the interfaces that they made.
        let named = |name: &str| self.index.link_named(name).filter(|link| is_pod_veth(link));
        let calico = named(&calico_veth_name(pod.namespace, pod.name));
        let result = super::named::default_attachment(&pod.attachments)
            .and_then(|attachment| attachment.host_ifnames.iter().find_map(|name| named(name)));
        let peer = namespace.and_then(|namespace| {
            let inside = namespace.links.iter().find(|link| link.name == DEFAULT_INTERFACE)?;
            self.by_peer.get(&(namespace.nsid?, inside.ifindex)).copied()
        });
        let addresses = pod.addresses.iter().flat_map(|(_, addresses)| addresses);
        let route = addresses
            .filter_map(|address| self.by_address.get(address))
            .find_map(|ifindex| self.index.link(*ifindex));
        [
            (Evidence::CalicoName, calico),
            (Evidence::LibcniResult, result),
            (Evidence::PeerIndex, peer),
            (Evidence::LabRegistry, pod.registered.and_then(named)),
            (Evidence::Route, route),
        ]
        .into_iter()
        .filter_map(|(evidence, link)| Some((evidence, link?)))
        .collect()
    }
}

/// On the link itself: a /32 or /128 without a gateway.
fn is_to_one_station(route: &RouteFact) -> bool {
    route.kind == RouteType::Unicast && route.gateway.is_none() && is_single(route.destination)
}

/// A veth whose other end is in another network namespace.
fn is_pod_veth(link: &LinkFact) -> bool {
    link.kind.as_deref() == Some("veth") && link.link_netns.is_some()
}
