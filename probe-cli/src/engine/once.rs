//! Looks at the node once. Nothing is attached, and no privilege is needed but where the kernel wants one to tell of
//! WireGuard's peers and of other namespaces.

use super::{error::EngineError, host::HostOptions, sources::Sources};
use crate::{
    procfs,
    sample::{Frame, Sample},
};

/// Reads everything in the calling thread's network namespace. Must be called inside a current-thread runtime.
pub async fn look(host: &HostOptions) -> Result<Frame, EngineError> {
    let mut sources = Sources::open(host)?;
    sources.ask().await;
    let snapshot = sources.read_all().await?;
    let (wireguard, _) = sources.wireguard();
    let sample =
        Sample { time: procfs::wall_clock(), monotonic: procfs::monotonic(), wireguard, ..Sample::default() };
    Ok(Frame { snapshot, sample })
}
