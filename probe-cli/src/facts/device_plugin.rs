//! What the SR-IOV network device plugin is told to offer. Texts in it are hostile input.

use serde::{Deserialize, Serialize};

use super::files::Sourced;

/// Its `config.json` (sriov-network-device-plugin pkg/types/types.go, `ResourceConfList`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePluginConfig {
    /// Path of the file.
    pub file: String,
    /// `resourceList`: pools of devices.
    pub resources: Vec<DevicePool>,
}

/// A pool of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePool {
    /// `resourceName`.
    pub name: Sourced<String>,
    /// `resourcePrefix`; none for the plugin's own, `intel.com` unless its arguments say otherwise.
    pub prefix: Option<Sourced<String>>,
    /// `deviceType`: `netDevice`, `accelerator` or `auxNetDevice`; none means `netDevice`.
    pub device_type: Option<Sourced<String>>,
    /// `selectors`, one map or a list of them: a device that fits one of them is in the pool.
    pub selectors: Vec<DeviceSelector>,
}

/// What a device must be, all of it. A list that is empty allows every value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSelector {
    /// `vendors`: four hexadecimal digits each.
    pub vendors: Vec<Sourced<String>>,
    /// `devices`: four hexadecimal digits each.
    pub devices: Vec<Sourced<String>>,
    /// `drivers`.
    pub drivers: Vec<Sourced<String>>,
    /// `pciAddresses`.
    pub pci_addresses: Vec<Sourced<String>>,
    /// `pfNames`: interfaces of PFs, each with VFs' numbers after `#` or without.
    pub pf_names: Vec<Sourced<String>>,
    /// `rootDevices`: PCI addresses of PFs, likewise.
    pub root_devices: Vec<Sourced<String>>,
    /// `linkTypes`: `ether`, `infiniband`.
    pub link_types: Vec<Sourced<String>>,
    /// `acpiIndexes`.
    pub acpi_indexes: Vec<Sourced<String>>,
    /// `isRdma`.
    pub is_rdma: Option<Sourced<bool>>,
    /// `needVhostNet`.
    pub needs_vhost_net: Option<Sourced<bool>>,
    /// Names of the other selectors that ask for something: `nicNames`, `ddpProfiles`, `vdpaType`.
    pub others: Vec<Sourced<String>>,
}
