//! Network functions on the PCI bus, whoever drives them.

use serde::{Deserialize, Serialize};

/// A PCI function of class "network controller", from sysfs (Documentation/ABI/testing/sysfs-bus-pci).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciFunctionFact {
    /// PCI address, such as `0000:01:00.0`.
    pub address: String,
    /// `vendor`: four hexadecimal digits in lower case.
    pub vendor: String,
    /// `device`: likewise.
    pub device: String,
    /// `class`: six hexadecimal digits: base class 02, subclass, programming interface.
    pub class: String,
    /// Name of its driver; none without one.
    pub driver: Option<String>,
    /// PCI address of its PF; none of a function that is no VF.
    pub physical_function: Option<String>,
    /// `numa_node`; none where it has none or the machine has one only.
    pub numa_node: Option<u32>,
    /// Names of its interfaces in this mount namespace's sysfs: in the network namespace that it was mounted in.
    pub interfaces: Vec<String>,
}
