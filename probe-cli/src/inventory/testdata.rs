//! Facts of nodes for the tests of the joins: a NIC, flannel's devices, pods. No expectations.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;

use super::{Inventory, Mac, inventory};
use crate::facts::{
    OfNamespace, Snapshot,
    netlink::{
        AddressFact, Facts, FdbFact, LinkFact, NamespaceFact, NeighbourFact, PmtuException, PublicKey,
        RouteFact, RouteType, VxlanFact, WIREGUARD, WireguardFact, WireguardPeerFact,
    },
    pods::PodFacts,
};
use crate::observed::Observed;

pub(crate) use crate::facts::netlink::testdata::told;

pub(crate) const ETH0: u32 = 2;
pub(crate) const FLANNEL: u32 = 3;
pub(crate) const FLANNEL6: u32 = 4;

/// The inventory of a node whose pods nobody names.
pub(crate) fn of_kernel(facts: &Facts) -> Inventory {
    joined(facts, &PodFacts::default(), &[])
}

/// The inventory of a node with these pods and what is in their namespaces.
pub(crate) fn joined(facts: &Facts, pods: &PodFacts, namespaces: &[NamespaceFact]) -> Inventory {
    inventory(&snapshot(facts, pods, namespaces))
}

/// What sources said that know nothing else.
pub(crate) fn snapshot(facts: &Facts, pods: &PodFacts, namespaces: &[NamespaceFact]) -> Snapshot {
    let of =
        |fact: &NamespaceFact| OfNamespace { path: fact.path.clone(), told: Observed::Value(fact.clone()) };
    Snapshot {
        netlink: Arc::new(facts.clone()),
        pods: Arc::new(pods.clone()),
        namespaces: Arc::new(namespaces.iter().map(of).collect()),
        ..Snapshot::default()
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([0x0a, 0, 0, 0, 0, last])
}

pub(crate) fn ethernet(ifindex: u32, name: &str) -> LinkFact {
    let qdisc = Some("noqueue".to_owned());
    LinkFact {
        ifindex,
        name: name.to_owned(),
        hardware_type: 1,
        mtu: 1500,
        up: true,
        qdisc,
        ..LinkFact::default()
    }
}

pub(crate) fn vxlan(ifindex: u32, name: &str, vxlan: VxlanFact) -> LinkFact {
    let kind = Some("vxlan".to_owned());
    LinkFact { kind, mtu: 1450, mac: Some(mac(1)), vxlan: Some(vxlan), ..ethernet(ifindex, name) }
}

pub(crate) fn pod_veth(ifindex: u32, name: &str) -> LinkFact {
    LinkFact { kind: Some("veth".to_owned()), link: Some(2), link_netns: Some(0), ..ethernet(ifindex, name) }
}

pub(crate) fn address(ifindex: u32, text: &str) -> AddressFact {
    AddressFact { ifindex, address: net(text), global: true }
}

pub(crate) fn route(destination: &str, gateway: Option<&str>, ifindex: u32) -> RouteFact {
    RouteFact {
        destination: net(destination),
        gateway: gateway.map(ip),
        ifindex: Some(ifindex),
        kind: RouteType::Unicast,
        metric: 0,
        mtu: None,
        source: None,
        protocol: 3,
    }
}

pub(crate) fn neighbour(ifindex: u32, address: &str, mac: Mac) -> NeighbourFact {
    NeighbourFact { ifindex, address: ip(address), mac: Some(mac), permanent: true, failed: false }
}

pub(crate) fn fdb(ifindex: u32, mac: Mac, destination: &str) -> FdbFact {
    FdbFact { ifindex, mac, destination: Some(ip(destination)), used_s: Some(1) }
}

/// A node with one NIC of both families and nothing else.
pub(crate) fn node() -> Facts {
    Facts {
        links: vec![
            LinkFact { hardware_type: libc::ARPHRD_LOOPBACK, ..ethernet(1, "lo") },
            ethernet(ETH0, "eth0"),
        ],
        addresses: vec![address(ETH0, "192.0.2.1/24"), address(ETH0, "2001:db8::1/64")].into(),
        routes: vec![
            route("0.0.0.0/0", Some("192.0.2.254"), ETH0),
            route("192.0.2.0/24", None, ETH0),
            route("::/0", Some("2001:db8::fe"), ETH0),
        ]
        .into(),
        ..Facts::default()
    }
}

pub(crate) fn flannel4(mut facts: Facts, peers: u8) -> Facts {
    let data = VxlanFact {
        vni: 1,
        port: 8472,
        link: Some(ETH0),
        local: Some(ip("192.0.2.1")),
        ..VxlanFact::default()
    };
    facts.links.push(vxlan(FLANNEL, "flannel.1", data));
    facts.addresses.push(address(FLANNEL, "10.42.0.0/32"));
    for n in 2..2 + peers {
        let gateway = format!("10.42.{n}.0");
        facts.routes.push(route(&format!("{gateway}/24"), Some(&gateway), FLANNEL));
        facts.neighbours.push(neighbour(FLANNEL, &gateway, mac(n)));
        facts.fdb.push(fdb(FLANNEL, mac(n), &format!("192.0.2.{n}")));
    }
    facts
}

pub(crate) fn flannel6(mut facts: Facts, peers: u8) -> Facts {
    let data = VxlanFact {
        vni: 1,
        port: 8472,
        link: Some(ETH0),
        local: Some(ip("2001:db8::1")),
        ..VxlanFact::default()
    };
    facts.links.push(LinkFact { mtu: 1430, ..vxlan(FLANNEL6, "flannel-v6.1", data) });
    for n in 2..2 + peers {
        let gateway = format!("fd42:0:0:{n}::");
        facts.routes.push(route(&format!("{gateway}/64"), Some(&gateway), FLANNEL6));
        facts.neighbours.push(neighbour(FLANNEL6, &gateway, mac(0x60 + n)));
        facts.fdb.push(fdb(FLANNEL6, mac(0x60 + n), &format!("2001:db8::{n}")));
    }
    facts
}

/// A path MTU that was learned by ICMP.
pub(crate) fn learned(destination: &str, mtu: u32) -> PmtuException {
    PmtuException {
        destination: ip(destination),
        mtu,
        is_locked: false,
        ifindex: Some(ETH0),
        gateway: None,
        table: 254,
        expires_s: Some(512),
    }
}

/// The node's own pod network, as flannel's `--ip-blackhole-route` leaves it.
pub(crate) fn blackhole(destination: &str) -> RouteFact {
    RouteFact { ifindex: None, kind: RouteType::Blackhole, ..route(destination, None, 0) }
}

/// A WireGuard device, without what only generic netlink tells.
pub(crate) fn wireguard(ifindex: u32, name: &str) -> LinkFact {
    LinkFact {
        kind: Some(WIREGUARD.to_owned()),
        mtu: 1420,
        hardware_type: libc::ARPHRD_NONE,
        ..ethernet(ifindex, name)
    }
}

/// What generic netlink tells of it, with a peer for each network: 192.0.2.2 has the first.
pub(crate) fn wireguard_fact(ifindex: u32, port: u16, networks: &[&str]) -> WireguardFact {
    let peer = |(number, network): (u8, &&str)| WireguardPeerFact {
        public_key: PublicKey([number; 32]),
        endpoint: Some(SocketAddr::new(ip(&format!("192.0.2.{number}")), port)),
        allowed_ips: vec![net(network)],
        ..WireguardPeerFact::default()
    };
    WireguardFact {
        ifindex,
        public_key: Some(PublicKey([1; 32])),
        listen_port: port,
        fwmark: 0,
        peers: (2..).zip(networks).map(peer).collect(),
    }
}

/// The node's own pod network, as flannel's `--ip-blackhole-route` marks it.
pub(crate) fn own_block(mut facts: Facts) -> Facts {
    facts.routes.push(blackhole("10.42.0.0/24"));
    facts
}

/// The host end of a pod's veth as Calico makes it, with the route to the pod.
pub(crate) fn calico_pod(mut facts: Facts, ifindex: u32, address: &str) -> Facts {
    facts.links.push(LinkFact { mac: Some(Mac([0xee; 6])), ..pod_veth(ifindex, &format!("cali{ifindex}")) });
    facts.routes.push(route(address, None, ifindex));
    facts
}

/// flannel's bridge with a pod on it: its network is the node's.
pub(crate) fn bridged_pod(mut facts: Facts, ifindex: u32, bridge: &str) -> Facts {
    facts.links.push(LinkFact { kind: Some("bridge".to_owned()), mtu: 1450, ..ethernet(ifindex, "cni0") });
    facts.addresses.push(address(ifindex, bridge));
    let network = net(bridge).trunc().to_string();
    facts.routes.push(RouteFact { protocol: 2, ..route(&network, None, ifindex) });
    let port = LinkFact { master: Some(ifindex), mtu: 1450, ..pod_veth(ifindex + 1, "veth1a2b3c4d") };
    facts.links.push(port);
    facts
}

/// Cilium's pair of veths, and its route to the node's own pods by it, with the route's MTU.
pub(crate) fn cilium_host(mut facts: Facts, ifindex: u32) -> Facts {
    let veth = |ifindex, peer, name| LinkFact {
        kind: Some("veth".to_owned()),
        link: Some(peer),
        ..ethernet(ifindex, name)
    };
    facts.links.push(veth(ifindex, ifindex + 1, "cilium_net"));
    facts.links.push(veth(ifindex + 1, ifindex, "cilium_host"));
    facts.addresses.push(address(ifindex + 1, "10.0.0.5/32"));
    for network in ["10.0.0.0/24", "10.0.1.0/24"] {
        let mtu = (network == "10.0.1.0/24").then_some(1450);
        facts.routes.push(RouteFact { mtu, ..route(network, Some("10.0.0.5"), ifindex + 1) });
    }
    facts
}
