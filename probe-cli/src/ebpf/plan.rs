//! What the lookup maps and hooks must be for an inventory. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;
use probe_common::{
    keys::{
        ALLOWED_TUNNEL_BITS, Address, AllowedIp, AllowedPeer, IfaceConfig, PodNetwork, PodRange, PodRanges,
        VNI_ANY, VNI_UNKNOWN,
    },
    limits::{DIRECT, IFACE_PROBES, IFACES, NODE_ADDRESSES},
    table::{
        Key, NODE_ADDRESS, PEER_OUTER, POD_ADDRESS, POD_IFINDEX, PORT_WORDS, PORTS_VXLAN, PORTS_WIREGUARD,
        TUNNEL_LISTEN,
    },
};

use super::{attach::Hook, slots::Slots};
use crate::{
    inventory::{
        Inventory, Mac, Peer, PeerKey, PodKey, PodNetworkOf, Tunnel, TunnelKind, Underlay, WireguardPeer,
    },
    model::mtu::{self, Room},
};

/// Slots of everything that is counted.
pub(super) struct AllSlots {
    pub(super) tunnels: Slots<u32>,
    pub(super) peers: Slots<(u32, PeerKey)>,
    pub(super) pods: Slots<PodKey>,
    /// Places in the trie of allowed IPs.
    pub(super) allowed_ips: u32,
    /// Places in the trie of pod networks.
    pub(super) pod_networks: u32,
}

/// A prefix in the trie of allowed IPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    /// Bits that count, those of the tunnel slot included.
    pub(super) bits: u32,
    /// Tunnel slot and address.
    pub(super) ip: AllowedIp,
}

/// Contents of the lookup maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// By place in the array.
    pub(super) tunnel_ifaces: BTreeMap<u32, IfaceConfig>,
    /// By place in the array.
    pub(super) under_ifaces: BTreeMap<u32, IfaceConfig>,
    /// By word of the bitmap.
    pub(super) outer_ports: BTreeMap<u32, u64>,
    /// Slots by key of the lookup table.
    pub(super) slots: BTreeMap<Key, u32>,
    /// Peers by allowed IP.
    pub(super) allowed: BTreeMap<Prefix, AllowedPeer>,
    /// Allowed IPs that found no place in the trie.
    pub(super) allowed_left_out: u64,
    /// Whose packets are that are met in no tunnel, by their far end.
    pub(super) pod_networks: BTreeMap<PodPrefix, PodNetwork>,
    /// Pod networks that found no place in the trie.
    pub(super) pod_networks_left_out: u64,
    /// What is around all of them, in an array of one.
    pub(super) pod_ranges: BTreeMap<u32, PodRanges>,
}

/// A prefix in the trie of pod networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PodPrefix {
    /// Bits that count.
    pub(super) bits: u32,
    /// Address, IPv4 as `::ffff:a.b.c.d`.
    pub(super) octets: [u8; 16],
}

/// The tables for `inventory`, for what has a slot.
pub(super) fn tables(inventory: &Inventory, slots: &AllSlots) -> Tables {
    let mut tables = Tables::default();
    let incomplete = add_allowed(&mut tables, inventory, slots);
    add_pod_networks(&mut tables, inventory, slots);
    for tunnel in &inventory.tunnels {
        if let Some(slot) = slots.tunnels.get(&tunnel.ifindex) {
            add_tunnel(&mut tables, tunnel, mtu::room(inventory, tunnel), slot, !incomplete.contains(&slot));
        }
    }
    for peer in &inventory.peers {
        if let (Some(tunnel), Some(slot)) =
            (slots.tunnels.get(&peer.tunnel), slots.peers.get(&(peer.tunnel, peer.key)))
        {
            add_peer(&mut tables, peer, tunnel, slot);
        }
    }
    for pod in &inventory.pods {
        let Some(slot) = slots.pods.get(&pod.key()) else { continue };
        if let Some(ifindex) = pod.host_ifindex {
            tables.slots.insert(Key::number(POD_IFINDEX, u64::from(ifindex)), slot);
        }
        for pod_address in &pod.addresses {
            tables.slots.entry(Key::address(POD_ADDRESS, address(*pod_address).words())).or_insert(slot);
        }
    }
    tables
}

/// The allowed IPs of all WireGuard peers. Those of a peer without a slot lead to its tunnel's "other". When there are too
/// many, the longest go first, so that what is there is right; gives the tunnels that are not complete.
fn add_allowed(tables: &mut Tables, inventory: &Inventory, slots: &AllSlots) -> BTreeSet<u32> {
    let mut wanted: BTreeMap<Prefix, AllowedPeer> = BTreeMap::new();
    for peer in &inventory.peers {
        let (Some(wireguard), Some(tunnel)) = (peer.wireguard, slots.tunnels.get(&peer.tunnel)) else {
            continue;
        };
        let slot = slots.peers.get(&(peer.tunnel, peer.key)).unwrap_or(tunnel);
        let value = AllowedPeer { peer: slot, overhead: peer_overhead(&wireguard) };
        for net in &peer.pod_cidrs {
            wanted.entry(prefix(tunnel, *net)).or_insert(value);
        }
    }
    let room = usize::try_from(slots.allowed_ips).unwrap_or(usize::MAX);
    let mut incomplete = BTreeSet::new();
    // By length: the bits come first in the order.
    for (prefix, value) in wanted.into_iter().rev() {
        if tables.allowed.len() < room {
            tables.allowed.insert(prefix, value);
        } else {
            tables.allowed_left_out += 1;
            incomplete.insert(prefix.ip.tunnel);
        }
    }
    // Peers that could not be read have allowed IPs, too.
    let unread = inventory
        .tunnels
        .iter()
        .filter(|tunnel| tunnel.kind == TunnelKind::Wireguard && tunnel.told.value().is_none());
    incomplete.extend(unread.filter_map(|tunnel| slots.tunnels.get(&tunnel.ifindex)));
    incomplete
}

/// What tells packets of pods that are in no tunnel: the networks of pods elsewhere, and the node's own addresses, which are no
/// pod's. When there are too many networks, the longest go first, so that what is there is right.
fn add_pod_networks(tables: &mut Tables, inventory: &Inventory, slots: &AllSlots) {
    let mut wanted = BTreeMap::new();
    let mut ranges = [PodRange::NONE; 2];
    for found in &inventory.pod_networks {
        let of_tunnel = |tunnel: u32| {
            Some(PodNetwork { tunnel: slots.tunnels.get(&tunnel)?, peer: slots.tunnels.get(&tunnel)? })
        };
        let of = match found.of {
            PodNetworkOf::Direct => Some(PodNetwork { tunnel: DIRECT, peer: DIRECT }),
            PodNetworkOf::Nobody { tunnel } => of_tunnel(tunnel),
            // A peer without a slot is among the tunnel's "other".
            PodNetworkOf::Peer { tunnel, key } => of_tunnel(tunnel).map(|whole| PodNetwork {
                peer: slots.peers.get(&(tunnel, key)).unwrap_or(whole.peer),
                ..whole
            }),
        };
        let Some(of) = of else { continue };
        let network = found.network;
        let [v4, v6] = &mut ranges;
        let (before, range) = if network.addr().is_ipv4() { (96, v4) } else { (0, v6) };
        let bits = before + u32::from(network.prefix_len());
        let address = address(network.network());
        widen(range, bits, address.words());
        wanted.insert(PodPrefix { bits, octets: address.octets }, of);
    }
    let room = usize::try_from(slots.pod_networks).unwrap_or(usize::MAX);
    // By length: the bits come first in the order.
    for (prefix, of) in wanted.into_iter().rev() {
        if tables.pod_networks.len() < room {
            tables.pod_networks.insert(prefix, of);
        } else {
            tables.pod_networks_left_out += 1;
        }
    }
    tables.pod_ranges.insert(0, PodRanges { ranges });
    for own in inventory.node.addresses.iter().take(usize::try_from(NODE_ADDRESSES).unwrap_or(usize::MAX)) {
        tables.slots.insert(Key::address(NODE_ADDRESS, address(own.address.addr()).words()), 0);
    }
}

/// Makes `range` the smallest network that has the one of `bits` at `words` in it, too.
fn widen(range: &mut PodRange, bits: u32, words: [u64; 2]) {
    let number =
        |[high, low]: [u64; 2]| (u128::from(u64::from_be(high)) << 64) | u128::from(u64::from_be(low));
    let words_of = |number: u128| {
        let [high, low] = [number >> 64, number & u128::from(u64::MAX)];
        [high, low].map(|half| u64::try_from(half).unwrap_or_default().to_be())
    };
    let mask = |bits: u32| u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    let new = number(words);
    let (first, mask) = if *range == PodRange::NONE {
        (new, mask(bits))
    } else {
        let (first, known) = (number(range.first), number(range.mask));
        let common = mask((first ^ new).leading_zeros());
        (first, known & mask(bits) & common)
    };
    *range = PodRange { first: words_of(first & mask), mask: words_of(mask) };
}

/// Bytes that outer packets to the peer add, by the endpoint's family; none without an endpoint, when nothing is sent.
fn peer_overhead(peer: &WireguardPeer) -> u32 {
    let family = peer.endpoint.map(|endpoint| if endpoint.is_ipv6() { 6 } else { 4 });
    family.map_or(0, |family| mtu::overhead(TunnelKind::Wireguard, Some(family)))
}

fn prefix(tunnel: u32, net: IpNet) -> Prefix {
    let before = if net.addr().is_ipv4() { 96 } else { 0 };
    Prefix {
        bits: ALLOWED_TUNNEL_BITS + before + u32::from(net.prefix_len()),
        ip: AllowedIp { tunnel, octets: address(net.network()).octets },
    }
}

/// What names a peer in packets.
fn add_peer(tables: &mut Tables, peer: &Peer, tunnel: u32, slot: u32) {
    let words = |of| address(of).words();
    match (peer.key, peer.wireguard) {
        (PeerKey::Mac(mac), _) => {
            tables.slots.insert(Key::mac(tunnel, number(mac)), slot);
            if let Some(node) = peer.node_address {
                // Two VTEPs behind one address: the first keeps the outer packets, the inventory notes the fault.
                tables.slots.entry(Key::address(PEER_OUTER | tunnel, words(node))).or_insert(slot);
            }
        }
        (PeerKey::PublicKey(_), wireguard) => {
            if let Some(endpoint) = wireguard.and_then(|wireguard| wireguard.endpoint) {
                let key = Key::endpoint(tunnel, words(endpoint.ip()), endpoint.port());
                tables.slots.entry(key).or_insert(slot);
            }
        }
    }
}

fn add_tunnel(tables: &mut Tables, tunnel: &Tunnel, room: Room, slot: u32, is_complete: bool) {
    let is_wireguard = tunnel.kind == TunnelKind::Wireguard;
    place(
        &mut tables.tunnel_ifaces,
        IfaceConfig {
            ifindex: tunnel.ifindex,
            tunnel: slot,
            overhead: room.overhead,
            budget: room.budget,
            l3: u8::from(tunnel.l3),
            flood: tunnel.flood,
            wireguard_mtu: if is_wireguard { tunnel.mtu } else { 0 },
            allowed_complete: u8::from(is_wireguard && is_complete),
            ..IfaceConfig::default()
        },
    );
    let vxlan_port = tunnel.port.filter(|_| !is_wireguard).unwrap_or(0);
    for Underlay { ifindex, l3, .. } in tunnel.underlays() {
        let config = IfaceConfig { ifindex: *ifindex, l3: u8::from(*l3), ..IfaceConfig::default() };
        let placed = place(&mut tables.under_ifaces, config);
        // Of several VXLAN tunnels above one device, the first has the short way.
        if let Some(placed) = placed.and_then(|index| tables.under_ifaces.get_mut(&index))
            && placed.vxlan_port == 0
        {
            placed.vxlan_port = vxlan_port;
        }
    }
    let Some(port) = tunnel.port else { return };
    let half = if is_wireguard { PORTS_WIREGUARD } else { PORTS_VXLAN };
    *tables.outer_ports.entry(half * PORT_WORDS + (u32::from(port) >> 6)).or_default() |= 1 << (port & 63);
    if is_wireguard {
        tables.slots.insert(Key::number(TUNNEL_LISTEN, u64::from(port)), slot);
        return;
    }
    let families: &[u8] = match tunnel.outer_family {
        Some(4) => &[4],
        Some(6) => &[6],
        _ => &[4, 6],
    };
    for &family in families {
        let vni = tunnel.vni.unwrap_or(VNI_ANY);
        tables.slots.insert(Key::outer(port, family, vni), slot);
        // An ICMP message may quote too little to show the VNI: the first tunnel of the port answers for it.
        tables.slots.entry(Key::outer(port, family, VNI_UNKNOWN)).or_insert(slot);
    }
}

/// Puts an interface where the programs look for it: at its index modulo the table's size, or a few places on. Gives the
/// place; none when others have all of these.
pub(super) fn place(table: &mut BTreeMap<u32, IfaceConfig>, config: IfaceConfig) -> Option<u32> {
    for probe in 0..IFACE_PROBES {
        let index = config.ifindex.wrapping_add(probe) & (IFACES - 1);
        let entry = table.entry(index).or_insert(config);
        if entry.ifindex == config.ifindex {
            return Some(index);
        }
    }
    None
}

/// Which programs belong on which interface, with the interface's name.
pub(super) fn hooks(inventory: &Inventory, tables: &Tables) -> BTreeMap<(u32, Hook), String> {
    let placed = |table: &BTreeMap<u32, IfaceConfig>, ifindex| table.values().any(|c| c.ifindex == ifindex);
    let mut hooks = BTreeMap::new();
    for tunnel in &inventory.tunnels {
        if !placed(&tables.tunnel_ifaces, tunnel.ifindex) {
            continue;
        }
        hooks.insert((tunnel.ifindex, Hook::Tunnel), tunnel.name.clone());
        for underlay in tunnel.underlays().filter(|u| placed(&tables.under_ifaces, u.ifindex)) {
            hooks.insert((underlay.ifindex, Hook::Underlay), underlay.name.clone());
        }
    }
    hooks
}

/// A MAC address as the programs have it.
fn number(mac: Mac) -> u64 {
    mac.0.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet))
}

/// An address as the maps have it.
fn address(address: IpAddr) -> Address {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    Address { octets: Ipv6Addr::octets(&octets) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        inventory::{Mac, Peer, Pod, PodNetwork as InventoryNetwork, PodSource, TunnelKind, Underlay},
        observed::Observed,
    };

    fn tunnel(ifindex: u32, family: u8, vni: Option<u32>) -> Tunnel {
        Tunnel {
            name: format!("t{ifindex}"),
            ifindex,
            kind: TunnelKind::Vxlan,
            vni,
            port: Some(8472),
            local: None,
            outer_family: Some(family),
            underlay: Some(Underlay { name: "eth0".to_owned(), ifindex: 2, mtu: 1500, l3: false }),
            mtu: 1450,
            more_underlays: vec![],
            mac: None,
            public_key: None,
            addresses: vec![],
            external: vni.is_none(),
            l3: false,
            flood: 0,
            told: Observed::Value(()),
            up: true,
        }
    }

    fn slots(inventory: &Inventory) -> AllSlots {
        let mut slots = AllSlots {
            tunnels: Slots::new(0, 16),
            peers: Slots::new(16, 4),
            pods: Slots::new(1, 4),
            allowed_ips: 5,
            pod_networks: 3,
        };
        slots.tunnels.assign(inventory.tunnels.iter().map(|t| t.ifindex));
        slots.peers.assign(inventory.peers.iter().map(|p| (p.tunnel, p.key)));
        slots.pods.assign(inventory.pods.iter().map(|pod| pod.key()));
        slots
    }

    #[test]
    fn dual_stack_tunnels_share_a_port_and_are_told_apart_by_family() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let inventory = Inventory {
            tunnels: vec![tunnel(5, 4, Some(1)), tunnel(6, 6, Some(1))],
            peers: vec![Arc::new(Peer {
                tunnel: 6,
                key: PeerKey::Mac(mac),
                node_address: "fd00::2".parse().ok(),
                pod_cidrs: vec![],
                last_tx_age_s: None,
                wireguard: None,
            })],
            pods: vec![Arc::new(Pod {
                addresses: vec!["10.42.1.2".parse().unwrap()],
                host_ifindex: Some(9),
                host_ifname: Some("cali1".to_owned()),
                source: PodSource::Route,
                ..Pod::default()
            })],
            ..Inventory::default()
        };
        let tables = tables(&inventory, &slots(&inventory));
        let outer = |family, vni| tables.slots.get(&Key::outer(8472, family, vni)).copied();
        assert_eq!(
            (outer(4, 1), outer(6, 1), outer(4, VNI_UNKNOWN), outer(4, VNI_ANY), outer(4, 2)),
            (Some(0), Some(1), Some(0), None, None)
        );
        assert_eq!(tables.outer_ports, BTreeMap::from([(8472 / 64, 1 << (8472 % 64))]));
        assert_eq!(tables.under_ifaces.get(&2).map(|config| config.vxlan_port), Some(8472));
        assert_eq!(tables.slots.get(&Key::mac(1, 0x0200_0000_0001)), Some(&16));
        assert_eq!(tables.slots.get(&Key::number(POD_IFINDEX, 9)), Some(&1));
        let mapped = Address { octets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 42, 1, 2] };
        assert_eq!(tables.slots.get(&Key::address(POD_ADDRESS, mapped.words())), Some(&1));
        assert_eq!(tables.tunnel_ifaces.get(&6).map(|c| (c.overhead, c.budget)), Some((70, 1430)));
        assert_eq!(hooks(&inventory, &tables).len(), 3, "two tunnels and one shared underlay");
    }

    #[test]
    fn all_pod_networks_are_in_the_ranges_and_the_longest_go_first() {
        let net = |network: &str, of| InventoryNetwork { network: network.parse().unwrap(), of };
        let key = PeerKey::Mac(Mac([2, 0, 0, 0, 0, 1]));
        let peer = PodNetworkOf::Peer { tunnel: 5, key };
        let mut inventory = Inventory {
            tunnels: vec![tunnel(5, 4, Some(1))],
            pod_networks: vec![
                net("10.42.1.0/24", PodNetworkOf::Nobody { tunnel: 5 }),
                net("10.42.2.0/24", peer),
                net("fd42:0:0:2::/64", PodNetworkOf::Direct),
            ],
            ..Inventory::default()
        };
        let slots = slots(&inventory);
        let planned = tables(&inventory, &slots);
        let contains = |tables: &Tables, of: &str| {
            let words = address(of.parse().unwrap()).words();
            tables.pod_ranges[&0].ranges.iter().any(|range| range.contains(words))
        };
        for (of, is_inside) in [
            ("10.42.0.0", true),
            ("10.42.2.255", true),
            ("10.42.3.255", true),
            ("10.42.4.0", false),
            ("11.42.1.1", false),
            ("fd42:0:0:2:ffff::", true),
            ("fd42:0:0:3::", false),
            ("::", false),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
        ] {
            assert_eq!(contains(&planned, of), is_inside, "{of}");
        }
        let whose = |tables: &Tables| tables.pod_networks.values().copied().collect::<Vec<_>>();
        // The peer has no slot.
        let (other, direct) =
            (PodNetwork { tunnel: 0, peer: 0 }, PodNetwork { tunnel: DIRECT, peer: DIRECT });
        assert_eq!(whose(&planned), [direct, other, other]);
        inventory.pod_networks.push(net("10.40.0.0/16", PodNetworkOf::Nobody { tunnel: 5 }));
        let planned = tables(&inventory, &slots);
        assert_eq!((planned.pod_networks.len(), planned.pod_networks_left_out), (3, 1));
        assert!(planned.pod_networks.keys().all(|prefix| prefix.bits > 64), "the shortest is left out");
        assert!(contains(&planned, "10.40.7.7") && !contains(&planned, "10.48.0.0"));
        // Without any nothing is looked up.
        let nothing = tables(&Inventory::default(), &slots);
        assert!(!contains(&nothing, "0.0.0.0") && !contains(&nothing, "::"));
    }

    #[test]
    fn interfaces_whose_places_collide_move_on_and_the_fifth_is_left_out() {
        let indices = [7, 7 + 64, 7 + 128, 7 + 192, 7 + 256];
        let inventory = Inventory {
            tunnels: indices.iter().map(|&i| Tunnel { underlay: None, ..tunnel(i, 4, Some(i)) }).collect(),
            ..Inventory::default()
        };
        let tables = tables(&inventory, &slots(&inventory));
        let places: Vec<_> = tables.tunnel_ifaces.iter().map(|(place, c)| (*place, c.ifindex)).collect();
        assert_eq!(places, [(7, 7), (8, 71), (9, 135), (10, 199)]);
        assert_eq!(hooks(&inventory, &tables).len(), 4);
    }
}
