//! What the kernel and the machine say of themselves, beside their network tables.

mod modules;
mod sysctl;

use serde::{Deserialize, Serialize};

pub use self::{
    modules::{Installed, Modules},
    sysctl::{ConfSysctls, Sysctls},
};

use crate::observed::Observed;

/// What was found out about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Release of the running kernel, as `uname -r` has it.
    pub kernel: Observed<String>,
    /// The node's host name: of its UTS namespace where that is ours, else of `/etc/hostname` below its root; absent where
    /// nothing tells, as of a node that is a network namespace beside the machine's own.
    pub hostname: Observed<String>,
    /// The kernel has a module for WireGuard, loaded, built in or to be loaded; absent when nothing tells.
    pub wireguard_module: Observed<bool>,
    /// Modules that are loaded, and those that could be.
    pub modules: Modules,
}
