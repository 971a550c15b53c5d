//! What our programs cost, as the kernel measures it.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use aya::{
    Ebpf,
    programs::ProgramInfo,
    sys::{Stats, enable_stats},
};

use super::{error::EbpfError, object};
use crate::{netns::helper, procfs, sample::ProgramCost};

/// While this lives, the kernel takes the time of every program's runs (`BPF_ENABLE_STATS`, Linux 5.8).
pub(super) struct Timing(#[expect(dead_code, reason = "closing it turns the measurement off")] OwnedFd);

/// Turns measuring on: by the helper where there is one, which has what it takes.
pub(super) fn measure() -> Result<Timing, EbpfError> {
    helper::measure().unwrap_or_else(measure_here).map(Timing).map_err(|source| EbpfError::System {
        operation: "turn on BPF run-time statistics (needs CAP_SYS_ADMIN)",
        source,
    })
}

/// Has the kernel take the time of programs while what this gives is open.
pub fn measure_here() -> io::Result<OwnedFd> {
    enable_stats(Stats::RunTime)
        .map_err(|error| io::Error::from_raw_os_error(error.io_error.raw_os_error().unwrap_or(libc::EPERM)))
}

/// What these programs cost so far, while they were measured.
pub(super) fn costs(
    ebpf: &mut Ebpf,
    programs: impl IntoIterator<Item = &'static str>,
) -> Result<Vec<ProgramCost>, EbpfError> {
    programs
        .into_iter()
        .map(|name| {
            let info = object::program(ebpf, name)?
                .info()
                .map_err(|source| EbpfError::LoadProgram { program: name, source: Box::new(source) })?;
            Ok(cost(name, &info))
        })
        .collect()
}

/// What one cost so far, likewise.
pub(super) fn cost(name: &str, info: &ProgramInfo) -> ProgramCost {
    ProgramCost {
        name: name.to_owned(),
        id: Some(info.id()),
        runs: info.run_count(),
        run_time_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
    }
}

/// Memory of all maps in bytes, as the kernel accounts it.
#[expect(clippy::wildcard_enum_match_arm, reason = "aya has kinds of maps that the object has none of")]
pub(super) fn map_bytes(ebpf: &Ebpf) -> u64 {
    use aya::maps::Map;
    ebpf.maps()
        .filter_map(|(_, map)| match map {
            Map::Array(map)
            | Map::HashMap(map)
            | Map::LruHashMap(map)
            | Map::PerCpuArray(map)
            | Map::RingBuf(map) => procfs::fd_locked_bytes(map.fd().as_fd().as_raw_fd()),
            _ => None,
        })
        .sum()
}
