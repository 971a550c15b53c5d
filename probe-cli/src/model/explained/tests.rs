//! The words for each reason, and who has an address.

use super::{
    testdata::{explained, of, packet},
    *,
};
use crate::model::{
    Mac,
    testdata::{inventory, wireguard},
};

fn words(inventory: &Inventory, packet: ExplainedPacket) -> String {
    let model = of(inventory, Explained { packets: vec![packet], ..explained() });
    model.explained.unwrap().packets[0].words().join("; ")
}

#[test]
fn every_reason_names_what_decides_it() {
    let inventory = inventory(2);
    let outer = |reason| ExplainedPacket {
        seen: Seen::Underlay,
        mac: None,
        vni: Some(9),
        destination: "172.31.77.66".parse().ok(),
        destination_port: Some(8472),
        ..packet(&[reason])
    };
    for reason in Reason::ALL {
        let is_outer = matches!(
            reason,
            Reason::NoTunnel | Reason::NoPeerAddress | Reason::NoPeerEndpoint | Reason::NotWireguard
        );
        let unknown = Some(Mac([0x0a, 0, 0, 0, 0, 9]));
        let packet = if is_outer {
            ExplainedPacket { message: Some(9), ..outer(reason) }
        } else {
            ExplainedPacket { mac: unknown, ..packet(&[reason]) }
        };
        let found = words(&inventory, packet);
        let wanted = match reason {
            Reason::NotIp => "not IP: EtherType 0x0800",
            Reason::Vlan => "more than two VLAN tags: not read further",
            Reason::HeaderShort => "header cut short",
            Reason::HeaderBroken => "the IP header contradicts itself",
            Reason::LaterFragment => "later fragment: has no ports, counted as another protocol",
            Reason::Extensions => "too many IPv6 extension headers: protocol not read",
            Reason::Group => "0a:00:00:00:00:09 is a group address: sent to every node, to no peer alone",
            Reason::NoPeerMac => "no peer has MAC 0a:00:00:00:00:09",
            Reason::NoPeerAllowed => "no allowed IP known for 10.42.2.7",
            Reason::NoPod => "no pod has 10.42.1.250",
            Reason::NoFlood => {
                "not sent: 0a:00:00:00:00:09 is a group address, and the FDB has no entry for it"
            }
            Reason::NotAllowed => "not sent: no peer's allowed IPs cover 10.42.2.7",
            Reason::NoEndpoint => "not sent: the peer of 10.42.2.7 has no endpoint",
            Reason::OverBudget => "1400 B, but only 1450 B fit",
            Reason::NoTunnel => "not counted: no tunnel here has VNI 9 on port 8472",
            Reason::NoPeerAddress => "no peer has the outer address 172.31.77.66",
            Reason::NoPeerEndpoint => "no peer has the endpoint 172.31.77.66 port 8472",
            Reason::NotWireguard => "not counted: not a WireGuard message (type 9)",
        };
        assert_eq!(found, wanted);
    }
    let fragment = outer(Reason::LaterFragment);
    assert_eq!(words(&inventory, fragment), "later fragment whose first was not seen, or is of no tunnel");
}

#[test]
fn what_exists_and_has_no_counters_is_named() {
    let mut inventory = inventory(2);
    inventory.tunnels[0].addresses = vec!["10.42.1.0/32".parse().unwrap()];
    let from = |address: &str| ExplainedPacket { source: address.parse().ok(), ..packet(&[Reason::NoPod]) };
    assert_eq!(words(&inventory, from("10.42.1.0")), "no pod has 10.42.1.0: the node itself");
    assert_eq!(
        words(&inventory, from("10.42.1.2")),
        "pod shop/evil\\u{1b}[2Jname (10.42.1.2) has no counters of its own (--pod-slots)"
    );
    let to = ExplainedPacket {
        direction: Direction::Rx,
        destination: "10.42.1.1".parse().ok(),
        ..packet(&[Reason::NoPod])
    };
    assert!(words(&inventory, to).starts_with("pod shop/cart-"), "the receiver, when it arrives");
    assert_eq!(
        words(&inventory, packet(&[Reason::NoPeerMac])),
        "the peer with MAC 02:00:00:00:00:02 has no counters of its own (--peer-slots)"
    );
    let below = ExplainedPacket {
        seen: Seen::Underlay,
        destination: "172.31.77.2".parse().ok(),
        ..packet(&[Reason::NoPeerAddress])
    };
    assert_eq!(words(&inventory, below), "the peer at 172.31.77.2 has no counters of its own (--peer-slots)");
}

#[test]
fn a_wireguard_peer_is_known_by_its_allowed_ips_and_its_endpoint() {
    let model = wireguard();
    let peer = model.peers.iter().filter_map(|row| row.peer.clone()).find(|peer| {
        peer.wireguard.is_some_and(|wireguard| wireguard.endpoint.is_some()) && !peer.pod_cidrs.is_empty()
    });
    let peer = peer.unwrap();
    let endpoint = peer.wireguard.unwrap().endpoint.unwrap();
    let of_tunnel =
        |packet: ExplainedPacket| ExplainedPacket { tunnel: Some(peer.tunnel), mac: None, ..packet };
    let inside = of_tunnel(ExplainedPacket {
        destination: Some(peer.pod_cidrs[0].addr()),
        ..packet(&[Reason::NoPeerAllowed])
    });
    assert!(words(&model.inventory, inside).ends_with("has no counters of its own (--peer-slots)"));
    let below = |port| {
        of_tunnel(ExplainedPacket {
            seen: Seen::Underlay,
            destination: Some(endpoint.ip()),
            destination_port: Some(port),
            ..packet(&[Reason::NoPeerEndpoint])
        })
    };
    assert!(words(&model.inventory, below(endpoint.port())).ends_with("(--peer-slots)"));
    assert!(words(&model.inventory, below(1)).starts_with("no peer has the endpoint"));
}

#[test]
fn a_packet_is_described_by_what_it_has() {
    let model = super::testdata::model();
    let rows = model.explained.unwrap().packets;
    let described: Vec<(String, String)> = rows.iter().map(|row| (row.ends(), row.kind())).collect();
    let wanted = [
        ("10.42.1.250:40000 > 10.42.2.7:443", "TCP, 1400 B"),
        ("10.42.1.250:40000 > 10.42.2.7:443", "TCP, 12 packets of 1500 B, VLAN 7"),
        ("frame to 02:00:00:00:00:02", "28 B"),
        ("[fd77::9]:40000 > [fd77::1]:8472", "VXLAN 9, 1400 B"),
    ];
    assert_eq!(described, wanted.map(|(ends, kind)| (ends.to_owned(), kind.to_owned())));
    assert_eq!((rows[3].device.as_str(), &rows[3].tunnel_name), ("eth0", &None));
    assert_eq!(rows[0].time, model.time);
}
