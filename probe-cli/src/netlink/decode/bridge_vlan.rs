//! `RTM_NEWLINK` of `AF_BRIDGE` with `RTEXT_FILTER_BRVLAN_COMPRESSED`: VLANs of a port, as `br_fill_ifvlaninfo_compressed`
//! writes them. Links themselves are in `link`.

use super::{Attribute, Message, u16_at};
use crate::{
    facts::netlink::{BridgeVlansFact, VlanRange},
    netlink::error::DecodeError,
};

// linux/if_bridge.h.
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
const PVID: u16 = 1 << 1;
const UNTAGGED: u16 = 1 << 2;
const RANGE_BEGIN: u16 = 1 << 3;
const RANGE_END: u16 = 1 << 4;

/// The VLANs in `payload`; none for a message without any, as of a NIC with a bridge of its own.
pub(in crate::netlink) fn bridge_vlans(payload: &[u8]) -> Result<Option<BridgeVlansFact>, DecodeError> {
    let message = Message::new("RTM_NEWLINK", payload, 16)?;
    if i32::from(message.u8(0)) != libc::AF_BRIDGE {
        return Ok(None);
    }
    let mut fact = BridgeVlansFact { ifindex: message.u32(4), ..BridgeVlansFact::default() };
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::IFLA_MASTER => fact.bridge = Some(attribute.u32()?),
            libc::IFLA_AF_SPEC => fact.vlans = vlans(&attribute)?,
            _ => {}
        }
    }
    Ok((!fact.vlans.is_empty()).then_some(fact))
}

/// A range is two entries with the same flags beside those that say so.
fn vlans(list: &Attribute<'_>) -> Result<Vec<VlanRange>, DecodeError> {
    let mut found: Vec<VlanRange> = Vec::new();
    let mut begun = None;
    for entry in list.nested() {
        let entry = entry?;
        if entry.kind != IFLA_BRIDGE_VLAN_INFO {
            continue;
        }
        let half = |at| u16_at(entry.value, at).ok_or_else(|| entry.wrong_size());
        let (flags, id) = (half(0)?, half(2)?);
        if flags & RANGE_BEGIN != 0 {
            begun = Some(id);
            continue;
        }
        let first = begun.take().filter(|_| flags & RANGE_END != 0).unwrap_or(id);
        let (is_pvid, is_untagged) = (flags & PVID != 0, flags & UNTAGGED != 0);
        found.push(VlanRange { first, last: id, is_pvid, is_untagged });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len() + 4).unwrap();
        [&len.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
    }

    fn entry(flags: u16, id: u16) -> Vec<u8> {
        attribute(IFLA_BRIDGE_VLAN_INFO, &[flags.to_ne_bytes(), id.to_ne_bytes()].concat())
    }

    fn message(family: i32, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut payload = vec![0; 16];
        payload[0] = u8::try_from(family).unwrap();
        payload[4] = 5;
        payload.extend(attribute(libc::IFLA_MASTER, &3_u32.to_ne_bytes()));
        payload.extend(attribute(libc::IFLA_AF_SPEC, &entries.concat()));
        payload
    }

    #[test]
    fn single_ones_and_ranges() {
        let entries =
            [entry(PVID | UNTAGGED, 1), entry(RANGE_BEGIN, 200), entry(RANGE_END, 209), entry(0, 300)];
        let found = bridge_vlans(&message(libc::AF_BRIDGE, &entries)).unwrap().unwrap();
        let range = |first, last| VlanRange { first, last, is_pvid: false, is_untagged: false };
        let own = VlanRange { is_pvid: true, is_untagged: true, ..range(1, 1) };
        let expected = BridgeVlansFact {
            ifindex: 5,
            bridge: Some(3),
            vlans: vec![own, range(200, 209), range(300, 300)],
        };
        assert_eq!(found, expected);
        // A range without its beginning is its end alone; one without its end is left out.
        let odd = [entry(RANGE_END, 7), entry(RANGE_BEGIN, 8)];
        assert_eq!(bridge_vlans(&message(libc::AF_BRIDGE, &odd)).unwrap().unwrap().vlans, [range(7, 7)]);
    }

    #[test]
    fn other_messages_and_broken_ones() {
        assert_eq!(bridge_vlans(&message(libc::AF_BRIDGE, &[])), Ok(None));
        assert_eq!(bridge_vlans(&message(libc::AF_UNSPEC, &[entry(0, 1)])), Ok(None));
        let whole = message(libc::AF_BRIDGE, &[entry(0, 1)]);
        for cut in 25..whole.len() {
            assert!(
                bridge_vlans(&whole[..cut]).is_ok_and(|found| found.is_none())
                    || bridge_vlans(&whole[..cut]).is_err()
            );
        }
        let short = attribute(IFLA_BRIDGE_VLAN_INFO, &[0; 3]);
        assert!(bridge_vlans(&message(libc::AF_BRIDGE, &[short])).is_err());
    }
}
