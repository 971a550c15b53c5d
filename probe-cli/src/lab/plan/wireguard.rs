//! flannel's WireGuard backend: a device for each family, with one route to the whole cluster network
//! (flannel pkg/backend/wireguard).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{LabOptions, node_v4, node_v6, pod_base_v4, pod_base_v6, single, sysctl, up, v4, v6};
use crate::{
    inventory::TunnelKind,
    model::mtu::overhead,
    netlink::configure::{Route, Step, Wireguard, WireguardPeer},
};

/// A device's name, its port, as flannel has them. Its MTU leaves room for either family.
const NAME: &str = "flannel-wg";
const PORT: u16 = 51820;
const NAME_V6: &str = "flannel-wg-v6";
const PORT_V6: u16 = 51821;

impl LabOptions {
    /// MTU of the WireGuard devices.
    pub fn wireguard_mtu(&self) -> u32 {
        self.underlay_mtu.saturating_sub(overhead(TunnelKind::Wireguard, None))
    }

    /// Names of a node's WireGuard devices.
    pub fn wireguard_names(&self) -> impl Iterator<Item = &'static str> {
        self.wireguard_devices().map(|is_v6| if is_v6 { NAME_V6 } else { NAME })
    }

    /// A node's WireGuard devices: whether each is for IPv6.
    fn wireguard_devices(&self) -> impl Iterator<Item = bool> {
        let (family, there) = (self.family, self.dataplane.wireguard());
        [false, true].into_iter().filter(move |&is_v6| there && if is_v6 { family.v6() } else { family.v4() })
    }
}

/// Steps that make a node's WireGuard devices, with keys of their own but no peers.
pub(super) fn device_steps(options: &LabOptions, node: u16) -> Vec<Step> {
    let mut steps = Vec::new();
    for is_v6 in options.wireguard_devices() {
        let (name, port, address): (_, _, IpAddr) = if is_v6 {
            (NAME_V6, PORT_V6, pod_base_v6(node).into())
        } else {
            (NAME, PORT, pod_base_v4(node).into())
        };
        steps.extend([
            Step::Wireguard(Wireguard { name: name.to_owned(), port, mtu: options.wireguard_mtu() }),
            sysctl(&format!("ipv6/conf/{name}/addr_gen_mode"), "1"),
            Step::Address { name: name.to_owned(), address: single(address) },
            up(name),
            Step::Route(to_cluster(is_v6)),
        ]);
    }
    steps
}

/// The one route by a WireGuard device, to all pod networks.
fn to_cluster(is_v6: bool) -> Route {
    let (destination, name) = if is_v6 {
        (v6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0), 48), NAME_V6)
    } else {
        (v4(Ipv4Addr::new(10, 42, 0, 0), 16), NAME)
    };
    Route { destination, via: None, name: name.to_owned(), onlink: false, protocol: None }
}

/// The routes by a node's WireGuard devices.
pub(in crate::lab) fn wireguard_routes(options: &LabOptions) -> Vec<Route> {
    options.wireguard_devices().map(to_cluster).collect()
}

/// Steps that give a node's WireGuard devices one peer, whose public keys `key` knows by device name. Persistent
/// keepalives are off, flannel's default.
pub fn wireguard_peer_steps(
    options: &LabOptions,
    node: u16,
    peer: u16,
    key: impl Fn(&str) -> Option<[u8; 32]>,
) -> Vec<Step> {
    if node == peer || !options.dataplane.wireguard_between(node, peer) {
        return Vec::new();
    }
    let step = |is_v6: bool| {
        let (name, port, address, allowed): (_, _, IpAddr, _) = if is_v6 {
            (NAME_V6, PORT_V6, node_v6(peer).into(), v6(pod_base_v6(peer), 64))
        } else {
            (NAME, PORT, node_v4(peer).into(), v4(pod_base_v4(peer), 24))
        };
        Some(Step::WireguardPeer(WireguardPeer {
            name: name.to_owned(),
            public_key: key(name)?,
            endpoint: Some(SocketAddr::new(address, port)),
            allowed_ips: vec![allowed],
        }))
    };
    options.wireguard_devices().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::plan::Dataplane;

    #[test]
    fn halfway_between_backends_each_pair_of_nodes_has_one_of_them() {
        let options = LabOptions { dataplane: Dataplane::Both, ..LabOptions::default() };
        let by_wireguard =
            |node, peer| !wireguard_peer_steps(&options, node, peer, |_| Some([1; 32])).is_empty();
        let by_vxlan = |node, peer: u16| {
            let steps = super::super::node_steps(&options, node);
            let gateway: IpAddr = pod_base_v4(peer).into();
            steps.iter().any(|step| matches!(step, Step::Route(route) if route.via == Some(gateway)))
        };
        for (node, peer, wireguard) in [(1, 2, false), (1, 3, true), (2, 3, false), (3, 1, true)] {
            assert_eq!(
                (by_wireguard(node, peer), by_vxlan(node, peer)),
                (wireguard, !wireguard),
                "{node} {peer}"
            );
        }
    }

    #[test]
    fn a_peer_has_the_pod_network_of_its_node() {
        let options = LabOptions { dataplane: Dataplane::Wireguard, ..LabOptions::default() };
        let steps = wireguard_peer_steps(&options, 1, 2, |name| (name == NAME).then_some([7; 32]));
        let [Step::WireguardPeer(peer)] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!((peer.name.as_str(), peer.endpoint), (NAME, Some("172.31.77.2:51820".parse().unwrap())));
        assert_eq!(peer.allowed_ips, ["10.42.2.0/24".parse().unwrap()]);
        assert_eq!(wireguard_peer_steps(&options, 1, 1, |_| Some([7; 32])), []);
    }
}
