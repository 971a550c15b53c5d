//! TCX links by interface index, which tell what they are still on.
//!
//! aya's links are made by interface name and do not tell. For an interface that may be taken to another network namespace
//! at any moment, where another has its old name and number, that is not enough.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_CREATE: libc::c_long = 28;
/// `enum bpf_attach_type`.
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;
/// Without another link or program that it is before: before all of them (`bpf_mprog_attach` in kernel/bpf/mprog.c).
const BPF_F_BEFORE: u32 = 1 << 3;

/// The part of `union bpf_attr` that `BPF_LINK_CREATE` needs here (include/uapi/linux/bpf.h).
#[repr(C)]
struct CreateAttr {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that `BPF_OBJ_GET_INFO_BY_FD` uses.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_link_info` up to what is asked for.
#[derive(Default)]
#[repr(C, align(8))]
struct Info {
    kind: u32,
    id: u32,
    prog_id: u32,
    /// The union behind is aligned to 8 bytes.
    pad: u32,
    ifindex: u32,
    attach_type: u32,
}

/// A program on one hook of one interface. Dropping it takes the program off; when that returns, the program runs nowhere
/// any more (`tcx_link_release` and `tcx_entry_sync` in kernel/bpf/tcx.c).
#[derive(Debug)]
pub(super) struct TcxLink(OwnedFd);

impl TcxLink {
    /// Puts a program first in the chain of the interface that has this index in the calling thread's network namespace. It
    /// keeps neither alive: it goes with the interface (`tcx_uninstall`), and into other namespaces with it.
    pub(super) fn first(program: BorrowedFd<'_>, ifindex: u32, is_egress: bool) -> io::Result<Self> {
        let mut attr = CreateAttr {
            prog_fd: program.as_raw_fd().cast_unsigned(),
            target_ifindex: ifindex,
            attach_type: if is_egress { BPF_TCX_EGRESS } else { BPF_TCX_INGRESS },
            flags: BPF_F_BEFORE,
        };
        let fd = bpf(BPF_LINK_CREATE, &mut attr)?;
        // SAFETY: the kernel made it for this call, and nobody else knows it.
        RawFd::try_from(fd).map(|fd| Self(unsafe { OwnedFd::from_raw_fd(fd) })).map_err(io::Error::other)
    }

    /// Index of the interface that it is on, in whatever namespace that is; none when it is on none any more.
    pub(super) fn ifindex(&self) -> io::Result<Option<u32>> {
        let mut info = Info::default();
        let mut attr = InfoAttr {
            bpf_fd: self.0.as_raw_fd().cast_unsigned(),
            info_len: u32::try_from(size_of::<Info>()).unwrap_or(0),
            info: (&raw mut info).expose_provenance() as u64,
        };
        bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
        Ok(Some(info.ifindex).filter(|&ifindex| ifindex != 0))
    }
}

fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attribute is initialised and of a layout that the command knows; what it points to is valid for the call
    // and as long as it says.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
