//! Reading per-CPU arrays without a detour: one reused buffer and one system call a value.
//!
//! aya's own `PerCpuArray::get` reads `/sys/devices/system/cpu/possible` for every value, which costs more than all
//! the rest at two thousand values a second.

use std::{io, marker::PhantomData, os::fd::AsRawFd as _};

use aya::{Pod, maps::MapData};

use super::error::EbpfError;

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;

/// The part of `union bpf_attr` that element commands use (include/uapi/linux/bpf.h).
#[repr(C)]
struct ElementAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// A per-CPU array of `T`.
pub(super) struct PerCpu<T> {
    map: MapData,
    name: &'static str,
    /// Values of all possible CPUs, each rounded up to 8 bytes, as the kernel copies them.
    buffer: Vec<u64>,
    value: PhantomData<T>,
}

impl<T: Pod + Default> PerCpu<T> {
    pub(super) fn new(map: MapData, name: &'static str) -> Result<Self, EbpfError> {
        let cpus =
            aya::util::nr_cpus().map_err(|(operation, source)| EbpfError::System { operation, source })?;
        let words = size_of::<T>().div_ceil(8) * cpus;
        Ok(Self { map, name, buffer: vec![0; words], value: PhantomData })
    }

    /// The sum over all CPUs.
    pub(super) fn sum(&mut self, index: u32, add: impl Fn(&mut T, &T)) -> Result<T, EbpfError> {
        self.command(BPF_MAP_LOOKUP_ELEM, index, "read")?;
        let mut sum = T::default();
        for words in self.buffer.chunks_exact(size_of::<T>().div_ceil(8)) {
            // SAFETY: T is plain old data (`Pod`) of at most the chunk's size, and the read does not ask for
            // alignment.
            let value = unsafe { words.as_ptr().cast::<T>().read_unaligned() };
            add(&mut sum, &value);
        }
        Ok(sum)
    }

    /// Sets all CPUs' values to zero.
    pub(super) fn clear(&mut self, index: u32) -> Result<(), EbpfError> {
        self.buffer.fill(0);
        self.command(BPF_MAP_UPDATE_ELEM, index, "write")
    }

    fn command(
        &mut self,
        command: libc::c_long,
        index: u32,
        operation: &'static str,
    ) -> Result<(), EbpfError> {
        let attr = ElementAttr {
            map_fd: self.map.fd().as_fd_number(),
            pad: 0,
            key: (&raw const index).expose_provenance() as u64,
            value: self.buffer.as_mut_ptr().expose_provenance() as u64,
            flags: 0,
        };
        // SAFETY: the attribute is initialised, the pointers are valid for the call, the buffer holds one value for
        // each possible CPU as `bpf_percpu_array_copy` (kernel/bpf/arraymap.c) writes them.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, command, &raw const attr, size_of::<ElementAttr>()) };
        if result < 0 {
            return Err(EbpfError::Map { operation, map: self.name, source: io::Error::last_os_error() });
        }
        Ok(())
    }
}

/// A file descriptor as the kernel's structures have it.
trait FdNumber {
    fn as_fd_number(&self) -> u32;
}

impl FdNumber for aya::maps::MapFd {
    fn as_fd_number(&self) -> u32 {
        use std::os::fd::AsFd as _;
        self.as_fd().as_raw_fd().cast_unsigned()
    }
}
