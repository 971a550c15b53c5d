//! VLANs of the ports of bridges, and of the bridges themselves.

use serde::{Deserialize, Serialize};

/// The VLANs of one port or bridge, from `RTM_NEWLINK` of `AF_BRIDGE`. They count where the bridge filters VLANs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeVlansFact {
    /// Interface index of the port, or of the bridge itself.
    pub ifindex: u32,
    /// `IFLA_MASTER`: the bridge; the bridge's own is itself.
    pub bridge: Option<u32>,
    /// Its VLANs, in order.
    pub vlans: Vec<VlanRange>,
}

/// VLANs in a row with the same flags (`struct bridge_vlan_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanRange {
    /// The first identifier, 1 to 4094.
    pub first: u16,
    /// The last identifier.
    pub last: u16,
    /// `BRIDGE_VLAN_INFO_PVID`: frames that come in without a tag are of it.
    pub is_pvid: bool,
    /// `BRIDGE_VLAN_INFO_UNTAGGED`: its frames go out without a tag.
    pub is_untagged: bool,
}
