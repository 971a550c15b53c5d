//! `CTRL_CMD_NEWFAMILY`: which number and name a generic netlink family has. Nothing about the families themselves.

use super::Message;
use crate::netlink::error::DecodeError;

/// `CTRL_ATTR_FAMILY_ID`, linux/genetlink.h.
const CTRL_ATTR_FAMILY_ID: u16 = 1;
/// `CTRL_ATTR_FAMILY_NAME`.
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

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

/// The name of the family that `payload` describes.
pub(in crate::netlink) fn family_name(payload: &[u8]) -> Result<String, DecodeError> {
    let message = Message::new("CTRL_CMD_NEWFAMILY", payload, 4)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind == CTRL_ATTR_FAMILY_NAME {
            return Ok(attribute.text());
        }
    }
    Err(message.missing("CTRL_ATTR_FAMILY_NAME"))
}
