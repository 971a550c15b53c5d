//! Reads which eBPF programs are on the devices of tunnels and on those below them, and what those of others cost. Nothing is attached.

use std::{collections::BTreeSet, io};

use crate::{
    ebpf,
    inventory::Inventory,
    netlink::Source,
    netns::helper,
    observed::Observed,
    sample::{Hook, HookPlace, Hooks, ProgramCost},
};

/// Devices that are looked at.
const MOST: usize = 64;
/// Programs of others that are asked about: what is told of them fits an answer of the helper.
const MOST_OTHERS: usize = 256;

/// Reads them in the calling thread's network namespace, which `netlink` was opened in. Of ours, what they cost is known already.
pub(super) fn hooks(netlink: &Source, inventory: &Inventory, own: &[ProgramCost]) -> Observed<Box<Hooks>> {
    let devices: BTreeSet<u32> = inventory
        .tunnels
        .iter()
        .flat_map(|tunnel| tunnel.underlays().map(|below| below.ifindex).chain([tunnel.ifindex]))
        .collect();
    let none = Observed::Value(Vec::new());
    let places = devices.into_iter().take(MOST).fold(none, |places, ifindex| {
        places.and_then(|places| on(netlink, ifindex).map(|found| [places, found].concat()))
    });
    places.map(|places| {
        let is_own = |id: &u32| own.iter().any(|cost| cost.id == Some(*id));
        let others: BTreeSet<u32> =
            places.iter().map(|place| place.program).filter(|id| !is_own(id)).collect();
        let others: Vec<u32> = others.into_iter().take(MOST_OTHERS).collect();
        // What may not be asked, or is too late, is unknown.
        let others = if others.is_empty() { Vec::new() } else { costs(&others).unwrap_or_default() };
        Box::new(Hooks { places, others })
    })
}

/// The programs on one device.
fn on(netlink: &Source, ifindex: u32) -> Observed<Vec<HookPlace>> {
    let found = netlink.programs_on(ifindex).and_then(|found| {
        found.with_tcx(|is_egress| ebpf::tcx_programs(ifindex, is_egress)).map_or_else(
            |error| Observed::Failed {
                error: format!("list the TCX programs of interface {ifindex}: {error}"),
            },
            Observed::Value,
        )
    });
    found.map(|found| {
        let hooks = [(Hook::Xdp, found.xdp), (Hook::Ingress, found.ingress), (Hook::Egress, found.egress)];
        let place = |hook| move |program| HookPlace { ifindex, hook, program };
        hooks.into_iter().flat_map(|(hook, programs)| programs.into_iter().map(place(hook))).collect()
    })
}

/// By the helper where there is one, which has what it takes.
fn costs(ids: &[u32]) -> io::Result<Vec<ProgramCost>> {
    match helper::programs(ids) {
        None => ebpf::costs_of(ids),
        Some(told) => told.and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)),
    }
}
