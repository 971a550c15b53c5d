//! The eBPF programs of the whole machine, whoever loaded them: what they are called, how often they ran and for how long. Reading only.

use std::{io, os::fd::AsFd as _};

use aya::programs::{ProgramError, ProgramInfo, loaded_programs};

use super::{
    error::program_io_kind,
    stats::{self, Timing},
    sys,
};
use crate::sample::ProgramCost;

/// A program that the kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedProgram {
    /// The kernel's number of it.
    pub id: u32,
    /// Its name, of which the kernel keeps 15 bytes. Hostile input.
    pub name: String,
    /// It is for an interface: XDP, TCX or clsact.
    pub is_of_interface: bool,
    /// Runs while they were timed.
    pub runs: u64,
    /// Time of these, in nanoseconds.
    pub run_time_ns: u64,
}

/// `BPF_PROG_TYPE_SCHED_CLS` and `BPF_PROG_TYPE_XDP` of `enum bpf_prog_type`.
const OF_INTERFACES: [u32; 2] = [3, 6];

/// While this lives, the kernel takes the time of every program's runs.
pub struct RunTimes(#[expect(dead_code, reason = "closing it turns the measurement off")] Timing);

impl std::fmt::Debug for RunTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunTimes")
    }
}

impl RunTimes {
    /// Has the kernel take the time of all programs. It slows each of them a little.
    pub fn take() -> Result<Self, super::EbpfError> {
        stats::measure().map(Self)
    }
}

/// All programs that are loaded now.
pub fn loaded() -> io::Result<Vec<LoadedProgram>> {
    let mut found = Vec::new();
    for program in loaded_programs() {
        match program {
            Ok(info) => found.push(of(&info)),
            // It went between being listed and being looked at.
            Err(error) if kind(&error) == io::ErrorKind::NotFound => {}
            Err(error) => return Err(plain(error)),
        }
    }
    Ok(found)
}

fn of(info: &ProgramInfo) -> LoadedProgram {
    LoadedProgram {
        id: info.id(),
        name: String::from_utf8_lossy(info.name()).into_owned(),
        is_of_interface: OF_INTERFACES.contains(&(info.program_type() as u32)),
        runs: info.run_count(),
        run_time_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
    }
}

/// What the kernel tells of the programs with these numbers, but for those that are gone. Needs `CAP_SYS_ADMIN`.
pub fn costs_of(ids: &[u32]) -> io::Result<Vec<ProgramCost>> {
    let cost = |id: &u32| {
        let Some(program) = sys::program(*id)? else { return Ok(None) };
        let mut info = sys::ProgramInfo::default();
        sys::info(program.as_fd(), &mut info)?;
        let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Some(ProgramCost {
            name: String::from_utf8_lossy(name).into_owned(),
            id: Some(*id),
            runs: info.runs,
            run_time_ns: info.run_time_ns,
        }))
    };
    ids.iter().filter_map(|id| cost(id).transpose()).collect()
}

fn kind(error: &ProgramError) -> io::ErrorKind {
    program_io_kind(error).map_or(io::ErrorKind::Other, io::Error::kind)
}

fn plain(error: ProgramError) -> io::Error {
    io::Error::new(kind(&error), error)
}
