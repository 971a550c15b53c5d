//! `IFLA_VFINFO_LIST` and `IFLA_STATS64` of `RTM_NEWLINK`, as `rtnl_fill_vfinfo` and `rtnl_fill_stats` write them. Nothing
//! about other attributes.

use super::{Attribute, Message, u16_at, u32_at, u64_at};
use crate::{
    facts::netlink::{LinkCounters, VfInfoFact, VfLinkState, VfListFact, VfVlan},
    mac::Mac,
    netlink::error::DecodeError,
};

// linux/if_link.h; not in libc.
const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
const IFLA_VF_SPOOFCHK: u16 = 4;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_RATE: u16 = 6;
const IFLA_VF_STATS: u16 = 8;
const IFLA_VF_TRUST: u16 = 9;
const IFLA_VF_VLAN_LIST: u16 = 12;
const IFLA_VF_STATS_RX_PACKETS: u16 = 0;
const IFLA_VF_STATS_TX_PACKETS: u16 = 1;
const IFLA_VF_STATS_RX_BYTES: u16 = 2;
const IFLA_VF_STATS_TX_BYTES: u16 = 3;
const IFLA_VF_STATS_RX_DROPPED: u16 = 7;
const IFLA_VF_STATS_TX_DROPPED: u16 = 8;
/// linux/if_ether.h.
const ETH_P_8021AD: u16 = 0x88a8;
/// What a setting has that the driver does not tell (`rtnl_fill_vfinfo` sets it before it asks).
const NOT_TOLD: u32 = u32::MAX;
/// VFs of a PF: the SR-IOV capability counts them in 16 bits; no NIC has more than this.
const MAX_VFS: usize = 4096;

/// The VFs in `payload`. The list's length wraps when there are many: what follows its claimed end are the rest of its
/// entries and not attributes of the link, so nothing after it is read.
pub(in crate::netlink) fn vf_list(payload: &[u8]) -> Result<VfListFact, DecodeError> {
    let message = Message::new("RTM_NEWLINK", payload, 16)?;
    let mut list = VfListFact::default();
    for attribute in message.attributes() {
        match attribute {
            Ok(attribute) if attribute.kind == libc::IFLA_NUM_VF => list.count = Some(attribute.u32()?),
            Ok(attribute) if attribute.kind == libc::IFLA_VFINFO_LIST => {
                for entry in attribute.nested() {
                    match entry.and_then(|entry| info(&entry)) {
                        Ok(info) if list.vfs.len() < MAX_VFS => list.vfs.push(info),
                        Ok(_) | Err(_) => list.truncated = true,
                    }
                }
                break;
            }
            Ok(_) => {}
            // A length below a header's own, which is what some wrap to.
            Err(DecodeError::Overrun { attribute, .. }) if attribute == libc::IFLA_VFINFO_LIST => break,
            Err(error) => return Err(error),
        }
    }
    let listed = u32::try_from(list.vfs.len()).unwrap_or(u32::MAX);
    list.truncated |= list.count.is_some_and(|count| listed < count);
    Ok(list)
}

fn info(entry: &Attribute<'_>) -> Result<VfInfoFact, DecodeError> {
    let mut fact = VfInfoFact::default();
    let mut index = None;
    for part in entry.nested() {
        let part = part?;
        // Each begins with the VF's number.
        let word = |at: usize| u32_at(part.value, at).ok_or_else(|| part.wrong_size());
        let told = |value: u32| (value != NOT_TOLD).then_some(value);
        match part.kind {
            IFLA_VF_MAC => {
                index = Some(word(0)?);
                let octets = part.value.get(4..10).and_then(|octets| octets.try_into().ok());
                fact.mac = octets.map(Mac).filter(|mac| *mac != Mac::default());
            }
            IFLA_VF_VLAN => fact.vlan = fact.vlan.or(vlan(word(4)?, word(8)?, 0)),
            IFLA_VF_VLAN_LIST => {
                if let Some(first) = part.nested().next() {
                    let first = first?;
                    let field = |at: usize| u32_at(first.value, at).ok_or_else(|| first.wrong_size());
                    let protocol = u16_at(first.value, 12).map_or(0, u16::from_be);
                    fact.vlan = vlan(field(4)?, field(8)?, protocol);
                }
            }
            IFLA_VF_SPOOFCHK => fact.spoof_check = told(word(4)?).map(|on| on != 0),
            IFLA_VF_TRUST => fact.trust = told(word(4)?).map(|on| on != 0),
            IFLA_VF_RATE => {
                fact.min_tx_mbit = Some(word(4)?).filter(|&rate| rate != 0);
                fact.max_tx_mbit = Some(word(8)?).filter(|&rate| rate != 0);
            }
            IFLA_VF_LINK_STATE => {
                fact.link_state = match word(4)? {
                    0 => Some(VfLinkState::Auto),
                    1 => Some(VfLinkState::Enable),
                    2 => Some(VfLinkState::Disable),
                    _ => None,
                };
            }
            IFLA_VF_STATS => fact.counters = Some(counters(&part)?),
            _ => {}
        }
    }
    fact.index = index.ok_or(DecodeError::Missing { message: entry.message, what: "IFLA_VF_MAC" })?;
    Ok(fact)
}

fn vlan(id: u32, qos: u32, protocol: u16) -> Option<VfVlan> {
    let id = u16::try_from(id).ok().filter(|&id| id != 0)?;
    Some(VfVlan { id, qos: u8::try_from(qos).unwrap_or(u8::MAX), is_qinq: protocol == ETH_P_8021AD })
}

fn counters(stats: &Attribute<'_>) -> Result<LinkCounters, DecodeError> {
    let mut counters = LinkCounters::default();
    for part in stats.nested() {
        let part = part?;
        let into = match part.kind {
            IFLA_VF_STATS_RX_PACKETS => &mut counters.rx_packets,
            IFLA_VF_STATS_TX_PACKETS => &mut counters.tx_packets,
            IFLA_VF_STATS_RX_BYTES => &mut counters.rx_bytes,
            IFLA_VF_STATS_TX_BYTES => &mut counters.tx_bytes,
            IFLA_VF_STATS_RX_DROPPED => &mut counters.rx_dropped,
            IFLA_VF_STATS_TX_DROPPED => &mut counters.tx_dropped,
            _ => continue,
        };
        *into = part.u64()?;
    }
    Ok(counters)
}

/// Interface index and counters (`struct rtnl_link_stats64`) of the link that `payload` describes.
pub(in crate::netlink) fn link_counters(payload: &[u8]) -> Result<Option<(u32, LinkCounters)>, DecodeError> {
    let message = Message::new("RTM_NEWLINK", payload, 16)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind == libc::IFLA_STATS64 {
            let field =
                |number: usize| u64_at(attribute.value, number * 8).ok_or_else(|| attribute.wrong_size());
            let counters = LinkCounters {
                rx_packets: field(0)?,
                tx_packets: field(1)?,
                rx_bytes: field(2)?,
                tx_bytes: field(3)?,
                rx_dropped: field(6)?,
                tx_dropped: field(7)?,
            };
            return Ok(Some((message.u32(4), counters)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::decode::frames;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        // The length wraps as the kernel's does.
        let len = u16::try_from((value.len() + 4) & 0xffff).unwrap();
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// One VF as `rtnl_fill_vfinfo` of Linux 6.12 lays it out, the broadcast address and the GUIDs included.
    fn entry(index: u32, packets: u64) -> Vec<u8> {
        let mut mac = words(&[index]);
        mac.extend([2, 0, 0, 0, 0, u8::try_from(index % 256).unwrap()]);
        mac.resize(36, 0);
        let mut tagged = words(&[index, 100, 3]);
        tagged.extend([0x88, 0xa8, 0, 0]);
        let stats: Vec<u8> = [0_u16, 1, 2, 3, 4, 5, 7, 8]
            .iter()
            .flat_map(|kind| attribute(*kind, &(packets + u64::from(*kind)).to_ne_bytes()))
            .collect();
        let parts = [
            attribute(IFLA_VF_MAC, &mac),
            attribute(13, &[0xff; 32]),
            attribute(IFLA_VF_VLAN, &words(&[index, 100, 3])),
            attribute(IFLA_VF_RATE, &words(&[index, 0, 1000])),
            attribute(3, &words(&[index, 1000])),
            attribute(IFLA_VF_SPOOFCHK, &words(&[index, 1])),
            attribute(IFLA_VF_LINK_STATE, &words(&[index, 2])),
            attribute(7, &words(&[index, NOT_TOLD])),
            attribute(IFLA_VF_TRUST, &words(&[index, NOT_TOLD])),
            attribute(IFLA_VF_VLAN_LIST, &attribute(1, &tagged)),
            attribute(IFLA_VF_STATS, &stats),
        ];
        attribute(1, &parts.concat())
    }

    fn message(count: u32) -> Vec<u8> {
        let entries: Vec<u8> = (0..count).flat_map(|index| entry(index, 10)).collect();
        let name = attribute(libc::IFLA_IFNAME, b"eth0\0");
        let number = attribute(libc::IFLA_NUM_VF, &count.to_ne_bytes());
        [vec![0; 16], name, number, attribute(libc::IFLA_VFINFO_LIST, &entries), attribute(1, &[1; 6])]
            .concat()
    }

    #[test]
    fn every_setting_of_a_vf() {
        let list = vf_list(&message(7)).unwrap();
        assert_eq!((list.count, list.vfs.len(), list.truncated), (Some(7), 7, false));
        let expected = VfInfoFact {
            index: 6,
            mac: Some(Mac([2, 0, 0, 0, 0, 6])),
            vlan: Some(VfVlan { id: 100, qos: 3, is_qinq: true }),
            spoof_check: Some(true),
            trust: None,
            min_tx_mbit: None,
            max_tx_mbit: Some(1000),
            link_state: Some(VfLinkState::Disable),
            counters: Some(LinkCounters {
                rx_packets: 10,
                tx_packets: 11,
                rx_bytes: 12,
                tx_bytes: 13,
                rx_dropped: 17,
                tx_dropped: 18,
            }),
        };
        assert_eq!(list.vfs[6], expected);
    }

    /// The answer about an igb PF with three VFs, as `testdata/vfs.sh` sets them.
    const CAPTURED: &[u8] = include_bytes!("../testdata/vfs.bin");

    fn captured() -> &'static [u8] {
        frames(CAPTURED).next().unwrap().unwrap().payload
    }

    #[test]
    fn what_a_real_driver_says() {
        let list = vf_list(captured()).unwrap();
        assert_eq!((list.count, list.vfs.len(), list.truncated), (Some(3), 3, false));
        let untouched = VfInfoFact {
            index: 2,
            mac: None,
            vlan: None,
            spoof_check: Some(true),
            trust: Some(false),
            min_tx_mbit: None,
            max_tx_mbit: None,
            link_state: Some(VfLinkState::Auto),
            // igb has no `ndo_get_vf_stats`.
            counters: Some(LinkCounters::default()),
        };
        let first = VfInfoFact {
            index: 0,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            vlan: Some(VfVlan { id: 100, qos: 3, is_qinq: false }),
            spoof_check: Some(false),
            trust: Some(true),
            ..untouched
        };
        let second =
            VfInfoFact { index: 1, mac: Some(Mac([2, 0, 0, 0, 0, 2])), max_tx_mbit: Some(100), ..untouched };
        assert_eq!(list.vfs, [first, second, untouched]);
        assert!(link_counters(captured()).unwrap().is_some(), "they come before and after the list");
        for cut in 0..captured().len() {
            let Ok(cut) = vf_list(&captured()[..cut]) else { continue };
            assert!(cut.vfs.len() <= 3 && (cut.truncated || cut.count.is_none() || cut.vfs.len() == 3));
        }
    }

    #[test]
    fn a_list_of_256_is_longer_than_its_length_can_say() {
        let list = vf_list(&message(256)).unwrap();
        assert_eq!(list.count, Some(256));
        assert!(list.truncated && list.vfs.len() < 256, "{}", list.vfs.len());
        // What is there is right.
        for (index, vf) in list.vfs.iter().enumerate() {
            assert_eq!(usize::try_from(vf.index).unwrap(), index);
        }
        let cut = message(7);
        assert!(
            vf_list(&cut[..cut.len() - 30]).is_err() || vf_list(&cut[..cut.len() - 30]).unwrap().truncated
        );
    }

    #[test]
    fn a_link_without_vfs() {
        assert_eq!(vf_list(&[0; 16]), Ok(VfListFact::default()));
        assert!(vf_list(&[0; 15]).is_err());
        assert_eq!(link_counters(&[0; 16]), Ok(None));
        let stats: Vec<u8> = (1..=24_u64).flat_map(u64::to_ne_bytes).collect();
        let mut payload = vec![0; 16];
        payload[4] = 9;
        payload.extend(attribute(libc::IFLA_STATS64, &stats));
        let (ifindex, counters) = link_counters(&payload).unwrap().unwrap();
        assert_eq!((ifindex, counters.rx_packets, counters.tx_bytes, counters.tx_dropped), (9, 1, 4, 8));
        payload.truncate(40);
        payload[16..18].copy_from_slice(&24_u16.to_ne_bytes());
        assert!(link_counters(&payload).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(count in 0_u32..300, at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = message(count);
            let whole = vf_list(&bytes).unwrap().vfs;
            let cut = cut.index(bytes.len() + 1);
            if let Ok(list) = vf_list(&bytes[..cut]) {
                prop_assert!(whole.starts_with(&list.vfs), "what is cut is the beginning of the whole");
            }
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut);
            if let Ok(list) = vf_list(&bytes) {
                prop_assert!(list.vfs.len() <= MAX_VFS.min(bytes.len() / 4));
            }
            let _ = link_counters(&bytes);
        }
    }
}
