//! `RTM_NEWROUTE` with `RTM_F_CLONED`: an exception of the route cache, as `fib_dump_info_fnhe` and `rt6_fill_node` write it.
//! Routes that somebody configured are in `route`.

use super::{Message, u32_at};
use crate::{facts::netlink::PmtuException, netlink::error::DecodeError};

// linux/rtnetlink.h; not in libc.
const RTAX_LOCK: u16 = 1;
const RTAX_MTU: u16 = 2;
const RTM_F_CLONED: u32 = 0x200;
/// `rta_expires` of `struct rta_cacheinfo`, in clock ticks of 1/100 s.
const EXPIRES: usize = 8;
const TICKS_PER_SECOND: u64 = 100;

/// The exception in `payload`; none for a route, and for an exception without a path MTU, such as a redirect.
pub(in crate::netlink) fn exception(payload: &[u8]) -> Result<Option<PmtuException>, DecodeError> {
    let message = Message::new("RTM_NEWROUTE", payload, 12)?;
    if message.u32(8) & RTM_F_CLONED == 0 {
        return Ok(None);
    }
    let (mut destination, mut mtu, mut locks) = (None, None, 0);
    let (mut ifindex, mut gateway, mut expires_s) = (None, None, None);
    let mut table = u32::from(message.u8(4));
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::RTA_DST => destination = Some(attribute.ip()?),
            libc::RTA_OIF => ifindex = Some(attribute.u32()?),
            libc::RTA_GATEWAY => gateway = Some(attribute.ip()?),
            libc::RTA_TABLE => table = attribute.u32()?,
            libc::RTA_CACHEINFO => {
                let ticks = u32_at(attribute.value, EXPIRES).ok_or_else(|| attribute.wrong_size())?;
                // Zero is never, and what is past is negative.
                let ticks = u64::try_from(ticks.cast_signed()).ok().filter(|&ticks| ticks != 0);
                expires_s = ticks.map(|ticks| ticks / TICKS_PER_SECOND);
            }
            libc::RTA_METRICS => {
                for metric in attribute.nested() {
                    let metric = metric?;
                    match metric.kind {
                        RTAX_MTU => mtu = Some(metric.u32()?),
                        RTAX_LOCK => locks = metric.u32()?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let Some(mtu) = mtu else { return Ok(None) };
    let destination = destination.ok_or_else(|| message.missing("RTA_DST"))?;
    let is_locked = locks & (1 << RTAX_MTU) != 0;
    Ok(Some(PmtuException { destination, mtu, is_locked, ifindex, gateway, table, expires_s }))
}
