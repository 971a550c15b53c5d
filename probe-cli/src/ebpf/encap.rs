//! How long the kernel takes to encapsulate: an object of its own with a program on the tunnel's transmit hook and one on that of the device
//! below, loaded while `bench` looks at a path. TCX links only, which go with the process. No judgement.

use std::{
    io,
    ops::Range,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::{Ebpf, Pod, maps::Map};
use probe_encap::{CLASSES, Mark, shortest};

use super::{
    attach::{self, AttachMode},
    error::EbpfError,
    object::{self, ENCAP_OBJECT},
    percpu::PerCpu,
    tcx::TcxLink,
};

const BEGIN: &str = "ovp_encap_begin";
const END: &str = "ovp_encap_end";
const MARKS: &str = "MARKS";
const TIMES: &str = "TIMES";

/// See the module. Dropping it detaches the programs.
pub struct EncapWatch {
    _links: [TcxLink; 2],
    marks: PerCpu<Mark>,
    times: PerCpu<u64>,
    _ebpf: Ebpf,
}

/// Times of the buffers that were timed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncapTimes {
    /// How many took so many nanoseconds, the shortest first. The last class has longer ones as well.
    pub classes: Vec<(Range<u64>, u64)>,
    /// Those that the device below was not seen to send: dropped, held back, or another hash.
    pub unmatched: u64,
}

impl EncapWatch {
    /// Begins to time what goes from one of these interfaces of the calling thread's network namespace to the other; none where the kernel
    /// has no TCX. Programs on the tunnel's TCX hook are before the time and those of the device below behind it: they have figures of
    /// their own. Filters on the tunnel's clsact qdisc are in it.
    pub fn start(tunnel: u32, underlay: u32) -> Result<Option<Self>, EbpfError> {
        match attach::choose(None)? {
            AttachMode::Tcx => Self::attach(tunnel, underlay).map(Some),
            AttachMode::Clsact => Ok(None),
        }
    }

    fn attach(tunnel: u32, underlay: u32) -> Result<Self, EbpfError> {
        let mut ebpf = object::create(ENCAP_OBJECT, &[])?;
        let (marks, times) = (per_cpu(&mut ebpf, MARKS)?, per_cpu(&mut ebpf, TIMES)?);
        let mut link = |name, put: &dyn Fn(BorrowedFd<'_>) -> io::Result<TcxLink>| {
            object::load_program(&mut ebpf, name)?;
            let program = object::program(&mut ebpf, name)?;
            let failed = |source| EbpfError::LoadProgram { program: name, source: Box::new(source) };
            put(program.fd().map_err(failed)?.as_fd())
                .map_err(|source| EbpfError::System { operation: "cannot attach through TCX", source })
        };
        // The end first: else a buffer could begin that is never seen to end.
        let end = link(END, &|program| TcxLink::first(program, underlay, true))?;
        let begin = link(BEGIN, &|program| TcxLink::last(program, tunnel, true))?;
        Ok(Self { _links: [begin, end], marks, times, _ebpf: ebpf })
    }

    /// Times until now.
    pub fn read(&mut self) -> Result<EncapTimes, EbpfError> {
        let counts = self.times.sums(CLASSES, |sum, of_cpu| *sum = sum.saturating_add(*of_cpu))?;
        let unmatched = self
            .marks
            .sum(0, |sum, of_cpu| sum.unmatched = sum.unmatched.saturating_add(of_cpu.unmatched))?;
        let classes = (0..CLASSES).zip(counts).filter(|(_, count)| *count > 0);
        let classes = classes.map(|(class, count)| (shortest(class)..shortest(class + 1), count)).collect();
        Ok(EncapTimes { classes, unmatched: unmatched.unmatched })
    }
}

fn per_cpu<T: Pod + Default>(ebpf: &mut Ebpf, name: &'static str) -> Result<PerCpu<T>, EbpfError> {
    match ebpf.take_map(name) {
        Some(Map::PerCpuArray(map)) => PerCpu::new(map, name),
        _ => Err(EbpfError::Missing { what: format!("map {name}") }),
    }
}

/// How many instructions the verifier goes through for the programs, as [`super::verified_instructions`] has it.
pub fn verified_encap_instructions(object: &[u8]) -> Result<Vec<(String, u32)>, EbpfError> {
    object::verified(object::create(object, &[])?, [BEGIN, END].into_iter())
}
