//! Two nodes between which four equal links lead: the router of the first node sends flows over all of them, by their ports.

use crate::{lab::TestNetns, ns, routed::Routed};

/// Links between the two routers.
pub const LINKS: u8 = 4;

/// See the module.
pub struct EqualPaths {
    /// The nodes, and the router that distributes.
    pub routed: Routed,
    /// The router at the other end of the links, where they are `p0` to `p3`.
    pub exit: TestNetns,
}

impl EqualPaths {
    /// 1500 bytes fit everywhere.
    pub fn new(is_v6: bool) -> Self {
        let routed = Routed::new(is_v6, "");
        let exit = TestNetns::new("exit");
        let router = &routed.router;
        for policy in ["net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1"] {
            ns(router.name(), &format!("sysctl -q -w {policy}"));
        }
        ns(
            exit.name(),
            "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0 \
             net.ipv6.conf.default.dad_transmits=0",
        );
        // The link to the far node ends here now; its addresses go with the move.
        router.ip(&format!("link set r2 netns {}", exit.name()));
        let (length, nodad) = if is_v6 { (64, " nodad") } else { (24, "") };
        exit.ip(&format!(
            "link set lo up
             addr add {}/{length} dev r2{nodad}
             link set r2 up",
            routed.address(2, 254)
        ));
        let mut nexthops = Vec::new();
        for link in 0..LINKS {
            router.ip(&format!("link add name p{link} type veth peer name p{link} netns {}", exit.name()));
            for (end, node) in [(1, router), (2, &exit)] {
                let address = routed.address(10 + link, end);
                node.ip(&format!(
                    "addr add {address}/{length} dev p{link}{nodad}
                     link set p{link} up"
                ));
            }
            nexthops.push(format!("nexthop via {} dev p{link}", routed.address(10 + link, 2)));
        }
        router.ip(&format!("route add {}/{length} {}", routed.address(2, 0), nexthops.join(" ")));
        exit.ip(&format!("route add {}/{length} via {}", routed.address(1, 0), routed.address(10, 1)));
        Self { routed, exit }
    }

    /// One of the links drops what is larger, and says nothing: it is no router's.
    pub fn limit_one(&self, mtu: u32) {
        // The kernel leaves room for a VLAN tag (`is_skb_forwardable`).
        self.exit.ip(&format!("link set p{} mtu {}", LINKS - 1, mtu - 4));
    }
}
