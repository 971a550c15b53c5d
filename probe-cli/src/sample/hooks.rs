//! Which eBPF programs are on the overlay's devices, whoever put them there.

use serde::{Deserialize, Serialize};

use super::ProgramCost;

/// Programs on the hooks of tunnels and of the devices below them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Where they are: by device and hook, and on one hook in the order in which they run.
    pub places: Vec<HookPlace>,
    /// What the kernel tells of those that are not ours. One that is not among these is gone, or may not be asked about, which needs
    /// `CAP_SYS_ADMIN`.
    pub others: Vec<ProgramCost>,
}

/// A program on a hook of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPlace {
    /// Interface index of the device.
    pub ifindex: u32,
    /// The hook.
    pub hook: Hook,
    /// The kernel's number of the program.
    pub program: u32,
}

/// Where a device hands packets to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hook {
    /// Packets that arrive, before the kernel has made buffers of them (generic XDP: after).
    Xdp,
    /// Packets that arrive: TCX, then the filters of clsact.
    Ingress,
    /// Packets that leave, likewise.
    Egress,
}

impl Hook {
    /// What `ip` and `tc` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}
