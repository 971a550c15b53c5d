//! The state of network namespaces beside their tables, of the node's and of pods', against `ip` and `sysctl`. Needs root.
#![allow(clippy::panic, reason = "a test states what must hold by panicking, its helpers too")]

use overlay_probe::{
    engine::{inside::Inside, network::network},
    facts::{Bounded, network::InsideFacts},
    netlink::Source,
    netns,
    observed::Observed,
};
use probe_tests::{lab::TestNetns, ns};
use serde_json::Value;

fn rows<T>(table: &Observed<Bounded<T>>) -> &[T] {
    let Observed::Value(table) = table else { panic!("{:?}", table.trouble()) };
    assert_eq!((table.left_out, &table.notes), (0, &Vec::new()));
    &table.rows
}

#[test]
fn pods_are_looked_into_by_turns_and_left() {
    let pods = ["a", "b"].map(|name| TestNetns::new(&format!("inside{name}")));
    for (number, pod) in (1..).zip(&pods) {
        ns(
            pod.name(),
            &format!("sysctl -q -w net.ipv4.tcp_mtu_probing={number} net.ipv4.conf.all.rp_filter={number}"),
        );
        pod.ip(&format!(
            "link set lo up
             link add eth0 type veth peer name other
             link set eth0 up
             link set other up
             addr add 10.42.{number}.5/32 dev eth0
             route add 169.254.1.1 dev eth0
             route add default via 169.254.1.1 dev eth0 mtu 1400
             addr add fd42::{number}/128 dev eth0 nodad
             route add fd42:9::/64 dev eth0
             neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud stale"
        ));
    }
    let paths: Vec<(String, String)> = pods
        .iter()
        .map(|pod| (format!("/var/run/netns/{}", pod.name()), format!("/run/netns/{}", pod.name())))
        .collect();
    let mut inside = Inside::default();
    inside.read(&paths, 1);
    assert_eq!(inside.facts().len(), 1, "one at a time");
    inside.read(&paths, 1);
    let found = inside.facts();
    for ((number, pod), found) in (1..).zip(&pods).zip(&found) {
        assert_eq!(found.path, format!("/var/run/netns/{}", pod.name()));
        let told: &InsideFacts = found.told.value().unwrap_or_else(|| panic!("{:?}", found.told.trouble()));
        assert_eq!(told.sysctls.tcp_mtu_probing, Observed::Value(number));
        assert_eq!(told.sysctls.ipv4_all.rp_filter, Observed::Value(number));
        for (family, routes) in [("-4", &told.routes_ipv4), ("-6", &told.routes_ipv6)] {
            let judge = netns::open(pod.name()).unwrap();
            let judge = netns::run_in(&judge, || probe_tests::sh("ip", &["-j", family, "route"])).unwrap();
            let judge: Vec<Value> = serde_json::from_str(&judge).unwrap();
            assert_eq!(rows(routes).len(), judge.len(), "{judge:?}");
            for (route, judge) in rows(routes).iter().zip(&judge) {
                assert_eq!(
                    route.gateway.map(|gateway| gateway.to_string()).as_deref(),
                    judge["gateway"].as_str()
                );
                let mtu = judge["metrics"][0]["mtu"].as_u64().and_then(|mtu| u32::try_from(mtu).ok());
                assert_eq!(route.mtu, mtu);
            }
        }
        assert!(rows(&told.routes_ipv4).iter().any(|route| route.mtu == Some(1400)));
        assert_eq!((rows(&told.pmtu_ipv4), rows(&told.pmtu_ipv6)), (&[][..], &[][..]));
        let neighbour = rows(&told.neighbours);
        assert_eq!((neighbour.len(), neighbour[0].address), (1, "169.254.1.1".parse().unwrap()));
    }
    // Nothing holds what was entered, and what is gone is forgotten.
    let [first, second] = pods;
    let identity = netns::open(first.name()).unwrap().identity().unwrap();
    drop(first);
    probe_tests::wait_for("the namespace to go", || (!netns::exists(identity)).then_some(()));
    inside.read(&paths, 8);
    let left: Vec<String> = inside.facts().into_iter().map(|found| found.path).collect();
    assert_eq!(left, [format!("/var/run/netns/{}", second.name())]);
}

#[test]
fn the_nodes_devices_are_the_tunnels_and_what_carries_them() {
    let node = TestNetns::new("network");
    node.ip("link add e0 type veth peer name other
         link add cali0 type veth peer name cali1
         addr add 192.0.2.1/24 dev e0
         link set e0 up
         link set other up
         link add flannel.1 type vxlan id 1 dev e0 local 192.0.2.1 dstport 8472 nolearning
         neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev e0");
    let namespace = netns::open(node.name()).unwrap();
    let found = netns::run_in(&namespace, || {
        let source = Source::connect().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tables = runtime.block_on(source.facts()).unwrap();
        network(&source, &tables)
    })
    .unwrap();
    let driver = |at: usize| found.devices[at].device.driver.value().unwrap().name.clone();
    assert_eq!((found.devices.len(), found.left_out), (2, 0), "{:?}", found.devices);
    assert_eq!((driver(0), driver(1)), ("vxlan".to_owned(), "veth".to_owned()));
    assert_eq!(found.devices[0].neighbours, Observed::Absent);
    assert_eq!(rows(&found.devices[1].neighbours)[0].address.to_string(), "192.0.2.2");
    assert!(found.sysctls.ipv4_all.forwarding.value().is_some());
    assert_eq!(rows(&found.bridge_vlans), []);
}
