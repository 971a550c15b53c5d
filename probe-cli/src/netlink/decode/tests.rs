//! Real messages decoded to what `ip` and `bridge` say about the same namespace, and broken ones that must not panic.

use proptest::prelude::*;

use super::*;
use crate::{
    facts::netlink::{
        FdbFact, Ipv4Conf, Ipv6Conf, LinkFact, NeighbourFact, OperState, RouteFact, RouteType, VxlanDf,
        VxlanFact,
    },
    netlink::testdata::{DUMPS, facts, messages},
};

fn mac(last: [u8; 2], first: u8) -> Mac {
    Mac([first, 0, 0, 0, last[0], last[1]])
}

#[test]
fn links_with_their_vxlan_data() {
    let facts = facts();
    let names: Vec<_> = facts.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(
        names,
        ["lo", "eth0", "flannel.1", "flannel-v6.1", "p2p", "p2p6", "grp", "grp6", "ext0", "cali0a1b2c3d4e5"]
    );
    let link = |name: &str| facts.links.iter().find(|link| link.name == name).unwrap().clone();
    let vxlan = |name: &str| link(name).vxlan.unwrap();
    let eth0 = link("eth0").ifindex;
    assert_eq!(
        link("flannel.1"),
        LinkFact {
            ifindex: 3,
            name: "flannel.1".to_owned(),
            kind: Some("vxlan".to_owned()),
            hardware_type: libc::ARPHRD_ETHER,
            mtu: 1450,
            mac: Some(mac([0, 1], 0x0a)),
            up: true,
            oper_state: Some(OperState::Unknown),
            carrier: Some(true),
            link: None,
            link_netns: None,
            master: None,
            parent_device: None,
            qdisc: Some("noqueue".to_owned()),
            ipv4_conf: Some(Ipv4Conf::default()),
            ipv6_conf: Some(Ipv6Conf {
                mtu: 1450,
                accept_ra: 1,
                accept_ra_default_router: 1,
                autoconf: 1,
                addr_gen_mode: Some(0),
                ..Ipv6Conf::default()
            }),
            vxlan: Some(VxlanFact {
                vni: 1,
                port: 8472,
                link: Some(eth0),
                local: Some("192.0.2.1".parse().unwrap()),
                group: None,
                collect_metadata: false,
                learning: false,
                l2miss: Some(false),
                l3miss: Some(false),
                udp_checksum: Some(true),
                udp_zero_checksum6_tx: Some(false),
                udp_zero_checksum6_rx: Some(false),
                df: Some(VxlanDf::Unset),
            }),
            data: None,
        }
    );
    assert_eq!(link("flannel-v6.1").mtu, 1430);
    assert_eq!(vxlan("flannel-v6.1").local, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(vxlan("p2p").group, Some("192.0.2.9".parse().unwrap()));
    assert_eq!((vxlan("p2p").vni, vxlan("p2p").port, vxlan("p2p").link), (77, 4789, None));
    assert!(vxlan("p2p").learning);
    assert_eq!(vxlan("p2p6").group, Some("2001:db8::9".parse().unwrap()));
    assert_eq!(vxlan("grp6").group, Some("ff05::99".parse().unwrap()));
    assert!(vxlan("ext0").collect_metadata);
    let veth = link("cali0a1b2c3d4e5");
    assert_eq!(veth.kind.as_deref(), Some("veth"));
    assert!(veth.link_netns.is_some() && veth.link.is_some());
    assert_eq!(link("lo").hardware_type, libc::ARPHRD_LOOPBACK);
}

#[test]
fn addresses_with_prefix_and_scope() {
    let facts = facts();
    let of = |ifindex: u32| -> Vec<(String, bool)> {
        let of_link = facts.addresses.iter().filter(|fact| fact.ifindex == ifindex);
        of_link.map(|fact| (fact.address.to_string(), fact.global)).collect()
    };
    let eth0 = of(2);
    assert!(eth0.contains(&("192.0.2.1/24".to_owned(), true)), "{eth0:?}");
    assert!(eth0.contains(&("2001:db8::1/64".to_owned(), true)), "{eth0:?}");
    assert!(eth0.contains(&("fe80::ff:fe00:1/64".to_owned(), false)), "{eth0:?}");
    assert!(of(3).contains(&("10.42.0.0/32".to_owned(), true)));
    assert!(of(1).contains(&("127.0.0.1/8".to_owned(), false)));
}

#[test]
fn routes_of_the_main_table() {
    let facts = facts();
    let to = |destination: &str| -> Vec<RouteFact> {
        let destination = destination.parse().unwrap();
        facts.routes.iter().filter(|route| route.destination == destination).cloned().collect()
    };
    let unicast = |destination: &str, gateway: &str, ifindex: u32| RouteFact {
        destination: destination.parse().unwrap(),
        gateway: Some(gateway.parse().unwrap()),
        ifindex: Some(ifindex),
        kind: RouteType::Unicast,
        metric: 0,
        mtu: None,
        source: None,
        protocol: 3,
    };
    assert_eq!(to("0.0.0.0/0"), [unicast("0.0.0.0/0", "192.0.2.254", 2)]);
    assert_eq!(to("::/0"), [RouteFact { metric: 1024, ..unicast("::/0", "2001:db8::fe", 2) }]);
    assert_eq!(to("10.42.2.0/24"), [unicast("10.42.2.0/24", "10.42.2.0", 3)]);
    let hop = |gateway| RouteFact {
        mtu: Some(1400),
        source: Some("192.0.2.1".parse().unwrap()),
        ..unicast("198.51.100.0/24", gateway, 2)
    };
    assert_eq!(to("198.51.100.0/24"), [hop("192.0.2.2"), hop("192.0.2.3")]);
    let hop = |gateway| RouteFact { metric: 1024, ..unicast("2001:db8:51::/48", gateway, 2) };
    assert_eq!(to("2001:db8:51::/48"), [hop("2001:db8::2"), hop("2001:db8::3")]);
    assert_eq!(to("198.51.101.0/24"), [unicast("198.51.101.0/24", "fe80::99", 2)], "RTA_VIA");
    assert_eq!(to("10.42.0.5/32")[0].gateway, None);
    assert_eq!(to("10.42.0.0/24")[0].kind, RouteType::Blackhole);
    assert_eq!(to("fd42::/64")[0].kind, RouteType::Blackhole);
    assert_eq!(to("198.51.102.0/24")[0].kind, RouteType::Unreachable);
    assert_eq!(to("203.0.113.0/24"), [], "another table");
}

#[test]
fn neighbours_and_fdb_of_tunnels() {
    let facts = facts();
    let neighbour = |ifindex, address: &str, mac| NeighbourFact {
        ifindex,
        address: address.parse().unwrap(),
        mac: Some(mac),
        permanent: true,
        failed: false,
    };
    let mut neighbours: Vec<_> = facts.neighbours.iter().cloned().collect();
    neighbours.sort_by_key(|fact| (fact.ifindex, fact.address));
    assert_eq!(
        neighbours,
        [
            neighbour(3, "10.42.2.0", mac([0, 2], 0x0a)),
            neighbour(3, "10.42.3.0", mac([0, 3], 0x0a)),
            neighbour(4, "fd42:0:0:2::", mac([6, 2], 0x0a)),
        ],
        "the kernel's own multicast neighbours are none"
    );
    let mut fdb: Vec<_> = facts.fdb.iter().map(|fact| FdbFact { used_s: None, ..fact.clone() }).collect();
    fdb.sort_by_key(|fact| (fact.ifindex, fact.mac, fact.destination));
    let entry = |ifindex, mac, destination: &str| FdbFact {
        ifindex,
        mac,
        destination: Some(destination.parse().unwrap()),
        used_s: None,
    };
    assert_eq!(
        fdb,
        [
            entry(3, mac([0, 2], 0x0a), "192.0.2.2"),
            entry(3, mac([0, 3], 0x0a), "192.0.2.3"),
            entry(4, mac([6, 2], 0x0a), "2001:db8::2"),
            entry(5, Mac::default(), "192.0.2.9"),
            entry(5, Mac::default(), "192.0.2.10"),
            entry(5, mac([0x77, 9], 2), "192.0.2.9"),
            entry(6, Mac::default(), "2001:db8::9"),
            entry(7, Mac::default(), "239.1.1.1"),
            entry(8, Mac::default(), "ff05::99"),
        ],
        "remote and group are FDB entries; ext0 has none"
    );
    assert!(
        facts.fdb.iter().all(|fact| fact.used_s.is_some_and(|seconds| seconds < 3600)),
        "{:?}",
        facts.fdb
    );
}

#[test]
fn a_name_that_is_no_utf8_is_kept() {
    let frame = messages("links")[2];
    let mut payload = frame.payload.to_vec();
    let at = payload.windows(9).position(|window| window == b"flannel.1").unwrap();
    payload[at] = 0xff;
    assert_eq!(link(&payload).unwrap().unwrap().name, "\u{fffd}lannel.1");
}

#[test]
fn a_wrong_size_leaves_the_message_out_and_says_so() {
    let mut payload = messages("links")[1].payload.to_vec();
    // IFLA_MTU: 8 bytes with the header, number 4.
    let at = payload.windows(4).position(|window| window == [8, 0, 4, 0]).unwrap();
    payload[at] = 7;
    let mut problems = Problems::default();
    for _ in 0..3 {
        problems.add(link(&payload).unwrap_err());
    }
    problems.add(link(&payload[..10]).unwrap_err());
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(
        lines,
        [
            "1 netlink message(s) left out: RTM_NEWLINK has 10 bytes, its fixed part alone takes 16",
            "3 netlink message(s) left out: RTM_NEWLINK: attribute 4 has an invalid length (3 bytes)",
        ]
    );
}

#[test]
fn problems_are_bounded() {
    let mut problems = Problems::default();
    for len in 0..1000 {
        problems.add(DecodeError::Short { message: "RTM_NEWLINK", len, need: 16 });
    }
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(lines.len(), MAX_PROBLEMS + 1);
    assert_eq!(lines[MAX_PROBLEMS], "984 more netlink messages left out, for other causes");
}

/// Decodes like every table: any of them may be handed any bytes.
fn decode_all(bytes: &[u8]) -> usize {
    let mut understood = 0;
    for frame in frames(bytes).flatten() {
        understood += usize::from(link(frame.payload).is_ok());
        understood += usize::from(address(frame.payload).is_ok());
        understood += usize::from(routes(frame.payload).is_ok());
        understood += usize::from(neighbour(frame.payload).is_ok());
        understood += usize::from(rule(frame.payload).is_ok());
        understood += usize::from(neighbour_state(frame.payload).is_ok());
        understood += usize::from(exception(frame.payload).is_ok());
        understood += usize::from(bridge_vlans(frame.payload).is_ok());
        understood += usize::from(link_statistics(frame.payload).is_ok());
        understood += usize::from(features(frame.payload, |_| true).is_ok());
        understood += usize::from(channels(frame.payload).is_ok());
    }
    understood
}

#[test]
fn every_truncation_is_survived() {
    for (table, bytes) in DUMPS {
        let whole = decode_all(bytes);
        // At every byte; a large one, which would take long, at every 61st.
        let step = if bytes.len() > 16_384 { 61 } else { 1 };
        for len in (0..bytes.len()).step_by(step) {
            assert!(decode_all(&bytes[..len]) <= whole, "{table} cut to {len} bytes");
        }
        // The message itself cut, its frame intact.
        for frame in messages(table) {
            for len in 0..frame.payload.len() {
                let cut = &frame.payload[..len];
                let _ = (link(cut), address(cut), routes(cut), neighbour(cut), rule(cut));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_mutation_panics(
        table in 0..DUMPS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..32),
    ) {
        let mut bytes = DUMPS[table].1.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        decode_all(&bytes);
    }

    #[test]
    fn no_bytes_panic_and_every_walk_ends(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        decode_all(&bytes);
        let _ = (link(&bytes), address(&bytes), routes(&bytes), neighbour(&bytes), rule(&bytes));
        prop_assert!(frames(&bytes).count() <= bytes.len() / FRAME_HEADER + 1);
        prop_assert!(attributes("test", &bytes).count() <= bytes.len() / 4 + 1);
    }
}
