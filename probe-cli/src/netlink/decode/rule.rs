//! `RTM_NEWRULE`: `struct fib_rule_hdr` and `FRA_*`. Nothing about other messages.

use super::Message;
use crate::{
    facts::netlink::{FwMark, RuleFact},
    netlink::error::DecodeError,
};

// linux/fib_rules.h.
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FR_ACT_TO_TBL: u8 = 1;
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
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            FRA_PRIORITY => priority = attribute.u32()?,
            FRA_TABLE => table = attribute.u32()?,
            FRA_FWMARK => value = attribute.u32()?,
            FRA_FWMASK => mask = attribute.u32()?,
            _ => {}
        }
    }
    Ok(Some(RuleFact {
        family,
        priority,
        mark: (mask != 0).then_some(FwMark { value, mask }),
        is_inverted: message.u32(8) & FIB_RULE_INVERT != 0,
        table: (message.u8(7) == FR_ACT_TO_TBL).then_some(table),
    }))
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
        assert_eq!(routes, [("10.42.2.128/26".to_owned(), 80), ("10.42.4.0/26".to_owned(), 3)]);
        let elsewhere = messages("policy_routes")
            .iter()
            .map(|frame| routes_of(frame.payload, 2).unwrap().len())
            .sum::<usize>();
        assert_eq!(elsewhere, 0, "another table");
    }
}
