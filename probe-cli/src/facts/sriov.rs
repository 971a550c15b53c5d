//! What sysfs says of PFs and VFs, as plain types.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// What was found out about physical and virtual functions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SriovFacts {
    /// Physical functions with their VFs, by PCI address.
    pub pfs: Observed<Vec<PfFact>>,
    /// What else could not be read, with the cause.
    pub notes: Vec<String>,
}

/// A physical function that can have virtual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PfFact {
    /// PCI address, such as `0000:01:00.0`.
    pub pci: String,
    /// Name of its driver; none without one.
    pub driver: Option<String>,
    /// `sriov_totalvfs`: how many VFs it could have.
    pub total_vfs: u32,
    /// `sriov_numvfs`: how many it has.
    pub num_vfs: Option<u32>,
    /// Its VFs, by their number.
    pub vfs: Vec<VfFact>,
}

/// A virtual function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfFact {
    /// Its number: `virtfnN` of the PF.
    pub index: u32,
    /// PCI address.
    pub pci: String,
    /// Name of its driver: the NIC's own, `vfio-pci`, none.
    pub driver: Option<String>,
    /// Number of its IOMMU group; none without an IOMMU.
    pub iommu_group: Option<u32>,
    /// What the PF's driver counted for it, as drivers from outside the kernel tell by files; none without them.
    pub stats: Option<VfStats>,
}

/// `sriov/<number>/stats` below a PF, seen from the VF's user: `rx` is what it received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfStats {
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
