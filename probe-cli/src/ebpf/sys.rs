//! The `bpf` system call, for the few commands that aya has no function for. Layouts are those of include/uapi/linux/bpf.h.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

/// `enum bpf_cmd`.
const PROG_GET_FD_BY_ID: libc::c_long = 13;
/// See above.
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
/// See above.
pub(super) const PROG_QUERY: libc::c_long = 16;
/// See above.
pub(super) const LINK_CREATE: libc::c_long = 28;
/// See above; Linux 5.10.
pub(super) const PROG_BIND_MAP: libc::c_long = 35;

/// The part of `union bpf_attr` that `BPF_PROG_GET_FD_BY_ID` uses.
#[repr(C)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The part of `union bpf_attr` that `BPF_OBJ_GET_INFO_BY_FD` uses.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_prog_info` as far as something of it is asked for.
#[derive(Default)]
#[repr(C)]
pub(super) struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: u64,
    jited_bytes: u32,
    xlated_bytes: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    created_by_uid: u32,
    /// How many maps it has; before the call, how many there is room for.
    pub(super) map_count: u32,
    /// Address of room for the numbers of its maps.
    pub(super) map_ids: u64,
    /// Its name, ended by NUL.
    pub(super) name: [u8; 16],
    /// Interface, symbols, types, lines, tags of functions.
    between: [u64; 14],
    /// Time of its runs that were timed, in nanoseconds.
    pub(super) run_time_ns: u64,
    /// These runs.
    pub(super) runs: u64,
}

/// Makes the call. What `attr` points to must be valid for the command.
pub(super) fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attribute is initialised and of a layout that the command knows; what it points to is valid for the call
    // and as long as it says.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for a command whose answer is a new file descriptor.
pub(super) fn bpf_fd<T>(command: libc::c_long, attr: &mut T) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(bpf(command, attr)?).map_err(io::Error::other)?;
    // SAFETY: the kernel made it for this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A program by the kernel's number of it; none when it is gone. Needs `CAP_SYS_ADMIN`.
pub(super) fn program(id: u32) -> io::Result<Option<OwnedFd>> {
    match bpf_fd(PROG_GET_FD_BY_ID, &mut IdAttr { id, next_id: 0, open_flags: 0 }) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        program => program.map(Some),
    }
}

/// Asks what the kernel has to say of a program, a map or a link: `info` is the start of the structure of its kind.
pub(super) fn info<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = InfoAttr {
        bpf_fd: object.as_raw_fd().cast_unsigned(),
        info_len: u32::try_from(size_of::<T>()).unwrap_or(0),
        info: (&raw mut *info).expose_provenance() as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}
