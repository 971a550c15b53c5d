//! Why the engine cannot start or go on.

use thiserror::Error;

use crate::{ebpf::EbpfError, netlink::NetlinkError};

/// See the module.
#[derive(Debug, Error)]
pub enum EngineError {
    /// There is nothing to look at.
    #[error(
        "no overlay found: no VXLAN or WireGuard device and no SR-IOV VF in this network namespace\n\
         look at the node with --netns NAME, or run `overlay-probe demo`"
    )]
    NoOverlay,
    /// rtnetlink failed.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The BPF side failed.
    #[error(transparent)]
    Ebpf(#[from] EbpfError),
}
