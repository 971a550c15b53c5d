//! Reading per-CPU arrays without a detour: one reused buffer, and one system call for many values where the kernel can, else
//! one for each.
//!
//! aya's own `PerCpuArray::get` reads `/sys/devices/system/cpu/possible` for every value, which costs more than all
//! the rest at two thousand values a second.

use std::{io, marker::PhantomData, os::fd::AsRawFd as _};

use aya::{Pod, maps::MapData};

use super::error::EbpfError;

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;

/// What the kernel says of a kind of map that it cannot read many values of (include/linux/errno.h, no number of user space).
/// Per-CPU arrays are such before Linux 5.13 (`percpu_array_map_ops`, kernel/bpf/arraymap.c).
const ENOTSUPP: i32 = 524;

/// How many bytes are read at once: so little that many CPUs or peers need no more memory.
const BATCH_BYTES: usize = 64 << 10;

/// The part of `union bpf_attr` that element commands use (include/uapi/linux/bpf.h).
#[repr(C)]
struct ElementAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The part of `union bpf_attr` that batch commands use (include/uapi/linux/bpf.h).
#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// A per-CPU array of `T`.
pub(super) struct PerCpu<T> {
    map: MapData,
    name: &'static str,
    /// Values of all possible CPUs, each rounded up to 8 bytes, as the kernel copies them.
    buffer: Vec<u64>,
    /// Room for many of those, and their indices; empty before it is needed.
    batch: (Vec<u64>, Vec<u32>),
    /// The kernel has refused to read many at once.
    is_one_by_one: bool,
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
        Ok(Self {
            map,
            name,
            buffer: vec![0; words],
            batch: Default::default(),
            is_one_by_one: false,
            value: PhantomData,
        })
    }

    /// The sum over all CPUs.
    pub(super) fn sum(&mut self, index: u32, add: impl Fn(&mut T, &T)) -> Result<T, EbpfError> {
        self.command(BPF_MAP_LOOKUP_ELEM, index, "read")?;
        Ok(sum_of(&self.buffer, add))
    }

    /// The value of each possible CPU, in the order of their numbers.
    pub(super) fn each(&mut self, index: u32) -> Result<impl Iterator<Item = T>, EbpfError> {
        self.command(BPF_MAP_LOOKUP_ELEM, index, "read")?;
        Ok(values_of(&self.buffer))
    }

    /// The sums over all CPUs of the first `end` values.
    pub(super) fn sums(&mut self, end: u32, add: impl Fn(&mut T, &T) + Copy) -> Result<Vec<T>, EbpfError> {
        let wanted = usize::try_from(end).unwrap_or(usize::MAX);
        let mut sums = Vec::with_capacity(wanted);
        let mut last = None;
        while sums.len() < wanted && !self.is_one_by_one {
            match self.read_batch(last, wanted - sums.len()) {
                Ok(0) => break,
                Ok(read) => {
                    let (values, indices) = &self.batch;
                    let values = values.chunks_exact(self.buffer.len()).take(read);
                    sums.extend(values.map(|value| sum_of(value, add)));
                    last = indices.get(read - 1).copied();
                }
                Err(error) if error.raw_os_error() == Some(ENOTSUPP) => self.is_one_by_one = true,
                Err(source) => return Err(EbpfError::Map { operation: "read", map: self.name, source }),
            }
        }
        for index in u32::try_from(sums.len()).unwrap_or(end)..end {
            sums.push(self.sum(index, add)?);
        }
        Ok(sums)
    }

    /// Reads up to so many values behind the one of this index, as far as there is room: how many were read.
    fn read_batch(&mut self, last: Option<u32>, most: usize) -> io::Result<usize> {
        let words = self.buffer.len();
        let room = (BATCH_BYTES / (words * size_of::<u64>())).max(1);
        let (values, indices) = &mut self.batch;
        values.resize(room * words, 0);
        indices.resize(room, 0);
        let mut next = 0_u32;
        let mut attr = BatchAttr {
            in_batch: last.as_ref().map_or(0, |last| std::ptr::from_ref(last).expose_provenance() as u64),
            out_batch: (&raw mut next).expose_provenance() as u64,
            keys: indices.as_mut_ptr().expose_provenance() as u64,
            values: values.as_mut_ptr().expose_provenance() as u64,
            count: u32::try_from(room.min(most)).unwrap_or(1),
            map_fd: self.map.fd().as_fd_number(),
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the buffers have room for `count` values and indices: `generic_map_lookup_batch` (kernel/bpf/syscall.c) writes
        // at most so many, each value as large as that of a single lookup, which `check_room` has seen.
        let result = unsafe {
            libc::syscall(libc::SYS_bpf, BPF_MAP_LOOKUP_BATCH, &raw mut attr, size_of::<BatchAttr>())
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            // The last one has been read.
            if error.raw_os_error() != Some(libc::ENOENT) {
                return Err(error);
            }
        }
        usize::try_from(attr.count).map_err(io::Error::other)
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

/// The sum over all CPUs of one value, as the kernel copies it.
fn sum_of<T: Pod + Default>(words: &[u64], add: impl Fn(&mut T, &T)) -> T {
    let mut sum = T::default();
    for value in values_of(words) {
        add(&mut sum, &value);
    }
    sum
}

/// Each CPU's of one value, as the kernel copies it.
fn values_of<T: Pod>(words: &[u64]) -> impl Iterator<Item = T> {
    words.chunks_exact(size_of::<T>().div_ceil(8)).map(|words| {
        // SAFETY: T is plain old data (`Pod`) of at most the chunk's size, and the read does not ask for
        // alignment.
        unsafe { words.as_ptr().cast::<T>().read_unaligned() }
    })
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
