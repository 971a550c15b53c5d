//! Capabilities: what is needed, what is missing, giving up the rest. System calls that are refused, and what may be opened;
//! and memory that is given back.
//!
//! Here belongs what `capabilities(7)`, `seccomp(2)` and `landlock(7)` know; not what the privileges are used for.

mod confine;
mod pages;
mod seccomp;

use std::{fmt, io, os::fd::AsFd};

use caps::{CapSet, Capability, CapsHashSet};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        stat::{Mode, umask},
    },
};
use thiserror::Error;

pub use self::{
    confine::{ConfineError, Confined, Openable},
    pages::forget_start,
    seccomp::SeccompError,
};

/// Why privileges do not suffice or cannot be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// Something that the work needs is not there.
    #[error("cannot attach eBPF programs: needs {missing}; run with sudo")]
    Missing {
        /// What is missing.
        missing: Missing,
    },
    /// The kernel did not do.
    #[error("cannot {operation}: {source}")]
    Process {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel did not say or did not do.
    #[error("cannot {operation}: {source}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: caps::errors::CapsError,
    },
}

/// Missing capabilities, as text: "`CAP_BPF`, `CAP_NET_ADMIN` and `CAP_PERFMON`".
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(Vec<Capability>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => write!(f, "{} and {last}", rest.join(", ")),
            _ => f.write_str(&names.concat()),
        }
    }
}

/// What a command does, and so which capabilities it can have a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Prints what needs no node to be looked at.
    Print,
    /// Reads what there is: files and sockets of every user, WireGuard devices, namespaces of processes and pods.
    Look,
    /// The same, and sends pings.
    Ping,
    /// Looks, and loads and attaches programs.
    Follow,
    /// The same, and sends pings.
    FollowAndPing,
    /// Removes filters.
    Clean,
    /// Makes and removes namespaces, and sends in them.
    Build,
    /// Builds, and follows what it has built.
    Demonstrate,
    /// Builds, measures what it has built, and looks at all programs of the machine meanwhile.
    Measure,
    /// The same with a command that the user has given, which it starts.
    MeasureCommand,
    /// Measures the way to another machine, and looks at all programs of this one meanwhile.
    MeasureThere,
    /// The same with a command that the user has given, which it starts.
    MeasureThereCommand,
}

impl Role {
    /// What it can use. `CAP_DAC_OVERRIDE` is for sockets of other users, `CAP_SYS_PTRACE` for namespaces and roots of
    /// processes, `CAP_SYS_RESOURCE` for maps before Linux 5.11, which count against `RLIMIT_MEMLOCK`.
    fn uses(self) -> CapsHashSet {
        use Capability::{
            CAP_BPF, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON,
            CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_RESOURCE,
        };
        let read = [CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, CAP_NET_ADMIN, CAP_SYS_ADMIN];
        let attach = [CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE];
        let more: &[Capability] = match self {
            Self::Print => return CapsHashSet::new(),
            Self::Look | Self::Clean => &[],
            Self::Follow | Self::MeasureThere | Self::MeasureThereCommand => &attach,
            Self::Ping | Self::Build => &[CAP_NET_RAW],
            Self::FollowAndPing | Self::Demonstrate | Self::Measure | Self::MeasureCommand => {
                &[CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE, CAP_NET_RAW]
            }
        };
        read.into_iter().chain(more.iter().copied()).collect()
    }
}

/// What is the same for every command, before anything is read: nothing that is started gains rights, no core file has what was
/// in memory, no other process of the user looks into this one, and nobody else may write what is made.
pub fn harden() -> Result<(), PrivilegeError> {
    let failed = |operation| move |errno: Errno| PrivilegeError::Process { operation, source: errno.into() };
    prctl::set_no_new_privs().map_err(failed("renounce new privileges"))?;
    prctl::set_dumpable(false).map_err(failed("forbid others to look into this process"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(failed("renounce core files"))?;
    umask(Mode::from_bits_truncate(0o077));
    // As many files as it may have: there may be more pods than the usual limit. Fewer are no failure.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    Ok(())
}

/// Gives up what a command of this role has no use for, for good. What there was not before is not there after.
pub fn restrict(role: Role) -> Result<(), PrivilegeError> {
    let uses = role.uses();
    let failed = |operation| move |source| PrivilegeError::Failed { operation, source };
    // Only who may change it; without, nothing that is started can gain anything all the same.
    if read(CapSet::Effective)?.contains(&Capability::CAP_SETPCAP) {
        for capability in read(CapSet::Bounding)?.difference(&uses) {
            caps::drop(None, CapSet::Bounding, *capability).map_err(failed("give up the bounding set"))?;
        }
    }
    let kept = |set| read(set).map(|has| -> CapsHashSet { has.intersection(&uses).copied().collect() });
    let (effective, permitted) = (kept(CapSet::Effective)?, kept(CapSet::Permitted)?);
    caps::clear(None, CapSet::Ambient).map_err(failed("clear ambient capabilities"))?;
    caps::set(None, CapSet::Effective, &effective).map_err(failed("give up effective capabilities"))?;
    caps::clear(None, CapSet::Inheritable).map_err(failed("clear inheritable capabilities"))?;
    caps::set(None, CapSet::Permitted, &permitted).map_err(failed("give up permitted capabilities"))?;
    Ok(())
}

/// Has the kernel refuse system calls that no command of this role needs, for the calling thread and those that it starts. It
/// is one more bound: a kernel that does not take it keeps nobody from anything.
pub fn refuse_calls(role: Role) -> Result<(), SeccompError> {
    seccomp::at_start(role)
}

/// The same for what a run needs no more once it has begun, for all threads.
pub fn refuse_more_calls(entering: Entering) -> Result<(), SeccompError> {
    seccomp::after_start(entering)
}

/// Has the kernel refuse to open what is not named, as far as it can, for the calling thread and those that it starts. Other
/// processes' namespaces are hidden with it.
pub fn confine_files(openable: Openable<impl AsFd>) -> Result<Confined, ConfineError> {
    confine::confine(openable)
}

/// Gives up every capability of the calling thread, which has its sockets open already.
pub fn give_up_all() -> Result<(), PrivilegeError> {
    let failed =
        |source| PrivilegeError::Failed { operation: "give up all capabilities of a thread", source };
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(failed)?;
    }
    Ok(())
}

/// Loading, attaching, map access; `CAP_PERFMON` lets the verifier accept packet pointers without the detours it
/// takes for unprivileged programs (`bpf_allow_ptr_leaks` in include/linux/bpf.h).
const ATTACH: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON];

/// Checks that attaching can succeed, before anything is touched. `CAP_SYS_ADMIN` includes `CAP_BPF` and
/// `CAP_PERFMON` (`bpf_capable` and `perfmon_capable` in include/linux/capability.h).
pub fn check_attach() -> Result<(), PrivilegeError> {
    let has = read(CapSet::Effective)?;
    match missing(&has) {
        Missing(none) if none.is_empty() => Ok(()),
        missing => Err(PrivilegeError::Missing { missing }),
    }
}

fn missing(has: &CapsHashSet) -> Missing {
    let admin = has.contains(&Capability::CAP_SYS_ADMIN);
    Missing(
        ATTACH
            .into_iter()
            .filter(|need| {
                let implied = admin && *need != Capability::CAP_NET_ADMIN;
                !implied && !has.contains(need)
            })
            .collect(),
    )
}

/// Who enters other network namespaces and turns run-time statistics on, which takes `CAP_SYS_ADMIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entering {
    /// Another process.
    Helper,
    /// This one, which therefore keeps it.
    Itself,
}

/// Gives up everything that following a node does not need: `ATTACH` stays, to attach to tunnels that appear later.
pub fn give_up(entering: Entering) -> Result<(), PrivilegeError> {
    let permitted = read(CapSet::Permitted)?;
    // A kernel before 5.8 has no CAP_BPF: CAP_SYS_ADMIN is what loads programs there.
    let is_old = !permitted.contains(&Capability::CAP_BPF);
    let admin = (is_old || entering == Entering::Itself).then_some(Capability::CAP_SYS_ADMIN);
    keep("give up capabilities", &permitted, ATTACH.into_iter().chain(admin))
}

/// Gives up what entering network namespaces and looking into other processes takes, once another process does that.
pub fn give_up_entering() -> Result<(), PrivilegeError> {
    let mut kept = read(CapSet::Permitted)?;
    kept.retain(|capability| !matches!(capability, Capability::CAP_SYS_ADMIN | Capability::CAP_SYS_PTRACE));
    keep("give up capabilities", &kept.clone(), kept)
}

/// Gives up what a process has no use for that only enters network namespaces, opens those of other processes, and attaches what it
/// is given.
pub fn keep_for_helper() -> Result<(), PrivilegeError> {
    use Capability::{CAP_BPF, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYS_PTRACE};
    let permitted = read(CapSet::Permitted)?;
    let kept = [CAP_BPF, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYS_PTRACE];
    keep("give up capabilities of the helper process", &permitted, kept)
}

/// Keeps these, as far as they are permitted, and nothing else.
fn keep(
    operation: &'static str,
    permitted: &CapsHashSet,
    kept: impl IntoIterator<Item = Capability>,
) -> Result<(), PrivilegeError> {
    let failed = |source| PrivilegeError::Failed { operation, source };
    let kept: CapsHashSet = kept.into_iter().filter(|capability| permitted.contains(capability)).collect();
    // Ambient and inheritable sets would hand privileges to programs we start; we start none.
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)
}

/// True when other network namespaces can be entered.
pub fn may_enter() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

fn read(set: CapSet) -> Result<CapsHashSet, PrivilegeError> {
    caps::read(None, set)
        .map_err(|source| PrivilegeError::Failed { operation: "read our own capabilities", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN};
        for (has, text) in [
            (vec![], "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
            (vec![CAP_SYS_ADMIN], "CAP_NET_ADMIN"),
            (vec![CAP_BPF, CAP_PERFMON], "CAP_NET_ADMIN"),
            (vec![CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN], ""),
        ] {
            assert_eq!(missing(&has.into_iter().collect()).to_string(), text);
        }
    }
}
