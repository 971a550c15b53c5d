//! Looks at the node once. Nothing is attached, and no privilege is needed but where the kernel wants one to tell of
//! WireGuard's peers and of other namespaces.

use super::{
    error::EngineError,
    host::HostOptions,
    sources::Sources,
    vfs::{self, VfReading},
};
use crate::{
    procfs,
    sample::{Frame, Sample},
};

/// Reads everything in the calling thread's network namespace. Must be called inside a current-thread runtime.
pub async fn look(host: &HostOptions) -> Result<Frame, EngineError> {
    let mut sources = Sources::open(host)?;
    sources.ask().await;
    let (sriov, VfReading { vfs, at, drivers, notes }) = vfs::once(&host.root);
    let snapshot = sources.read_all(&sriov).await?;
    let (wireguard, _) = sources.wireguard();
    let sample = Sample {
        node: Box::new(sources.counters()),
        time: procfs::wall_clock(),
        monotonic: procfs::monotonic(),
        wireguard,
        vfs,
        vfs_at: at,
        vf_drivers: drivers,
        vf_notes: notes,
        ..Sample::default()
    };
    Ok(Frame { snapshot, sample })
}
