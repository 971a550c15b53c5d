//! A two-node data plane made by hand with `ip` and `bridge`: what the tool must understand without our own lab.

use overlay_probe::netns::{self, Namespace};

use crate::{
    lab::{TestNetns, offloads_off},
    ns,
};

/// Name of the tunnel device on both nodes.
pub const TUNNEL: &str = "vx7";
/// Bytes that an outer IPv4 packet adds to an inner IP packet.
pub const OVERHEAD: u64 = 50;

/// Two namespaces, a veth pair between them (`u0` at both ends), and a VXLAN device on each with static entries for the
/// other. Node 1 is 192.0.2.1 outside and 10.7.1.0 inside, node 2 the same with a 2.
pub struct Pair {
    nodes: [TestNetns; 2],
}

impl Pair {
    /// Builds it; `name` tells the pairs of one test program apart.
    pub fn new(name: &str) -> Self {
        let nodes = [1, 2].map(|number| TestNetns::new(&format!("{name}{number}")));
        let other = nodes[1].name();
        nodes[0].ip(&format!("link add name u0 type veth peer name u0 netns {other}"));
        let pair = Self { nodes };
        for number in [1, 2] {
            let node = pair.at(number);
            // No neighbour discovery of IPv6: it would be noise on every count.
            ns(
                node.name(),
                "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            );
            node.ip(&format!(
                "link set lo up
                 link set u0 address {}
                 addr add 192.0.2.{number}/24 dev u0
                 link set u0 up",
                underlay_mac(number)
            ));
            let peer = 3 - number;
            node.ip(&format!("neigh add 192.0.2.{peer} lladdr {} dev u0 nud permanent", underlay_mac(peer)));
            pair.add_tunnel(number);
        }
        pair
    }

    /// A node's namespace; nodes are 1 and 2.
    pub fn at(&self, node: usize) -> &TestNetns {
        &self.nodes[node - 1]
    }

    /// The name of a node's namespace.
    pub fn node(&self, node: usize) -> &str {
        self.at(node).name()
    }

    /// A node's namespace, to send from and to.
    pub fn open(&self, node: usize) -> Namespace {
        netns::open(self.node(node)).unwrap()
    }

    /// Makes a node's tunnel device with what it needs to reach the other.
    pub fn add_tunnel(&self, node: usize) {
        self.make_tunnel(node, "");
    }

    /// Deletes a node's tunnel device and makes it again with the interface index that is asked for.
    pub fn replace_tunnel(&self, node: usize, ifindex: u64) {
        self.at(node).ip(&format!("link del {TUNNEL}"));
        self.make_tunnel(node, &format!("index {ifindex} "));
    }

    fn make_tunnel(&self, node: usize, options: &str) {
        let peer = 3 - node;
        self.at(node).ip(&format!(
            "link add name {TUNNEL} {options}type vxlan id 7 dev u0 local 192.0.2.{node} dstport 8472 nolearning
             link set {TUNNEL} address {}
             addr add 10.7.{node}.0/32 dev {TUNNEL}
             link set {TUNNEL} up
             neigh add 10.7.{peer}.0 lladdr {mac} dev {TUNNEL} nud permanent
             route add 10.7.{peer}.0/24 via 10.7.{peer}.0 dev {TUNNEL} onlink",
            tunnel_mac(node),
            mac = tunnel_mac(peer),
        ));
        ns(self.node(node), &format!("bridge fdb add {} dev {TUNNEL} dst 192.0.2.{peer}", tunnel_mac(peer)));
    }

    /// Address of a node inside the tunnel.
    pub fn address(&self, node: usize) -> std::net::IpAddr {
        format!("10.7.{node}.0").parse().unwrap()
    }

    /// Makes both ends of the veth put real packets on the wire, one by one.
    pub fn offloads_off(&self) {
        for node in [1, 2] {
            offloads_off(self.node(node), "u0");
        }
    }
}

fn underlay_mac(node: usize) -> String {
    format!("02:00:00:00:00:{node:02x}")
}

fn tunnel_mac(node: usize) -> String {
    format!("0a:00:00:00:00:{node:02x}")
}
