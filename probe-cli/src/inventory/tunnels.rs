//! VXLAN devices, and what is below a tunnel of any kind. No peers.

use std::net::IpAddr;

use super::{
    Mac, Tunnel, TunnelKind, Underlay,
    index::{Index, family},
    warnings::{WarningKind, Warnings},
};
use crate::{
    facts::netlink::{FdbFact, LinkFact, VxlanFact},
    observed::Observed,
    text::shown,
};

/// `ARPHRD_*` of devices whose packets have no link header where TC programs see them; libc lacks some.
const BARE_IP: [u16; 8] = [
    libc::ARPHRD_NONE,
    libc::ARPHRD_PPP,
    libc::ARPHRD_TUNNEL,
    libc::ARPHRD_TUNNEL6,
    libc::ARPHRD_SIT,
    libc::ARPHRD_IPGRE,
    519, // ARPHRD_RAWIP
    823, // ARPHRD_IP6GRE
];
/// Peers asked for a route before the underlay is taken from the default route.
const ROUTE_PROBES: usize = 16;

/// The tunnel that `link` is.
pub(super) fn tunnel(index: &Index<'_>, link: &LinkFact, vxlan: &VxlanFact, notes: &mut Warnings) -> Tunnel {
    let external = vxlan.collect_metadata;
    let destinations = || index.fdb(link.ifindex).iter().filter_map(|entry| entry.destination);
    let known_family =
        vxlan.local.or(vxlan.group).or_else(|| destinations().next()).map(family).filter(|_| !external);
    let below = underlay_link(index, link, vxlan, known_family, notes);
    let outer_family = (!external).then(|| known_family.unwrap_or_else(|| family_below(index, below)));
    let local = vxlan.local.or_else(|| only_address(index, below?, outer_family?));
    Tunnel {
        name: link.name.clone(),
        ifindex: link.ifindex,
        kind: TunnelKind::Vxlan,
        vni: (!external).then_some(vxlan.vni),
        port: Some(vxlan.port),
        local,
        outer_family,
        underlay: below.map(underlay),
        more_underlays: Vec::new(),
        mtu: link.mtu,
        mac: link.mac,
        public_key: None,
        addresses: index.addresses(link.ifindex).iter().map(|fact| fact.address).collect(),
        external,
        l3: is_bare_ip(link),
        flood: u32::try_from(flood(index, link.ifindex).count()).unwrap_or(u32::MAX),
        up: link.up,
        told: Observed::Value(()),
    }
}

/// A device below a tunnel.
pub(super) fn underlay(link: &LinkFact) -> Underlay {
    Underlay { name: link.name.clone(), ifindex: link.ifindex, mtu: link.mtu, l3: is_bare_ip(link) }
}

/// The entries for frames to group and unknown addresses. A device's `remote` or `group` is among them: the kernel
/// adds it to the FDB when it makes the device (`__vxlan_dev_create`), and without the entry it is not used.
pub(super) fn flood<'i>(index: &'i Index<'_>, ifindex: u32) -> impl Iterator<Item = &'i FdbFact> {
    index.fdb(ifindex).iter().copied().filter(|entry| entry.mac == Mac::default())
}

/// The configured device, else the one that owns the configured local address, else the one that the peers, and at
/// last everybody, are routed by.
fn underlay_link<'a>(
    index: &Index<'a>,
    link: &LinkFact,
    vxlan: &VxlanFact,
    outer: Option<u8>,
    notes: &mut Warnings,
) -> Option<&'a LinkFact> {
    // A VXLAN device sends in the namespace it was made in (`vxlan->net`), wherever it was moved to.
    if link.link_netns.is_some() {
        notes.add(WarningKind::UnderlayElsewhere, || {
            format!(
                "{}: its underlay is in another network namespace, so its outer packets cannot be seen here; \
                 look there with --netns",
                shown(&link.name)
            )
        });
        return None;
    }
    if let Some(ifindex) = vxlan.link {
        let below = index.link(ifindex);
        if below.is_none() {
            notes.add(WarningKind::UnderlayElsewhere, || {
                format!("{}: its underlay device (interface index {ifindex}) is not there", shown(&link.name))
            });
        }
        return below;
    }
    let owner = vxlan.local.and_then(|local| {
        let mut owners = index.owners(local).iter().filter_map(|&ifindex| index.link(ifindex));
        // An address on lo is reached by every device: there the routes tell.
        owners.find(|owner| !owner.is_loopback() && owner.ifindex != link.ifindex)
    });
    let by_peer = || {
        let mut destinations = index.fdb(link.ifindex).iter().filter_map(|entry| entry.destination);
        destinations
            .by_ref()
            .filter(|destination| !destination.is_multicast())
            .take(ROUTE_PROBES)
            .find_map(|destination| index.best_route(destination))
    };
    let by_default = || {
        let families: &[u8] = match outer {
            Some(6) => &[6],
            Some(_) => &[4],
            None => &[4, 6],
        };
        families.iter().find_map(|&family| index.default_route(family))
    };
    owner.or_else(|| {
        let route = by_peer().or_else(by_default)?;
        index.link(route.ifindex?)
    })
}

/// What a device that names no address uses: IPv4, unless it was asked for IPv6 (`vxlan_config_validate`), which shows
/// only in the addresses it can send from.
fn family_below(index: &Index<'_>, below: Option<&LinkFact>) -> u8 {
    let mut families = below
        .into_iter()
        .flat_map(|link| index.addresses(link.ifindex))
        .filter(|fact| fact.global)
        .map(|fact| family(fact.address.addr()));
    match families.next() {
        Some(6) if families.all(|family| family == 6) => 6,
        _ => 4,
    }
}

/// The outer source address where the device has none configured and the underlay leaves no choice.
pub(super) fn only_address(index: &Index<'_>, below: &LinkFact, outer: u8) -> Option<IpAddr> {
    let mut candidates = index
        .addresses(below.ifindex)
        .iter()
        .filter(|fact| fact.global)
        .map(|fact| fact.address.addr())
        .filter(|&address| family(address) == outer);
    let only = candidates.next()?;
    candidates.next().is_none().then_some(only)
}

pub(super) fn is_bare_ip(link: &LinkFact) -> bool {
    BARE_IP.contains(&link.hardware_type)
}
