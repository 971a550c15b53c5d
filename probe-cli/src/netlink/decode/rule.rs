//! `RTM_NEWRULE`: `struct fib_rule_hdr` and `FRA_*`. Nothing about other messages.

use super::Message;
use crate::netlink::{
    error::DecodeError,
    facts::{FwMark, RuleFact},
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
