//! What is known of a device by ethtool: its driver, its offloads, its channels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// A device as ethtool has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFact {
    /// Interface index.
    pub ifindex: u32,
    /// `ETHTOOL_GDRVINFO`.
    pub driver: Observed<DriverFact>,
    /// `ETHTOOL_MSG_FEATURES_GET`: those that matter for tunnels, by the name that the kernel has for them (`ethtool -k` has others for some). One that is not
    /// in it is not known to the kernel.
    pub features: Observed<BTreeMap<String, FeatureFact>>,
    /// `ETHTOOL_MSG_CHANNELS_GET`.
    pub channels: Observed<ChannelsFact>,
}

/// Driver of a device (`struct ethtool_drvinfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverFact {
    /// Its name, "mlx5_core", "vxlan".
    pub name: String,
    /// Its version: of most drivers the kernel's release.
    pub version: String,
    /// Version of the firmware; empty without one.
    pub firmware: String,
    /// What the device is on its bus, such as a PCI address; empty without one.
    pub bus: String,
}

/// One offload or other feature of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFact {
    /// It is on.
    pub is_active: bool,
    /// It was asked for; it may be off all the same, because another one is.
    pub is_wanted: bool,
    /// It cannot be changed.
    pub is_fixed: bool,
}

/// Channels of a device: queues with an interrupt each. None where the driver does not have the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelsFact {
    /// Receive only, now.
    pub rx: Option<u32>,
    /// Send only, now.
    pub tx: Option<u32>,
    /// Both, now.
    pub combined: Option<u32>,
    /// Receive only, at most.
    pub most_rx: Option<u32>,
    /// Send only, at most.
    pub most_tx: Option<u32>,
    /// Both, at most.
    pub most_combined: Option<u32>,
}
