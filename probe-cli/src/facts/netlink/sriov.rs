//! What rtnetlink says of virtual functions, and of interfaces' own counters.

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// What a PF's driver says of its VFs, from `RTM_GETLINK` with `RTEXT_FILTER_VF`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfListFact {
    /// `IFLA_NUM_VF`; absent when the driver tells nothing of VFs.
    pub count: Option<u32>,
    /// One for each VF that could be read, in the order of the reply.
    pub vfs: Vec<VfInfoFact>,
    /// The reply ended early: the list has a length of 16 bits (`nla_nest_end`), and some 200 VFs are longer than that.
    pub truncated: bool,
}

/// `IFLA_VF_INFO`: what the PF's driver has set for one VF, and counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfInfoFact {
    /// Its number below the PF.
    pub index: u32,
    /// `IFLA_VF_MAC`: the address that the PF's administrator gave it; none when it is all zero, so that the VF may
    /// choose.
    pub mac: Option<Mac>,
    /// `IFLA_VF_VLAN_LIST` or `IFLA_VF_VLAN`; none without one.
    pub vlan: Option<VfVlan>,
    /// `IFLA_VF_SPOOFCHK`; none when the driver does not say.
    pub spoof_check: Option<bool>,
    /// `IFLA_VF_TRUST`; none when the driver does not say.
    pub trust: Option<bool>,
    /// `IFLA_VF_RATE`: least transmit rate in Mbit/s; none when not limited.
    pub min_tx_mbit: Option<u32>,
    /// `IFLA_VF_RATE`: most transmit rate in Mbit/s; none when not limited.
    pub max_tx_mbit: Option<u32>,
    /// `IFLA_VF_LINK_STATE`.
    pub link_state: Option<VfLinkState>,
    /// `IFLA_VF_STATS`; all zero also when the driver does not count. None in a snapshot: counters are in samples.
    pub counters: Option<LinkCounters>,
}

/// A VLAN that the NIC tags a VF's packets with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfVlan {
    /// VLAN identifier, 1 to 4095.
    pub id: u16,
    /// 802.1p priority, 0 to 7.
    pub qos: u8,
    /// True for 802.1ad (`ETH_P_8021AD`), false for 802.1Q.
    pub is_qinq: bool,
}

/// `IFLA_VF_LINK_STATE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VfLinkState {
    /// As the PF's link.
    Auto,
    /// Up, whatever the PF's is.
    Enable,
    /// Down.
    Disable,
}

/// Counters of an interface or a VF since it was made or reset, seen from its owner: a VF's `rx` is what it received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received, link headers included.
    pub rx_bytes: u64,
    /// Bytes sent, link headers included.
    pub tx_bytes: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// To be sent and dropped.
    pub tx_dropped: u64,
}
