//! What the kernel and the drivers counted of one interface.

use serde::{Deserialize, Serialize};

/// `struct rtnl_link_stats64` (linux/if_link.h; Documentation/networking/statistics.rst), from `RTM_NEWSTATS`. Bytes are those
/// that the driver counts: of Ethernet with the header of 14 bytes and without the checksum, of VXLAN devices the inner IP
/// packets. Packets are buffers: with GSO and GRO one counts for many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatistics {
    /// Interface index.
    pub ifindex: u32,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Faulty packets received.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Received and dropped for want of room or of anybody who wants them, not for being faulty.
    pub rx_dropped: u64,
    /// To be sent and dropped; of a VXLAN device also without an FDB entry.
    pub tx_dropped: u64,
    /// Multicast packets received.
    pub multicast: u64,
    /// Collisions; of a VXLAN device packets whose route leads back into it.
    pub collisions: u64,
    /// Of the receive errors: a wrong length.
    pub rx_length_errors: u64,
    /// Of the receive errors: no room in the NIC's own buffer.
    pub rx_over_errors: u64,
    /// Of the receive errors: a wrong checksum of the frame.
    pub rx_crc_errors: u64,
    /// Of the receive errors: alignment; of WireGuard packets whose source the peer must not use.
    pub rx_frame_errors: u64,
    /// Of the receive errors: the FIFO ran over.
    pub rx_fifo_errors: u64,
    /// Packets that the host was too slow to take from the NIC.
    pub rx_missed_errors: u64,
    /// Of the send errors: aborted.
    pub tx_aborted_errors: u64,
    /// Of the send errors: no carrier; of a tunnel no route to the outer destination.
    pub tx_carrier_errors: u64,
    /// Of the send errors: the FIFO ran empty.
    pub tx_fifo_errors: u64,
    /// Received by an interface that nobody listens on, such as the inactive one of a bond.
    pub rx_nohandler: u64,
    /// Dropped because the frame is for another host's link-layer address; none before Linux 5.19.
    pub rx_otherhost_dropped: Option<u64>,
}
