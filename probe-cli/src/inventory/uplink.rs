//! Links that lead to other machines, whatever their kind. In a container, and in a node that is one (kind, k3d, LXD), a NIC
//! is a veth as a pod's is: what the node does with it tells them apart.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    index::Index,
    node::{is_by_own_address, is_single},
};
use crate::facts::netlink::{LinkData, LinkFact, RouteFact, RouteType};

/// `rtm_protocol` of routes that a network gave to the node: by router advertisements and by DHCP (linux/rtnetlink.h).
const BY_THE_NETWORK: [u8; 2] = [9, 16];

/// Interface indices of links that lead to other machines. A CNI does none of this with the node's end of a pod's interface:
///
/// - a default route leaves by it;
/// - it has the address of a network, where a host end has none or a single one (ptp);
/// - it has an address, and a route by a gateway leaves by it;
/// - a tunnel's outer packets leave by it;
/// - a VLAN, a macvlan or an ipvlan is on top of it;
/// - it is a port of a bond.
pub(super) fn uplinks(index: &Index<'_>) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut has_address = BTreeSet::new();
    for fact in index.facts.addresses.rows().iter().filter(|fact| fact.global) {
        has_address.insert(fact.ifindex);
        if !is_single(fact.address) {
            found.insert(fact.ifindex);
        }
    }
    for route in index.facts.routes.iter().filter(|route| route.kind == RouteType::Unicast) {
        let Some(ifindex) = route.ifindex else { continue };
        let by_gateway = route.gateway.is_some() && !is_by_own_address(index, route);
        if route.destination.prefix_len() == 0 || (by_gateway && has_address.contains(&ifindex)) {
            found.insert(ifindex);
        }
    }
    for link in &index.facts.links {
        found.extend(below(index, link));
        let is_port = link.master.and_then(|master| index.link(master)).is_some_and(is_bond);
        found.extend(is_port.then_some(link.ifindex));
    }
    found
}

/// What the link sends by.
fn below(index: &Index<'_>, link: &LinkFact) -> Vec<u32> {
    let fixed = |device: Option<u32>| device.filter(|_| link.link_netns.is_none());
    let by_address = |local: Option<IpAddr>| local.map(|local| index.owners(local)).unwrap_or_default();
    if let Some(vxlan) = &link.vxlan {
        return fixed(vxlan.link).into_iter().chain(by_address(vxlan.local).iter().copied()).collect();
    }
    match &link.data {
        Some(LinkData::IpTunnel(tunnel)) => {
            fixed(tunnel.link).into_iter().chain(by_address(tunnel.local).iter().copied()).collect()
        }
        Some(LinkData::Vlan(_) | LinkData::Macvlan(_) | LinkData::Ipvlan(_)) => {
            fixed(link.link).into_iter().collect()
        }
        Some(LinkData::Bridge(_) | LinkData::Geneve(_) | LinkData::Netkit(_)) | None => Vec::new(),
    }
}

fn is_bond(link: &LinkFact) -> bool {
    matches!(link.kind.as_deref(), Some("bond" | "team"))
}

/// Addresses of routers and of other nodes: a route to one of these leads to no pod.
pub(super) fn beyond(index: &Index<'_>) -> BTreeSet<IpAddr> {
    let hops = index.facts.routes.iter().filter_map(|route| route.gateway);
    let nodes = index.facts.fdb.iter().filter_map(|entry| entry.destination);
    let devices = index.facts.wireguard.iter().filter_map(|device| device.told.value());
    let endpoints = devices.flat_map(|device| &device.peers).filter_map(|peer| peer.endpoint);
    hops.chain(nodes).chain(endpoints.map(|endpoint| endpoint.ip())).collect()
}

/// The network made the route, or it is to an address that is only a next hop: no CNI has made it for a pod.
pub(super) fn is_of_network(route: &RouteFact) -> bool {
    let is_link_local = match route.destination.addr() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local || BY_THE_NETWORK.contains(&route.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::netlink::{Facts, VlanFact, VxlanFact},
        inventory::testdata::*,
    };

    /// What a node may have, and how it comes to it.
    type Change = (&'static str, fn(&mut Facts));

    /// The second NIC of the node, a veth, with index 7.
    fn veth(mut facts: Facts) -> Facts {
        facts.links.push(pod_veth(7, "eth1"));
        facts
    }

    fn with(change: impl Fn(&mut Facts)) -> Facts {
        let mut facts = veth(node());
        change(&mut facts);
        facts
    }

    fn is_uplink(facts: &Facts) -> bool {
        uplinks(&Index::new(facts)).contains(&7)
    }

    #[test]
    fn what_a_node_does_with_a_nic_and_not_with_a_pods_end() {
        let nics: [Change; 10] = [
            ("an address of a network", |facts| facts.addresses.push(address(7, "10.1.0.7/16"))),
            ("a default route onto the link", |facts| facts.routes.push(route("0.0.0.0/0", None, 7))),
            ("a default route", |facts| facts.routes.push(route("::/0", Some("fe80::1"), 7))),
            ("an address and a route by a gateway", |facts| {
                facts.addresses.push(address(7, "10.1.0.7/32"));
                facts.routes.push(route("10.1.0.0/16", Some("10.1.0.1"), 7));
            }),
            ("VXLAN on it", |facts| {
                let data = VxlanFact { link: Some(7), ..VxlanFact::default() };
                facts.links.push(vxlan(8, "flannel.1", data));
            }),
            ("VXLAN from its address", |facts| {
                facts.addresses.push(address(7, "10.1.0.7/32"));
                let data = VxlanFact { local: Some(ip("10.1.0.7")), ..VxlanFact::default() };
                facts.links.push(vxlan(8, "vxlan.calico", data));
            }),
            ("a VLAN on it", |facts| {
                let data = Some(LinkData::Vlan(VlanFact { id: 7, is_qinq: false }));
                facts.links.push(LinkFact { link: Some(7), data, ..ethernet(8, "eth1.7") });
            }),
            ("a macvlan on it", |facts| {
                let data = Some(LinkData::Macvlan(None));
                facts.links.push(LinkFact { link: Some(7), data, ..ethernet(8, "mac0") });
            }),
            ("an ipvlan on it", |facts| {
                let data = Some(LinkData::Ipvlan(None));
                facts.links.push(LinkFact { link: Some(7), data, ..ethernet(8, "ipv0") });
            }),
            ("a port of a bond", |facts| {
                facts.links.push(LinkFact { kind: Some("bond".to_owned()), ..ethernet(8, "bond0") });
                facts
                    .links
                    .iter_mut()
                    .filter(|link| link.ifindex == 7)
                    .for_each(|link| link.master = Some(8));
            }),
        ];
        for (what, change) in nics {
            assert!(is_uplink(&with(change)), "{what}");
        }
        let ends: [Change; 5] = [
            ("nothing", |_| {}),
            ("Calico's", |facts| facts.routes.push(route("10.42.0.5/32", None, 7))),
            // The ptp plugin gives the gateway's address to each host end.
            ("ptp's", |facts| {
                facts.addresses.push(address(7, "10.244.0.1/32"));
                facts.routes.push(route("10.244.0.5/32", None, 7));
            }),
            ("a bridge's port", |facts| {
                facts.links.push(LinkFact { kind: Some("bridge".to_owned()), ..ethernet(8, "cni0") });
                facts
                    .links
                    .iter_mut()
                    .filter(|link| link.ifindex == 7)
                    .for_each(|link| link.master = Some(8));
            }),
            // The index is one of another namespace.
            ("a macvlan of another namespace", |facts| {
                let data = Some(LinkData::Macvlan(None));
                let link = LinkFact { link: Some(7), link_netns: Some(3), data, ..ethernet(8, "mac0") };
                facts.links.push(link);
            }),
        ];
        for (what, change) in ends {
            assert!(!is_uplink(&with(change)), "{what}");
        }
    }

    #[test]
    fn addresses_that_no_pod_has() {
        let mut facts = flannel4(node(), 1);
        facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
        let found = beyond(&Index::new(&facts));
        // The routers, the gateway in the tunnel, the nodes behind VXLAN and WireGuard.
        for address in ["192.0.2.254", "2001:db8::fe", "10.42.2.0", "192.0.2.2"] {
            assert!(found.contains(&ip(address)), "{address}");
        }
        assert!(!found.contains(&ip("192.0.2.1")), "an own address");
        let by = |protocol| RouteFact { protocol, ..route("10.1.0.9/32", None, 7) };
        assert!(is_of_network(&by(16)) && is_of_network(&by(9)) && !is_of_network(&by(3)));
        for (address, expected) in [("169.254.1.1/32", true), ("fe80::1/128", true), ("fd42::1/128", false)] {
            assert_eq!(is_of_network(&route(address, None, 7)), expected, "{address}");
        }
    }
}
