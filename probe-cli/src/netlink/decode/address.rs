//! `RTM_NEWADDR`: `struct ifaddrmsg` and `IFA_*`. Nothing about other messages.

use ipnet::IpNet;

use super::Message;
use crate::{facts::netlink::AddressFact, netlink::error::DecodeError};

/// The address that `payload` describes. None for a family that is not IP.
pub(in crate::netlink) fn address(payload: &[u8]) -> Result<Option<AddressFact>, DecodeError> {
    let message = Message::new("RTM_NEWADDR", payload, 8)?;
    if !matches!(i32::from(message.u8(0)), libc::AF_INET | libc::AF_INET6) {
        return Ok(None);
    }
    let (mut local, mut address) = (None, None);
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::IFA_LOCAL => local = Some(attribute.ip()?),
            libc::IFA_ADDRESS => address = Some(attribute.ip()?),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end; IPv6 without a peer sends no IFA_LOCAL.
    let own = local.or(address).ok_or_else(|| message.missing("address"))?;
    let address = IpNet::new(own, message.u8(1)).ok().ok_or_else(|| message.missing("prefix length"))?;
    Ok(Some(AddressFact {
        ifindex: message.u32(4),
        address,
        global: message.u8(3) == libc::RT_SCOPE_UNIVERSE,
    }))
}
