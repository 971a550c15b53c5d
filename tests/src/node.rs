//! A node made by hand with `ip` and `bridge`, as a CNI leaves it: a NIC, pods' interfaces, tunnels. The other nodes are
//! entries in its tables only.

use crate::{lab::TestNetns, ns};

/// A node with one NIC, `u0`, and a default route.
pub struct Node {
    netns: TestNetns,
    beyond: TestNetns,
}

impl Node {
    /// Makes it; `name` tells nodes of one test program apart.
    pub fn new(name: &str) -> Self {
        let node = Self { netns: TestNetns::new(name), beyond: TestNetns::new(&format!("{name}b")) };
        let beyond = node.beyond.name();
        node.netns.ip(&format!("link add name u0 type veth peer name u0 netns {beyond}"));
        node.beyond.ip("link set u0 up");
        ns(node.name(), "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        node.ip("link set lo up
             addr add 192.0.2.1/24 dev u0
             link set u0 up
             route add default via 192.0.2.254");
        node
    }

    /// The name of its namespace.
    pub fn name(&self) -> &str {
        self.netns.name()
    }

    /// The namespace that its NIC leads to, whose end is `u0` as well.
    pub fn beyond(&self) -> &TestNetns {
        &self.beyond
    }

    /// Commands of `ip`, one a line.
    pub fn ip(&self, commands: &str) {
        self.netns.ip(commands);
    }

    /// A pod's veth as Calico makes it, with the route to the pod.
    pub fn calico_pod(&self, address: &str) {
        let beyond = self.beyond.name();
        self.ip(&format!(
            "link add name cali0a1b2c3d4e5 type veth peer name pod0 netns {beyond}
             link set cali0a1b2c3d4e5 address ee:ee:ee:ee:ee:ee
             link set cali0a1b2c3d4e5 up
             route add {address}/32 dev cali0a1b2c3d4e5 scope link"
        ));
        self.beyond.ip("link set pod0 up");
    }

    /// flannel's VXLAN to one other node, and its bridge with a pod on it.
    pub fn flannel(&self, device: &str, vni: u32, port: u16) {
        self.ip(&format!(
            "link add name {device} type vxlan id {vni} dev u0 local 192.0.2.1 dstport {port} nolearning
             addr add 10.42.0.0/32 dev {device}
             link set {device} up
             neigh add 10.42.1.0 lladdr 0a:00:00:00:00:02 dev {device} nud permanent
             route add 10.42.1.0/24 via 10.42.1.0 dev {device} onlink"
        ));
        self.fdb("0a:00:00:00:00:02", device, "192.0.2.2");
        self.bridged_pod("10.42.0.1/24");
    }

    /// Calico's VXLAN to one other node, with the block 10.42.0.64/26 for pods of this one.
    pub fn calico_vxlan(&self) {
        self.ip(
            "link add name vxlan.calico type vxlan id 4096 dev u0 local 192.0.2.1 dstport 4789 nolearning
             addr add 10.42.0.65/32 dev vxlan.calico
             link set vxlan.calico up
             neigh add 10.42.2.129 lladdr 66:00:00:00:00:02 dev vxlan.calico nud permanent
             route add 10.42.2.128/26 via 10.42.2.129 dev vxlan.calico onlink proto 80
             route add blackhole 10.42.0.64/26 proto 80",
        );
        self.fdb("66:00:00:00:00:02", "vxlan.calico", "192.0.2.2");
    }

    /// Cilium's host device, and the route to this node's pods by it: `network` is the first two numbers of the cluster's.
    pub fn cilium_host(&self, network: &str) {
        self.ip(&format!(
            "link add name cilium_net type veth peer name cilium_host
             link set cilium_net up
             link set cilium_host up
             addr add {network}.0.5/32 dev cilium_host
             route add {network}.0.0/24 via {network}.0.5 dev cilium_host src {network}.0.5"
        ));
    }

    /// flannel's bridge with this address, and a pod on it.
    pub fn bridged_pod(&self, address: &str) {
        let beyond = self.beyond.name();
        self.ip(&format!(
            "link add name cni0 mtu 1450 type bridge
             link set cni0 up
             addr add {address} dev cni0
             link add name veth1a2b3c4d mtu 1450 type veth peer name pod0 netns {beyond}
             link set veth1a2b3c4d master cni0 up"
        ));
        self.beyond.ip("link set pod0 up");
    }

    /// Puts the pod's end of the veth into a namespace of its own, with this address and default route.
    pub fn move_pod_end(&self, pod: &TestNetns, address: &str, gateway: &str) {
        self.beyond.ip(&format!("link set pod0 netns {} name eth0", pod.name()));
        pod.ip(&format!(
            "link set lo up
             addr add {address} dev eth0
             link set eth0 mtu 1450 up
             route add default via {gateway} dev eth0 onlink"
        ));
    }

    /// An FDB entry of a tunnel: a VTEP's MAC address, and its node.
    pub fn fdb(&self, mac: &str, device: &str, node: &str) {
        ns(self.name(), &format!("bridge fdb add {mac} dev {device} dst {node}"));
    }
}
