//! What breaks while a node is looked at is said in the next model, and what is well is not.

mod gone;

use std::{sync::Arc, time::Duration};

use crate::{
    facts::{
        netlink::{
            Facts, IpTunnelFact, LinkData, LinkFact, PerDevice, PublicKey, RouteFact, Routes, VxlanFact,
            WireguardFact, WireguardPeerFact,
        },
        pods::PodFacts,
    },
    inventory::{PeerKey, testdata::*},
    model::{Condition, Fault, Model, Timeline},
    observed::Observed,
    sample::{Counts, Frame, OuterCounts, OuterPart, PeerSample, PerDirection, Sample, TunnelSample},
};

/// The last of the models that these facts give, a second apart.
fn last(all: &[&Facts]) -> Arc<Model> {
    let mut timeline = Timeline::default();
    let mut last = None;
    for (facts, second) in all.iter().zip(1000..) {
        last = Some(timeline.push(frame(facts, second)));
    }
    last.unwrap()
}

fn frame(facts: &Facts, second: u64) -> Frame {
    let snapshot = Arc::new(snapshot(facts, &PodFacts::default(), &[]));
    let time = Duration::from_secs(second);
    let mut sample = Sample { time, monotonic: time, ..Sample::default() };
    for link in facts.links.iter().filter(|link| link.vxlan.is_some()) {
        let counts =
            PerDirection { tx: Counts { skbs: 1, packets: 9, ..Counts::default() }, rx: Counts::default() };
        sample.tunnels.insert(link.ifindex, TunnelSample { counts, ..TunnelSample::default() });
    }
    Frame { snapshot, sample }
}

fn changed(facts: &Facts, change: impl Fn(&mut Facts)) -> Facts {
    let mut facts = facts.clone();
    change(&mut facts);
    facts
}

/// A note that has all these words.
fn noted(model: &Model, words: &[&str]) -> bool {
    model.notes.iter().any(|note| words.iter().all(|word| note.contains(word)))
}

fn words(model: &Model) -> Vec<(String, &'static str)> {
    let tunnels = model.tunnels.iter().chain(&model.gone.tunnels);
    let tunnels = tunnels.map(|row| (row.tunnel.name.clone(), row.condition.word()));
    let peers = model.peers.iter().chain(&model.gone.peers).filter(|row| row.peer.is_some());
    tunnels.chain(peers.map(|row| (row.label().unwrap(), row.condition.word()))).collect()
}

fn word(model: &Model, name: &str) -> &'static str {
    words(model).into_iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn healthy() -> Facts {
    flannel6(flannel4(node(), 2), 2)
}

#[test]
fn a_healthy_node_has_no_note_and_says_what_was_looked_at() {
    let facts = healthy();
    let model = last(&[&facts, &facts]);
    assert_eq!(model.notes, Vec::<String>::new());
    assert!(words(&model).iter().all(|(_, word)| *word == "ok"), "{:?}", words(&model));
    assert_eq!(
        model.checked,
        [
            "2 tunnel devices: there and up",
            "eth0 below: up",
            "MTU: flannel.1 1450 + 50 fits in eth0 1500",
            "MTU: flannel-v6.1 1430 + 70 fits in eth0 1500",
            "4 VXLAN peers: route, neighbour and FDB entry",
        ]
    );
}

#[test]
fn a_device_of_an_older_overlay_that_is_down_is_no_fault() {
    // Another one carries the pods' packets, and this one was never up.
    let mut facts = flannel4(node(), 2);
    let data = VxlanFact { vni: 7, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
    facts.links.push(LinkFact { up: false, ..vxlan(40, "old.7", data) });
    facts.fdb.push(fdb(40, mac(0x42), "192.0.2.2"));
    let model = last(&[&facts, &facts]);
    assert!(!noted(&model, &["old.7"]), "{:?}", model.notes);
    assert_eq!(word(&model, "flannel.1"), "ok");
}

/// Where no CNI is known, somebody's device that is down may be the overlay.
#[test]
fn a_device_of_nobody_known_that_is_down_is_missed_where_nothing_else_leads_to_nodes() {
    let data = |vni| VxlanFact { vni, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
    let down = |has_peer: bool| {
        let mut facts = node();
        let data = VxlanFact { local: Some(ip("192.0.2.1")), ..data(7) };
        facts.links.push(LinkFact { up: false, ..vxlan(40, "mesh.7", data) });
        if has_peer {
            facts.fdb.push(fdb(40, mac(0x42), "192.0.2.2"));
        }
        facts
    };
    let beside = |mut facts: Facts, network: &str, gateway: &str, node: &str| {
        facts.links.push(vxlan(41, "mesh.8", data(8)));
        facts.routes.push(route(network, Some(gateway), 41));
        facts.neighbours.push(neighbour(41, gateway, mac(0x43)));
        facts.fdb.push(fdb(41, mac(0x43), node));
        facts
    };
    let v4 = beside(down(true), "10.9.0.0/24", "10.9.0.1", "192.0.2.2");
    let v6 = beside(down(true), "fd09::/64", "fd09::1", "2001:db8::2");
    let up = changed(&v4, |facts| facts.links.iter_mut().for_each(|link| link.up = true));
    for (what, frames, is_missed) in [
        ("it is the only one", vec![&down(true)], true),
        ("nobody uses it", vec![&down(false)], false),
        ("another one leads to nodes", vec![&v4], false),
        ("another one leads to nodes of the other family", vec![&v6], true),
        ("it was up a moment ago", vec![&up, &v4], true),
    ] {
        let model = last(&frames);
        assert_eq!(noted(&model, &["mesh.7 is down"]), is_missed, "{what}: {:?}", model.notes);
    }
}

#[test]
fn sizes_count_of_what_carries_packets_only() {
    let small = |facts: &Facts| changed(facts, |facts| facts.links[1].mtu = 1400);
    assert_eq!(last(&[&small(&flannel4(node(), 0))]).faults, [], "it leads to no node");
    let mut vpn = flannel4(node(), 1);
    vpn.links.push(LinkFact { mtu: 1500, ..wireguard(9, "wg0") });
    vpn.wireguard.push(told(wireguard_fact(9, 51820, &["192.168.7.0/24"])));
    assert_eq!(last(&[&vpn]).faults, [], "it is somebody's own");
    assert_eq!(last(&[&small(&vpn)]).faults, [Fault::TooBig { tunnel: FLANNEL, over: 100 }]);
}

#[test]
fn a_device_that_keeps_the_nics_mtu_is_not_too_big_for_what_it_carries() {
    let mut facts = node();
    let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
    facts.links.push(LinkFact { mtu: 1500, ..vxlan(30, "cilium_vxlan", data) });
    let model = last(&[&facts, &facts]);
    assert!(!noted(&model, &["cilium_vxlan"]), "{:?}", model.notes);
}

#[test]
fn a_vpn_that_is_set_down_or_goes_is_nobodys_loss() {
    let mut before = flannel4(node(), 1);
    before.links.push(wireguard(9, "wg0"));
    before.wireguard.push(told(wireguard_fact(9, 51820, &["192.168.7.0/24"])));
    let down = changed(&before, |facts| facts.links.iter_mut().for_each(|link| link.up &= link.ifindex != 9));
    for after in [down, flannel4(node(), 1)] {
        let model = last(&[&before, &after]);
        assert!(!noted(&model, &["wg0"]), "{:?}", model.notes);
    }
}

#[test]
fn a_tunnel_that_is_set_down_is_noted() {
    let before = flannel4(node(), 2);
    // The kernel takes its routes along.
    let down = changed(&before, |facts| {
        facts.links.iter_mut().for_each(|link| link.up &= link.ifindex != FLANNEL);
        facts.routes.ipv4.retain(|route| route.ifindex != Some(FLANNEL));
    });
    for model in [last(&[&before, &down]), last(&[&down])] {
        assert!(noted(&model, &["flannel.1 is down", "ip link set flannel.1 up"]), "{:?}", model.notes);
        assert!(!noted(&model, &["no route leads"]), "one thing is wrong: {:?}", model.notes);
        assert_eq!((word(&model, "flannel.1"), word(&model, "192.0.2.2")), ("down", "down"));
        assert!(model.checked.is_empty(), "{:?}", model.checked);
    }
}

/// Calico's IP in IP, which no program counts on.
fn ipip(up: bool) -> Facts {
    let mut facts = node();
    let (kind, data) = (Some("ipip".to_owned()), Some(LinkData::IpTunnel(IpTunnelFact::default())));
    let link = ethernet(9, "tunl0");
    facts.links.push(LinkFact { kind, data, hardware_type: libc::ARPHRD_TUNNEL, mtu: 1480, up, ..link });
    facts.addresses.push(address(9, "10.42.17.192/32"));
    facts.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.17.192/26") });
    if up {
        facts.routes.push(RouteFact { protocol: 80, ..route("10.42.33.0/26", Some("192.0.2.2"), 9) });
    }
    facts
}

#[test]
fn a_tunnel_that_no_program_counts_on_is_missed_as_well() {
    for model in [last(&[&ipip(true), &ipip(false)]), last(&[&ipip(false)])] {
        assert!(noted(&model, &["tunl0 is down"]), "{:?}", model.notes);
    }
    let model = last(&[&ipip(true), &node(), &node()]);
    assert!(noted(&model, &["tunl0 is gone"]), "{:?}", model.notes);
    let mut moved = node();
    moved.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.17.192/26") });
    moved.routes.push(RouteFact { protocol: 80, ..route("10.42.33.0/26", Some("192.0.2.2"), ETH0) });
    assert!(!noted(&last(&[&ipip(true), &moved]), &["tunl0"]), "its network is routed without it");
    let small = changed(&ipip(true), |facts| facts.links[1].mtu = 1400);
    assert!(noted(&last(&[&small]), &["tunl0 takes packets of 1480", "over 1380"]));
}

/// Without its port, and without the routes that the kernel removed, nothing tells for certain whose device it is.
#[test]
fn a_wireguard_device_that_is_down_stays_noted_beside_another_overlay() {
    let mut before = flannel6(node(), 2);
    before.links.push(wireguard(9, "mesh"));
    before.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
    before.addresses.push(address(9, "10.42.0.0/32"));
    before.routes.push(route("10.42.0.0/16", None, 9));
    let before = own_block(before);
    let down = changed(&before, |facts| {
        facts.links.iter_mut().for_each(|link| link.up &= link.ifindex != 9);
        facts.routes.ipv4.retain(|route| route.ifindex != Some(9));
        facts.addresses.retain(|address| address.ifindex != 9);
        for device in &mut facts.wireguard {
            if let Observed::Value(device) = &mut device.told {
                device.listen_port = 0;
            }
        }
    });
    for models in [&[&before, &down][..], &[&before, &down, &down, &down]] {
        let model = last(models);
        assert!(noted(&model, &["mesh is down"]), "{:?}", model.notes);
    }
}

#[test]
fn a_wireguard_peer_without_an_endpoint_is_noted_and_one_of_an_old_key_is_not() {
    let of = |change: fn(&mut WireguardFact)| {
        let mut facts = node();
        facts.links.push(wireguard(9, "flannel-wg"));
        let mut device = wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"]);
        change(&mut device);
        facts.wireguard.push(told(device));
        facts
    };
    let before = of(|_| {});
    let model = last(&[&of(|device| device.peers[0].endpoint = None)]);
    assert!(noted(&model, &["flannel-wg: peer", "10.42.2.0/24", "no endpoint"]), "{:?}", model.notes);
    assert_eq!(conditions(&model), [Condition::NoEndpoint, Condition::Ok]);
    let taken = of(|device| device.peers[0].allowed_ips.clear());
    assert_eq!(
        conditions(&last(&[&taken])),
        [Condition::Unchecked, Condition::Ok],
        "nobody knows that it had any"
    );
    let model = last(&[&before, &taken]);
    assert!(noted(&model, &["no route leads to 192.0.2.2 any more", "10.42.2.0/24"]), "{:?}", model.notes);
    assert_eq!(conditions(&model), [Condition::NoRoute, Condition::Ok]);
    // The node started again with a new key.
    let renewed = of(|device| {
        let networks = std::mem::take(&mut device.peers[0].allowed_ips);
        let key = PublicKey([77; 32]);
        device.peers.push(WireguardPeerFact {
            public_key: key,
            allowed_ips: networks,
            ..device.peers[0].clone()
        });
    });
    let model = last(&[&before, &renewed]);
    assert_eq!(conditions(&model), [Condition::Unchecked, Condition::Ok, Condition::Ok], "{:?}", model.notes);
    assert_eq!(model.faults, []);
}

#[test]
fn many_peers_without_a_route_are_a_number() {
    let lost = changed(&flannel4(node(), 12), |facts| {
        facts.routes.ipv4.retain(|route| route.ifindex != Some(FLANNEL));
    });
    let model = last(&[&lost]);
    let named = model.notes.iter().filter(|note| note.contains("no route leads to 192.0.2.")).count();
    assert_eq!(named, 8, "{:?}", model.notes);
    assert!(noted(&model, &["no route leads to 4 more peers"]), "{:?}", model.notes);
    assert_eq!(model.faults.len(), 12);
}

/// Peers in the order of their rows.
fn conditions(model: &Model) -> Vec<Condition> {
    model.peers.iter().filter(|row| row.peer.is_some()).map(|row| row.condition).collect()
}

/// Calico has entries of nodes that it routes to directly, and others' devices have whatever they have.
#[test]
fn holes_of_nodes_that_are_reached_and_of_devices_that_carry_nothing_are_no_faults() {
    let mut facts = flannel4(node(), 2);
    facts.routes.ipv4.retain(|route| route.ifindex != Some(FLANNEL));
    facts.links.push(wireguard(9, "flannel-wg"));
    facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"])));
    facts.addresses.push(address(9, "10.42.0.0/32"));
    facts.routes.push(route("10.42.0.0/16", None, 9));
    let model = last(&[&own_block(facts)]);
    assert_eq!((&model.faults, conditions(&model)), (&Vec::new(), vec![Condition::Ok; 4]));
    let mut foreign = flannel4(node(), 2);
    let data = VxlanFact { vni: 7, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
    foreign.links.push(vxlan(40, "evpn", data));
    foreign.fdb.push(fdb(40, mac(0x42), "192.0.2.9"));
    foreign.neighbours.push(neighbour(40, "10.99.0.1", mac(0x43)));
    let model = last(&[&foreign]);
    assert_eq!((&model.faults, word(&model, "192.0.2.9")), (&Vec::new(), "-"));
}

#[test]
fn a_device_below_that_is_down_or_has_no_carrier_is_noted() {
    let before = flannel4(node(), 2);
    for (up, carrier, words) in [(false, None, "eth0 is down"), (true, Some(false), "eth0 has no carrier")] {
        let after = changed(&before, |facts| {
            for link in facts.links.iter_mut().filter(|link| link.ifindex == ETH0) {
                (link.up, link.carrier) = (up, carrier);
            }
            facts.routes.ipv4.retain(|route| route.ifindex != Some(ETH0));
        });
        let model = last(&[&before, &after]);
        assert!(noted(&model, &[words, "outer packets of flannel.1"]), "{:?}", model.notes);
        for row in ["flannel.1", "192.0.2.2", "192.0.2.3"] {
            assert_eq!(word(&model, row), "NIC down");
        }
    }
}

#[test]
fn a_device_below_is_remembered_when_the_routes_to_peers_went_with_it() {
    // Found by the routes to the peers' endpoints only.
    let mut before = node();
    before.links.push(wireguard(9, "flannel-wg"));
    before.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
    let after = changed(&before, |facts| {
        facts.links.iter_mut().for_each(|link| link.up &= link.ifindex != ETH0);
        facts.routes = Routes::default();
    });
    let model = last(&[&before, &after]);
    assert!(noted(&model, &["eth0 is down", "outer packets of flannel-wg"]), "{:?}", model.notes);
    assert!(words(&model).iter().all(|(_, word)| *word == "NIC down"), "{:?}", words(&model));
    assert_eq!(word(&last(&[&before]), "flannel-wg"), "ok");
}

#[test]
fn an_mtu_that_became_too_small_is_noted_with_both_ways_out() {
    let before = flannel4(node(), 2);
    let small = changed(&before, |facts| facts.links[1].mtu = 1400);
    for model in [last(&[&before, &small]), last(&[&small])] {
        let wanted = ["flannel.1 takes packets of 1450", "eth0 has an MTU of 1400", "over 1350", "to 1500"];
        assert!(noted(&model, &wanted), "{:?}", model.notes);
        assert_eq!(word(&model, "flannel.1"), "too big");
    }
    // The other way round some room is unused, which is nothing wrong.
    let large = changed(&before, |facts| facts.links[1].mtu = 9000);
    assert!(last(&[&before, &large]).notes.is_empty());
}

#[test]
fn a_peer_without_a_route_a_neighbour_or_an_fdb_entry_keeps_its_row() {
    let before = flannel4(node(), 2);
    let no_route = changed(&before, |facts| {
        facts.routes.ipv4.retain(|route| route.destination != net("10.42.3.0/24"));
    });
    let model = last(&[&before, &no_route]);
    assert!(noted(&model, &["no route leads to 192.0.2.3", "10.42.3.0/24"]), "{:?}", model.notes);
    assert_eq!((word(&model, "192.0.2.3"), word(&model, "192.0.2.2")), ("no route", "ok"));
    // flannel routes to every node that it has an entry for, also when nobody saw it do so.
    assert!(noted(&last(&[&no_route]), &["no route leads to 192.0.2.3"]));

    let no_neighbour = changed(&before, |facts| facts.neighbours.retain(|n| n.address != ip("10.42.3.0")));
    let model = last(&[&before, &no_neighbour]);
    assert!(noted(&model, &["10.42.3.0", "neighbour entry"]), "{:?}", model.notes);
    assert_eq!(word(&model, "192.0.2.3"), "no neigh");

    let no_fdb = changed(&before, |facts| facts.fdb.retain(|entry| entry.mac != mac(3)));
    let model = last(&[&before, &no_fdb, &no_fdb]);
    assert!(noted(&model, &["no FDB entry"]), "{:?}", model.notes);
    assert_eq!((word(&model, "192.0.2.3"), word(&model, "192.0.2.2")), ("no FDB", "ok"));
    assert!(model.checked.iter().all(|words| !words.contains("peer")), "{:?}", model.checked);

    let all = changed(&before, |facts| {
        facts.routes.ipv4.retain(|route| route.destination != net("10.42.3.0/24"));
        facts.neighbours.retain(|n| n.address != ip("10.42.3.0"));
        facts.fdb.retain(|entry| entry.mac != mac(3));
    });
    let model = last(&[&before, &all]);
    assert_eq!((word(&model, "192.0.2.3"), model.notes.len()), ("gone", 0), "a node that left is no fault");
}

#[test]
fn all_routes_that_went_are_noted_also_when_the_tunnel_was_made_again() {
    let before = flannel4(node(), 2);
    let again = changed(&before, |facts| facts.routes.ipv4.retain(|route| route.ifindex != Some(FLANNEL)));
    let model = last(&[&before, &node(), &again]);
    for peer in ["192.0.2.2", "192.0.2.3"] {
        assert!(noted(&model, &["no route leads to", peer]), "{:?}", model.notes);
        assert_eq!(word(&model, peer), "no route");
    }
}

#[test]
fn a_table_that_cannot_be_read_makes_nothing_go() {
    let before = flannel4(node(), 2);
    let unread = changed(&before, |facts| {
        facts.fdb = PerDevice::default();
        facts.notes.push("the FDB could not be read".to_owned());
    });
    let model = last(&[&before, &unread]);
    assert!(model.gone.peers.is_empty() && model.gone.tunnels.is_empty());
}

#[test]
fn what_was_so_at_the_start_has_no_time_and_what_began_later_keeps_it() {
    let small = changed(&flannel4(node(), 2), |facts| facts.links[1].mtu = 1400);
    let at_start = last(&[&small, &small]);
    assert!(!noted(&at_start, &["since"]), "{:?}", at_start.notes);
    let later = last(&[&flannel4(node(), 2), &small, &small, &small]);
    assert!(noted(&later, &["over 1350", "(since 00:16:41 UTC)"]), "{:?}", later.notes);
}

/// Packets outside the tunnel in a second, of the first peer, of no peer, and of all of it.
fn in_clear(of_peer: u64, of_nobody: u64) -> Arc<Model> {
    let facts = own_block(flannel4(node(), 2));
    let mut timeline = Timeline::default();
    let mut sampled = |second: u64, peer: u64, nobody: u64| {
        let mut frame = frame(&facts, second);
        let outer = |packets: u64| {
            let counted = OuterCounts {
                in_clear: OuterPart { packets, bytes: packets * 100 },
                ..OuterCounts::default()
            };
            Some(PerDirection { tx: counted, rx: OuterCounts::default() })
        };
        let sample = |packets: u64| PeerSample { outer: outer(packets), ..PeerSample::default() };
        for tunnel in frame.sample.tunnels.values_mut() {
            tunnel.outer = outer(peer + nobody);
        }
        frame.sample.peers.insert((FLANNEL, PeerKey::Mac(mac(2))), sample(peer));
        frame.sample.peers.insert((FLANNEL, PeerKey::Mac(mac(3))), sample(0));
        frame.sample.other_peers.insert(FLANNEL, sample(nobody));
        timeline.push(frame)
    };
    sampled(1000, 50, 50);
    sampled(1001, 50 + of_peer, 50 + of_nobody)
}

#[test]
fn pods_packets_outside_the_tunnel_are_told_of_while_they_go_on() {
    let model = in_clear(7, 0);
    assert!(
        noted(
            &model,
            &["flannel.1: 7 packets/s to pods of 192.0.2.2 leave by eth0", "`ip route get 10.42.2.1`"]
        ),
        "{:?}",
        model.notes
    );
    assert_eq!(
        [word(&model, "flannel.1"), word(&model, "192.0.2.2"), word(&model, "192.0.2.3")],
        ["in clear", "in clear", "ok"]
    );
    let key = Some(PeerKey::Mac(mac(2)));
    let goes = PerDirection { tx: true, rx: false };
    assert_eq!(model.faults, [Fault::InClear { tunnel: FLANNEL, key, goes }]);

    let model = in_clear(0, 9);
    assert!(
        noted(&model, &["flannel.1: 9 packets/s to pod addresses of no node leave by eth0"]),
        "{:?}",
        model.notes
    );
    assert_eq!([word(&model, "flannel.1"), word(&model, "192.0.2.2")], ["in clear", "ok"]);

    // What was before is over.
    let model = in_clear(0, 0);
    assert!(model.faults.is_empty() && model.notes.is_empty(), "{:?}", model.notes);
    assert!(
        model.checked.contains(&"no packet of pods outside the tunnels".to_owned()),
        "{:?}",
        model.checked
    );
    // Nobody counts.
    let facts = own_block(flannel4(node(), 2));
    assert!(!last(&[&facts, &facts]).checked.iter().any(|line| line.contains("outside")));
}
