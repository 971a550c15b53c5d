//! TCX by interface index: links, which tell what they are still on, and the programs that are there.
//!
//! aya's links are made by interface name and do not tell. For an interface that may be taken to another network namespace
//! at any moment, where another has its old name and number, that is not enough.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use super::sys;
use crate::netns::{self, Namespace, helper};

/// `enum bpf_attach_type`.
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;
/// Without another link or program that it is before: before all of them (`bpf_mprog_attach` in kernel/bpf/mprog.c).
const BPF_F_BEFORE: u32 = 1 << 3;
/// Likewise, behind all of them.
const BPF_F_AFTER: u32 = 1 << 4;

/// The part of `union bpf_attr` that `BPF_LINK_CREATE` needs here (include/uapi/linux/bpf.h).
#[repr(C)]
struct CreateAttr {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that `BPF_PROG_QUERY` uses: the kernel writes to the end of it (`bpf_mprog_query`).
#[derive(Default)]
#[repr(C)]
struct QueryAttr {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    pad: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

/// Most programs on one hook (`BPF_MPROG_MAX` in kernel/bpf/mprog.c).
const MOST: usize = 64;

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

fn attach_type(is_egress: bool) -> u32 {
    if is_egress { BPF_TCX_EGRESS } else { BPF_TCX_INGRESS }
}

/// Numbers of the programs that TCX has on the interface of this index in the calling thread's network namespace, in the order in which
/// they run; none on a kernel without TCX, and none where the interface is gone. Needs `CAP_NET_ADMIN`.
pub fn tcx_programs(ifindex: u32, is_egress: bool) -> io::Result<Vec<u32>> {
    let mut programs = [0; MOST];
    let mut attr = QueryAttr {
        target_ifindex: ifindex,
        attach_type: attach_type(is_egress),
        programs: (&raw mut programs).expose_provenance() as u64,
        count: u32::try_from(MOST).unwrap_or(0),
        ..QueryAttr::default()
    };
    match sys::bpf(sys::PROG_QUERY, &mut attr) {
        Ok(_) => Ok(programs.into_iter().take(attr.count as usize).collect()),
        // Linux before 6.6 does not know the hook.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENODEV)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Puts a program first on an interface in the calling thread's namespace: what a helper does for others.
pub fn attach_here(program: BorrowedFd<'_>, ifindex: u32, is_egress: bool) -> io::Result<OwnedFd> {
    TcxLink::first(program, ifindex, is_egress).map(|link| link.0)
}

/// A program on one hook of one interface. Dropping it takes the program off; when that returns, the program runs nowhere
/// any more (`tcx_link_release` and `tcx_entry_sync` in kernel/bpf/tcx.c).
#[derive(Debug)]
pub(super) struct TcxLink(OwnedFd);

impl TcxLink {
    /// Puts a program first in the chain of the interface that has this index in the calling thread's network namespace. It
    /// keeps neither alive: it goes with the interface (`tcx_uninstall`), and into other namespaces with it.
    pub(super) fn first(program: BorrowedFd<'_>, ifindex: u32, is_egress: bool) -> io::Result<Self> {
        Self::create(program, ifindex, is_egress, BPF_F_BEFORE)
    }

    /// Puts a program last there: one that ends the chain hides packets from it.
    pub(super) fn last(program: BorrowedFd<'_>, ifindex: u32, is_egress: bool) -> io::Result<Self> {
        Self::create(program, ifindex, is_egress, BPF_F_AFTER)
    }

    fn create(program: BorrowedFd<'_>, ifindex: u32, is_egress: bool, flags: u32) -> io::Result<Self> {
        let mut attr = CreateAttr {
            prog_fd: program.as_raw_fd().cast_unsigned(),
            target_ifindex: ifindex,
            attach_type: attach_type(is_egress),
            flags,
        };
        sys::bpf_fd(sys::LINK_CREATE, &mut attr).map(Self)
    }

    /// The same in another network namespace: by the helper where there is one, else on a thread that enters it.
    pub(super) fn first_in(
        namespace: &Namespace,
        program: BorrowedFd<'_>,
        ifindex: u32,
        is_egress: bool,
    ) -> io::Result<Self> {
        match helper::attach(program, namespace, ifindex, is_egress) {
            Some(link) => link.map(Self),
            None => netns::run_in(namespace, || Self::first(program, ifindex, is_egress))
                .unwrap_or_else(|error| Err(io::Error::other(error.to_string()))),
        }
    }

    /// Index of the interface that it is on, in whatever namespace that is; none when it is on none any more.
    pub(super) fn ifindex(&self) -> io::Result<Option<u32>> {
        let mut info = Info::default();
        sys::info(self.0.as_fd(), &mut info)?;
        Ok(Some(info.ifindex).filter(|&ifindex| ifindex != 0))
    }
}
