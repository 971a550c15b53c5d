//! The kernel's entries that lead to a peer, as `ip route`, `ip neigh` and `bridge fdb` print them: to be compared with those, and looked
//! for in logs. What is not read of an entry (scope and flags of a route, who made an FDB entry) is left out.

use std::{collections::BTreeSet, net::IpAddr};

use super::Fact;
use crate::{
    model::{Model, Peer, PeerKey, PeerRow},
    text,
};

/// Those of the peer, or of each of a node's.
pub(super) fn of_peer(row: &PeerRow, model: &Model) -> Vec<Fact> {
    row.peers().flat_map(|peer| of_one(peer, model)).collect()
}

fn of_one(peer: &Peer, model: &Model) -> Vec<Fact> {
    let tables = &model.snapshot.netlink;
    let link = tables.links.iter().find(|link| link.ifindex == peer.tunnel);
    let device = link.map_or_else(|| peer.tunnel.to_string(), |link| text::escape(&link.name));
    let neighbours: Vec<_> = tables
        .neighbours
        .iter()
        .filter(|entry| {
            entry.ifindex == peer.tunnel && entry.mac.is_some_and(|mac| PeerKey::Mac(mac) == peer.key)
        })
        .collect();
    let gateways: BTreeSet<IpAddr> = neighbours.iter().map(|entry| entry.address).collect();
    let routes = tables.routes.iter().filter(|route| {
        let is_of_peer = route.gateway.is_some_and(|gateway| gateways.contains(&gateway))
            || peer.pod_cidrs.contains(&route.destination);
        route.ifindex == Some(peer.tunnel) && is_of_peer
    });
    let routes = routes.map(|route| {
        let mut words: Vec<String> = route.kind.dropping().map(str::to_owned).into_iter().collect();
        let network = route.destination;
        words.push(match network.prefix_len() {
            0 => "default".to_owned(),
            length if length == network.max_prefix_len() => network.addr().to_string(),
            _ => network.to_string(),
        });
        words.extend(route.gateway.map(|gateway| format!("via {gateway}")));
        words.push(format!("dev {device}"));
        words.extend(protocol(route.protocol).map(|protocol| format!("proto {protocol}")));
        words.extend(route.source.map(|source| format!("src {source}")));
        words.extend((route.metric > 0).then(|| format!("metric {}", route.metric)));
        words.extend(route.mtu.map(|mtu| format!("mtu {mtu}")));
        ("route", words.join(" "), false)
    });
    let neighbours = neighbours.iter().map(|entry| {
        let mac = entry.mac.map_or_else(String::new, |mac| format!(" lladdr {mac}"));
        let state = if entry.permanent {
            " PERMANENT"
        } else if entry.failed {
            " FAILED"
        } else {
            ""
        };
        ("neighbour", format!("{} dev {device}{mac}{state}", entry.address), false)
    });
    let fdb =
        tables.fdb.iter().filter(|entry| entry.ifindex == peer.tunnel && PeerKey::Mac(entry.mac) == peer.key);
    let fdb = fdb.map(|entry| {
        let to = entry.destination.map_or_else(String::new, |to| format!(" dst {to}"));
        ("FDB entry", format!("{} dev {device}{to} self", entry.mac), false)
    });
    routes.chain(neighbours).chain(fdb).collect()
}

/// Who made a route, in the words of `ip`, which says nothing of those made by hand (`rtnl_rtprot_tab`, lib/rt_names.c of iproute2).
fn protocol(number: u8) -> Option<String> {
    Some(match i32::from(number) {
        3 => return None,
        2 => "kernel".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        12 => "bird".to_owned(),
        16 => "dhcp".to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        facts::{netlink::RouteFact, pods::PodFacts},
        inventory::testdata::{FLANNEL, flannel4, mac, neighbour, node, route, snapshot},
        model,
        sample::{Frame, Sample},
    };

    #[test]
    fn entries_read_as_ip_and_bridge_print_them() {
        let mut facts = flannel4(node(), 2);
        facts.routes.push(RouteFact {
            protocol: 80,
            metric: 7,
            mtu: Some(1400),
            source: Some("10.42.0.0".parse().unwrap()),
            ..route("10.42.9.7/32", Some("10.42.2.0"), FLANNEL)
        });
        facts.neighbours.push(neighbour(FLANNEL, "10.42.77.0", mac(99)));
        let snapshot = Arc::new(snapshot(&facts, &PodFacts::default(), &[]));
        let model = model::once(Frame { snapshot, sample: Sample::default() });
        let found: Vec<_> =
            of_peer(&model.peers[0], &model).into_iter().map(|(name, words, _)| (name, words)).collect();
        let expected = [
            ("route", "10.42.2.0/24 via 10.42.2.0 dev flannel.1"),
            ("route", "10.42.9.7 via 10.42.2.0 dev flannel.1 proto 80 src 10.42.0.0 metric 7 mtu 1400"),
            ("neighbour", "10.42.2.0 dev flannel.1 lladdr 0a:00:00:00:00:02 PERMANENT"),
            ("FDB entry", "0a:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self"),
        ]
        .map(|(name, words)| (name, words.to_owned()));
        assert_eq!(found, expected);
    }
}
