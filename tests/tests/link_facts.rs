//! What rtnetlink and ethtool say of links, neighbours and learned path MTUs, against `ip`, `bridge`, `sysctl` and
//! `ethtool`, on devices made for it. Needs root.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test states what must hold by panicking, its helpers too"
)]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    process::Command,
};

use overlay_probe::{
    facts::{
        Bounded,
        netlink::{FeatureFact, LinkData, LinkFact, NeighbourState, PmtuException, VlanRange, VxlanDf},
    },
    netlink::Source,
    netns,
    observed::Observed,
};
use probe_tests::{kernel::is_before, lab::TestNetns, needs, ns, settled, wait_for};
use serde_json::Value;

/// What `read` gives of a source in a namespace.
fn read<T: Send>(netns: &TestNetns, read: impl FnOnce(&Source) -> T + Send) -> T {
    let namespace = netns::open(netns.name()).unwrap();
    netns::run_in(&namespace, || read(&Source::connect().unwrap())).unwrap()
}

/// What a tool prints as JSON.
fn json(netns: &TestNetns, command: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(&ns(netns.name(), command)).unwrap().as_array().unwrap().clone()
}

/// The rows of a table that was read in one piece.
fn rows<T>(table: Observed<Bounded<T>>) -> Vec<T> {
    let Observed::Value(table) = table else { panic!("{:?}", table.trouble()) };
    assert_eq!((table.left_out, table.notes), (0, Vec::new()));
    table.rows
}

fn links(source: &Source) -> BTreeMap<String, LinkFact> {
    source.links_of(None).unwrap().into_iter().map(|(link, _)| (link.name.clone(), link)).collect()
}

/// A namespace in which nothing is sent by itself.
fn quiet(name: &str) -> TestNetns {
    let netns = TestNetns::new(name);
    ns(netns.name(), "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    netns
}

#[test]
fn statistics_are_those_of_ip() {
    let netns = quiet("stats");
    netns.ip("link set lo up
         link add e0 type veth peer name e1
         addr add 192.0.2.1/24 dev e0
         link set e0 up
         link set e1 up
         link add vx7 type vxlan id 7 dev e0 local 192.0.2.1 dstport 4789 nolearning
         addr add 198.51.100.1/24 dev vx7
         link set vx7 up
         neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev vx7");
    let namespace = netns::open(netns.name()).unwrap();
    netns::run_in(&namespace, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..5 {
            // Without an FDB entry: dropped.
            socket.send_to(b"x", "198.51.100.2:9").unwrap();
            let _ = socket.send_to(b"x", "127.0.0.1:9");
        }
    })
    .unwrap();
    // Each packet to nobody is answered, as soon as the kernel comes to it.
    let is_answered = |judge: &Vec<Value>| {
        let lo = judge.iter().find(|link| link["ifname"] == "lo").unwrap();
        lo["stats64"]["rx"]["packets"] == 10
    };
    let judge = settled(|| json(&netns, "ip -j -s -s link show"), is_answered);
    let found = rows(read(&netns, Source::link_statistics));
    assert_eq!(found.len(), judge.len());
    for (row, link) in found.iter().zip(&judge) {
        assert_eq!(u64::from(row.ifindex), link["ifindex"].as_u64().unwrap());
        let (rx, tx) = (&link["stats64"]["rx"], &link["stats64"]["tx"]);
        let pairs = [
            (row.rx_packets, rx, "packets"),
            (row.rx_bytes, rx, "bytes"),
            (row.rx_errors, rx, "errors"),
            (row.rx_dropped, rx, "dropped"),
            (row.multicast, rx, "multicast"),
            (row.rx_length_errors, rx, "length_errors"),
            (row.rx_crc_errors, rx, "crc_errors"),
            (row.rx_frame_errors, rx, "frame_errors"),
            (row.rx_fifo_errors, rx, "fifo_errors"),
            (row.rx_missed_errors, rx, "missed_errors"),
            (row.tx_packets, tx, "packets"),
            (row.tx_bytes, tx, "bytes"),
            (row.tx_errors, tx, "errors"),
            (row.tx_dropped, tx, "dropped"),
            (row.collisions, tx, "collisions"),
            (row.tx_aborted_errors, tx, "aborted_errors"),
            (row.tx_fifo_errors, tx, "fifo_errors"),
        ];
        for (value, of, name) in pairs {
            // `ip` leaves out some that are zero.
            assert_eq!(value, of[name].as_u64().unwrap_or(0), "{} {name}", link["ifname"]);
        }
    }
    let tunnel = judge.iter().position(|link| link["ifname"] == "vx7").unwrap();
    assert!(found[tunnel].tx_dropped >= 5, "{:?}", found[tunnel]);
}

#[test]
fn settings_of_interfaces_here_and_in_a_pod() {
    let (node, pod) = (quiet("confn"), quiet("confp"));
    node.ip(&format!("link add cali0 type veth peer name eth0 netns {}", pod.name()));
    let set = [
        (&node, "ipv4.conf.cali0.rp_filter", 1),
        (&node, "ipv4.conf.cali0.proxy_arp", 1),
        (&node, "ipv4.conf.cali0.route_localnet", 1),
        (&node, "ipv4.conf.cali0.forwarding", 1),
        (&node, "ipv6.conf.cali0.disable_ipv6", 0),
        (&node, "ipv6.conf.cali0.accept_ra", 2),
        (&pod, "ipv4.conf.eth0.rp_filter", 2),
        (&pod, "ipv4.conf.eth0.src_valid_mark", 1),
        (&pod, "ipv6.conf.eth0.mtu", 1400),
        (&pod, "ipv6.conf.eth0.forwarding", 1),
        (&pod, "ipv6.conf.eth0.use_tempaddr", 2),
    ];
    for (netns, name, value) in set {
        ns(netns.name(), &format!("sysctl -q -w net.{name}={value}"));
    }
    let namespace = netns::open(pod.name()).unwrap();
    let (here, there) = read(&node, |source| {
        let nsid = source.nsid(namespace.file()).unwrap();
        assert!(nsid.is_some());
        let of = |nsid| source.links_of(nsid).unwrap().into_iter().map(|(link, _)| link);
        (
            of(None).find(|link| link.name == "cali0").unwrap(),
            of(nsid).find(|link| link.name == "eth0").unwrap(),
        )
    });
    let judge = |netns: &TestNetns, name: &str| -> i32 {
        ns(netns.name(), &format!("sysctl -n net.{name}")).trim().parse().unwrap()
    };
    for (netns, link) in [(&node, &here), (&pod, &there)] {
        let (v4, v6, name) = (link.ipv4_conf.unwrap(), link.ipv6_conf.unwrap(), &link.name);
        for (setting, value) in [
            ("forwarding", v4.forwarding),
            ("rp_filter", v4.rp_filter),
            ("src_valid_mark", v4.src_valid_mark),
            ("proxy_arp", v4.proxy_arp),
            ("route_localnet", v4.route_localnet),
            ("accept_local", v4.accept_local),
            ("arp_ignore", v4.arp_ignore),
            ("arp_announce", v4.arp_announce),
        ] {
            assert_eq!(value, judge(netns, &format!("ipv4.conf.{name}.{setting}")), "{name} {setting}");
        }
        for (setting, value) in [
            ("forwarding", v6.forwarding),
            ("mtu", v6.mtu),
            ("accept_ra", v6.accept_ra),
            ("accept_ra_defrtr", v6.accept_ra_default_router),
            ("autoconf", v6.autoconf),
            ("use_tempaddr", v6.use_tempaddr),
            ("disable_ipv6", v6.disable_ipv6),
            ("proxy_ndp", v6.proxy_ndp),
            ("addr_gen_mode", v6.addr_gen_mode.unwrap().into()),
        ] {
            assert_eq!(value, judge(netns, &format!("ipv6.conf.{name}.{setting}")), "{name} {setting}");
        }
    }
    assert_eq!((here.ipv4_conf.unwrap().rp_filter, there.ipv4_conf.unwrap().rp_filter), (1, 2));
    // Below 1280 there is no IPv6 on it, and below 68 no IPv4.
    node.ip("link set cali0 mtu 1000");
    assert!(matches!(read(&node, links)["cali0"], LinkFact { ipv4_conf: Some(_), ipv6_conf: None, .. }));
}

#[test]
fn settings_of_tunnels() {
    let netns = quiet("vxlan");
    netns.ip(
        "link add plain type vxlan id 1 remote 192.0.2.9 dstport 4789
         link add other type vxlan id 2 remote 2001:db8::9 dstport 4790 l2miss l3miss noudpcsum udp6zerocsumtx udp6zerocsumrx df set",
    );
    let links = read(&netns, links);
    let vxlan = |name: &str| links[name].vxlan.clone().unwrap();
    for link in json(&netns, "ip -j -d link show type vxlan") {
        let (name, judge) = (link["ifname"].as_str().unwrap(), &link["linkinfo"]["info_data"]);
        let found = vxlan(name);
        // `ip` leaves out what is not so.
        let judge = |key: &str| judge[key].as_bool().unwrap_or_default();
        assert_eq!((found.l2miss, found.l3miss), (Some(judge("l2miss")), Some(judge("l3miss"))), "{name}");
        assert_eq!(found.udp_checksum, Some(judge("udp_csum")), "{name}");
        assert_eq!(found.udp_zero_checksum6_tx, Some(judge("udp_zero_csum6_tx")), "{name}");
        assert_eq!(found.udp_zero_checksum6_rx, Some(judge("udp_zero_csum6_rx")), "{name}");
    }
    assert_eq!((vxlan("plain").udp_checksum, vxlan("other").udp_checksum), (Some(true), Some(false)));
    assert_eq!((vxlan("plain").df, vxlan("other").df), (Some(VxlanDf::Unset), Some(VxlanDf::Set)));
    // Without bridges there are no VLANs of them.
    assert_eq!(rows(read(&netns, Source::bridge_vlans)), []);
}

#[test]
fn vlans_of_bridges() {
    needs!(BridgeVlan);
    let netns = quiet("vlans");
    netns.ip("link add br0 type bridge vlan_filtering 1 vlan_default_pvid 7
         link add p0 type veth peer name q0
         link add p1 type veth peer name q1
         link set p0 master br0
         link set p1 master br0");
    for vlans in
        ["vid 100 pvid untagged dev p0", "vid 200-209 dev p0", "vid 300 dev p0", "vid 100 dev br0 self"]
    {
        ns(netns.name(), &format!("bridge vlan add {vlans}"));
    }
    let (links, vlans) = read(&netns, |source| (links(source), rows(source.bridge_vlans())));
    let Some(LinkData::Bridge(bridge)) = &links["br0"].data else { panic!("{:?}", links["br0"]) };
    assert_eq!((bridge.vlan_filtering, bridge.default_pvid), (true, Some(7)));
    let judge = json(&netns, "bridge -j vlan show");
    assert_eq!(vlans.len(), judge.len());
    for of in judge {
        let link = &links[of["ifname"].as_str().unwrap()];
        let found = vlans.iter().find(|vlans| vlans.ifindex == link.ifindex).unwrap();
        assert_eq!(found.bridge, Some(links["br0"].ifindex));
        let judge = of["vlans"].as_array().unwrap().iter().map(|vlan| {
            let id = |key: &str| vlan[key].as_u64().and_then(|id| u16::try_from(id).ok());
            let has = |flag: &str| {
                vlan["flags"].as_array().is_some_and(|flags| flags.iter().any(|has| has == flag))
            };
            VlanRange {
                first: id("vlan").unwrap(),
                last: id("vlanEnd").or(id("vlan")).unwrap(),
                is_pvid: has("PVID"),
                is_untagged: has("Egress Untagged"),
            }
        });
        // Some versions of `bridge` list ranges, others each VLAN of them.
        let each = |ranges: Vec<VlanRange>| -> Vec<VlanRange> {
            let one = |range: VlanRange| {
                (range.first..=range.last).map(move |id| VlanRange { first: id, last: id, ..range })
            };
            ranges.into_iter().flat_map(one).collect()
        };
        assert_eq!(each(found.vlans.clone()), each(judge.collect()), "{}", link.name);
    }
}

/// What `ethtool -k` calls features that have other names in the kernel.
const OTHER_NAMES: [(&str, &str); 7] = [
    ("rx-checksum", "rx-checksumming"),
    ("rx-gro", "generic-receive-offload"),
    ("rx-lro", "large-receive-offload"),
    ("rx-vlan-hw-parse", "rx-vlan-offload"),
    ("tx-generic-segmentation", "generic-segmentation-offload"),
    ("tx-vlan-hw-insert", "tx-vlan-offload"),
    ("hw-tc-offload", "hw-tc-offload"),
];

#[test]
fn drivers_features_and_channels_are_those_of_ethtool() {
    let netns = quiet("ethtool");
    netns.ip("link add e0 type veth peer name e1
         link add vx7 type vxlan id 7 remote 192.0.2.9 dstport 4789");
    // What was asked for and cannot be: segmentation needs checksums.
    ns(netns.name(), "ethtool -K vx7 tx-checksum-ip-generic off");
    ns(netns.name(), "ethtool -K e0 gro on");
    for name in ["e0", "vx7"] {
        let device = read(&netns, |source| source.device(links(source)[name].ifindex, name));
        let driver = device.driver.value().unwrap();
        let judge = ns(netns.name(), &format!("ethtool -i {name}"));
        let judged =
            |key: &str| judge.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
        assert_eq!((&driver.name, &driver.version), (&judged("driver:"), &judged("version:")));
        assert_eq!(driver.bus, judged("bus-info:"));

        let judge = ns(netns.name(), &format!("ethtool -k {name}"));
        let judged: BTreeMap<&str, &str> =
            judge.lines().skip(1).filter_map(|line| line.trim().split_once(": ")).collect();
        let features = device.features.value().unwrap();
        assert!(features.len() >= 20, "{features:?}");
        for (feature, found) in features {
            let other = OTHER_NAMES.iter().find(|(kernel, _)| kernel == feature).map(|(_, other)| *other);
            // An ethtool that is older than the kernel may not know it.
            let Some(words) = judged.get(other.unwrap_or(feature)) else { continue };
            let is_active = words.starts_with("on");
            let is_wanted = if words.contains("requested") { !is_active } else { is_active };
            let is_fixed = words.contains("[fixed]");
            assert_eq!((found.is_active, found.is_fixed), (is_active, is_fixed), "{name} {feature}: {words}");
            // What is fixed may be on without anybody having asked.
            assert!(is_fixed || found.is_wanted == is_wanted, "{name} {feature}: {words}");
        }
        if name == "vx7" {
            let off = FeatureFact { is_active: false, is_wanted: false, is_fixed: false };
            assert_eq!(features["tx-checksum-ip-generic"], off);
            let lost = FeatureFact { is_wanted: true, ..off };
            assert_eq!(features["tx-tcp-segmentation"], lost, "it needs checksums");
            assert!(matches!(device.channels, Observed::Unsupported { .. }), "{:?}", device.channels);
        } else if is_before(5, 13) {
            // A veth pair has channels since Linux 5.13 (drivers/net/veth.c, `veth_get_channels`).
            assert!(matches!(device.channels, Observed::Unsupported { .. }), "{:?}", device.channels);
        } else {
            let channels = device.channels.value().unwrap();
            let judge = ns(netns.name(), "ethtool -l e0");
            let counts: Vec<Option<u32>> = judge
                .lines()
                .filter_map(|line| {
                    line.split_once(':').filter(|(key, _)| ["RX", "TX", "Combined"].contains(key))
                })
                .map(|(_, count)| count.trim().parse().ok())
                .collect();
            let found =
                [channels.most_rx, channels.most_tx, channels.most_combined, channels.rx, channels.tx];
            assert_eq!(found.as_slice(), &counts[..5], "{judge}");
        }
    }
    let gone = read(&netns, |source| source.device(9999, "gone"));
    assert_eq!((gone.driver, gone.channels), (Observed::Absent, Observed::Absent));
}

#[test]
fn neighbours_with_their_states() {
    let netns = TestNetns::new("neigh");
    netns.ip("link add e0 type veth peer name e1
         addr add 192.0.2.1/24 dev e0
         addr add 2001:db8::1/64 dev e0 nodad
         link set e0 up
         link set e1 up
         neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev e0
         neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 dev e0 nud stale
         neigh add 192.0.2.4 dev e0 nud failed
         neigh add 2001:db8::5 lladdr 02:00:00:00:00:05 router dev e0 nud stale
         neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev e1");
    let found = read(&netns, |source| rows(source.neighbours_of(links(source)["e0"].ifindex)));
    let judge = json(&netns, "ip -j -s neigh show dev e0");
    assert_eq!(found.len(), judge.len(), "{found:?} {judge:?}");
    for of in judge {
        let address: IpAddr = of["dst"].as_str().unwrap().parse().unwrap();
        let found = found.iter().find(|row| row.address == address).unwrap();
        let state = format!("{:?}", found.state.unwrap()).to_uppercase();
        assert_eq!(of["state"][0], state.as_str(), "{address}");
        assert_eq!(found.mac.map(|mac| mac.to_string()).as_deref(), of["lladdr"].as_str(), "{address}");
        assert_eq!(found.is_router, of.get("router").is_some(), "{address}");
        assert!(found.updated_s.is_some() && found.probes.is_some(), "{found:?}");
    }
    let states = found.iter().map(|row| row.state.unwrap());
    assert_eq!(states.filter(|state| *state == NeighbourState::Stale).count(), 2);
}

/// Sends a packet that must not be taken apart; what the kernel knows of the path counts.
fn send(to: SocketAddr) {
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    let (level, option) = if to.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    };
    let always: libc::c_int = libc::IP_PMTUDISC_DO;
    let size = libc::socklen_t::try_from(size_of_val(&always)).unwrap();
    // SAFETY: the option is an `int`, and its size is given.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const always).cast(), size) };
    assert_eq!(set, 0);
    let _ = socket.send_to(&[0; 1400], to);
}

#[test]
fn path_mtus_that_were_learned() {
    let (host, router) = (TestNetns::new("pmtuh"), TestNetns::new("pmtur"));
    ns(router.name(), "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    host.ip(&format!(
        "link add e0 type veth peer name e1 netns {}
         addr add 192.0.2.1/24 dev e0
         addr add 2001:db8::1/64 dev e0 nodad
         link set e0 up",
        router.name()
    ));
    router.ip("addr add 192.0.2.2/24 dev e1
         addr add 2001:db8::2/64 dev e1 nodad
         link set e1 up
         link add small mtu 1300 type veth peer name other
         link set small up
         link set other up
         route add 198.51.100.0/24 dev small
         route add 2001:db8:1::/64 dev small");
    host.ip("route add default via 192.0.2.2\nroute add ::/0 via 2001:db8::2");
    let read_both = || {
        let (v4, v6) =
            read(&host, |source| (rows(source.pmtu_exceptions_v4()), rows(source.pmtu_exceptions_v6())));
        [v4, v6].concat()
    };
    assert_eq!(read_both(), [], "a route is not an exception");
    let namespace = netns::open(host.name()).unwrap();
    let targets: [SocketAddr; 3] =
        ["198.51.100.7:9", "198.51.100.8:9", "[2001:db8:1::7]:9"].map(|target| target.parse().unwrap());
    let found = wait_for("the router's messages", || {
        netns::run_in(&namespace, || targets.iter().for_each(|&target| send(target))).unwrap();
        Some(read_both()).filter(|found| found.len() == targets.len())
    });
    let ifindex = read(&host, |source| links(source)["e0"].ifindex);
    let judge = [json(&host, "ip -j route show cache"), json(&host, "ip -j -6 route show cache")].concat();
    for target in targets.map(|target| target.ip()) {
        let row: &PmtuException = found.iter().find(|row| row.destination == target).unwrap();
        let judge = judge.iter().find(|of| of["dst"] == target.to_string().as_str()).unwrap();
        assert_eq!(u64::from(row.mtu), judge["metrics"][0]["mtu"].as_u64().unwrap(), "{judge}");
        assert_eq!(row.gateway.unwrap().to_string(), judge["gateway"].as_str().unwrap());
        assert_eq!((row.mtu, row.ifindex, row.is_locked, row.table), (1300, Some(ifindex), false, 254));
        // Ten minutes, as both tell it, one a moment after the other.
        let expires = row.expires_s.unwrap();
        assert!(expires.abs_diff(judge["expires"].as_u64().unwrap()) <= 60, "{expires} {judge}");
    }
    let gone = Command::new("ip").args(["-n", host.name(), "route", "flush", "cache"]).status().unwrap();
    assert!(gone.success());
}
