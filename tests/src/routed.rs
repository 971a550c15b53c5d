//! Two nodes with a router between them, made by hand, and a VXLAN device on each: what is smaller on the way than at its ends.

use crate::{hand::TUNNEL, lab::TestNetns, ns};

/// See the module. Node 1 is `near` and 192.0.1.1 or fd99:1::1, node 2 is `far` and the same with a 2; inside the tunnel they are
/// 10.7.1.0 and 10.7.2.0. The router has the end 254 of both networks, and the interfaces `r1` and `r2`.
pub struct Routed {
    /// Node 1.
    pub near: TestNetns,
    /// The router.
    pub router: TestNetns,
    /// Node 2.
    pub far: TestNetns,
    is_v6: bool,
}

impl Routed {
    /// 1500 bytes fit everywhere. `tunnel`: more words about the VXLAN devices.
    pub fn new(is_v6: bool, tunnel: &str) -> Self {
        let [near, router, far] = ["near", "router", "far"].map(TestNetns::new);
        let routed = Self { near, router, far, is_v6 };
        let length = if is_v6 { 64 } else { 24 };
        // No duplicate address detection, also not of link-local addresses, which neighbour discovery asks from: for seconds there
        // would be no answer.
        let nodad = if is_v6 { " nodad" } else { "" };
        for node in [&routed.near, &routed.router, &routed.far] {
            ns(
                node.name(),
                "sysctl -q -w net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0",
            );
        }
        for (side, node) in [(1, &routed.near), (2, &routed.far)] {
            node.ip(&format!("link add name u0 type veth peer name r{side} netns {}", routed.router.name()));
            node.ip(&format!(
                "link set lo up
                 addr add {}/{length} dev u0{nodad}
                 link set u0 up",
                routed.address(side, side)
            ));
            routed.router.ip(&format!(
                "addr add {}/{length} dev r{side}{nodad}
                 link set r{side} up",
                routed.address(side, 254)
            ));
            node.ip(&format!("route add default via {}", routed.address(side, 254)));
        }
        ns(routed.router.name(), "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        for (side, node) in [(1_u8, &routed.near), (2, &routed.far)] {
            let peer = 3 - side;
            node.ip(&format!(
                "link add name {TUNNEL} type vxlan id 7 dev u0 local {} dstport 8472 nolearning {tunnel}
                 link set {TUNNEL} address 0a:00:00:00:00:0{side}
                 addr add 10.7.{side}.0/32 dev {TUNNEL}
                 link set {TUNNEL} up
                 neigh add 10.7.{peer}.0 lladdr 0a:00:00:00:00:0{peer} dev {TUNNEL} nud permanent
                 route add 10.7.{peer}.0/24 via 10.7.{peer}.0 dev {TUNNEL} onlink",
                routed.address(side, side)
            ));
            let destination = routed.address(peer, peer);
            ns(node.name(), &format!("bridge fdb add 0a:00:00:00:00:0{peer} dev {TUNNEL} dst {destination}"));
        }
        routed
    }

    /// An address of the network on one side of the router.
    pub fn address(&self, side: u8, host: u8) -> String {
        if self.is_v6 { format!("fd99:{side}::{host}") } else { format!("192.0.{side}.{host}") }
    }

    /// The router passes on so much, to the far node and back, and says so to who sends more. Not by the MTU of its interfaces:
    /// a veth drops what its other end sends and is larger (`is_skb_forwardable`). Before Linux 5.10 only the MTU of a route that
    /// is locked counts for what is forwarded (`ip_dst_mtu_maybe_forward`).
    pub fn limit(&self, mtu: u32) {
        self.limit_to(2, mtu);
        self.limit_to(1, mtu);
    }

    /// The same in one direction: to the node with this number.
    pub fn limit_to(&self, side: u8, mtu: u32) {
        let network = self.address(side, 0);
        self.router.ip(&if self.is_v6 {
            // The kernel's own route to the network has this metric.
            format!("route replace {network}/64 dev r{side} metric 256 mtu lock {mtu}")
        } else {
            format!("route replace {network}/24 dev r{side} src {} mtu lock {mtu}", self.address(side, 254))
        });
    }

    /// The router sends nothing of its own to the near node any more, and so no ICMP message; what it forwards is not concerned.
    pub fn silence(&self) {
        let family = if self.is_v6 { "-6 " } else { "" };
        let near = self.address(1, 1);
        ns(self.router.name(), &format!("ip {family}rule add iif lo to {near} blackhole"));
    }
}
