//! VLANs of bridges and their ports. That a bridge filters VLANs is said with its link.

use super::{
    decode,
    rows::rows,
    socket::Request,
    source::{AF_BRIDGE, Source},
};
use crate::{
    facts::{Bounded, netlink::BridgeVlansFact},
    observed::Observed,
};

/// linux/rtnetlink.h; not in libc. VLANs in a row with the same flags come as one.
const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 1 << 2;
/// Ports and bridges that are read; a bridge has 1,024 ports at most (`BR_MAX_PORTS`).
const MOST: usize = 8192;

impl Source {
    /// The VLANs of every bridge of this namespace and of its ports; empty without bridges.
    pub fn bridge_vlans(&self) -> Observed<Bounded<BridgeVlansFact>> {
        let request = Request::new("VLANs of bridge ports", libc::RTM_GETLINK, 16)
            .byte(0, AF_BRIDGE)
            .attribute(libc::IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
        rows(&self.socket, &request, MOST, |frame| match frame.kind {
            libc::RTM_NEWLINK => decode::bridge_vlans(frame.payload),
            _ => Ok(None),
        })
    }
}
