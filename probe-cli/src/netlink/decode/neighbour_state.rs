//! `RTM_NEWNEIGH` of an IP neighbour with all that the kernel says of its state, as `neigh_fill_info` writes it. Neighbours of
//! tunnels and forwarding databases are in `neighbour`.

use super::{Message, neighbour::TICKS_PER_SECOND, u32_at};
use crate::{
    facts::netlink::{NeighbourState, NeighbourStateFact},
    mac::Mac,
    netlink::error::DecodeError,
};

/// linux/neighbour.h; not in libc.
const NDA_PROBES: u16 = 4;

/// The neighbour in `payload`; none for what the kernel makes up by itself (`NUD_NOARP`: multicast groups)
/// and for proxy entries.
pub(in crate::netlink) fn neighbour_state(payload: &[u8]) -> Result<Option<NeighbourStateFact>, DecodeError> {
    let message = Message::new("RTM_NEWNEIGH", payload, 12)?;
    let (ifindex, state, flags) = (message.u32(4), message.u16(8), message.u8(10));
    if !matches!(i32::from(message.u8(0)), libc::AF_INET | libc::AF_INET6)
        || state & libc::NUD_NOARP != 0
        || flags & libc::NTF_PROXY != 0
    {
        return Ok(None);
    }
    let (mut address, mut mac, mut probes, mut ages) = (None, None, None, [None; 3]);
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::NDA_DST => address = Some(attribute.ip()?),
            libc::NDA_LLADDR => mac = attribute.mac().filter(|mac| *mac != Mac::default()),
            libc::NDA_CACHEINFO => {
                // struct nda_cacheinfo: confirmed, used, updated, refcnt.
                for (at, age) in ages.iter_mut().enumerate() {
                    let ticks = u32_at(attribute.value, at * 4).ok_or_else(|| attribute.wrong_size())?;
                    *age = Some(u64::from(ticks) / TICKS_PER_SECOND);
                }
            }
            NDA_PROBES => probes = Some(attribute.u32()?),
            _ => {}
        }
    }
    let address = address.ok_or_else(|| message.missing("NDA_DST"))?;
    let [confirmed_s, used_s, updated_s] = ages;
    let is_router = flags & libc::NTF_ROUTER != 0;
    Ok(Some(NeighbourStateFact {
        ifindex,
        address,
        mac,
        state: self::state(state),
        is_router,
        confirmed_s,
        used_s,
        updated_s,
        probes,
    }))
}

/// `NUD_*`; none for a state that is not known here.
fn state(state: u16) -> Option<NeighbourState> {
    Some(match state {
        libc::NUD_NONE => NeighbourState::None,
        libc::NUD_INCOMPLETE => NeighbourState::Incomplete,
        libc::NUD_REACHABLE => NeighbourState::Reachable,
        libc::NUD_STALE => NeighbourState::Stale,
        libc::NUD_DELAY => NeighbourState::Delay,
        libc::NUD_PROBE => NeighbourState::Probe,
        libc::NUD_FAILED => NeighbourState::Failed,
        libc::NUD_PERMANENT => NeighbourState::Permanent,
        _ => return None,
    })
}
