//! The sysctls of one interface, `net.ipv4.conf.NAME` and `net.ipv6.conf.NAME`, as a link's message has them
//! (`IFLA_AF_SPEC`): in every network namespace and without a file for each.

use serde::{Deserialize, Serialize};

/// `IFLA_INET_CONF`, the values of `IPV4_DEVCONF_*` (linux/ip.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Conf {
    /// `forwarding`: packets that come in by it are forwarded.
    pub forwarding: i32,
    /// `rp_filter`; the larger one of this and `all` counts: 1 is strict, 2 is loose.
    pub rp_filter: i32,
    /// `src_valid_mark`: the mark counts when `rp_filter` looks for the way back.
    pub src_valid_mark: i32,
    /// `proxy_arp`: answers for addresses that it has a route to by another interface.
    pub proxy_arp: i32,
    /// `route_localnet`: 127.0.0.0/8 is an address like others.
    pub route_localnet: i32,
    /// `accept_local`: takes packets with a source address of our own.
    pub accept_local: i32,
    /// `arp_ignore`: which ARP requests are answered.
    pub arp_ignore: i32,
    /// `arp_announce`: which source address ARP requests have.
    pub arp_announce: i32,
}

/// `IFLA_INET6_CONF`, the values of `DEVCONF_*` (linux/ipv6.h), and `IFLA_INET6_ADDR_GEN_MODE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv6Conf {
    /// `forwarding`.
    pub forwarding: i32,
    /// `mtu` in bytes: what IPv6 uses, which router advertisements may make smaller than the link's.
    pub mtu: i32,
    /// `accept_ra`: 0 never, 1 unless it forwards, 2 always.
    pub accept_ra: i32,
    /// `accept_ra_defrtr`: takes the default route of a router advertisement.
    pub accept_ra_default_router: i32,
    /// `autoconf`: makes addresses from router advertisements.
    pub autoconf: i32,
    /// `use_tempaddr`: above 0 with addresses that change, above 1 preferring them; -1 on devices without any.
    pub use_tempaddr: i32,
    /// `disable_ipv6`.
    pub disable_ipv6: i32,
    /// `proxy_ndp`.
    pub proxy_ndp: i32,
    /// `IFLA_INET6_ADDR_GEN_MODE`: 0 EUI-64, 1 none, 2 stable and private, 3 random.
    pub addr_gen_mode: Option<u8>,
}
