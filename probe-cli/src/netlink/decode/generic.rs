//! `CTRL_CMD_NEWFAMILY`: which number a generic netlink family has. Nothing about the families themselves.

use super::Message;
use crate::netlink::error::DecodeError;

/// `CTRL_ATTR_FAMILY_ID`, linux/genetlink.h.
const CTRL_ATTR_FAMILY_ID: u16 = 1;

/// The number (`nlmsg_type`) of the family that `payload` describes.
pub(in crate::netlink) fn family(payload: &[u8]) -> Result<u16, DecodeError> {
    let message = Message::new("CTRL_CMD_NEWFAMILY", payload, 4)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind == CTRL_ATTR_FAMILY_ID {
            return attribute.u16();
        }
    }
    Err(message.missing("CTRL_ATTR_FAMILY_ID"))
}
