//! Tunnel devices that no program counts on: IP in IP and Geneve. What they are and what is below them; no peers.

use std::net::IpAddr;

use super::{
    Tunnel, TunnelKind, Underlay,
    index::{Index, family},
    tunnels::{is_bare_ip, only_address, underlay},
};
use crate::{
    facts::netlink::{LinkData, LinkFact, RouteType},
    observed::Observed,
};

/// Gateways asked for a route before the underlay is taken from the default route.
const ROUTE_PROBES: usize = 16;

/// The tunnel that `link` is; none for another kind, and for the device that the kernel's module makes in every network
/// namespace (`tunl0`) while nobody uses it.
pub(super) fn tunnel(index: &Index<'_>, link: &LinkFact) -> Option<Tunnel> {
    let (kind, fixed, local, remote, external, port, vni) = match (link.kind.as_deref(), &link.data) {
        (Some("ipip"), Some(LinkData::IpTunnel(data))) => {
            (TunnelKind::Ipip, data.link, data.local, data.remote, data.collect_metadata, None, None)
        }
        (Some("geneve"), Some(LinkData::Geneve(data))) => {
            let vni = (!data.collect_metadata).then_some(data.vni);
            (TunnelKind::Geneve, None, None, data.remote, data.collect_metadata, Some(data.port), vni)
        }
        _ => return None,
    };
    let routes = index.routes(link.ifindex);
    let addresses: Vec<_> = index.addresses(link.ifindex).iter().map(|fact| fact.address).collect();
    if kind == TunnelKind::Ipip
        && !external
        && local.is_none()
        && remote.is_none()
        && addresses.is_empty()
        && routes.is_empty()
    {
        return None;
    }
    let gateways = routes.iter().filter(|route| route.kind == RouteType::Unicast).filter_map(|r| r.gateway);
    let known: Option<IpAddr> = local.or(remote);
    let outer_family =
        if kind == TunnelKind::Ipip { Some(4) } else { known.filter(|_| !external).map(family) };
    let by_route = || {
        let mut probes = remote.into_iter().chain(gateways.take(ROUTE_PROBES));
        let route = probes.find_map(|probe| index.best_route(probe));
        let route = route.or_else(|| index.default_route(outer_family.unwrap_or(4)))?;
        index.link(route.ifindex?)
    };
    let by_address = || {
        let owners = index.owners(local?).iter().filter_map(|&owner| index.link(owner));
        owners
            .filter(|owner| owner.hardware_type != libc::ARPHRD_LOOPBACK)
            .find(|o| o.ifindex != link.ifindex)
    };
    // A device that was moved sends where it was made.
    let below = if link.link_netns.is_some() {
        None
    } else {
        fixed.and_then(|fixed| index.link(fixed)).or_else(by_address).or_else(by_route)
    };
    Some(Tunnel {
        name: link.name.clone(),
        ifindex: link.ifindex,
        kind,
        vni,
        port,
        local: local.or_else(|| only_address(index, below?, outer_family?)),
        outer_family,
        underlay: below.map(|link| -> Underlay { underlay(link) }),
        more_underlays: Vec::new(),
        mtu: link.mtu,
        mac: link.mac,
        public_key: None,
        addresses,
        external,
        l3: is_bare_ip(link),
        flood: 0,
        up: link.up,
        told: Observed::Value(()),
    })
}
