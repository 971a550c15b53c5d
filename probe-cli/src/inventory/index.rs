//! Facts by what the joins look them up by. No meaning here.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Mac;
use crate::{
    facts::netlink::{
        AddressFact, Facts, FdbFact, LinkFact, NeighbourFact, RouteFact, RouteLookup, RouteType, WIREGUARD,
        WireguardFact,
    },
    observed::Observed,
};

/// The facts, indexed once.
pub(super) struct Index<'a> {
    pub(super) facts: &'a Facts,
    links: HashMap<u32, &'a LinkFact>,
    names: HashMap<&'a str, &'a LinkFact>,
    owners: HashMap<IpAddr, Vec<u32>>,
    addresses: HashMap<u32, Vec<&'a AddressFact>>,
    routes: HashMap<u32, Vec<&'a RouteFact>>,
    fdb: HashMap<u32, Vec<&'a FdbFact>>,
    neighbours: HashMap<u32, Vec<&'a NeighbourFact>>,
    wireguard: HashMap<u32, &'a WireguardFact>,
    /// Routes by no tunnel device: those that outer packets can take.
    below: Vec<&'a RouteFact>,
    /// The same by destination.
    below_by_destination: RouteLookup<'a>,
}

impl<'a> Index<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        let mut owners: HashMap<IpAddr, Vec<u32>> = HashMap::new();
        for fact in facts.addresses.rows() {
            owners.entry(fact.address.addr()).or_default().push(fact.ifindex);
        }
        let links: HashMap<u32, &LinkFact> = facts.links.iter().map(|link| (link.ifindex, link)).collect();
        let by_tunnel = |route: &&RouteFact| {
            route.ifindex.and_then(|ifindex| links.get(&ifindex)).is_some_and(|link| is_any_tunnel(link))
        };
        let below: Vec<&RouteFact> = facts.routes.iter().filter(|route| !by_tunnel(route)).collect();
        Self {
            facts,
            below_by_destination: RouteLookup::new(below.iter().copied()),
            below,
            wireguard: facts
                .wireguard
                .iter()
                .filter_map(|device| Some((device.ifindex, device.told.value()?)))
                .collect(),
            links,
            names: facts.links.iter().map(|link| (link.name.as_str(), link)).collect(),
            owners,
            addresses: grouped(facts.addresses.rows().iter(), |fact| Some(fact.ifindex)),
            routes: grouped(facts.routes.iter(), |fact| fact.ifindex),
            fdb: grouped(facts.fdb.iter(), |fact| Some(fact.ifindex)),
            neighbours: grouped(facts.neighbours.iter(), |fact| Some(fact.ifindex)),
        }
    }

    pub(super) fn link(&self, ifindex: u32) -> Option<&'a LinkFact> {
        self.links.get(&ifindex).copied()
    }

    pub(super) fn link_named(&self, name: &str) -> Option<&'a LinkFact> {
        self.names.get(name).copied()
    }

    /// The devices that have `address`.
    pub(super) fn owners(&self, address: IpAddr) -> &[u32] {
        self.owners.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn addresses(&self, ifindex: u32) -> &[&'a AddressFact] {
        self.addresses.get(&ifindex).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn routes(&self, ifindex: u32) -> &[&'a RouteFact] {
        self.routes.get(&ifindex).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn fdb(&self, ifindex: u32) -> &[&'a FdbFact] {
        self.fdb.get(&ifindex).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn neighbours(&self, ifindex: u32) -> &[&'a NeighbourFact] {
        self.neighbours.get(&ifindex).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the kernel told of a WireGuard device.
    pub(super) fn wireguard(&self, ifindex: u32) -> Option<&'a WireguardFact> {
        self.wireguard.get(&ifindex).copied()
    }

    /// Whether the kernel told of a WireGuard device, or why not.
    pub(super) fn told(&self, ifindex: u32) -> Observed<()> {
        let device = self.facts.wireguard.iter().find(|device| device.ifindex == ifindex);
        device.map_or(Observed::Absent, |device| device.told.as_ref().map(drop))
    }

    /// Routes by no tunnel device.
    pub(super) fn below(&self) -> &[&'a RouteFact] {
        &self.below
    }

    /// The route that a packet to `address` takes by the main table, tunnel devices left aside: the longest prefix,
    /// among those the smallest metric.
    pub(super) fn best_route(&self, address: IpAddr) -> Option<&'a RouteFact> {
        self.best_routes(address).next()
    }

    /// The same with every next hop of a multipath route.
    pub(super) fn best_routes(&self, address: IpAddr) -> impl Iterator<Item = &'a RouteFact> {
        let candidates = self.below_by_destination.longest(address).iter().copied();
        let best = candidates.clone().map(RouteFact::rank).max();
        candidates
            .filter(move |route| Some(route.rank()) == best)
            .filter(|route| route.kind == RouteType::Unicast)
    }

    /// The devices that default routes leave by.
    pub(super) fn default_devices(&self) -> impl Iterator<Item = u32> {
        let routes = self.facts.routes.iter().filter(|route| route.destination.prefix_len() == 0);
        routes.filter(|route| route.kind == RouteType::Unicast).filter_map(|route| route.ifindex)
    }

    /// The default route of a family.
    pub(super) fn default_route(&self, family: u8) -> Option<&'a RouteFact> {
        let unspecified: IpAddr =
            if family == 6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        self.facts
            .routes
            .iter()
            .filter(|route| route.destination.prefix_len() == 0 && route.destination.addr() == unspecified)
            .filter(|route| route.kind == RouteType::Unicast)
            .min_by_key(|route| route.metric)
    }
}

/// A device of a kind that the inventory knows as a tunnel.
pub(super) fn is_tunnel(link: &LinkFact) -> bool {
    link.vxlan.is_some() || is_wireguard(link)
}

/// A tunnel of any kind: outer packets of another never leave by it.
pub(super) fn is_any_tunnel(link: &LinkFact) -> bool {
    is_tunnel(link) || matches!(link.kind.as_deref(), Some("ipip" | "geneve"))
}

/// A tunnel of a kind that is not looked into: what leaves by it is wrapped all the same.
pub(super) fn is_other_tunnel(link: &LinkFact) -> bool {
    const KINDS: [&str; 9] = ["gre", "gretap", "ip6gre", "ip6gretap", "ip6tnl", "sit", "vti", "vti6", "xfrm"];
    is_tun(link) || link.kind.as_deref().is_some_and(|kind| KINDS.contains(&kind))
}

/// A `tun` device: what it carries goes to a process. (A `tap` device is of the same kind, and has Ethernet frames.)
pub(super) fn is_tun(link: &LinkFact) -> bool {
    link.kind.as_deref() == Some("tun") && link.hardware_type == libc::ARPHRD_NONE
}

/// By its kind, never by its name.
pub(super) fn is_wireguard(link: &LinkFact) -> bool {
    link.kind.as_deref() == Some(WIREGUARD)
}

fn grouped<'a, T>(
    facts: impl Iterator<Item = &'a T>,
    key: impl Fn(&T) -> Option<u32>,
) -> HashMap<u32, Vec<&'a T>> {
    let mut groups: HashMap<u32, Vec<&T>> = HashMap::new();
    for fact in facts {
        if let Some(key) = key(fact) {
            groups.entry(key).or_default().push(fact);
        }
    }
    groups
}

/// 4 or 6.
pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

/// An address of one station, not of a group and not the all-zero default of an FDB.
pub(super) fn is_unicast(mac: Mac) -> bool {
    mac != Mac::default() && mac.0.first().is_some_and(|octet| octet & 1 == 0)
}
