//! The state of network namespaces beside their tables, of the node's and of pods', against `ip` and `sysctl`. Needs root.
#![allow(clippy::panic, reason = "a test states what must hold by panicking, its helpers too")]

use std::{collections::BTreeMap, fs, path::Path};

use overlay_probe::{
    engine::{HostOptions, inside::Inside, look, network::network},
    facts::{Bounded, Snapshot, counters::NodeCounters, network::InsideFacts},
    files::Root,
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
        // No addresses of links: the kernel gives them, and routes with them, a little after a device is up.
        let quiet = "net.ipv6.conf.default.addr_gen_mode=1";
        ns(
            pod.name(),
            &format!(
                "sysctl -q -w net.ipv4.tcp_mtu_probing={number} net.ipv4.conf.all.rp_filter={number} {quiet}"
            ),
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
    let identity = |name: &str| netns::open(name).unwrap().identity().unwrap();
    let there: BTreeMap<String, (u64, u64)> =
        pods.iter().map(|pod| (format!("/var/run/netns/{}", pod.name()), identity(pod.name()))).collect();
    let root = Root::open(Path::new("/")).unwrap();
    let mut inside = Inside::default();
    inside.read(&root, &there, 1);
    assert_eq!(inside.facts().len(), 1, "one at a time");
    inside.read(&root, &there, 1);
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
    let gone = identity(first.name());
    drop(first);
    probe_tests::wait_for("the namespace to go", || (!netns::exists(gone)).then_some(()));
    inside.read(&root, &there, 8);
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

#[test]
fn a_look_at_the_node_has_all_of_it_and_can_be_recorded() {
    let node = TestNetns::new("look");
    node.ip("link set lo up
         link add e0 type veth peer name other
         addr add 192.0.2.1/24 dev e0
         link set e0 up
         link set other up
         link add flannel.1 type vxlan id 1 dev e0 local 192.0.2.1 dstport 8472 nolearning");
    let root = tempfile::tempdir().unwrap();
    let networks = root.path().join("var/lib/cni/networks/k8s-pod-network");
    fs::create_dir_all(&networks).unwrap();
    fs::write(networks.join("10.42.0.5"), "c0ffee\r\neth0").unwrap();
    let host = HostOptions { root: root.path().to_owned(), ..HostOptions::default() };
    let namespace = netns::open(node.name()).unwrap();
    let frame = netns::run_in(&namespace, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(look(&host)).unwrap()
    })
    .unwrap();
    let snapshot = &frame.snapshot;
    assert_eq!(snapshot.network.devices.len(), 2);
    assert_eq!(snapshot.ipam.value().unwrap()[0].taken[0].container, "c0ffee");
    let counted = frame.sample.node.links.iter().map(|link| link.value().unwrap().ifindex);
    let devices = snapshot.network.devices.iter().map(|found| found.device.ifindex);
    assert!(counted.eq(devices));
    assert!(frame.sample.node.protocols.snmp.value().unwrap().ip.in_receives.is_some());
    // No modules of this kernel below that root, whatever is loaded.
    assert_eq!(snapshot.host.modules.installed, Observed::Absent);
    assert!(snapshot.host.modules.wireguard_family.value().is_some());
    let text = serde_json::to_string(&**snapshot).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), **snapshot);
    let text = serde_json::to_string(&frame.sample.node).unwrap();
    assert_eq!(serde_json::from_str::<NodeCounters>(&text).unwrap(), *frame.sample.node);
}
