//! `RTM_NEWROUTE`: `struct rtmsg` and `RTA_*`. Nothing about other messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Attribute, Message, attributes, ip, u16_at, u32_at};
use crate::{
    facts::netlink::{RouteFact, RouteType},
    netlink::error::DecodeError,
};

// linux/rtnetlink.h; not in libc.
const RTAX_MTU: u16 = 2;
/// `struct rtnexthop`: length, flags, hops, interface index.
const NEXT_HOP_HEADER: usize = 8;
/// `RTM_F_CLONED`: a cached exception, not a route that somebody configured.
const RTM_F_CLONED: u32 = 0x200;

/// The facts in `payload`, a route of the main table: see [`routes_of`].
pub(in crate::netlink) fn routes(payload: &[u8]) -> Result<Vec<RouteFact>, DecodeError> {
    let mut routes = routes_of(payload, u32::from(libc::RT_TABLE_MAIN))?;
    // Old kernels list the default route of IPv6 that there is when there is none (`net->ipv6.ip6_null_entry`).
    routes.retain(|route| route.kind != RouteType::Unreachable || route.destination.prefix_len() > 0);
    Ok(routes)
}

/// The facts in `payload`: one per next hop, none for a route of another table or a type that the inventory does not
/// read.
pub(in crate::netlink) fn routes_of(payload: &[u8], wanted: u32) -> Result<Vec<RouteFact>, DecodeError> {
    let message = Message::new("RTM_NEWROUTE", payload, 12)?;
    let unspecified: IpAddr = match i32::from(message.u8(0)) {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return Ok(Vec::new()),
    };
    let kind = match message.u8(7) {
        libc::RTN_UNICAST => RouteType::Unicast,
        libc::RTN_BLACKHOLE => RouteType::Blackhole,
        libc::RTN_UNREACHABLE => RouteType::Unreachable,
        libc::RTN_PROHIBIT => RouteType::Prohibit,
        libc::RTN_THROW => RouteType::Throw,
        _ => return Ok(Vec::new()),
    };
    if message.u32(8) & RTM_F_CLONED != 0 {
        return Ok(Vec::new());
    }
    let mut table = u32::from(message.u8(4));
    let (mut destination, mut hop, mut hops) = (unspecified, Hop::default(), None);
    let (mut metric, mut mtu, mut source) = (0, None, None);
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::RTA_TABLE => table = attribute.u32()?,
            libc::RTA_DST => destination = attribute.ip()?,
            libc::RTA_OIF => hop.ifindex = Some(attribute.u32()?),
            libc::RTA_GATEWAY | libc::RTA_VIA => hop.gateway = Some(gateway(&attribute)?),
            libc::RTA_MULTIPATH => hops = Some(next_hops(&attribute)?),
            libc::RTA_PRIORITY => metric = attribute.u32()?,
            libc::RTA_PREFSRC => source = Some(attribute.ip()?),
            libc::RTA_METRICS => {
                for nested in attribute.nested() {
                    let nested = nested?;
                    if nested.kind == RTAX_MTU {
                        mtu = Some(nested.u32()?);
                    }
                }
            }
            _ => {}
        }
    }
    if table != wanted {
        return Ok(Vec::new());
    }
    let destination =
        IpNet::new(destination, message.u8(1)).ok().ok_or_else(|| message.missing("prefix length"))?;
    let fact = |hop: Hop| RouteFact {
        destination,
        gateway: hop.gateway,
        ifindex: hop.ifindex,
        kind,
        metric,
        mtu,
        source,
        protocol: message.u8(5),
    };
    Ok(hops.unwrap_or_else(|| vec![hop]).into_iter().map(fact).collect())
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    gateway: Option<IpAddr>,
    ifindex: Option<u32>,
}

/// `RTA_GATEWAY` is a bare address; `RTA_VIA` is `struct rtvia`, a family and the address: an IPv4 route by an
/// IPv6 gateway.
fn gateway(attribute: &Attribute<'_>) -> Result<IpAddr, DecodeError> {
    if attribute.kind == libc::RTA_VIA {
        attribute.value.get(2..).and_then(ip).ok_or_else(|| attribute.wrong_size())
    } else {
        attribute.ip()
    }
}

fn next_hops(multipath: &Attribute<'_>) -> Result<Vec<Hop>, DecodeError> {
    let mut hops = Vec::new();
    let mut rest = multipath.value;
    while !rest.is_empty() {
        let len = usize::from(u16_at(rest, 0).ok_or_else(|| multipath.wrong_size())?);
        let nested = rest.get(NEXT_HOP_HEADER..len).ok_or_else(|| multipath.wrong_size())?;
        let mut hop = Hop { ifindex: u32_at(rest, 4), gateway: None };
        for attribute in attributes(multipath.message, nested) {
            let attribute = attribute?;
            if matches!(attribute.kind, libc::RTA_GATEWAY | libc::RTA_VIA) {
                hop.gateway = Some(gateway(&attribute)?);
            }
        }
        hops.push(hop);
        rest = rest.get(super::aligned(len)..).unwrap_or_default();
    }
    Ok(hops)
}
