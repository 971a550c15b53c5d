//! What sysfs says of PFs and VFs, as plain types.

use serde::{Deserialize, Serialize};

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
}
