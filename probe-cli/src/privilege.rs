//! Capabilities: what is needed, what is missing, giving up the rest.
//!
//! Here belongs what `capabilities(7)` knows; not what the privileges are used for.

use std::fmt;

use caps::{CapSet, Capability, CapsHashSet};
use thiserror::Error;

/// Why privileges do not suffice or cannot be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// Something that the work needs is not there.
    #[error("cannot attach eBPF programs: needs {missing}; run with sudo")]
    Missing {
        /// What is missing.
        missing: Missing,
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

/// Missing capabilities, as text: "`CAP_BPF` and `CAP_NET_ADMIN`".
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(Vec<Capability>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(" and "))
    }
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

/// Gives up everything that following a node does not need: only `ATTACH` stays in effect, to attach to tunnels
/// that appear later. `CAP_SYS_ADMIN` stays permitted, not effective, and is raised for the moment that turns
/// run-time statistics on ([`with_admin`]). What is started from here on can gain nothing.
pub fn give_up() -> Result<(), PrivilegeError> {
    let permitted = read(CapSet::Permitted)?;
    // A kernel before 5.8 has no CAP_BPF: CAP_SYS_ADMIN is what loads programs there.
    let modern = permitted.contains(&Capability::CAP_BPF);
    let keep = |wanted: &[Capability]| -> CapsHashSet {
        wanted.iter().copied().filter(|capability| permitted.contains(capability)).collect()
    };
    let mut effective = ATTACH.to_vec();
    if !modern {
        effective.push(Capability::CAP_SYS_ADMIN);
    }
    let mut kept = ATTACH.to_vec();
    kept.push(Capability::CAP_SYS_ADMIN);
    let failed = |operation| move |source| PrivilegeError::Failed { operation, source };
    // Ambient and inheritable sets would hand privileges to programs we start; we start none.
    caps::clear(None, CapSet::Ambient).map_err(failed("clear ambient capabilities"))?;
    caps::set(None, CapSet::Effective, &keep(&effective))
        .map_err(failed("give up effective capabilities"))?;
    caps::clear(None, CapSet::Inheritable).map_err(failed("clear inheritable capabilities"))?;
    caps::set(None, CapSet::Permitted, &keep(&kept)).map_err(failed("give up permitted capabilities"))?;
    // SAFETY: prctl with constants; PR_SET_NO_NEW_PRIVS takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    Ok(())
}

/// Runs `work` with `CAP_SYS_ADMIN` in effect where it is permitted, as far as it was not already.
pub fn with_admin<T>(work: impl FnOnce() -> T) -> T {
    let raised = !caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(true)
        && caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).is_ok();
    let result = work();
    if raised {
        // Dropping what was just raised cannot be refused.
        let _ = caps::drop(None, CapSet::Effective, Capability::CAP_SYS_ADMIN);
    }
    result
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
            (vec![], "CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON"),
            (vec![CAP_SYS_ADMIN], "CAP_NET_ADMIN"),
            (vec![CAP_BPF, CAP_PERFMON], "CAP_NET_ADMIN"),
            (vec![CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN], ""),
        ] {
            assert_eq!(missing(&has.into_iter().collect()).to_string(), text);
        }
    }
}
