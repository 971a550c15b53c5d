//! Numbers of eBPF programs in `RTM_NEWLINK` (XDP) and `RTM_NEWTFILTER` (filters of kind bpf). Nothing about other messages.

use super::Message;
use crate::netlink::error::DecodeError;

// linux/if_link.h: `IFLA_XDP_*`.
const IFLA_XDP_PROG_ID: u16 = 4;
/// Of a program for each mode, where there are several.
const IFLA_XDP_OF_MODES: [u16; 3] = [5, 6, 7];
// linux/pkt_cls.h and linux/rtnetlink.h.
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_ID: u16 = 11;

/// The XDP programs in `payload` (`struct ifinfomsg`, as `rtnl_xdp_fill` writes them).
pub(in crate::netlink) fn xdp_programs(payload: &[u8]) -> Result<Vec<u32>, DecodeError> {
    let message = Message::new("RTM_NEWLINK", payload, 16)?;
    let mut found = Vec::new();
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind != libc::IFLA_XDP {
            continue;
        }
        for part in attribute.nested() {
            let part = part?;
            if part.kind == IFLA_XDP_PROG_ID || IFLA_XDP_OF_MODES.contains(&part.kind) {
                found.push(part.u32()?);
            }
        }
    }
    found.retain(|id| *id != 0);
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The program of a filter in `payload` (`struct tcmsg`, as `cls_bpf_dump` writes it); none of a filter of another kind.
pub(in crate::netlink) fn filter_program(payload: &[u8]) -> Result<Option<u32>, DecodeError> {
    let message = Message::new("RTM_NEWTFILTER", payload, 20)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind != TCA_OPTIONS {
            continue;
        }
        for option in attribute.nested() {
            // Options of other kinds have other numbers, and one of 11 may be of any size.
            let option = option?;
            if option.kind == TCA_BPF_ID {
                return Ok(option.u32().ok().filter(|id| *id != 0));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).unwrap();
        [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    fn payload(fixed: usize, attributes: &[Vec<u8>]) -> Vec<u8> {
        [vec![0; fixed], attributes.concat()].concat()
    }

    #[test]
    fn xdp_of_all_modes_is_found_once() {
        let id = |kind, id: u32| attribute(kind, &id.to_ne_bytes());
        let of = |parts: &[Vec<u8>]| {
            let parts = [&[attribute(2, &[1, 0, 0, 0])], parts].concat().concat();
            xdp_programs(&payload(16, &[attribute(libc::IFLA_XDP, &parts)]))
        };
        assert_eq!(of(&[]), Ok(vec![]));
        assert_eq!(of(&[id(4, 7), id(5, 7), id(6, 9)]), Ok(vec![7, 9]));
        // Of several the first says that it is none.
        assert_eq!(of(&[id(4, 0), id(7, 9)]), Ok(vec![9]));
        assert!(of(&[attribute(4, &[1, 2])]).is_err());
        assert_eq!(xdp_programs(&[0; 16]), Ok(vec![]));
        assert!(xdp_programs(&[0; 15]).is_err());
    }

    #[test]
    fn a_filter_has_a_program_if_it_is_one() {
        let of = |option: Vec<u8>| filter_program(&payload(20, &[attribute(TCA_OPTIONS, &option)]));
        assert_eq!(of(attribute(TCA_BPF_ID, &9_u32.to_ne_bytes())), Ok(Some(9)));
        assert_eq!(of(attribute(TCA_BPF_ID, &[1])), Ok(None));
        assert_eq!(of(attribute(7, b"name\0\0\0\0")), Ok(None));
        assert_eq!(filter_program(&[0; 20]), Ok(None));
        assert!(filter_program(&[0; 19]).is_err());
    }
}
