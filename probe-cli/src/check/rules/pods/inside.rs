//! What checks of pods' own network namespaces share.

use super::super::prelude::*;
use crate::{
    facts::{Bounded, netlink::RouteFact, network::InsideFacts},
    model::Pod,
    observed::Observed,
};

/// Kinds of devices that virtual machines have in their pod: they take over its addresses and routes.
const OF_MACHINES: [&str; 3] = ["bridge", "macvtap", "tun"];

/// Pods with a network of their own whose interfaces were read, and which no virtual machine has taken over.
pub(super) fn with_interfaces(model: &Model) -> impl Iterator<Item = &Pod> {
    let is_of_machine =
        |pod: &Pod| pod.interfaces.iter().any(|one| one.kind.as_deref().is_some_and(is_of_machines));
    model
        .inventory
        .pods
        .iter()
        .map(AsRef::as_ref)
        .filter(move |pod| !pod.host_network && !pod.interfaces.is_empty() && !is_of_machine(pod))
}

/// Those of them whose addresses are known; what the check comes to where there are none.
pub(super) fn with_addresses(model: &Model) -> Result<Vec<&Pod>, Outcome> {
    let pods: Vec<&Pod> = with_interfaces(model).filter(|pod| !pod.addresses.is_empty()).collect();
    if pods.is_empty() {
        return Err(Outcome::DoesNotApply("no pod's address and interfaces are known"));
    }
    Ok(pods)
}

fn is_of_machines(kind: &str) -> bool {
    OF_MACHINES.contains(&kind)
}

/// What was read in a pod's namespace.
pub(super) fn facts<'a>(model: &'a Model, pod: &Pod) -> Option<&'a InsideFacts> {
    let inside = model.snapshot.inside.iter().find(|inside| Some(&inside.path) == pod.netns.as_ref())?;
    inside.told.value()
}

/// The default routes of a family; none when they were not read, or not all of them. Both halves of all addresses are one as
/// well, as VPNs write it.
pub(super) fn default_routes(inside: &InsideFacts, is_ipv4: bool) -> Option<Vec<&RouteFact>> {
    let table: &Observed<Bounded<RouteFact>> =
        if is_ipv4 { &inside.routes_ipv4 } else { &inside.routes_ipv6 };
    let table = table.value().filter(|table| table.left_out == 0)?;
    Some(table.rows.iter().filter(|route| route.destination.prefix_len() <= 1).collect())
}
