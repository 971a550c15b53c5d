//! `IFLA_AF_SPEC` of `RTM_NEWLINK`: an interface's sysctls, as `inet_fill_link_af` and `inet6_fill_ifla6_attrs` write them.
//! Nothing about other attributes.

use super::{Attribute, u32_at};
use crate::{
    facts::netlink::{Ipv4Conf, Ipv6Conf},
    netlink::error::DecodeError,
};

// linux/if_link.h; not in libc.
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_CONF: u16 = 2;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What both families have in `attribute`.
pub(super) fn conf(attribute: &Attribute<'_>) -> Result<(Option<Ipv4Conf>, Option<Ipv6Conf>), DecodeError> {
    let (mut ipv4, mut ipv6, mut addr_gen_mode) = (None, None, None);
    for family in attribute.nested() {
        let family = family?;
        if family.kind != AF_INET && family.kind != AF_INET6 {
            continue;
        }
        for part in family.nested() {
            let part = part?;
            match (family.kind, part.kind) {
                (AF_INET, IFLA_INET_CONF) => ipv4 = ipv4_conf(&part),
                (AF_INET6, IFLA_INET6_CONF) => ipv6 = ipv6_conf(&part),
                (AF_INET6, IFLA_INET6_ADDR_GEN_MODE) => addr_gen_mode = Some(part.u8()?),
                _ => {}
            }
        }
    }
    Ok((ipv4, ipv6.map(|conf| Ipv6Conf { addr_gen_mode, ..conf })))
}

/// An array without the value of number 0, which does not exist. New kernels have more at its end.
fn ipv4_conf(array: &Attribute<'_>) -> Option<Ipv4Conf> {
    // `IPV4_DEVCONF_*`, linux/ip.h.
    let value = |number: usize| at(array, number - 1);
    Some(Ipv4Conf {
        forwarding: value(1)?,
        rp_filter: value(8)?,
        src_valid_mark: value(24)?,
        proxy_arp: value(3)?,
        route_localnet: value(26)?,
        accept_local: value(23)?,
        arp_ignore: value(19)?,
        arp_announce: value(18)?,
    })
}

/// New kernels have more at its end.
fn ipv6_conf(array: &Attribute<'_>) -> Option<Ipv6Conf> {
    // `DEVCONF_*`, linux/ipv6.h.
    let value = |number: usize| at(array, number);
    Some(Ipv6Conf {
        forwarding: value(0)?,
        mtu: value(2)?,
        accept_ra: value(3)?,
        accept_ra_default_router: value(17)?,
        autoconf: value(5)?,
        use_tempaddr: value(10)?,
        disable_ipv6: value(26)?,
        proxy_ndp: value(22)?,
        addr_gen_mode: None,
    })
}

fn at(array: &Attribute<'_>, index: usize) -> Option<i32> {
    u32_at(array.value, index * 4).map(u32::cast_signed)
}
