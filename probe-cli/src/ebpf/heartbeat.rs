//! The heartbeat of a run with clsact filters: a map that its programs have and that it writes with each sample. Whoever finds
//! one of its filters finds the map, and so learns whether somebody still reads what it counts.
//!
//! The map is bound to the programs and used by none of their instructions, so that packets pay nothing for it.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, MapInfo},
};
use probe_common::heartbeat::{Heartbeat, NAME};

use super::{
    error::{EbpfError, map_error},
    object::{self, Programs},
    sys,
};
use crate::procfs;

/// A run without a beat for this long counts as ended, unless its intervals are long.
const SILENCE: Duration = Duration::from_secs(10);

/// A run counts as ended when this many of its intervals went by without a beat, and no sooner than [`SILENCE`].
const INTERVALS: u32 = 3;

/// Most maps of a program that are looked through; ours have some twenty.
const MOST_MAPS: usize = 64;

/// The heartbeat map of a run.
pub struct Heart(Array<MapData, Heartbeat>);

/// What a filter's program says of its run.
#[derive(Debug)]
pub enum Pulse {
    /// The run lives, or ended no longer ago than this says: it could have been silent for that long and live.
    Beats(Duration),
    /// It ended.
    Stopped,
    /// The program has no heartbeat: of an older version of the tool, or on a kernel before 5.10.
    None,
    /// The kernel does not let us look, or the map is not as it should be.
    Unknown(io::Error),
}

/// The part of `union bpf_attr` that `BPF_PROG_BIND_MAP` uses.
#[repr(C)]
struct BindAttr {
    prog_fd: u32,
    map_fd: u32,
    flags: u32,
}

impl Heart {
    /// Binds the map to all programs, which must be loaded, and beats for the first time. None on a kernel that cannot do it.
    pub(super) fn start(
        ebpf: &mut Ebpf,
        programs: Programs,
        interval: Duration,
    ) -> Result<Option<Self>, EbpfError> {
        let missing = || EbpfError::Missing { what: format!("array {NAME}") };
        let Some(Map::Array(map)) = ebpf.take_map(NAME) else { return Err(missing()) };
        for name in programs.all() {
            let program = object::program(ebpf, name)?.fd();
            let program = program
                .map_err(|source| EbpfError::LoadProgram { program: name, source: Box::new(source) })?;
            if let Err(error) = bind(program.as_fd(), map.fd().as_fd()) {
                tracing::debug!("no heartbeat: the kernel does not bind a map to {name}: {error}");
                return Ok(None);
            }
        }
        let map = Array::try_from(Map::Array(map)).map_err(|_other_size| missing())?;
        let mut heart = Self(map);
        heart.beat(interval)?;
        Ok(Some(heart))
    }

    /// The heartbeat that a program has, by the kernel's number of the program. Needs `CAP_SYS_ADMIN`.
    pub fn of_program(id: u32) -> io::Result<Option<Self>> {
        // Gone since, or a kernel that did not tell the number.
        let Some(program) = sys::program(id)? else { return Ok(None) };
        for id in map_ids(program.as_fd())? {
            if MapInfo::from_id(id).map_err(map_error)?.name() == NAME.as_bytes() {
                let map = MapData::from_id(id).map_err(map_error)?;
                return Array::try_from(Map::Array(map)).map(Self).map(Some).map_err(map_error);
            }
        }
        Ok(None)
    }

    /// Says that the run lives, and that it will say so again after `interval`.
    pub fn beat(&mut self, interval: Duration) -> Result<(), EbpfError> {
        self.set(procfs::node_monotonic(), interval)
    }

    /// Says that the run lived at `at`, on the clock of [`procfs::node_monotonic`].
    pub fn set(&mut self, at: Duration, interval: Duration) -> Result<(), EbpfError> {
        let beat = Heartbeat { at: nanoseconds(at), interval: nanoseconds(interval), ..Heartbeat::default() };
        self.0.set(0, beat, 0).map_err(|error| EbpfError::Map {
            operation: "write",
            map: NAME,
            source: map_error(error),
        })
    }
}

impl Pulse {
    /// That of a program, by the kernel's number of it. Needs `CAP_SYS_ADMIN`.
    pub fn of_program(id: u32) -> Self {
        let heart = match Heart::of_program(id) {
            Ok(Some(heart)) => heart,
            Ok(None) => return Self::None,
            Err(error) => return Self::Unknown(error),
        };
        match heart.0.get(&0, 0) {
            Ok(beat) => Self::at(&beat, procfs::node_monotonic()),
            Err(error) => Self::Unknown(map_error(error)),
        }
    }

    /// A beat in the future is of a clock that cannot be compared, and says that there is a run.
    fn at(beat: &Heartbeat, now: Duration) -> Self {
        let silence = SILENCE.max(Duration::from_nanos(beat.interval).saturating_mul(INTERVALS));
        let since = now.saturating_sub(Duration::from_nanos(beat.at));
        if since < silence { Self::Beats(silence) } else { Self::Stopped }
    }
}

fn bind(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = BindAttr {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        map_fd: map.as_raw_fd().cast_unsigned(),
        flags: 0,
    };
    sys::bpf(sys::PROG_BIND_MAP, &mut attr).map(drop)
}

/// The kernel's numbers of a program's maps.
fn map_ids(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; MOST_MAPS];
    let mut info = sys::ProgramInfo::default();
    info.map_count = u32::try_from(MOST_MAPS).unwrap_or(0);
    info.map_ids = ids.as_mut_ptr().expose_provenance() as u64;
    sys::info(program, &mut info)?;
    // It says how many there are, not how many it wrote down.
    let count = usize::try_from(info.map_count).unwrap_or(MOST_MAPS);
    Ok(ids.into_iter().take(count).collect())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_alive_for_ten_seconds_or_three_intervals_after_its_last_beat() {
        let pulse = |at: u64, interval: u64, now: u64| {
            let beat = Heartbeat { at: at * 1_000_000_000, interval, ..Heartbeat::default() };
            matches!(Pulse::at(&beat, Duration::from_secs(now)), Pulse::Beats(_))
        };
        let second = 1_000_000_000;
        for (at, interval, now, alive) in [
            (100, second, 100, true),
            (100, second, 109, true),
            (100, second, 110, false),
            (100, 60 * second, 279, true),
            (100, 60 * second, 280, false),
            (100, 0, 109, true),
            (100, u64::MAX, 1_000_000, true),
            // Of a clock that is ahead.
            (1000, second, 100, true),
            // Loaded, and not one beat in the first seconds after boot, or later.
            (0, 0, 5, true),
            (0, 0, 500, false),
        ] {
            assert_eq!(pulse(at, interval, now), alive, "beat at {at}, every {interval} ns, looked at {now}");
        }
    }

    #[test]
    fn the_name_is_one_that_the_kernel_keeps_whole() {
        assert!(NAME.len() < 16);
    }
}
