//! `RTM_NEWNSID`: `struct rtgenmsg` and `NETNSA_*`, as `rtnl_net_fill` writes them. Nothing about other messages.

use super::Message;
use crate::netlink::error::DecodeError;

/// The number in the attribute `kind`; none when the namespace has none (`NETNSA_NSID_NOT_ASSIGNED`, -1).
pub(in crate::netlink) fn nsid(payload: &[u8], kind: u16) -> Result<Option<i32>, DecodeError> {
    let message = Message::new("RTM_NEWNSID", payload, 4)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind == kind {
            return attribute.i32().map(|nsid| Some(nsid).filter(|&nsid| nsid >= 0));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_none_and_nonsense() {
        let message = |value: i32| [&[0; 4][..], &[8, 0, 1, 0], &value.to_ne_bytes()].concat();
        assert_eq!(nsid(&message(7), 1), Ok(Some(7)));
        assert_eq!(nsid(&message(-1), 1), Ok(None));
        assert_eq!(nsid(&message(7), 2), Ok(None));
        assert_eq!(nsid(&[0; 4], 1), Ok(None));
        for cut in [&[0; 3][..], &message(7)[..11]] {
            assert!(nsid(cut, 1).is_err());
        }
    }
}
