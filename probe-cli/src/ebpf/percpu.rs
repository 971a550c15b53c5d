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
        check_room(map.fd().as_fd_number(), words * size_of::<u64>()).map_err(|source| EbpfError::Map {
            operation: "read",
            map: name,
            source,
        })?;
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
        // SAFETY: the buffer holds one value for each possible CPU as `bpf_percpu_array_copy` (kernel/bpf/arraymap.c) writes
        // them: `check_room` has seen it.
        let done =
            unsafe { element(self.map.fd().as_fd_number(), command, index, self.buffer.as_mut_ptr().cast()) };
        done.map_err(|source| EbpfError::Map { operation, map: self.name, source })
    }
}

/// One command for an element of a map.
///
/// # Safety
/// `value` must be valid for as many bytes as the kernel reads or writes there.
unsafe fn element(map_fd: u32, command: libc::c_long, index: u32, value: *mut u8) -> io::Result<()> {
    let attr = ElementAttr {
        map_fd,
        pad: 0,
        key: (&raw const index).expose_provenance() as u64,
        value: value.expose_provenance() as u64,
        flags: 0,
    };
    // SAFETY: the attribute is initialised, and its pointers are valid for the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const attr, size_of::<ElementAttr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Fails where the kernel writes more than so many bytes for an element: how many CPUs it has is said by a file of `/sys`, over
/// which a container may have another one. Read once in front of a page that nobody may write.
fn check_room(map_fd: u32, bytes: usize) -> io::Result<()> {
    // SAFETY: takes and gives numbers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).map_err(io::Error::other)?;
    let room = bytes.next_multiple_of(page);
    // SAFETY: a new mapping of our own, at a place that the kernel chooses.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            room + page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all of it is in the mapping, of which nothing else knows. Behind the bytes is the guard, so that the kernel fails
    // (`EFAULT`) when it would write more.
    let read = unsafe {
        if libc::mprotect(start.byte_add(room), page, libc::PROT_NONE) == 0 {
            element(map_fd, BPF_MAP_LOOKUP_ELEM, 0, start.byte_add(room - bytes).cast())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: the mapping that was made above; nothing refers to it any more.
    unsafe { libc::munmap(start, room + page) };
    read.map_err(|error| match error.raw_os_error() {
        Some(libc::EFAULT) => io::Error::other(
            "the kernel has more CPUs than /sys/devices/system/cpu/possible says; is another file mounted there?",
        ),
        _ => error,
    })
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
