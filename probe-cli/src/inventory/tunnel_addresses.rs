//! The addresses that other nodes have on their ends of tunnels: what answers through the tunnel, and is no pod.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Inventory, Peer, PeerKey, TunnelKind,
    index::{Index, family},
};

/// An address of a peer on its tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelAddress {
    /// Interface index of the tunnel here.
    pub tunnel: u32,
    /// The peer.
    pub key: PeerKey,
    /// Its address.
    pub address: IpAddr,
    /// No table has it: it follows from the peer's pod network, whose first address flannel gives its device.
    pub is_assumed: bool,
}

/// Those of all peers, one of each family where there is one.
pub(super) fn tunnel_addresses(index: &Index<'_>, inventory: &Inventory) -> Vec<TunnelAddress> {
    let nodes: BTreeSet<IpAddr> = inventory.peers.iter().filter_map(|peer| peer.node_address).collect();
    let of_peer = |peer: &Peer| {
        let found: Vec<(IpAddr, bool)> = match inventory.tunnel(peer.tunnel).map(|tunnel| tunnel.kind) {
            Some(TunnelKind::Wireguard) => by_allowed_ips(&peer.pod_cidrs, &nodes),
            Some(TunnelKind::Vxlan | TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp) | None => {
                by_neighbours(index, peer)
            }
        };
        let (tunnel, key) = (peer.tunnel, peer.key);
        let of_family = |version| {
            let (address, is_assumed) = found.iter().find(|(address, _)| family(*address) == version)?;
            Some(TunnelAddress { tunnel, key, address: *address, is_assumed: *is_assumed })
        };
        [4, 6].into_iter().filter_map(of_family).collect::<Vec<_>>()
    };
    inventory.peers.iter().flat_map(|peer| of_peer(peer)).collect()
}

/// Routes to a peer's pods have its address there as their gateway, which has a neighbour entry.
fn by_neighbours(index: &Index<'_>, peer: &Peer) -> Vec<(IpAddr, bool)> {
    let PeerKey::Mac(mac) = peer.key else { return Vec::new() };
    let entries = index.neighbours(peer.tunnel).iter();
    let own = entries.filter(|entry| entry.mac == Some(mac) && !entry.failed && is_usual(entry.address));
    let found: BTreeSet<IpAddr> = own.map(|entry| entry.address).collect();
    found.into_iter().map(|address| (address, false)).collect()
}

/// Calico allows the peer's own address, flannel only its pod network, whose first address its device has (`wgNetwork` in
/// flannel's pkg/backend/wireguard, pkg/backend/vxlan alike).
fn by_allowed_ips(allowed: &[IpNet], nodes: &BTreeSet<IpAddr>) -> Vec<(IpAddr, bool)> {
    let is_single = |network: &&IpNet| network.prefix_len() == network.max_prefix_len();
    let single = allowed.iter().filter(is_single).map(IpNet::addr);
    let single = single.filter(|address| !nodes.contains(address) && is_usual(*address));
    let wide = allowed.iter().filter(|network| !is_single(network) && network.prefix_len() > 0);
    let wide = wide.map(IpNet::network).filter(|address| is_usual(*address));
    single.map(|address| (address, false)).chain(wide.map(|address| (address, true))).collect()
}

/// It is of one node, and of more than one link.
fn is_usual(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !is_link_local && !address.is_multicast() && !address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use crate::{
        facts::netlink::{Facts, WireguardFact},
        inventory::testdata::*,
    };

    fn addresses(facts: &Facts) -> Vec<(u32, String, bool)> {
        let inventory = of_kernel(facts);
        inventory
            .tunnel_addresses
            .iter()
            .map(|row| (row.tunnel, row.address.to_string(), row.is_assumed))
            .collect()
    }

    #[test]
    fn neighbours_of_vxlan_have_them() {
        let mut facts = flannel6(flannel4(node(), 2), 1);
        facts.neighbours.push(neighbour(FLANNEL6, "fe80::1", mac(0x62)));
        assert_eq!(
            addresses(&facts),
            [
                (FLANNEL, "10.42.2.0".to_owned(), false),
                (FLANNEL, "10.42.3.0".to_owned(), false),
                (FLANNEL6, "fd42:0:0:2::".to_owned(), false),
            ]
        );
    }

    #[test]
    fn allowed_ips_of_wireguard_lead_to_them() {
        let of = |allowed: &[&str]| {
            let mut facts = node();
            facts.links.push(wireguard(9, "wg"));
            let mut fact: WireguardFact = wireguard_fact(9, 51820, &["10.42.2.0/24"]);
            fact.peers[0].allowed_ips = allowed.iter().map(|network| net(network)).collect();
            facts.wireguard.push(told(fact));
            addresses(&facts)
                .into_iter()
                .map(|(_, address, is_assumed)| (address, is_assumed))
                .collect::<Vec<_>>()
        };
        let found = |address: &str, is_assumed| (address.to_owned(), is_assumed);
        assert_eq!(
            of(&["10.42.2.0/24", "fd42:0:0:2::/64"]),
            [found("10.42.2.0", true), found("fd42:0:0:2::", true)]
        );
        // The node's own address is not on its tunnel.
        assert_eq!(of(&["10.42.2.64/26", "192.0.2.2/32", "10.42.2.70/32"]), [found("10.42.2.70", false)]);
        assert_eq!(of(&["0.0.0.0/0", "::/0"]), []);
    }
}
