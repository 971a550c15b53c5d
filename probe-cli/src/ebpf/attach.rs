//! Putting the programs on interfaces: TCX first, clsact where the kernel has no TCX.
//!
//! Never touches what is not ours: TCX links go before the others in the chain, clsact filters get a priority of
//! their own and are deleted by exact priority and handle.

use std::os::fd::AsFd as _;

use aya::{
    Ebpf,
    programs::{
        ProgramError, SchedClassifier, TcAttachType,
        tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError, qdisc_add_clsact},
    },
};

use super::{
    error::{EbpfError, program_io_kind},
    object,
    tcx::TcxLink,
};

/// How programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// TCX links (Linux 6.6): gone with the process that holds them.
    Tcx,
    /// Filters on the clsact qdisc: outlive a killed process until `overlay-probe cleanup`, or the next start that finds its
    /// note.
    Clsact,
}

/// What is watched on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Inner packets of a tunnel device.
    Tunnel,
    /// Outer packets of the device below.
    Underlay,
}

/// Where one clsact filter of ours is, as exactly as it takes to delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPlace {
    /// Interface index.
    pub ifindex: u32,
    /// Egress, else ingress.
    pub egress: bool,
    /// Filter priority.
    pub priority: u16,
    /// Filter handle.
    pub handle: u32,
    /// The kernel's number of the program.
    pub program: u32,
    /// We created the qdisc.
    pub made_qdisc: bool,
}

impl LinkPlace {
    /// False when filters of another kind hold the lowest priority: whatever they decide on, ours does not see.
    pub fn is_first(&self) -> bool {
        self.priority == FIRST_PRIORITY
    }
}

/// The lowest there is; 0 asks the kernel to choose.
const FIRST_PRIORITY: u16 = 1;

/// Both directions of one hook on one interface.
pub(super) struct Attachment {
    interface: String,
    ifindex: u32,
    links: Vec<Link>,
    places: Vec<LinkPlace>,
}

/// A program on one direction of an interface. Dropping it takes the program off.
enum Link {
    Tcx(TcxLink),
    Filter(SchedClassifierLink),
}

impl Attachment {
    /// Where its filters are; empty for TCX.
    pub(super) fn places(&self) -> &[LinkPlace] {
        &self.places
    }

    /// Somebody has detached one of its TCX links, and the interface is there still.
    pub(super) fn is_detached(&self) -> bool {
        let mut links = self.links.iter();
        let is_detached =
            links.any(|link| matches!(link, Link::Tcx(link) if matches!(link.ifindex(), Ok(None))));
        is_detached && nix::net::if_::if_indextoname(self.ifindex).is_ok()
    }

    /// Leaves filters as they are: they are gone, and in their place somebody else's could be now.
    pub(super) fn forget(self) {
        for link in self.links {
            if let Link::Filter(filter) = link {
                std::mem::forget(filter);
            }
        }
    }

    /// Takes the programs off. A filter on an interface that is gone went with it; deleting it by number could hit
    /// another interface that has the number now.
    pub(super) fn detach(self) {
        let is_there = nix::net::if_::if_nametoindex(self.interface.as_str()) == Ok(self.ifindex);
        if !is_there && !self.places.is_empty() {
            self.links.into_iter().for_each(std::mem::forget);
        }
    }
}

/// The way to attach: the wanted one if this kernel has it, the best without a wish.
pub(super) fn choose(wanted: Option<AttachMode>) -> Result<AttachMode, EbpfError> {
    match wanted {
        Some(AttachMode::Clsact) => Ok(AttachMode::Clsact),
        Some(AttachMode::Tcx) => match detect()? {
            AttachMode::Tcx => Ok(AttachMode::Tcx),
            AttachMode::Clsact => Err(EbpfError::NoTcx),
        },
        None => detect(),
    }
}

/// Whether this kernel has TCX: asked by trying, since distributions backport it and builds leave it out
/// (`CONFIG_NET_XGRESS`). The loopback device exists in every namespace.
fn detect() -> Result<AttachMode, EbpfError> {
    match SchedClassifier::query_tcx("lo", TcAttachType::Ingress) {
        Ok(_) => Ok(AttachMode::Tcx),
        Err(error) => match program_io_kind(&error).and_then(std::io::Error::raw_os_error) {
            // Unknown attach type (`bpf_prog_query` in kernel/bpf/syscall.c) or compiled out.
            Some(libc::EINVAL | libc::EOPNOTSUPP) => Ok(AttachMode::Clsact),
            // Asking needs a privilege that attaching needs too.
            _ => Err(EbpfError::Attach {
                interface: "lo".to_owned(),
                direction: "query",
                source: Box::new(error),
            }),
        },
    }
}

/// Attaches two programs, the one on transmit and the one on receive. On an error nothing stays attached.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    mode: AttachMode,
    [tx, rx]: [&'static str; 2],
    interface: &str,
    ifindex: u32,
) -> Result<Attachment, EbpfError> {
    // aya finds the interface by its name and takes UTF-8 only. The name that the inventory has for such an interface
    // is nobody's: the attempt would look like an interface that is gone, and its zeros like silence.
    if nix::net::if_::if_indextoname(ifindex).is_ok_and(|name| name.to_str().is_err()) {
        return Err(EbpfError::Name { interface: interface.to_owned(), ifindex });
    }
    let made_qdisc = mode == AttachMode::Clsact && ensure_clsact(interface)?;
    let programs = [(tx, TcAttachType::Egress), (rx, TcAttachType::Ingress)];
    let mut attachment =
        Attachment { interface: interface.to_owned(), ifindex, links: Vec::new(), places: Vec::new() };
    for (name, direction) in programs {
        let program = object::program(ebpf, name)?;
        let error = |source| EbpfError::Attach {
            interface: interface.to_owned(),
            direction: if direction == TcAttachType::Egress { "egress" } else { "ingress" },
            source: Box::new(source),
        };
        let link = match mode {
            AttachMode::Tcx => tcx(program, ifindex, direction).map(Link::Tcx),
            AttachMode::Clsact => filter(program, interface, direction).map(Link::Filter),
        }
        .map_err(error)?;
        if let Link::Filter(link) = &link {
            attachment.places.push(LinkPlace {
                ifindex,
                egress: direction == TcAttachType::Egress,
                priority: link.priority().map_err(error)?,
                handle: link.handle().map_err(error)?.into(),
                program: program.info().map_err(error)?.id(),
                made_qdisc,
            });
        }
        attachment.links.push(link);
    }
    Ok(attachment)
}

fn tcx(program: &SchedClassifier, ifindex: u32, direction: TcAttachType) -> Result<TcxLink, ProgramError> {
    // First in the chain: a program that redirects (Cilium's) ends it, and what came after would see nothing.
    TcxLink::first(program.fd()?.as_fd(), ifindex, direction == TcAttachType::Egress)
        .map_err(ProgramError::IOError)
}

/// The lowest priority that takes us. A priority that holds filters of another kind refuses ours with `EINVAL`
/// (`tc_new_tfilter` in net/sched/cls_api.c); within a priority of its own kind the newest filter runs first
/// (`cls_bpf_change` in net/sched/cls_bpf.c).
fn filter(
    program: &mut SchedClassifier,
    interface: &str,
    direction: TcAttachType,
) -> Result<SchedClassifierLink, ProgramError> {
    const TRIES: u16 = 16;
    let mut priority = FIRST_PRIORITY;
    loop {
        let options = TcAttachOptions::Netlink(NlOptions { priority, ..NlOptions::default() });
        match program.attach_with_options(interface, direction, options) {
            Ok(id) => return program.take_link(id),
            Err(_) if priority < TRIES => priority += 1,
            Err(error) => return Err(error),
        }
    }
}

/// True when the qdisc is new.
fn ensure_clsact(interface: &str) -> Result<bool, EbpfError> {
    match qdisc_add_clsact(interface) {
        Ok(()) => Ok(true),
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
        Err(source) => Err(EbpfError::Clsact { interface: interface.to_owned(), source: Box::new(source) }),
    }
}
