//! Which modules the kernel has: loaded, built in, or to be loaded from the host's files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// Modules of the running kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modules {
    /// `/proc/modules`: names of those that are loaded, with `_` and never `-`; absent on a kernel that cannot load any.
    pub loaded: Observed<BTreeSet<String>>,
    /// Of those that matter for a pod network, where they are: `/sys/module`, and `modules.builtin` and `modules.dep` below
    /// `/lib/modules` of the host. Absent where the host has no such files for this kernel.
    pub installed: Observed<BTreeMap<String, Installed>>,
    /// The kernel has the generic netlink family of WireGuard now: the module is loaded or built in.
    pub wireguard_family: Observed<bool>,
}

/// Where a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Installed {
    /// In the kernel itself.
    BuiltIn,
    /// In a file that can be loaded.
    Loadable,
    /// Nowhere.
    Missing,
}
