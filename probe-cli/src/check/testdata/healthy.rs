//! All healthy nodes, and those of data planes in collect-metadata mode.

use super::*;
use crate::facts::netlink::{RouteFact, VxlanFact};

impl Node {
    /// RKE2 with Cilium in tunnel mode: other nodes stand in its eBPF maps, and routes hold pods' packets to the tunnel's room.
    pub(crate) fn cilium() -> Self {
        let mut facts = cilium_host(calico_pod(node(), 20, "10.0.0.20/32"), 30);
        let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
        facts.links.push(LinkFact { mtu: 1500, ..vxlan(9, "cilium_vxlan", data) });
        Self::of(&facts, "10.0.0.0/16").with_cni("cilium")
    }

    /// rke2-flannel: a pod on a bridge, one other node.
    pub(crate) fn rke2_flannel() -> Self {
        let mut facts = flannel4(node(), 1);
        let bridge = LinkFact { kind: Some("bridge".to_owned()), mtu: 1450, ..ethernet(9, "cni0") };
        facts.links.push(bridge);
        facts.addresses.push(address(9, "10.42.0.1/24"));
        facts.links.push(LinkFact { master: Some(9), mtu: 1450, ..pod_veth(20, "veth20") });
        let mut node = Self::of(&facts, "10.42.0.0/16").with_cni("flannel");
        node.set("flannel.backend", "vxlan");
        node.network().sysctls.bridge_nf_call_iptables = Observed::Value(1);
        node
    }

    /// RKE2 with Calico's eBPF data plane.
    pub(crate) fn calico_ebpf() -> Self {
        let mut facts = node();
        facts.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
        let data = VxlanFact { port: 4789, collect_metadata: true, ..VxlanFact::default() };
        facts.links.push(LinkFact { mtu: 1450, ..vxlan(9, "vxlan.calico", data) });
        facts.addresses.push(address(9, "10.42.0.64/32"));
        facts.routes.push(RouteFact { protocol: 80, ..route("10.42.2.128/26", Some("10.42.2.129"), 9) });
        facts = calico_pod(facts, 20, "10.42.0.70/32");
        for link in facts.links.iter_mut().filter(|link| link.ifindex == 20) {
            link.mtu = 1450;
        }
        Self::of(&facts, "10.42.0.0/16").with_cni("calico")
    }

    /// config.yaml names this CNI.
    fn with_cni(mut self, cni: &str) -> Self {
        if let Observed::Value(settings) = &mut self.files().rke2 {
            for wanted in settings.get_mut("cni").into_iter().flatten() {
                cni.clone_into(&mut wanted.value);
            }
        }
        self
    }
}

/// All of them, by name.
pub(crate) fn healthy() -> Vec<(&'static str, Node)> {
    let with = |change: fn(&mut Node)| {
        let mut node = Node::canal();
        change(&mut node);
        node
    };
    vec![
        ("Canal, VXLAN of both families", Node::canal()),
        ("Canal, WireGuard", Node::wireguard()),
        ("flannel without encapsulation", Node::host_gw()),
        ("Cilium, VXLAN", Node::cilium()),
        ("rke2-flannel", Node::rke2_flannel()),
        ("Calico's eBPF data plane", Node::calico_ebpf()),
        ("Canal with SR-IOV", Node::sriov()),
        ("the device plugin's pools of other nodes", {
            let mut node = Node::sriov();
            node.pools(&[
                ("mellanox", &[("devices", "101e"), ("drivers", "mlx5_core")]),
                ("intel", &[("devices", "1889")]),
            ]);
            node
        }),
        ("Canal whose packets are counted", Node::canal().counting()),
        ("Canal whose paths are measured", Node::canal().probing()),
        ("Canal that is to be switched to WireGuard", Node::canal().before_wireguard()),
        ("Canal beside a VPN", Node::canal().with_vpn()),
        ("no encapsulation beside a VPN", Node::host_gw().with_vpn()),
        ("the only node of a cluster", {
            let mut facts = own_block(flannel6(flannel4(node(), 0), 0));
            facts = calico_pod(facts, 20, "10.42.0.20/32");
            facts.links.last_mut().unwrap().mtu = 1450;
            let mut node = Node::of(&facts, "10.42.0.0/16");
            // Of IPv6 nothing is known before there is another node.
            node.facts().links.retain(|link| link.ifindex != FLANNEL6);
            node
        }),
        ("an idle WireGuard peer without keepalive", {
            let mut node = Node::wireguard();
            for sample in node.wireguard.values_mut() {
                *sample = WireguardSample { last_handshake: None, bytes: PerDirection::default() };
            }
            node
        }),
        (
            "no IPv6 router, addresses by hand",
            with(|node| {
                node.facts().routes.retain(|route| route.destination != net("::/0"));
                node.facts().routes.push(route("2001:db8::/64", None, ETH0));
            }),
        ),
        ("a few addresses of pods that end just now", with(|node| node.leak(3))),
        (
            "strict rp_filter that drops nothing",
            with(|node| {
                node.network().sysctls.ipv4_all.rp_filter = Observed::Value(1);
            }),
        ),
        (
            "counters that wrap",
            with(|node| {
                let cpu = |processed| {
                    Observed::Value(vec![SoftnetCounters { cpu: 0, processed, ..SoftnetCounters::default() }])
                };
                node.before.softnet = cpu(u32::MAX);
                node.after.softnet = cpu(3);
            }),
        ),
    ]
}
