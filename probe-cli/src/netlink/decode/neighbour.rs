//! `RTM_NEWNEIGH`: `struct ndmsg` and `NDA_*`, for neighbours and, as `AF_BRIDGE`, for forwarding databases.

use super::{Message, u32_at};
use crate::{
    facts::netlink::{FdbFact, NeighbourFact},
    mac::Mac,
    netlink::error::DecodeError,
};

/// `USER_HZ`, the clock tick of `NDA_CACHEINFO`: 100 on every architecture that Kubernetes runs on, whatever the
/// kernel's own HZ is.
pub(super) const TICKS_PER_SECOND: u64 = 100;

/// What a neighbour message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::netlink) enum Neighbour {
    /// An IP neighbour.
    Ip(NeighbourFact),
    /// A forwarding database entry of the device itself. Of any device: ordinary ones list their multicast filters.
    Fdb(FdbFact),
}

impl Neighbour {
    /// Interface index of the device.
    pub(in crate::netlink) fn ifindex(&self) -> u32 {
        match self {
            Self::Ip(fact) => fact.ifindex,
            Self::Fdb(fact) => fact.ifindex,
        }
    }
}

/// The entry that `payload` describes. None for what the kernel makes up by itself (`NUD_NOARP`: multicast groups),
/// proxy entries, and a bridge's entries about one of its ports, which carry `NDA_MASTER`.
pub(in crate::netlink) fn neighbour(payload: &[u8]) -> Result<Option<Neighbour>, DecodeError> {
    let message = Message::new("RTM_NEWNEIGH", payload, 12)?;
    let family = i32::from(message.u8(0));
    let (ifindex, state, flags) = (message.u32(4), message.u16(8), message.u8(10));
    let (mut address, mut mac, mut used, mut of_bridge) = (None, None, None, false);
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::NDA_DST => address = Some(attribute.ip()?),
            libc::NDA_LLADDR => mac = attribute.mac(),
            // struct nda_cacheinfo: confirmed, used, updated, refcnt.
            libc::NDA_CACHEINFO => {
                used = Some(u32_at(attribute.value, 4).ok_or_else(|| attribute.wrong_size())?);
            }
            libc::NDA_MASTER => of_bridge = true,
            _ => {}
        }
    }
    match family {
        libc::AF_BRIDGE if of_bridge => Ok(None),
        libc::AF_BRIDGE => {
            // A collect-metadata device's entries have a MAC too; only multicast database entries have none.
            let Some(mac) = mac else { return Ok(None) };
            let used_s = used.map(|ticks| u64::from(ticks) / TICKS_PER_SECOND);
            Ok(Some(Neighbour::Fdb(FdbFact { ifindex, mac, destination: address, used_s })))
        }
        libc::AF_INET | libc::AF_INET6 => {
            if state & libc::NUD_NOARP != 0 || flags & libc::NTF_PROXY != 0 {
                return Ok(None);
            }
            let address = address.ok_or_else(|| message.missing("NDA_DST"))?;
            Ok(Some(Neighbour::Ip(NeighbourFact {
                ifindex,
                address,
                mac: mac.filter(|mac| *mac != Mac::default()),
                permanent: state & libc::NUD_PERMANENT != 0,
                failed: state & libc::NUD_FAILED != 0,
            })))
        }
        _ => Ok(None),
    }
}
