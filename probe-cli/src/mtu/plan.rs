//! What to measure: each other node by its own address and by that on the far end of the tunnel, or what somebody names. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use thiserror::Error;

use crate::model::{Model, MtuPath, Peer, paths_in_use};

/// Names that are most like one that nobody has.
const NEAREST: usize = 3;
/// Tried where neither the model nor the kernel knows what is expected.
const USUAL: u32 = 1500;

/// Over what packets of a path go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To another node's own address.
    Underlay,
    /// Through the tunnel.
    Overlay,
    /// To an address that is of no node and no pod.
    Other,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Name of the node, else its address; of no node, the address. Hostile input: escape before showing.
    pub peer: String,
    /// Over what.
    pub way: Way,
    /// Where probes go.
    pub address: IpAddr,
    /// No table has the address: it follows from the peer's pod network.
    pub is_assumed: bool,
    /// The first address of the node, which names it.
    pub node: Option<IpAddr>,
    /// The node's address that outer packets go to; of the underlay the address itself.
    pub node_address: Option<IpAddr>,
    /// The tunnel. Escape before showing.
    pub device: Option<String>,
    /// Bytes that the tunnel adds; 0 where there is none.
    pub overhead: u32,
    /// The largest packet that is expected to get there: the tunnel's MTU, or that of the route to the node; to a pod no more than
    /// this node's pods take.
    pub expected: u32,
    /// What this node's kernel has learned before, and keeps to.
    pub learned: Option<u32>,
}

/// A target that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownTarget {
    /// It is no address, and no node is called so.
    #[error(
        "no node is called {word:?}: {}; names are those in /etc/hosts on this node, others are not resolved",
        nearest(.near)
    )]
    Name {
        /// What was given.
        word: String,
        /// What there is, the most alike first.
        near: Vec<String>,
    },
    /// It is this node's own.
    #[error("{address} is an address of this node: give one of another node, or of a pod there")]
    Own {
        /// What was given.
        address: IpAddr,
    },
    /// It is nobody's alone.
    #[error("{address} is not the address of one node or pod: give one that can be pinged")]
    NotOne {
        /// What was given.
        address: IpAddr,
    },
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => "no other node is known; give an address".to_owned(),
        near => format!("the nearest known: {}", near.join(", ")),
    }
}

/// The paths to what is named, or to every node that is known. `route_mtu` says what the kernel sends to an address in one piece,
/// if it has a route.
pub fn plan(
    model: &Model,
    words: &[String],
    route_mtu: &mut dyn FnMut(IpAddr) -> Option<u32>,
) -> Result<Vec<Path>, UnknownTarget> {
    let mut plan =
        Plan { model, mtus: paths_in_use(&model.inventory, &model.setup.mtu).collect(), route_mtu };
    let all = plan.all();
    if words.is_empty() {
        return Ok(all);
    }
    let mut chosen: Vec<Path> = Vec::new();
    for word in words {
        for path in plan.named(&all, word)? {
            if !chosen.contains(&path) {
                chosen.push(path);
            }
        }
    }
    Ok(chosen)
}

struct Plan<'a> {
    model: &'a Model,
    /// Tunnels that carry packets, with their sizes.
    mtus: Vec<&'a MtuPath>,
    route_mtu: &'a mut dyn FnMut(IpAddr) -> Option<u32>,
}

impl Plan<'_> {
    /// Nodes by address, each over both ways.
    fn all(&mut self) -> Vec<Path> {
        let inventory = &self.model.inventory;
        let peers: Vec<&Peer> = inventory
            .peers
            .iter()
            .map(|peer| &**peer)
            .filter(|peer| inventory.is_in_use(peer.tunnel))
            .collect();
        let by_route = inventory.routed_peers.iter().filter(|peer| inventory.is_in_use(peer.ifindex));
        let nodes: BTreeSet<IpAddr> = (peers.iter().filter_map(|peer| peer.node_address))
            .chain(by_route.map(|peer| peer.node_address))
            .collect();
        let mut paths: Vec<Path> = nodes.into_iter().map(|address| self.underlay(address)).collect();
        for known in &inventory.tunnel_addresses {
            let peer = peers.iter().find(|peer| (peer.tunnel, peer.key) == (known.tunnel, known.key));
            paths.extend(peer.and_then(|peer| self.overlay(peer, known.address, known.is_assumed)));
        }
        paths.sort_by_key(|path| (path.node, path.address.is_ipv6(), path.way));
        paths
    }

    fn underlay(&mut self, address: IpAddr) -> Path {
        let learned = self.learned(address);
        let node = Some(self.model.node_of(address));
        Path {
            peer: self.name(address),
            way: Way::Underlay,
            address,
            is_assumed: false,
            node,
            node_address: Some(address),
            device: None,
            overhead: 0,
            expected: self.expected(address),
            learned,
        }
    }

    /// None where the peer's tunnel carries nothing.
    fn overlay(&self, peer: &Peer, address: IpAddr, is_assumed: bool) -> Option<Path> {
        let mtu = self.mtus.iter().find(|mtu| mtu.ifindex == peer.tunnel)?;
        Some(Path {
            peer: peer.node_address.map_or_else(|| address.to_string(), |node| self.name(node)),
            way: Way::Overlay,
            address,
            is_assumed,
            node: peer.node_address.map(|node| self.model.node_of(node)),
            node_address: peer.node_address,
            device: Some(mtu.device.clone()),
            overhead: mtu.overhead,
            expected: mtu.route_mtu.map_or(mtu.mtu, |route| route.min(mtu.mtu)),
            learned: self.learned(address),
        })
    }

    fn name(&self, node: IpAddr) -> String {
        let name = self.model.inventory.node_names.get(&node);
        name.cloned().unwrap_or_else(|| self.model.node_of(node).to_string())
    }

    /// The MTU of the device or the route; not what was learned, which may be wrong.
    fn expected(&mut self, address: IpAddr) -> u32 {
        let device = || {
            let network = &self.model.snapshot.network;
            let tables =
                [&network.pmtu_ipv4, &network.pmtu_ipv6].into_iter().filter_map(|table| table.value());
            let mut rows = tables.flat_map(|table| &table.rows);
            let ifindex = rows.find(|row| row.destination == address)?.ifindex?;
            self.model.snapshot.netlink.links.iter().find(|link| link.ifindex == ifindex).map(|link| link.mtu)
        };
        device().or_else(|| (self.route_mtu)(address)).unwrap_or(USUAL)
    }

    fn learned(&self, address: IpAddr) -> Option<u32> {
        let network = &self.model.snapshot.network;
        let tables = [&network.pmtu_ipv4, &network.pmtu_ipv6].into_iter().filter_map(|table| table.value());
        let mut rows = tables.flat_map(|table| &table.rows);
        rows.find(|row| row.destination == address).map(|row| row.mtu)
    }

    /// What a word means.
    fn named(&mut self, all: &[Path], word: &str) -> Result<Vec<Path>, UnknownTarget> {
        let of_node = |node: IpAddr| -> Vec<Path> {
            all.iter().filter(|path| path.node == Some(node)).cloned().collect()
        };
        let Ok(address) = word.parse::<IpAddr>() else {
            let names = &self.model.inventory.node_names;
            let is_meant = |name: &str| name == word || name.split('.').next() == Some(word);
            let nodes: BTreeSet<IpAddr> = names
                .iter()
                .filter(|(_, name)| is_meant(name))
                .map(|(address, _)| self.model.node_of(*address))
                .collect();
            let found: Vec<Path> = nodes.into_iter().flat_map(of_node).collect();
            return if found.is_empty() { Err(unknown(all, word)) } else { Ok(found) };
        };
        if address.is_multicast() || address.is_unspecified() || address == IpAddr::from([255; 4]) {
            return Err(UnknownTarget::NotOne { address });
        }
        if self.is_own(address) {
            return Err(UnknownTarget::Own { address });
        }
        let found = of_node(self.model.node_of(address));
        if !found.is_empty() {
            return Ok(found);
        }
        let known = all.iter().find(|path| path.address == address).cloned();
        let known = known.or_else(|| self.pod(address));
        Ok(vec![known.unwrap_or_else(|| self.other(address))])
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let is = |own: &crate::model::NodeAddress| own.address.addr() == address;
        let inventory = &self.model.inventory;
        let mut of_tunnels = inventory.all_tunnels().flat_map(|tunnel| &tunnel.addresses);
        address.is_loopback()
            || inventory.node.addresses.iter().any(is)
            || of_tunnels.any(|own| own.addr() == address)
            || inventory.pods.iter().any(|pod| pod.addresses.contains(&address))
    }

    /// A pod of another node: behind the peer with the smallest network around it.
    fn pod(&self, address: IpAddr) -> Option<Path> {
        let inventory = &self.model.inventory;
        let in_use = inventory.peers.iter().filter(|peer| inventory.is_in_use(peer.tunnel));
        let around = in_use.filter_map(|peer| {
            let networks = peer.pod_cidrs.iter().filter(|network| network.contains(&address));
            let longest = networks.map(IpNet::prefix_len).max()?;
            Some((longest, peer))
        });
        let (_, peer) = around.max_by_key(|(longest, _)| *longest)?;
        let path = self.overlay(peer, address, false)?;
        // Its interface is likely as those of this node's pods.
        let mtu = self.mtus.iter().find(|mtu| mtu.ifindex == peer.tunnel);
        let pods = mtu.and_then(|mtu| mtu.pods.iter().map(|pods| pods.mtu).max());
        let expected = pods.map_or(path.expected, |pods| pods.min(path.expected));
        Some(Path { peer: format!("{address} on {}", path.peer), expected, ..path })
    }

    fn other(&mut self, address: IpAddr) -> Path {
        Path {
            peer: address.to_string(),
            way: Way::Other,
            address,
            is_assumed: false,
            node: None,
            node_address: None,
            device: None,
            overhead: 0,
            expected: self.expected(address),
            learned: self.learned(address),
        }
    }
}

fn unknown(all: &[Path], word: &str) -> UnknownTarget {
    let known: BTreeSet<&str> = all.iter().map(|path| path.peer.as_str()).collect();
    let mut near: Vec<String> = known.into_iter().map(str::to_owned).collect();
    near.sort_by(|a, b| {
        let [a, b] = [a, b].map(|name| strsim::jaro_winkler(word, name));
        b.total_cmp(&a)
    });
    near.truncate(NEAREST);
    UnknownTarget::Name { word: word.to_owned(), near }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        facts::{
            Bounded,
            netlink::{Facts, RouteFact},
            network::NetworkFacts,
        },
        inventory::testdata::*,
        model::testdata::of_facts,
        observed::Observed,
    };

    fn named(facts: &Facts, names: &[(&str, &str)]) -> Model {
        let mut model = of_facts(facts);
        let inventory = Arc::make_mut(&mut model.inventory);
        inventory.node_names =
            names.iter().map(|(address, name)| (ip(address), (*name).to_owned())).collect();
        model
    }

    fn rows(model: &Model, words: &[&str]) -> Result<Vec<(String, Way, String, u32)>, UnknownTarget> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut mtu = |address| (address != ip("203.0.113.9")).then_some(1500);
        let found = plan(model, &words, &mut mtu)?;
        Ok(found
            .into_iter()
            .map(|path| (path.peer, path.way, path.address.to_string(), path.expected))
            .collect())
    }

    fn row(peer: &str, way: Way, address: &str, expected: u32) -> (String, Way, String, u32) {
        (peer.to_owned(), way, address.to_owned(), expected)
    }

    #[test]
    fn every_node_is_measured_over_both_ways() {
        let model = named(&flannel6(flannel4(node(), 2), 1), &[("192.0.2.2", "node2.example")]);
        let expected = [
            row("node2.example", Way::Underlay, "192.0.2.2", 1500),
            row("node2.example", Way::Overlay, "10.42.2.0", 1450),
            row("192.0.2.3", Way::Underlay, "192.0.2.3", 1500),
            row("192.0.2.3", Way::Overlay, "10.42.3.0", 1450),
            row("2001:db8::2", Way::Underlay, "2001:db8::2", 1500),
            row("2001:db8::2", Way::Overlay, "fd42:0:0:2::", 1430),
        ];
        assert_eq!(rows(&model, &[]).unwrap(), expected);
        assert_eq!(rows(&named(&node(), &[]), &[]).unwrap(), []);
    }

    #[test]
    fn what_a_target_means() {
        let model = named(&flannel4(node(), 3), &[("192.0.2.2", "node2.example"), ("192.0.2.3", "node3")]);
        let node2 = [
            row("node2.example", Way::Underlay, "192.0.2.2", 1500),
            row("node2.example", Way::Overlay, "10.42.2.0", 1450),
        ];
        for word in ["node2.example", "node2", "192.0.2.2"] {
            assert_eq!(rows(&model, &[word]).unwrap(), node2, "{word}");
        }
        // Each once, however often it is named.
        assert_eq!(rows(&model, &["node2", "192.0.2.2", "10.42.2.0"]).unwrap(), node2);
        assert_eq!(rows(&model, &["10.42.2.0"]).unwrap(), node2[1..]);
        assert_eq!(
            rows(&model, &["10.42.3.7"]).unwrap(),
            [row("10.42.3.7 on node3", Way::Overlay, "10.42.3.7", 1450)]
        );
        assert_eq!(
            rows(&model, &["198.51.100.1", "203.0.113.9"]).unwrap(),
            [
                row("198.51.100.1", Way::Other, "198.51.100.1", 1500),
                row("203.0.113.9", Way::Other, "203.0.113.9", USUAL),
            ]
        );
    }

    #[test]
    fn no_more_is_expected_of_a_pod_than_of_those_here() {
        for (mtu, expected) in [(1430, 1430), (1500, 1450)] {
            let mut facts = calico_pod(flannel4(node(), 1), 20, "10.42.0.20/32");
            facts.links.iter_mut().filter(|link| link.ifindex == 20).for_each(|link| link.mtu = mtu);
            let model = named(&facts, &[]);
            let found = rows(&model, &["10.42.2.7"]).unwrap();
            assert_eq!(found, [row("10.42.2.7 on 192.0.2.2", Way::Overlay, "10.42.2.7", expected)]);
        }
    }

    #[test]
    fn what_is_no_target_says_why() {
        let model = named(&flannel4(node(), 2), &[("192.0.2.2", "node2"), ("192.0.2.3", "worker3")]);
        let UnknownTarget::Name { near, .. } = rows(&model, &["node3"]).unwrap_err() else { panic!() };
        assert_eq!(near, ["node2", "worker3"]);
        let said = |model: &Model, word: &str| rows(model, &[word]).unwrap_err().to_string();
        assert!(said(&model, "node3").contains("the nearest known: node2, worker3;"));
        assert!(said(&named(&node(), &[]), "x").contains("no other node is known"));
        for own in ["192.0.2.1", "2001:db8::1", "10.42.0.0", "127.0.0.1", "::1"] {
            assert_eq!(rows(&model, &[own]), Err(UnknownTarget::Own { address: ip(own) }), "{own}");
        }
        for nobody in ["0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255", "::"] {
            assert_eq!(
                rows(&model, &[nobody]),
                Err(UnknownTarget::NotOne { address: ip(nobody) }),
                "{nobody}"
            );
        }
    }

    #[test]
    fn what_was_learned_is_not_what_is_expected() {
        let mut facts = flannel4(node(), 1);
        let tunnel =
            facts.routes.ipv4.value().unwrap().iter().position(|r| r.ifindex == Some(FLANNEL)).unwrap();
        let Observed::Value(routes) = &mut facts.routes.ipv4 else { panic!() };
        routes[tunnel] = RouteFact { mtu: Some(1400), ..routes[tunnel].clone() };
        let mut model = of_facts(&facts);
        let table = Bounded { rows: vec![learned("192.0.2.2", 1300)], ..Bounded::default() };
        let network = NetworkFacts { pmtu_ipv4: Observed::Value(table), ..NetworkFacts::default() };
        let mut snapshot = (*model.snapshot).clone();
        snapshot.network = Arc::new(network);
        model.snapshot = Arc::new(snapshot);
        let found = plan(&model, &[], &mut |_| Some(1300)).unwrap();
        let sizes: Vec<_> = found.iter().map(|path| (path.expected, path.learned)).collect();
        assert_eq!(sizes, [(1500, Some(1300)), (1400, None)]);
    }

    #[test]
    fn stale_tunnels_are_not_measured() {
        let mut facts = flannel4(node(), 1);
        facts.links.push(wireguard(9, "flannel-wg"));
        facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
        let model = of_facts(&facts);
        let found = plan(&model, &[], &mut |_| Some(1500)).unwrap();
        for path in &found {
            let is_stale = model.inventory.all_tunnels().any(|tunnel| {
                Some(&tunnel.name) == path.device.as_ref() && model.inventory.is_stale(tunnel.ifindex)
            });
            assert!(!is_stale, "{path:?}");
        }
        assert!(!found.is_empty());
    }
}
