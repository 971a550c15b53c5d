//! Addresses that the host-local IPAM plugin has given away, as its files say. Texts in it are hostile input.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A network's directory of host-local (containernetworking/plugins plugins/ipam/host-local/backend/disk).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamNetwork {
    /// Its name: that of the CNI network.
    pub name: String,
    /// Path of the directory on the node.
    pub directory: String,
    /// Addresses that are taken, by address.
    pub taken: Vec<IpamAddress>,
    /// Addresses that were not read: there are too many, or it took too long.
    pub left_out: u64,
    /// `last_reserved_ip.N`: the address that was given last, by range of the plugin's configuration.
    pub last: Vec<IpamLast>,
    /// Files that are not what belongs there: how many, and one of them.
    pub notes: Vec<String>,
}

/// An address that is taken: the file is called as the address, and has the container's ID and the interface in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamAddress {
    /// The address.
    pub address: IpAddr,
    /// ID of the sandbox; empty in a file that is empty, as after a crash.
    pub container: String,
    /// The interface in the sandbox; none in files of plugins before 0.8.
    pub interface: Option<String>,
}

/// The address that was given last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamLast {
    /// Number of the range set in the configuration, from 0.
    pub range: u32,
    /// The address.
    pub address: IpAddr,
}
