//! Reads the state of the node's network namespace that changes slowly: sysctls, learned path MTUs, VLANs of bridges, and of
//! the devices that traffic to other nodes takes driver, offloads and neighbours. Which devices these are is decided here; what
//! they are to the node, in the inventory.

use std::collections::BTreeSet;

use crate::{
    facts::{
        netlink::{Facts, LinkData, LinkFact, WIREGUARD},
        network::{NetworkDevice, NetworkFacts},
    },
    netlink::Source,
    observed::Observed,
    proc,
};

/// Devices that are asked about. A node has a few tunnels and NICs; a driver may have to ask its firmware.
const MOST: usize = 64;
/// Devices below each other: a tunnel on a VLAN on a bond.
const LEVELS: usize = 8;

/// Reads it, in the calling thread's network namespace, which `netlink` was opened in; `tables` are its links and routes. Takes
/// some system calls for each device: not for each sample.
pub fn network(netlink: &Source, tables: &Facts) -> NetworkFacts {
    let wanted = wanted(tables);
    let devices = wanted.iter().take(MOST).map(|link| NetworkDevice {
        device: netlink.device(link.ifindex, &link.name),
        neighbours: if is_tunnel(link) { Observed::Absent } else { netlink.neighbours_of(link.ifindex) },
    });
    NetworkFacts {
        sysctls: proc::sysctls(),
        pmtu_ipv4: netlink.pmtu_exceptions_v4(),
        pmtu_ipv6: netlink.pmtu_exceptions_v6(),
        bridge_vlans: netlink.bridge_vlans(),
        devices: devices.collect(),
        left_out: u64::try_from(wanted.len().saturating_sub(MOST)).unwrap_or(u64::MAX),
    }
}

fn is_tunnel(link: &LinkFact) -> bool {
    link.vxlan.is_some()
        || matches!(link.data, Some(LinkData::Geneve(_) | LinkData::IpTunnel(_)))
        || link.kind.as_deref() == Some(WIREGUARD)
}

/// Tunnels, hardware, what routes by a gateway leave by, and everything below and above these: the tunnels first.
fn wanted(tables: &Facts) -> Vec<&LinkFact> {
    let by_gateway =
        tables.routes.iter().filter(|route| route.gateway.is_some()).filter_map(|route| route.ifindex);
    let mut found: BTreeSet<u32> = by_gateway.collect();
    for link in &tables.links {
        // Hardware has no kind, nor has loopback.
        if is_tunnel(link) || (link.kind.is_none() && !link.is_loopback()) {
            found.insert(link.ifindex);
        }
        found.extend(link.vxlan.as_ref().and_then(|vxlan| vxlan.link));
        if let Some(LinkData::IpTunnel(tunnel)) = &link.data {
            found.extend(tunnel.link);
        }
    }
    for _ in 0..LEVELS {
        let before = found.len();
        for link in tables.links.iter().filter(|link| link.kind.as_deref() != Some("veth")) {
            // The ports of a bond or a bridge, and what a VLAN is on.
            let master = link.master.filter(|master| found.contains(master));
            let below = link.link.filter(|_| link.link_netns.is_none() && found.contains(&link.ifindex));
            found.extend(master.map(|_| link.ifindex));
            found.extend(below);
        }
        if found.len() == before {
            break;
        }
    }
    let mut wanted: Vec<&LinkFact> =
        tables.links.iter().filter(|link| found.contains(&link.ifindex)).collect();
    wanted.sort_by_key(|link| !is_tunnel(link));
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::netlink::{RouteFact, RouteType, VlanFact, VxlanFact};

    fn link(ifindex: u32, name: &str, kind: Option<&str>) -> LinkFact {
        LinkFact { ifindex, name: name.to_owned(), kind: kind.map(str::to_owned), ..LinkFact::default() }
    }

    #[test]
    fn tunnels_and_all_that_carries_them() {
        let vxlan = VxlanFact { link: Some(5), ..VxlanFact::default() };
        let vlan = Some(LinkData::Vlan(VlanFact::default()));
        let mut tables = Facts {
            links: vec![
                LinkFact { hardware_type: crate::facts::netlink::LOOPBACK, ..link(1, "lo", None) },
                LinkFact { master: Some(4), ..link(2, "eth0", None) },
                LinkFact { master: Some(4), ..link(3, "dummy0", Some("dummy")) },
                link(4, "bond0", Some("bond")),
                LinkFact { link: Some(4), data: vlan, ..link(5, "bond0.7", Some("vlan")) },
                LinkFact { vxlan: Some(vxlan), ..link(6, "flannel.1", Some("vxlan")) },
                LinkFact { link: Some(2), link_netns: Some(0), ..link(7, "cali0", Some("veth")) },
                LinkFact { master: Some(9), ..link(8, "vethx", Some("veth")) },
                link(9, "cni0", Some("bridge")),
                link(10, "br-ex", Some("bridge")),
                link(11, "wg0", Some(WIREGUARD)),
            ],
            ..Facts::default()
        };
        let names = |tables: &Facts| -> Vec<String> {
            wanted(tables).into_iter().map(|link| link.name.clone()).collect()
        };
        assert_eq!(names(&tables), ["flannel.1", "wg0", "eth0", "dummy0", "bond0", "bond0.7"]);
        let default = RouteFact {
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some("192.0.2.1".parse().unwrap()),
            ifindex: Some(10),
            kind: RouteType::Unicast,
            metric: 0,
            mtu: None,
            source: None,
            protocol: 3,
        };
        tables.routes.ipv4 = Observed::Value(vec![default]);
        assert!(names(&tables).contains(&"br-ex".to_owned()));
    }
}
