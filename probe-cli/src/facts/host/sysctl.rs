//! Sysctls of one network namespace that decide whether and how packets are forwarded. Those of single interfaces come with
//! the links (`IFLA_AF_SPEC`).

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// Sysctls below `net` (Documentation/networking/ip-sysctl.rst). Absent where the kernel, or this namespace, has none of the
/// name: settings of the whole machine are listed in the first network namespace only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctls {
    /// `ipv4.conf.all`.
    pub ipv4_all: ConfSysctls,
    /// `ipv4.conf.default`: what a new interface begins with.
    pub ipv4_default: ConfSysctls,
    /// `ipv6.conf.all`; all absent where the kernel has no IPv6.
    pub ipv6_all: ConfSysctls,
    /// `ipv6.conf.default`.
    pub ipv6_default: ConfSysctls,
    /// `ipv4.ip_no_pmtu_disc`: 0 to 3; 1 sends without "do not fragment".
    pub ip_no_pmtu_disc: Observed<i32>,
    /// `ipv4.ip_forward_use_pmtu`: 1 makes what is forwarded obey the route cache's path MTU.
    pub ip_forward_use_pmtu: Observed<i32>,
    /// `ipv4.tcp_mtu_probing`: 0 never, 1 after a black hole was noticed, 2 always.
    pub tcp_mtu_probing: Observed<i32>,
    /// `ipv4.tcp_base_mss`: size in bytes that probing begins with.
    pub tcp_base_mss: Observed<i32>,
    /// `ipv4.route.min_pmtu` in bytes: what a smaller path MTU is raised to.
    pub ipv4_min_pmtu: Observed<i32>,
    /// `ipv4.route.mtu_expires` in seconds.
    pub ipv4_mtu_expires_s: Observed<i32>,
    /// `ipv6.route.mtu_expires` in seconds.
    pub ipv6_mtu_expires_s: Observed<i32>,
    /// `ipv4.fib_multipath_hash_policy`: 1 takes ports into account.
    pub ipv4_multipath_hash: Observed<i32>,
    /// `ipv6.fib_multipath_hash_policy`.
    pub ipv6_multipath_hash: Observed<i32>,
    /// `ipv4.neigh.default.gc_thresh3`: most neighbours; of the machine.
    pub ipv4_most_neighbours: Observed<i32>,
    /// `ipv6.neigh.default.gc_thresh3`.
    pub ipv6_most_neighbours: Observed<i32>,
    /// `bridge.bridge-nf-call-iptables`; absent where `br_netfilter` is not loaded. Of each namespace since Linux 5.3.
    pub bridge_nf_call_iptables: Observed<i32>,
    /// `bridge.bridge-nf-call-ip6tables`.
    pub bridge_nf_call_ip6tables: Observed<i32>,
    /// `core.netdev_max_backlog` in packets; of the machine.
    pub netdev_max_backlog: Observed<i32>,
    /// `core.netdev_budget` in packets; of the machine.
    pub netdev_budget: Observed<i32>,
    /// `core.netdev_budget_usecs`; of the machine.
    pub netdev_budget_us: Observed<i32>,
}

/// Those of one directory below `ipv4.conf` or `ipv6.conf`, `all` or `default`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfSysctls {
    /// `forwarding`; of IPv4 in `all` the same as `ip_forward`.
    pub forwarding: Observed<i32>,
    /// `rp_filter` (IPv4 only): the larger one of `all` and the interface's own counts; 1 is strict, 2 is loose.
    pub rp_filter: Observed<i32>,
    /// `src_valid_mark` (IPv4 only): either of `all` and the interface's own counts.
    pub src_valid_mark: Observed<i32>,
    /// `proxy_arp` (IPv4 only): either of `all` and the interface's own counts.
    pub proxy_arp: Observed<i32>,
    /// `accept_ra` (IPv6 only): 1 not while forwarding, 2 in any case. Of `all` it is used by nothing.
    pub accept_ra: Observed<i32>,
    /// `disable_ipv6` (IPv6 only).
    pub disable_ipv6: Observed<i32>,
    /// `use_tempaddr` (IPv6 only): above 0 with addresses that change.
    pub use_tempaddr: Observed<i32>,
}
