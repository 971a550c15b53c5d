//! Which routes of the main table the outer packets of each tunnel take, and to how many peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Inventory, index::Index};

/// Routes of one tunnel that are told apart. A node's peers are behind one or two.
const MOST: usize = 8;

/// A route that outer packets take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OuterRoute {
    /// Interface index of the tunnel.
    pub tunnel: u32,
    /// Destination; none where no route leads to these peers.
    pub destination: Option<IpNet>,
    /// Next hop; none on the link itself.
    pub gateway: Option<IpAddr>,
    /// Name of the device that packets leave by; escape before showing.
    pub interface: Option<String>,
    /// `RTAX_MTU`.
    pub mtu: Option<u32>,
    /// Remote addresses that it leads to.
    pub peers: usize,
}

/// The routes by tunnel, those of most peers first; at most eight for each.
pub(super) fn outer_routes(index: &Index<'_>, inventory: &Inventory) -> Vec<OuterRoute> {
    let mut remotes: BTreeMap<u32, BTreeSet<IpAddr>> = BTreeMap::new();
    for peer in &inventory.peers {
        remotes.entry(peer.tunnel).or_default().extend(peer.node_address);
    }
    let is_tunnel = |ifindex| inventory.other_tunnels.iter().any(|tunnel| tunnel.ifindex == ifindex);
    for peer in inventory.routed_peers.iter().filter(|peer| is_tunnel(peer.ifindex)) {
        remotes.entry(peer.ifindex).or_default().insert(peer.node_address);
    }
    let mut all = Vec::new();
    for (tunnel, remotes) in remotes {
        let mut routes: Vec<OuterRoute> = Vec::new();
        for remote in remotes {
            let best = index.best_route(remote);
            let route = OuterRoute {
                tunnel,
                destination: best.map(|route| route.destination),
                gateway: best.and_then(|route| route.gateway),
                interface: best.and_then(|route| index.link(route.ifindex?)).map(|link| link.name.clone()),
                mtu: best.and_then(|route| route.mtu),
                peers: 0,
            };
            let at = routes.iter().position(|known| OuterRoute { peers: 0, ..known.clone() } == route);
            let at = at.unwrap_or_else(|| {
                routes.push(route);
                routes.len() - 1
            });
            if let Some(route) = routes.get_mut(at) {
                route.peers += 1;
            }
        }
        routes.sort_by_key(|route| usize::MAX - route.peers);
        routes.truncate(MOST);
        all.extend(routes);
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::{
        facts::netlink::{Facts, RouteFact},
        inventory::testdata::*,
    };

    #[test]
    fn peers_behind_each_route() {
        let mut facts = flannel6(flannel4(node(), 3), 1);
        facts.routes.push(RouteFact { mtu: Some(1400), ..route("192.0.2.4/32", Some("192.0.2.254"), ETH0) });
        let of = |facts: &Facts| {
            of_kernel(facts)
                .outer_routes
                .into_iter()
                .map(|route| {
                    let destination = route.destination.map_or("none".to_owned(), |net| net.to_string());
                    (route.tunnel, destination, route.gateway, route.mtu, route.peers)
                })
                .collect::<Vec<_>>()
        };
        let on_link = (FLANNEL, "192.0.2.0/24".to_owned(), None, None, 2);
        let by_gateway = (FLANNEL, "192.0.2.4/32".to_owned(), Some(ip("192.0.2.254")), Some(1400), 1);
        let v6 = (FLANNEL6, "::/0".to_owned(), Some(ip("2001:db8::fe")), None, 1);
        assert_eq!(of(&facts), [on_link, by_gateway, v6.clone()]);
        facts.routes.retain(|route| route.ifindex != Some(ETH0) || route.destination.addr().is_ipv6());
        assert_eq!(of(&facts), [(FLANNEL, "none".to_owned(), None, None, 3), v6]);
    }
}
