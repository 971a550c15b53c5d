//! What sysfs says of PFs and VFs, as plain types.

use serde::{Deserialize, Serialize};

use super::netlink::VfListFact;
use crate::{mac::Mac, observed::Observed};

/// What was found out about physical and virtual functions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SriovFacts {
    /// Physical functions with their VFs, by PCI address.
    pub pfs: Observed<Vec<PfFact>>,
    /// Physical functions that sysfs has, too, and whose interfaces were found nowhere: other nodes' on the same machine, or of
    /// no NICs.
    pub others: Vec<PfFact>,
    /// What the drivers tell of VFs, in the order of asking; nothing of PFs whose interface was not found.
    pub lists: Vec<OfPf>,
    /// Interfaces of PCI functions, in every network namespace that could be read. Empty where there are no VFs.
    pub interfaces: Vec<PciInterface>,
    /// Names of the network namespaces that there are. Empty where there are no VFs.
    pub netns: Vec<String>,
    /// What could not be looked into for interfaces, with the cause.
    pub notes: Vec<String>,
}

impl SriovFacts {
    /// There are VFs. Without them nobody looks into files, sockets and other namespaces for theirs.
    pub fn has_vfs(&self) -> bool {
        self.pfs.rows().iter().any(|pf| !pf.vfs.is_empty())
    }

    /// Leaves out what is not this node's: sysfs shows every PCI device of the machine in every network namespace, and
    /// other classes than NICs have VFs, too. A PF is of this node when its interface could be found; one that has no
    /// driver, or whose driver gives it to a user whole, has none anywhere.
    pub fn leave_out_others(&mut self) {
        let Self { pfs, others, interfaces, .. } = self;
        let Observed::Value(pfs) = pfs else { return };
        let is_own = |pf: &PfFact| {
            matches!(pf.driver.as_deref(), None | Some("vfio-pci"))
                || interfaces.iter().any(|interface| interface.pci == pf.pci)
        };
        others.extend(pfs.iter().filter(|pf| !is_own(pf)).cloned());
        pfs.retain(is_own);
    }
}

/// What the driver of one PF tells of its VFs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfPf {
    /// PCI address of the PF.
    pub pci: String,
    /// Its answer, without what the VFs carried: that is in samples.
    pub told: Observed<VfListFact>,
}

/// A network interface of a PCI function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciInterface {
    /// PCI address of the function.
    pub pci: String,
    /// Its index in its namespace.
    pub ifindex: u32,
    /// Its name. Hostile input: escape before showing.
    pub name: String,
    /// Name of the network namespace that it is in; none for the node's own.
    pub netns: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// The address that it uses; none when it is no Ethernet address.
    pub mac: Option<Mac>,
    /// `IFF_UP`.
    pub up: bool,
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
    /// What the PF's driver counted for it, as drivers from outside the kernel tell by files; none without them, and in a
    /// snapshot: counters are in samples.
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
