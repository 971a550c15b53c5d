//! Reads the sysctls of one network namespace. Each is a file of one number.

use super::file::number;
use crate::facts::host::{ConfSysctls, Sysctls};

/// Reads the sysctls of the calling thread's network namespace.
pub fn sysctls() -> Sysctls {
    let net = |name: &str| number(&format!("/proc/sys/net/{name}"));
    Sysctls {
        ipv4_all: conf("ipv4", "all"),
        ipv4_default: conf("ipv4", "default"),
        ipv6_all: conf("ipv6", "all"),
        ipv6_default: conf("ipv6", "default"),
        ip_no_pmtu_disc: net("ipv4/ip_no_pmtu_disc"),
        ip_forward_use_pmtu: net("ipv4/ip_forward_use_pmtu"),
        tcp_mtu_probing: net("ipv4/tcp_mtu_probing"),
        tcp_base_mss: net("ipv4/tcp_base_mss"),
        ipv4_min_pmtu: net("ipv4/route/min_pmtu"),
        ipv4_mtu_expires_s: net("ipv4/route/mtu_expires"),
        ipv6_mtu_expires_s: net("ipv6/route/mtu_expires"),
        ipv4_multipath_hash: net("ipv4/fib_multipath_hash_policy"),
        ipv6_multipath_hash: net("ipv6/fib_multipath_hash_policy"),
        ipv4_most_neighbours: net("ipv4/neigh/default/gc_thresh3"),
        ipv6_most_neighbours: net("ipv6/neigh/default/gc_thresh3"),
        bridge_nf_call_iptables: net("bridge/bridge-nf-call-iptables"),
        bridge_nf_call_ip6tables: net("bridge/bridge-nf-call-ip6tables"),
        netdev_max_backlog: net("core/netdev_max_backlog"),
        netdev_budget: net("core/netdev_budget"),
        netdev_budget_us: net("core/netdev_budget_usecs"),
    }
}

/// Those that the family does not have are absent.
fn conf(family: &str, which: &str) -> ConfSysctls {
    let read = |name: &str| number(&format!("/proc/sys/net/{family}/conf/{which}/{name}"));
    ConfSysctls {
        forwarding: read("forwarding"),
        rp_filter: read("rp_filter"),
        src_valid_mark: read("src_valid_mark"),
        proxy_arp: read("proxy_arp"),
        accept_ra: read("accept_ra"),
        disable_ipv6: read("disable_ipv6"),
        use_tempaddr: read("use_tempaddr"),
    }
}
