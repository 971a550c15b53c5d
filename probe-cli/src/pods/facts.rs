//! What files say of pods' devices, as plain types.

use serde::{Deserialize, Serialize};

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClaims {
    /// Interfaces of pods, from libcni's cache.
    pub attachments: Vec<Attachment>,
    /// Network namespaces by PCI address, from sriov-cni.
    pub allocations: Vec<Allocation>,
    /// What could not be read, with the cause.
    pub notes: Vec<String>,
}

/// One interface of one pod, from libcni's cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `K8S_POD_NAMESPACE`.
    pub namespace: String,
    /// `K8S_POD_NAME`.
    pub pod: String,
    /// The CNI network's name.
    pub network: String,
    /// Name of the interface in the pod.
    pub ifname: String,
    /// Path of the pod's network namespace; none when the result does not name one.
    pub netns: Option<String>,
    /// `deviceID` of the network's configuration: a PCI address.
    pub device: Option<String>,
}

/// A VF that sriov-cni has given to a network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// PCI address of the VF.
    pub pci: String,
    /// Path of the namespace.
    pub netns: String,
}
