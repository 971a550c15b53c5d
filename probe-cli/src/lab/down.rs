//! Taking a lab down, also one that was left half-built or half-removed. Only what is the lab's goes: a name alone says nothing, it
//! may be somebody else's namespace, or the machine's own.

use std::collections::BTreeSet;

use super::{error::LabError, fault, plan, registry};
use crate::{
    netlink::configure::{self, Step, configure},
    netns::{self, Named},
};

/// The device in each namespace whose alias says whose it is.
const LOOPBACK: &str = "lo";

/// Removes every namespace of the lab and its file. Returns how many namespaces went; a lab that is gone already is no
/// error. What is named like the lab's and is not left alone, and told after the rest is gone.
pub fn down(prefix: &str) -> Result<usize, LabError> {
    remove(prefix, false)
}

/// The same, with the namespaces that are named like the lab's, whoever made them. The machine's own is never one.
pub fn force_down(prefix: &str) -> Result<usize, LabError> {
    remove(prefix, true)
}

fn remove(prefix: &str, is_forced: bool) -> Result<usize, LabError> {
    plan::check_prefix(prefix)?;
    let mut names: Vec<String> =
        netns::list().into_iter().filter(|name| plan::is_lab_name(prefix, name)).collect();
    // The underlay goes first and takes every node's NIC with it, so that nothing sends any more.
    names.sort_by_key(|name| !name.ends_with("-underlay"));
    // Files stay, those that a fault changed too: they are given back what they had.
    let files = registry::read(prefix).map_or(Ok(()), |lab| fault::restore_files(&lab));
    let noted = registry::noted(prefix);
    let (ours, others): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| is_ours(prefix, name, &noted, is_forced));
    for name in &ours {
        remove_tunnels(name);
        netns::remove(name)?;
    }
    if !others.is_empty() {
        return Err(LabError::NotOurs { names: others.join(", "), removed: ours.len() });
    }
    registry::remove(prefix)?;
    files?;
    Ok(ours.len())
}

/// Removes one namespace of a lab.
pub(super) fn remove_one(prefix: &str, name: &str) -> Result<(), LabError> {
    if !plan::is_lab_name(prefix, name) || !is_ours(prefix, name, &registry::noted(prefix), false) {
        return Err(LabError::NotOurs { names: name.to_owned(), removed: 0 });
    }
    Ok(netns::remove(name)?)
}

/// True for a name of the lab's: it was noted before it was made, or the namespace itself says so, as one whose note is gone.
fn is_ours(prefix: &str, name: &str, noted: &BTreeSet<(String, (u64, u64))>, is_forced: bool) -> bool {
    match netns::named(name) {
        Named::Namespace(identity) => {
            let is_noted = || noted.contains(&(name.to_owned(), identity));
            !is_the_machines(identity) && (is_forced || is_noted() || is_marked(prefix, name))
        }
        Named::Unbound => is_forced || noted.iter().any(|(noted, _)| noted == name),
        Named::Other => false,
    }
}

/// The namespace of the first process, or the one that this runs in.
fn is_the_machines(identity: (u64, u64)) -> bool {
    let first = netns::try_open("/proc/1/ns/net").and_then(|first| first.identity());
    netns::current_identity().is_ok_and(|own| own == identity) || first.is_ok_and(|first| first == identity)
}

fn is_marked(prefix: &str, name: &str) -> bool {
    let alias =
        netns::open(name).ok().and_then(|namespace| configure::alias(&namespace, LOOPBACK).ok().flatten());
    alias == Some(mark(prefix))
}

/// Says in a namespace whose it is.
pub(super) fn mark_step(prefix: &str) -> Step {
    Step::Alias { name: LOOPBACK.to_owned(), alias: mark(prefix) }
}

fn mark(prefix: &str) -> String {
    format!("overlay-probe lab {prefix}")
}

/// The kernel removes a namespace in the background. Tunnels are removed at once, so that a probe which looks at the
/// node sees them go even while something still holds the namespace.
fn remove_tunnels(name: &str) {
    let Ok(namespace) = netns::open(name) else { return };
    for tunnel in ["flannel.1", "flannel-v6.1", "br0"] {
        // Most namespaces have none.
        let _ = configure(&namespace, &[Step::Delete { name: tunnel.to_owned() }]);
    }
}
