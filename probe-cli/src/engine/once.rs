//! Looks at the node once, or at the beginning and at the end of a window. Nothing is attached unless somebody asks to count, and
//! no privilege is needed but where the kernel wants one to tell of WireGuard's peers and of other namespaces.

use std::{collections::BTreeSet, time::Duration};

use super::{
    counting::Counting,
    error::EngineError,
    host::HostOptions,
    sources::Sources,
    vfs::{self, VfReading},
};
use crate::{
    facts::{netlink::PmtuException, sriov::SriovFacts},
    netlink::Source,
    procfs,
    sample::{Frame, Sample, VfDrivers},
};

/// Reads everything in the calling thread's network namespace. Must be called inside a current-thread runtime.
pub async fn look(host: &HostOptions) -> Result<Frame, EngineError> {
    let mut sources = Sources::open(host)?;
    let (frame, _) = first(&mut sources, host).await?;
    Ok(frame)
}

/// The same, with what is inside pods' network namespaces.
pub async fn look_inside(host: &HostOptions) -> Result<Frame, EngineError> {
    let mut sources = Sources::open(host)?;
    let (Frame { sample, .. }, sriov) = first(&mut sources, host).await?;
    sources.look_inside_all();
    let snapshot = sources.refresh(&sriov).await?;
    Ok(Frame { snapshot, sample })
}

/// Reads everything, waits for `window`, and reads again: see [`look_during`].
pub async fn look_over(
    host: &HostOptions,
    window: Duration,
    counting: &mut Counting,
) -> Result<(Sample, Frame), EngineError> {
    look_during(host, counting, async |begun| {
        tokio::time::sleep((begun + window).saturating_sub(procfs::monotonic())).await;
    })
    .await
}

/// Reads everything, waits for `during`, which gets the time of the beginning on the monotonic clock, reads again what changed and
/// looks into pods' network namespaces meanwhile: the counters of the beginning, and the frame of the end. What `counting` attaches is
/// there from the one to the other, and stays until it is stopped. Must be called inside a current-thread runtime.
pub async fn look_during(
    host: &HostOptions,
    counting: &mut Counting,
    during: impl AsyncFnOnce(Duration),
) -> Result<(Sample, Frame), EngineError> {
    let mut sources = Sources::open(host)?;
    let (Frame { snapshot, sample }, sriov) = first(&mut sources, host).await?;
    let before = if counting.is_wanted() {
        counting.start(&snapshot);
        // Attaching takes a while: the window begins now.
        counted(&sources, sample)
    } else {
        sample
    };
    let before = counting.read(before);
    sources.look_inside_all();
    during(before.monotonic).await;
    let snapshot = sources.refresh(&sriov).await?;
    let found = if sriov.has_vfs() { vfs_again(host, &before) } else { before.clone() };
    let sample = counting.read_last(counted(&sources, found)).await;
    Ok((before, Frame { snapshot, sample }))
}

/// The path MTUs that the kernel has learned by now, in the calling thread's network namespace.
pub fn learned_path_mtus() -> Result<Vec<PmtuException>, EngineError> {
    let source = Source::connect()?;
    let tables = [source.pmtu_exceptions_v4(), source.pmtu_exceptions_v6()];
    Ok(tables
        .into_iter()
        .filter_map(|table| table.value().map(|table| table.rows.clone()))
        .flatten()
        .collect())
}

/// Index and name of each interface that is up by now, in the calling thread's network namespace.
pub fn interfaces_up() -> Result<BTreeSet<(u32, String)>, EngineError> {
    let links = Source::connect()?.links_of(None)?;
    Ok(links.into_iter().filter(|(link, _)| link.up).map(|(link, _)| (link.ifindex, link.name)).collect())
}

/// What VFs carried until now, beside what they had carried at the beginning.
fn vfs_again(host: &HostOptions, before: &Sample) -> Sample {
    let (_, VfReading { vfs, at, drivers, notes }) = vfs::once(&host.root);
    let VfDrivers { at: earlier, told, .. } = before.vf_drivers.clone();
    let vf_drivers = VfDrivers { before: Some((earlier, told)), ..drivers };
    Sample { vfs, vfs_at: at, vf_drivers, vf_notes: notes, ..before.clone() }
}

async fn first(sources: &mut Sources, host: &HostOptions) -> Result<(Frame, SriovFacts), EngineError> {
    sources.ask().await;
    let (sriov, VfReading { vfs, at, drivers, notes }) = vfs::once(&host.root);
    let snapshot = sources.read_all(&sriov).await?;
    let found = Sample { vfs, vfs_at: at, vf_drivers: drivers, vf_notes: notes, ..Sample::default() };
    let sample = counted(sources, found);
    Ok((Frame { snapshot, sample }, sriov))
}

/// The sample with what the kernel counts now.
fn counted(sources: &Sources, sample: Sample) -> Sample {
    let (wireguard, _) = sources.wireguard();
    Sample {
        node: Box::new(sources.counters()),
        time: procfs::wall_clock(),
        monotonic: procfs::monotonic(),
        wireguard,
        ..sample
    }
}
