//! What `/proc` says of the network, against the tools that read it themselves: `nstat` and `sysctl`. Each test has a network
//! namespace of its own, with its loopback device only, so that nothing else is counted. Needs root.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test states what must hold by panicking")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
};

use nix::sched::{CloneFlags, unshare};
use overlay_probe::{observed::Observed, proc};
use probe_tests::{sh, wait_for};
use serde::{Serialize, de::DeserializeOwned};

/// Runs `test` on a thread of its own in a new network namespace, which goes away with the thread.
fn in_namespace(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
            sh("ip", &["link", "set", "lo", "up"]);
            test();
        });
        thread.join().unwrap();
    });
}

/// What a recording gives back of a fact.
fn recorded<T: Serialize + DeserializeOwned>(fact: &T) -> T {
    serde_json::from_str(&serde_json::to_string(fact).unwrap()).unwrap()
}

/// Every counter, by the name that `nstat` has for it.
fn nstat() -> BTreeMap<String, u64> {
    // Absolute values, zeros too, no history.
    let text = sh("nstat", &["-a", "-z", "-s"]);
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
    });
    rows.collect()
}

#[test]
fn protocol_counters_are_those_of_nstat() {
    in_namespace(|| {
        let send = |address: IpAddr, count: usize, bytes: usize| {
            let any: IpAddr =
                if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            for _ in 0..count {
                let socket = UdpSocket::bind((any, 0)).unwrap();
                // To a port that nobody listens on, or without a route.
                let _ = socket.send_to(&vec![0; bytes], (address, 9));
            }
        };
        sh("ip", &["link", "set", "lo", "mtu", "1280"]);
        send(Ipv4Addr::LOCALHOST.into(), 3, 10);
        send(Ipv6Addr::LOCALHOST.into(), 4, 10);
        // Taken apart and put together again.
        send(Ipv4Addr::LOCALHOST.into(), 5, 3000);
        send(Ipv6Addr::LOCALHOST.into(), 6, 3000);
        send(Ipv4Addr::new(198, 51, 100, 1).into(), 7, 10);
        // A busy machine hands packets up a little later: nothing may move while both look.
        let (found, judge) = wait_for("both to have counted everything", || {
            let (found, judge) = (proc::protocols(), nstat());
            let (v4, v6) = (found.snmp.value()?.udp.no_ports, found.snmp6.value()?.udp.no_ports);
            (v4 >= Some(8) && v6 >= Some(10) && proc::protocols() == found).then_some((found, judge))
        });
        assert_eq!(recorded(&found), found);
        let (snmp, snmp6) = (found.snmp.value().unwrap(), found.snmp6.value().unwrap());
        let netstat = found.netstat.value().unwrap();
        let rows = [
            ("IpInReceives", snmp.ip.in_receives),
            ("IpInDelivers", snmp.ip.in_delivers),
            ("IpInAddrErrors", snmp.ip.in_address_errors),
            ("IpOutRequests", snmp.ip.out_requests),
            ("IpOutNoRoutes", snmp.ip.out_no_routes),
            ("IpReasmReqds", snmp.ip.reassembly_fragments),
            ("IpReasmOKs", snmp.ip.reassembled),
            ("IpFragOKs", snmp.ip.fragmented),
            ("IpFragFails", snmp.ip.fragmentation_failures),
            ("IpFragCreates", snmp.ip.fragments_created),
            ("IcmpInDestUnreachs", snmp.icmp.in_destination_unreachable),
            ("IcmpOutDestUnreachs", snmp.icmp.out_destination_unreachable),
            ("UdpNoPorts", snmp.udp.no_ports),
            ("UdpOutDatagrams", snmp.udp.out_datagrams),
            ("TcpRetransSegs", snmp.tcp.retransmitted),
            ("TcpInCsumErrors", snmp.tcp.in_checksum_errors),
            ("Ip6InReceives", snmp6.ip.in_receives),
            ("Ip6InTooBigErrors", snmp6.ip.in_too_big_errors),
            ("Ip6ReasmOKs", snmp6.ip.reassembled),
            ("Ip6FragOKs", snmp6.ip.fragmented),
            ("Ip6FragCreates", snmp6.ip.fragments_created),
            ("Ip6OutNoRoutes", snmp6.ip.out_no_routes),
            ("Icmp6OutPktTooBigs", snmp6.icmp.out_packet_too_big),
            ("Icmp6OutDestUnreachs", snmp6.icmp.out_destination_unreachable),
            ("Udp6NoPorts", snmp6.udp.no_ports),
            ("TcpExtIPReversePathFilter", netstat.tcp.reverse_path_filter),
            ("TcpExtTCPMTUPFail", netstat.tcp.mtu_probe_failures),
            ("IpExtInNoRoutes", netstat.ip_in_no_routes),
        ];
        for (name, value) in rows {
            assert_eq!(value, judge.get(name).copied(), "{name}");
        }
        // What was done shows: of the namespace, not of the machine.
        assert_eq!((snmp.udp.no_ports, snmp6.udp.no_ports), (Some(8), Some(10)));
        assert_eq!((snmp.ip.reassembled, snmp6.ip.reassembled), (Some(5), Some(6)));
    });
}

#[test]
fn sysctls_are_those_of_the_namespace() {
    in_namespace(|| {
        let settings = [
            ("net.ipv4.conf.all.forwarding", 1),
            ("net.ipv4.conf.all.rp_filter", 2),
            ("net.ipv4.conf.default.rp_filter", 1),
            ("net.ipv4.conf.all.src_valid_mark", 1),
            ("net.ipv6.conf.all.forwarding", 1),
            ("net.ipv6.conf.default.accept_ra", 2),
            ("net.ipv6.conf.all.disable_ipv6", 0),
            ("net.ipv6.conf.default.use_tempaddr", 2),
            ("net.ipv4.ip_no_pmtu_disc", 1),
            ("net.ipv4.ip_forward_use_pmtu", 1),
            ("net.ipv4.tcp_mtu_probing", 2),
            ("net.ipv4.tcp_base_mss", 1000),
            ("net.ipv6.route.mtu_expires", 77),
            ("net.ipv4.fib_multipath_hash_policy", 1),
        ];
        for (name, value) in settings {
            sh("sysctl", &["-q", "-w", &format!("{name}={value}")]);
        }
        let found = proc::sysctls();
        assert_eq!(recorded(&found), found);
        let values = [
            &found.ipv4_all.forwarding,
            &found.ipv4_all.rp_filter,
            &found.ipv4_default.rp_filter,
            &found.ipv4_all.src_valid_mark,
            &found.ipv6_all.forwarding,
            &found.ipv6_default.accept_ra,
            &found.ipv6_all.disable_ipv6,
            &found.ipv6_default.use_tempaddr,
            &found.ip_no_pmtu_disc,
            &found.ip_forward_use_pmtu,
            &found.tcp_mtu_probing,
            &found.tcp_base_mss,
            &found.ipv6_mtu_expires_s,
            &found.ipv4_multipath_hash,
        ];
        for ((name, value), found) in settings.into_iter().zip(values) {
            assert_eq!(*found, Observed::Value(value), "{name}");
        }
        // Of the machine, and not of this namespace: not listed here.
        assert_eq!(found.netdev_budget, Observed::Absent);
        // A family has not what is of the other one.
        assert_eq!(
            (&found.ipv4_all.accept_ra, &found.ipv6_all.rp_filter),
            (&Observed::Absent, &Observed::Absent)
        );
    });
    let budget = proc::sysctls().netdev_budget;
    let judge: i32 = sh("sysctl", &["-n", "net.core.netdev_budget"]).trim().parse().unwrap();
    assert_eq!(budget, Observed::Value(judge), "these tests run in the machine's first network namespace");
}

#[test]
fn receive_queues_and_connection_tracking() {
    let cpus: usize = sh("nproc", &["--all"]).trim().parse().unwrap();
    let rows = proc::softnet();
    assert_eq!(recorded(&rows), rows);
    let rows = rows.value().unwrap();
    // One for each CPU that is online, in order.
    assert!(!rows.is_empty() && rows.len() <= cpus && rows.is_sorted_by_key(|row| row.cpu), "{rows:?}");
    in_namespace(|| {
        let max = std::process::Command::new("sysctl")
            .args(["-n", "net.netfilter.nf_conntrack_max"])
            .output()
            .unwrap();
        let found = proc::conntrack();
        assert_eq!(recorded(&found), found);
        if !max.status.success() {
            assert_eq!(found, Observed::Absent);
            return;
        }
        let found = found.value().unwrap().clone();
        let judge: u64 = String::from_utf8(max.stdout).unwrap().trim().parse().unwrap();
        assert_eq!((found.count, found.max), (Observed::Value(0), Observed::Value(judge)));
        assert!(
            matches!(found.events, Observed::Value(events) if events.drop == Some(0)),
            "{:?}",
            found.events
        );
    });
}
