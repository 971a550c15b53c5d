//! Taking a lab down, also one that was left half-built or half-removed.

use super::{error::LabError, plan, registry};
use crate::{
    netlink::configure::{Step, configure},
    netns,
};

/// Removes every namespace of the lab and its file. Returns how many namespaces went; a lab that is gone already is no
/// error.
///
/// The underlay goes first and takes every node's NIC with it, so that nothing sends any more.
pub fn down(prefix: &str) -> Result<usize, LabError> {
    plan::check_prefix(prefix)?;
    let mut names: Vec<String> =
        netns::list().into_iter().filter(|name| plan::is_lab_name(prefix, name)).collect();
    names.sort_by_key(|name| !name.ends_with("-underlay"));
    for name in &names {
        remove_tunnels(name);
        netns::remove(name)?;
    }
    registry::remove(prefix)?;
    Ok(names.len())
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
