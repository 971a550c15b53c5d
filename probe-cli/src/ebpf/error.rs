//! What can go wrong between us and the kernel's BPF side, with the way out.

use std::io;

use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum EbpfError {
    /// The kernel refused the object or one of its maps.
    #[error("cannot load the eBPF object: {source}{hint}", hint = hint(io_kind(source)))]
    Load {
        /// The cause.
        #[source]
        source: Box<aya::EbpfError>,
    },
    /// The kernel refused a program.
    #[error("cannot load the eBPF program {program}: {source}{hint}", hint = hint(program_io_kind(source)))]
    LoadProgram {
        /// The program's name.
        program: &'static str,
        /// The cause; holds the verifier's log.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The object does not hold what the code expects: a build error.
    #[error("the embedded eBPF object has no {what}; rebuild it with `cargo xtask ebpf`")]
    Missing {
        /// Name of the map or program.
        what: String,
    },
    /// A map access failed.
    #[error("cannot {operation} the eBPF map {map}: {source}")]
    Map {
        /// Read, write, delete from.
        operation: &'static str,
        /// The map's name.
        map: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A program could not be attached.
    #[error(
        "cannot attach to {interface} ({direction}): {source}{hint}",
        interface = crate::text::escape(interface),
        hint = hint(program_io_kind(source))
    )]
    Attach {
        /// The interface's name.
        interface: String,
        /// "ingress" or "egress".
        direction: &'static str,
        /// The cause.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The program that sees drops could not be attached.
    #[error("cannot attach to the tracepoint {tracepoint}: {source}{hint}", hint = hint(program_io_kind(source)))]
    Trace {
        /// The tracepoint's name.
        tracepoint: &'static str,
        /// The cause.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// TCX was asked for.
    #[error("cannot attach through TCX: this kernel has none (Linux 6.6 brought it); leave out --attach tcx")]
    NoTcx,
    /// The clsact qdisc could not be added.
    #[error(
        "cannot add the clsact qdisc to {interface}: {source}",
        interface = crate::text::escape(interface)
    )]
    Clsact {
        /// The interface's name.
        interface: String,
        /// The cause.
        #[source]
        source: Box<aya::programs::tc::TcError>,
    },
    /// The interface cannot be named to the library that attaches.
    #[error(
        "cannot attach to {interface} (interface index {ifindex}): its name is not valid UTF-8; give it another with \
         `ip link set`",
        interface = crate::text::escape(interface)
    )]
    Name {
        /// The interface's name as far as it can be shown.
        interface: String,
        /// Its index.
        ifindex: u32,
    },
    /// A system call failed that has nothing to do with one map.
    #[error("{operation}: {source}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl EbpfError {
    /// True when the interface went away while we were attaching to it: nothing to worry about, the next look at
    /// the links knows.
    pub fn interface_is_gone(&self) -> bool {
        match self {
            Self::Attach { source, .. } => {
                matches!(program_io_kind(source), Some(error) if is_gone(error))
            }
            Self::Clsact { source, .. } => {
                use aya::programs::tc::TcError;
                matches!(&**source, TcError::IoError(error) if is_gone(error))
            }
            Self::Load { .. }
            | Self::LoadProgram { .. }
            | Self::Missing { .. }
            | Self::Map { .. }
            | Self::NoTcx
            | Self::Trace { .. }
            | Self::Name { .. }
            | Self::System { .. } => false,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO))
}

fn hint(error: Option<&io::Error>) -> &'static str {
    match error.and_then(io::Error::raw_os_error) {
        // Before 5.11 also when a map is more than RLIMIT_MEMLOCK allows (`bpf_charge_memlock`).
        Some(libc::EPERM | libc::EACCES) => {
            "; needs CAP_BPF and CAP_NET_ADMIN, before Linux 5.11 also CAP_SYS_RESOURCE: run with sudo"
        }
        Some(libc::ENOMEM) => "; locked memory may be limited: raise `ulimit -l` on kernels before 5.11",
        _ => "",
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "aya has errors for everything; only these hold an error of the system"
)]
fn io_kind(error: &aya::EbpfError) -> Option<&io::Error> {
    use aya::{EbpfError, maps::MapError};
    match error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => Some(io_error),
        EbpfError::MapError(MapError::SyscallError(error)) => Some(&error.io_error),
        EbpfError::ProgramError(error) => program_io_kind(error),
        _ => None,
    }
}

/// The system error below an aya error.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "aya has errors for everything; only these hold an error of the system"
)]
pub(super) fn program_io_kind(error: &aya::programs::ProgramError) -> Option<&io::Error> {
    use aya::programs::{ProgramError, tc::TcError};
    match error {
        ProgramError::LoadError { io_error, .. } => Some(io_error),
        ProgramError::SyscallError(error) => Some(&error.io_error),
        ProgramError::TcError(TcError::IoError(error)) | ProgramError::IOError(error) => Some(error),
        _ => None,
    }
}

/// The system error of an operation on a map, or aya's words.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "aya has errors for everything; only this one holds an error of the system"
)]
pub(super) fn map_error(error: aya::maps::MapError) -> io::Error {
    match error {
        aya::maps::MapError::SyscallError(error) => error.io_error,
        other => io::Error::other(other.to_string()),
    }
}
