//! `RTM_NEWSTATS`: `struct if_stats_msg` and `IFLA_STATS_LINK_64`, as `rtnl_fill_statsinfo` writes them. Nothing about other
//! messages.

use super::{Message, u64_at};
use crate::{facts::counters::LinkStatistics, netlink::error::DecodeError};

/// linux/if_link.h.
const IFLA_STATS_LINK_64: u16 = 1;

/// The counters in `payload` (`struct rtnl_link_stats64`); none without any.
pub(in crate::netlink) fn link_statistics(payload: &[u8]) -> Result<Option<LinkStatistics>, DecodeError> {
    let message = Message::new("RTM_NEWSTATS", payload, 12)?;
    for attribute in message.attributes() {
        let attribute = attribute?;
        if attribute.kind != IFLA_STATS_LINK_64 {
            continue;
        }
        let field = |number: usize| u64_at(attribute.value, number * 8).ok_or_else(|| attribute.wrong_size());
        return Ok(Some(LinkStatistics {
            ifindex: message.u32(4),
            rx_packets: field(0)?,
            tx_packets: field(1)?,
            rx_bytes: field(2)?,
            tx_bytes: field(3)?,
            rx_errors: field(4)?,
            tx_errors: field(5)?,
            rx_dropped: field(6)?,
            tx_dropped: field(7)?,
            multicast: field(8)?,
            collisions: field(9)?,
            rx_length_errors: field(10)?,
            rx_over_errors: field(11)?,
            rx_crc_errors: field(12)?,
            rx_frame_errors: field(13)?,
            rx_fifo_errors: field(14)?,
            rx_missed_errors: field(15)?,
            tx_aborted_errors: field(16)?,
            tx_carrier_errors: field(17)?,
            tx_fifo_errors: field(18)?,
            // 19 heartbeat, 20 window, 21 and 22 compressed: of hardware that is gone.
            rx_nohandler: field(23)?,
            rx_otherhost_dropped: field(24).ok(),
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: u64) -> Vec<u8> {
        let len = u16::try_from(4 + fields * 8).unwrap();
        let mut payload = vec![0; 12];
        payload[4] = 9;
        payload.extend(len.to_ne_bytes());
        payload.extend(IFLA_STATS_LINK_64.to_ne_bytes());
        payload.extend((0..fields).flat_map(u64::to_ne_bytes));
        payload
    }

    #[test]
    fn every_field_has_its_place() {
        let found = link_statistics(&message(25)).unwrap().unwrap();
        assert_eq!((found.ifindex, found.rx_packets, found.tx_bytes, found.tx_dropped), (9, 0, 3, 7));
        assert_eq!((found.rx_frame_errors, found.tx_carrier_errors, found.rx_nohandler), (13, 17, 23));
        assert_eq!(found.rx_otherhost_dropped, Some(24));
        // Before Linux 5.19.
        assert_eq!(link_statistics(&message(24)).unwrap().unwrap().rx_otherhost_dropped, None);
        assert!(link_statistics(&message(23)).is_err());
        assert_eq!(link_statistics(&[0; 12]), Ok(None));
        assert!(link_statistics(&[0; 11]).is_err());
    }
}
