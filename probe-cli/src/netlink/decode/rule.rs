//! `RTM_NEWRULE`: `struct fib_rule_hdr` and `FRA_*`. Nothing about other messages.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Message;
use crate::{
    facts::netlink::{FwMark, RouteType, RuleFact},
    netlink::error::DecodeError,
};

// linux/fib_rules.h.
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FR_ACT_TO_TBL: u8 = 1;
const FR_ACT_BLACKHOLE: u8 = 6;
const FR_ACT_UNREACHABLE: u8 = 7;
const FR_ACT_PROHIBIT: u8 = 8;
const FIB_RULE_INVERT: u32 = 2;

/// The rule that `payload` describes. None for a family that is not IP: multicast routing has rules too.
pub(in crate::netlink) fn rule(payload: &[u8]) -> Result<Option<RuleFact>, DecodeError> {
    let message = Message::new("RTM_NEWRULE", payload, 12)?;
    let family = match i32::from(message.u8(0)) {
        libc::AF_INET => 4,
        libc::AF_INET6 => 6,
        _ => return Ok(None),
    };
    let mut table = u32::from(message.u8(4));
    // The kernel sends no priority that is 0, and no mark or mask that is.
    let (mut priority, mut value, mut mask) = (0, 0, 0);
    let (to_len, from_len) = (message.u8(1), message.u8(2));
    let (mut from, mut to, mut suppressed_prefix_len) = (None, None, None);
    let mut is_narrower = message.u8(3) != 0;
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            FRA_PRIORITY => priority = attribute.u32()?,
            FRA_TABLE => table = attribute.u32()?,
            FRA_FWMARK => value = attribute.u32()?,
            FRA_FWMASK => mask = attribute.u32()?,
            FRA_DST => to = network(attribute.ip()?, to_len),
            FRA_SRC => from = network(attribute.ip()?, from_len),
            // All ones where there is none.
            FRA_SUPPRESS_PREFIXLEN => suppressed_prefix_len = u8::try_from(attribute.u32()?).ok(),
            FRA_UID_RANGE => is_narrower |= !is_everybody(attribute.value),
            FRA_IIFNAME | FRA_OIFNAME | FRA_TUN_ID | FRA_IP_PROTO | FRA_SPORT_RANGE | FRA_DPORT_RANGE => {
                is_narrower = true;
            }
            FRA_L3MDEV => is_narrower |= attribute.value != [0],
            _ => {}
        }
    }
    Ok(Some(RuleFact {
        family,
        priority,
        mark: (mask != 0).then_some(FwMark { value, mask }),
        is_inverted: message.u32(8) & FIB_RULE_INVERT != 0,
        from,
        to,
        is_narrower,
        table: (message.u8(7) == FR_ACT_TO_TBL).then_some(table),
        suppressed_prefix_len,
        dropping: match message.u8(7) {
            FR_ACT_BLACKHOLE => Some(RouteType::Blackhole),
            FR_ACT_UNREACHABLE => Some(RouteType::Unreachable),
            FR_ACT_PROHIBIT => Some(RouteType::Prohibit),
            _ => None,
        },
    }))
}

fn network(address: IpAddr, len: u8) -> Option<IpNet> {
    IpNet::new(address, len).ok()
}

/// `struct fib_rule_uid_range`: from the first user to the last.
fn is_everybody(range: &[u8]) -> bool {
    range == [[0; 4], [0xff; 4]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{decode::routes_of, testdata::messages};

    /// Compared with `ip rule` in the captured namespace.
    #[test]
    fn rules_about_marks_and_the_table_behind_one() {
        let rules: Vec<_> =
            messages("rules").iter().filter_map(|frame| rule(frame.payload).unwrap()).collect();
        let marked: Vec<_> = rules.iter().filter(|rule| rule.mark.is_some()).cloned().collect();
        let mark = |value, mask| Some(FwMark { value, mask });
        let of = |family, priority, mark, is_inverted, table| RuleFact {
            family,
            priority,
            mark,
            is_inverted,
            table: Some(table),
            ..RuleFact::default()
        };
        let bit = 0x10_0000;
        assert_eq!(
            marked,
            [
                of(4, 9, mark(0x200, 0xf00), false, 2004),
                of(4, 98, mark(51820, u32::MAX), true, 51820),
                of(4, 99, mark(bit, bit), true, 1),
                of(6, 99, mark(bit, bit), true, 1),
            ]
        );
        let plain: Vec<_> = rules
            .iter()
            .filter(|rule| rule.mark.is_none())
            .map(|rule| (rule.family, rule.priority, rule.table))
            .collect();
        let drops: Vec<_> = rules.iter().filter_map(|rule| Some((rule.priority, rule.dropping?))).collect();
        assert_eq!(drops, [(200, RouteType::Blackhole)]);
        assert!(rules.iter().all(|rule| rule.suppressed_prefix_len.is_none() && !rule.is_narrower));
        assert_eq!(
            plain,
            [
                (4, 0, Some(255)),
                (4, 200, None),
                (4, 32766, Some(254)),
                (4, 32767, Some(253)),
                (6, 0, Some(255)),
                (6, 32766, Some(254)),
            ]
        );

        let routes: Vec<_> = messages("policy_routes")
            .iter()
            .flat_map(|frame| routes_of(frame.payload, 1).unwrap())
            .map(|route| (route.destination.to_string(), route.protocol))
            .collect();
        // The one in the middle throws.
        let expected = [("10.42.2.128/26", 80), ("10.42.3.0/26", 3), ("10.42.4.0/26", 3)];
        assert_eq!(routes, expected.map(|(network, protocol)| (network.to_owned(), protocol)));
        let elsewhere = messages("policy_routes")
            .iter()
            .map(|frame| routes_of(frame.payload, 2).unwrap().len())
            .sum::<usize>();
        assert_eq!(elsewhere, 0, "another table");
    }
}
