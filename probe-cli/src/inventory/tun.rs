//! flannel's UDP backend: a `tun` device whose packets flanneld wraps by itself. What it is and what is below it; no peers,
//! which only flanneld knows. Other programs' `tun` devices are no tunnels of pods.

use ipnet::IpNet;

use super::{
    Tunnel, TunnelKind,
    index::{Index, is_tun},
    node::bridge_networks,
    tunnels::underlay,
};
use crate::{facts::netlink::LinkFact, observed::Observed};

/// The tunnel that `link` is: by its address, or by its name where pods' bridge is not there yet.
pub(super) fn tunnel(index: &Index<'_>, link: &LinkFact) -> Option<Tunnel> {
    let is_flannels = is_tun(link) && (wide_base(index, link.ifindex).is_some() || is_named(&link.name));
    if !is_flannels {
        return None;
    }
    let below = index.default_route(4).and_then(|route| index.link(route.ifindex?));
    Some(Tunnel {
        name: link.name.clone(),
        ifindex: link.ifindex,
        kind: TunnelKind::Udp,
        vni: None,
        // The socket is a process's, not the device's.
        port: None,
        local: None,
        // flannel's UDP backend has no IPv6 (pkg/backend/udp).
        outer_family: Some(4),
        underlay: below.map(underlay),
        more_underlays: Vec::new(),
        mtu: link.mtu,
        mac: None,
        public_key: None,
        addresses: index.addresses(link.ifindex).iter().map(|fact| fact.address).collect(),
        external: false,
        l3: true,
        flood: 0,
        up: link.up,
        told: Observed::Value(()),
    })
}

/// The device's address that is the first one of a bridge's network and has the length of a wider one, the cluster's: flannel's
/// UDP backend, and VXLAN of early versions, lead to all other nodes by the one route that the kernel makes of it.
pub(super) fn wide_base(index: &Index<'_>, ifindex: u32) -> Option<IpNet> {
    let is_base = |address: &IpNet| {
        bridge_networks(index).any(|(bridge, network)| {
            bridge.ifindex != ifindex
                && network.network() == address.addr()
                && address.prefix_len() < network.prefix_len()
        })
    };
    index.addresses(ifindex).iter().map(|fact| fact.address).find(is_base)
}

/// `flannel0`, as flanneld has the kernel number it.
fn is_named(name: &str) -> bool {
    let number = name.strip_prefix("flannel");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
