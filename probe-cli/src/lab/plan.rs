//! What is where in a lab: names, addresses, MTUs, and the steps that make it. Pure.
//!
//! Facts of flannel and Calico that it follows are cited where they are used; the addresses are those of an RKE2
//! cluster's defaults (cluster-cidr 10.42.0.0/16).

mod wireguard;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use super::error::LabError;
use crate::{
    inventory::{Mac, TunnelKind},
    model::mtu::overhead,
    netlink::configure::{Route, Step, Vxlan},
    text::hex,
};
pub use wireguard::wireguard_peer_steps;
pub(super) use wireguard::wireguard_routes;

/// What namespaces of a lab start with by default.
pub const DEFAULT_PREFIX: &str = "ovp";

/// VXLAN network identifier of flannel's default configuration.
pub const VNI: u32 = 1;
/// UDP port of flannel's default configuration: the kernel's own default.
pub const PORT: u16 = 8472;
/// Canal's pod MTU, a constant of its chart (`calico.vethuMTU`).
const CANAL_POD_MTU: u32 = 1450;
/// MAC address of the host end of every pod's veth, as Calico sets it.
const HOST_MAC: Mac = Mac([0xee; 6]);

/// Address families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    #[default]
    Dual,
}

impl Family {
    /// Has IPv4.
    pub fn v4(self) -> bool {
        self != Self::V6
    }

    /// Has IPv6.
    pub fn v6(self) -> bool {
        self != Self::V4
    }
}

/// What carries packets between nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dataplane {
    /// flannel's VXLAN backend.
    #[default]
    Vxlan,
    /// flannel's WireGuard backend.
    Wireguard,
    /// A cluster halfway from one to the other: nodes whose numbers are both even or both odd use WireGuard between
    /// them, others VXLAN.
    Both,
}

impl Dataplane {
    /// There are VXLAN devices.
    pub fn vxlan(self) -> bool {
        self != Self::Wireguard
    }

    /// There are WireGuard devices.
    pub fn wireguard(self) -> bool {
        self != Self::Vxlan
    }

    /// Two nodes use WireGuard between them.
    fn wireguard_between(self, node: u16, peer: u16) -> bool {
        match self {
            Self::Vxlan => false,
            Self::Wireguard => true,
            Self::Both => node % 2 == peer % 2,
        }
    }
}

/// What a lab looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabOptions {
    /// What its namespaces start with.
    pub prefix: String,
    /// Nodes.
    pub nodes: u16,
    /// Pods on each node.
    pub pods: u16,
    /// Families of pods and tunnels.
    pub family: Family,
    /// MTU of the nodes' NICs in bytes.
    pub underlay_mtu: u32,
    /// What carries packets between nodes.
    #[serde(default)]
    pub dataplane: Dataplane,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
            nodes: 3,
            pods: 2,
            family: Family::Dual,
            underlay_mtu: 1500,
            dataplane: Dataplane::Vxlan,
        }
    }
}

impl LabOptions {
    /// Checks what becomes part of names.
    pub fn validate(&self) -> Result<(), LabError> {
        check_prefix(&self.prefix)
    }

    /// Name of the namespace that holds the underlay's bridge.
    pub fn underlay(&self) -> String {
        format!("{}-underlay", self.prefix)
    }

    /// Name of a node's namespace; nodes count from 1.
    pub fn node(&self, node: u16) -> String {
        format!("{}-node{node}", self.prefix)
    }

    /// Name of a pod's namespace; pods count from 1.
    pub fn pod(&self, node: u16, pod: u16) -> String {
        format!("{}-node{node}-pod{pod}", self.prefix)
    }

    /// MTU of `flannel.1`: the NIC's less IPv4, UDP, VXLAN and Ethernet headers (flannel pkg/backend/vxlan/device.go).
    pub fn v4_tunnel_mtu(&self) -> u32 {
        self.underlay_mtu.saturating_sub(overhead(TunnelKind::Vxlan, Some(4)))
    }

    /// MTU of `flannel-v6.1`: flannel asks for the same as above and the kernel clamps it (`vxlan_config_apply`).
    pub fn v6_tunnel_mtu(&self) -> u32 {
        self.underlay_mtu.saturating_sub(overhead(TunnelKind::Vxlan, Some(6)))
    }

    /// MTU of pods: Canal's constant, but never above a tunnel's, since this lab is a healthy one.
    pub fn pod_mtu(&self) -> u32 {
        let tunnel = if self.dataplane.wireguard() {
            self.wireguard_mtu()
        } else if self.family.v6() {
            self.v6_tunnel_mtu()
        } else {
            self.v4_tunnel_mtu()
        };
        CANAL_POD_MTU.min(tunnel)
    }
}

/// Checks that a prefix can be the start of a namespace's name and of a file's.
pub fn check_prefix(prefix: &str) -> Result<(), LabError> {
    let good = prefix.starts_with(|c: char| c.is_ascii_alphabetic())
        && prefix.len() <= 24
        && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if good { Ok(()) } else { Err(LabError::Prefix { prefix: prefix.to_owned() }) }
}

/// True for the name of a namespace that a lab with this prefix makes.
pub fn is_lab_name(prefix: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let number = |text: &str| !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    rest == "underlay"
        || rest.strip_prefix("node").is_some_and(|rest| match rest.split_once("-pod") {
            None => number(rest),
            Some((node, pod)) => number(node) && number(pod),
        })
}

/// Addresses of a node's NIC.
pub fn node_addresses(family: Family, node: u16) -> Vec<IpNet> {
    let mut addresses = Vec::new();
    if family.v4() {
        addresses.push(v4(node_v4(node), 24));
    }
    if family.v6() {
        addresses.push(v6(node_v6(node), 64));
    }
    addresses
}

/// IPv4 address of a node's NIC.
pub fn node_v4(node: u16) -> Ipv4Addr {
    Ipv4Addr::new(172, 31, 77, low(node))
}

/// IPv6 address of a node's NIC.
pub fn node_v6(node: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, node)
}

/// Base of a node's IPv4 pod network: also the tunnel device's address.
pub fn pod_base_v4(node: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, 42, low(node), 0)
}

/// Base of a node's IPv6 pod network.
pub fn pod_base_v6(node: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x42, 0, node, 0, 0, 0, 0)
}

/// Addresses of a pod. The IPv4 pod network is a /24 but 300 pods are allowed: those beyond 253 live in 10.43.
pub fn pod_addresses(family: Family, node: u16, pod: u16) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    if family.v4() && pod <= 253 {
        addresses.push(IpAddr::V4(Ipv4Addr::new(10, 42, low(node), low(pod + 1))));
    } else if family.v4() {
        addresses.push(IpAddr::V4(Ipv4Addr::new(10, 43, low(node), low(pod - 253))));
    }
    if family.v6() {
        addresses.push(IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, node, 0, 0, 0, pod + 1)));
    }
    addresses
}

/// MAC address of a node's tunnel device: locally administered, the same at every start.
pub fn vtep_mac(node: u16, is_v6: bool) -> Mac {
    let [high, low] = node.to_be_bytes();
    Mac([0x02, 0x42, if is_v6 { 0x06 } else { 0x04 }, 0, high, low])
}

/// Kubernetes namespace and name of a pod, as a Deployment would name it.
pub fn pod_name(node: u16, pod: u16) -> (String, String) {
    const APPS: [(&str, &str); 8] = [
        ("shop", "cart"),
        ("shop", "frontend"),
        ("billing", "ledger"),
        ("billing", "invoice"),
        ("monitoring", "prometheus"),
        ("shop", "search"),
        ("ingress", "gateway"),
        ("data", "kafka"),
    ];
    let index = usize::from(pod.saturating_sub(1)) % APPS.len();
    let (namespace, app) = APPS.get(index).copied().unwrap_or(("shop", "cart"));
    let hash = hex(&Sha1::digest(format!("{namespace}.{app}")));
    let unique = hex(&Sha1::digest(format!("{node}.{pod}")));
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    // The number makes it unique; the digits around it make it look like one of Kubernetes' own.
    (namespace.to_owned(), format!("{app}-{}-{}{pod:03x}", cut(&hash, 9), cut(&unique, 2)))
}

/// Steps inside a node's namespace, after its NIC `eth0` was put there.
pub fn node_steps(options: &LabOptions, node: u16) -> Vec<Step> {
    let mut steps = vec![up("lo")];
    for (path, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/all/accept_ra", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // No autoconfigured addresses: their MLD and neighbour messages would be noise on every count.
        ("ipv6/conf/default/addr_gen_mode", "1"),
        ("ipv6/conf/eth0/addr_gen_mode", "1"),
    ] {
        steps.push(sysctl(path, value));
    }
    steps.extend(nic_steps(options.family, node));
    for tunnel in tunnels(options, node) {
        steps.extend(tunnel_and_peers(options, &tunnel, node));
    }
    steps.extend(wireguard::device_steps(options, node));
    // flannel's --ip-blackhole-route.
    for (address, prefix) in pod_networks(options.family, node) {
        let destination = IpNet::new(address, prefix).unwrap_or(IpNet::from(address));
        steps.push(Step::Blackhole { destination });
    }
    steps
}

/// Steps that give a node's NIC its addresses and default routes.
pub(super) fn nic_steps(family: Family, node: u16) -> Vec<Step> {
    let mut steps = vec![up("eth0")];
    for address in node_addresses(family, node) {
        steps.push(Step::Address { name: "eth0".to_owned(), address });
    }
    steps.extend(default_routes(family).into_iter().map(Step::Route));
    steps
}

/// A node's default routes. Proxy ARP for 169.254.1.1 answers only when the node has a route to it.
pub(super) fn default_routes(family: Family) -> Vec<Route> {
    let by = |destination, gateway| Route {
        destination,
        via: Some(gateway),
        name: "eth0".to_owned(),
        onlink: false,
        protocol: None,
    };
    let ipv4 = family.v4().then(|| by(v4(Ipv4Addr::UNSPECIFIED, 0), node_v4(254).into()));
    let ipv6 = family.v6().then(|| by(v6(Ipv6Addr::UNSPECIFIED, 0), node_v6(254).into()));
    ipv4.into_iter().chain(ipv6).collect()
}

/// Steps that make a node's VXLAN device with its peers.
pub(super) fn tunnel_and_peers(options: &LabOptions, tunnel: &Vxlan, node: u16) -> Vec<Step> {
    let peers = (1..=options.nodes).filter(|&peer| peer != node);
    let by_vxlan = peers.filter(|&peer| !options.dataplane.wireguard_between(node, peer));
    let entries = by_vxlan.flat_map(|peer| peer_steps(tunnel.local.is_ipv6(), peer));
    tunnel_steps(tunnel, node).into_iter().chain(entries).collect()
}

/// Base and prefix length of a node's pod networks. The base is also its tunnel device's address.
fn pod_networks(family: Family, node: u16) -> Vec<(IpAddr, u8)> {
    let v4 = family.v4().then(|| (pod_base_v4(node).into(), 24));
    let v6 = family.v6().then(|| (pod_base_v6(node).into(), 64));
    v4.into_iter().chain(v6).collect()
}

/// The VXLAN devices of a node.
pub fn tunnels(options: &LabOptions, node: u16) -> Vec<Vxlan> {
    let tunnel = |name: &str, local: IpAddr, mtu| Vxlan {
        name: name.to_owned(),
        vni: VNI,
        port: PORT,
        local,
        link: "eth0".to_owned(),
        mtu,
        mac: vtep_mac(node, local.is_ipv6()),
        collect_metadata: false,
    };
    let mut tunnels = Vec::new();
    if !options.dataplane.vxlan() {
        return tunnels;
    }
    if options.family.v4() {
        tunnels.push(tunnel("flannel.1", node_v4(node).into(), options.v4_tunnel_mtu()));
    }
    if options.family.v6() {
        tunnels.push(tunnel("flannel-v6.1", node_v6(node).into(), options.v6_tunnel_mtu()));
    }
    tunnels
}

/// Steps that make a VXLAN device, but no peers.
pub fn tunnel_steps(tunnel: &Vxlan, node: u16) -> Vec<Step> {
    let name = &tunnel.name;
    let address = if tunnel.local.is_ipv4() { pod_base_v4(node).into() } else { pod_base_v6(node).into() };
    vec![
        Step::Vxlan(tunnel.clone()),
        sysctl(&format!("ipv6/conf/{name}/addr_gen_mode"), "1"),
        Step::Address { name: name.clone(), address: single(address) },
        up(name),
    ]
}

/// What a node has for one peer on one tunnel: neighbour, FDB entry, route (flannel pkg/backend/vxlan/vxlan_network.go).
pub fn peer_steps(is_v6: bool, peer: u16) -> Vec<Step> {
    let PeerEntries { device, gateway, mac, node, route } = peer_entries(is_v6, peer);
    vec![
        Step::Neighbour { name: device.to_owned(), address: gateway, mac },
        Step::Fdb { name: device.to_owned(), mac, destination: node },
        Step::Route(route),
    ]
}

/// The opposite of [`peer_steps`].
pub fn forget_peer_steps(is_v6: bool, peer: u16) -> Vec<Step> {
    let PeerEntries { device, gateway, mac, node, route } = peer_entries(is_v6, peer);
    vec![
        Step::DeleteRoute(route),
        Step::ForgetNeighbour { name: device.to_owned(), address: gateway },
        Step::ForgetFdb { name: device.to_owned(), mac, destination: node },
    ]
}

/// What the three tables say of a peer.
pub(super) struct PeerEntries {
    /// The tunnel device.
    pub(super) device: &'static str,
    /// Address of the peer's tunnel device, the gateway to its pods.
    pub(super) gateway: IpAddr,
    /// Link-layer address of the peer's tunnel device.
    pub(super) mac: Mac,
    /// Address of the peer's node.
    pub(super) node: IpAddr,
    /// The route to its pods.
    pub(super) route: Route,
}

pub(super) fn peer_entries(is_v6: bool, peer: u16) -> PeerEntries {
    let (device, gateway, node, destination): (_, IpAddr, IpAddr, _) = if is_v6 {
        ("flannel-v6.1", pod_base_v6(peer).into(), node_v6(peer).into(), v6(pod_base_v6(peer), 64))
    } else {
        ("flannel.1", pod_base_v4(peer).into(), node_v4(peer).into(), v4(pod_base_v4(peer), 24))
    };
    let route =
        Route { destination, via: Some(gateway), name: device.to_owned(), onlink: true, protocol: None };
    PeerEntries { device, gateway, mac: vtep_mac(peer, is_v6), node, route }
}

/// Steps in the node's namespace for the host end of a pod's veth, which exists already.
pub fn host_veth_steps(name: &str, addresses: &[IpAddr]) -> Vec<Step> {
    let mut steps = vec![
        sysctl(&format!("ipv4/conf/{name}/proxy_arp"), "1"),
        sysctl(&format!("ipv4/conf/{name}/forwarding"), "1"),
        sysctl(&format!("ipv6/conf/{name}/forwarding"), "1"),
        sysctl(&format!("ipv6/conf/{name}/accept_ra"), "0"),
        Step::Address { name: name.to_owned(), address: v6(HOST_LINK_LOCAL, 64) },
        up(name),
    ];
    steps.extend(addresses.iter().map(|address| route(single(*address), None, name, false)));
    steps
}

/// A pod's IPv4 default route.
pub(super) fn pod_default_route() -> Route {
    Route {
        destination: v4(Ipv4Addr::UNSPECIFIED, 0),
        via: Some(POD_GATEWAY.into()),
        name: "eth0".to_owned(),
        onlink: false,
        protocol: None,
    }
}

/// A pod's IPv6 default route.
pub(super) fn pod_default_route_v6() -> Route {
    Route {
        destination: v6(Ipv6Addr::UNSPECIFIED, 0),
        via: Some(HOST_LINK_LOCAL.into()),
        name: "eth0".to_owned(),
        onlink: false,
        protocol: None,
    }
}

/// Link-local address of the host end of every pod's veth: EUI-64 of [`HOST_MAC`]. The pods' IPv6 gateway.
const HOST_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0xecee, 0xeeff, 0xfeee, 0xeeee);
/// The pods' IPv4 gateway, which no interface has: proxy ARP answers for it.
const POD_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Ends of a pod's veth pair: the host's, the pod's.
pub fn veth_ends(host: &str, mtu: u32) -> (crate::netlink::configure::End, crate::netlink::configure::End) {
    let end = |name: &str, mac| crate::netlink::configure::End { name: name.to_owned(), mtu, mac };
    (end(host, Some(HOST_MAC)), end("eth0", None))
}

/// Steps in a pod's namespace, after its `eth0` was put there.
pub fn pod_steps(addresses: &[IpAddr]) -> Vec<Step> {
    let mut steps = vec![
        up("lo"),
        sysctl("ipv6/conf/all/accept_ra", "0"),
        sysctl("ipv6/conf/eth0/accept_ra", "0"),
        up("eth0"),
    ];
    for address in addresses {
        steps.push(Step::Address { name: "eth0".to_owned(), address: single(*address) });
    }
    if addresses.iter().any(IpAddr::is_ipv4) {
        steps.push(route(v4(POD_GATEWAY, 32), None, "eth0", false));
        steps.push(Step::Route(pod_default_route()));
        // Resolved once and for all: ARP in the middle of a measurement is noise.
        steps.push(Step::Neighbour { name: "eth0".to_owned(), address: POD_GATEWAY.into(), mac: HOST_MAC });
    }
    if addresses.iter().any(IpAddr::is_ipv6) {
        steps.push(Step::Route(pod_default_route_v6()));
        steps.push(Step::Neighbour {
            name: "eth0".to_owned(),
            address: HOST_LINK_LOCAL.into(),
            mac: HOST_MAC,
        });
    }
    steps
}

/// Steps in the underlay's namespace, after the nodes' ports were put there.
pub fn underlay_steps(options: &LabOptions) -> Vec<Step> {
    let mut steps = vec![up("lo"), sysctl("ipv6/conf/default/addr_gen_mode", "1")];
    steps.push(Step::Bridge { name: "br0".to_owned() });
    steps.push(Step::Mtu { name: "br0".to_owned(), mtu: options.underlay_mtu });
    for address in node_addresses(options.family, 254) {
        steps.push(Step::Address { name: "br0".to_owned(), address });
    }
    steps.push(up("br0"));
    steps
}

/// Steps in the underlay's namespace for one node's port, which exists already.
pub fn port_steps(node: u16) -> Vec<Step> {
    let name = port_name(node);
    vec![Step::Port { name: name.clone(), bridge: "br0".to_owned() }, up(&name)]
}

/// Name of a node's port on the underlay's bridge.
pub fn port_name(node: u16) -> String {
    format!("node{node}")
}

fn up(name: &str) -> Step {
    Step::Up { name: name.to_owned() }
}

fn sysctl(path: &str, value: &str) -> Step {
    Step::Sysctl { path: path.to_owned(), value: value.to_owned() }
}

fn route(destination: IpNet, via: Option<IpAddr>, name: &str, onlink: bool) -> Step {
    Step::Route(Route { destination, via, name: name.to_owned(), onlink, protocol: None })
}

fn single(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

fn v4(address: Ipv4Addr, prefix: u8) -> IpNet {
    Ipv4Net::new(address, prefix).unwrap_or_default().into()
}

fn v6(address: Ipv6Addr, prefix: u8) -> IpNet {
    Ipv6Net::new(address, prefix).unwrap_or_default().into()
}

/// The lower half of a number that is below 256.
fn low(number: u16) -> u8 {
    let [_, low] = number.to_be_bytes();
    low
}

#[cfg(test)]
mod tests;
