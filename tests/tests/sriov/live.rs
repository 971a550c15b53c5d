//! VFs while they are watched: rates, packets of the wire, pods that come and go.

use std::{fs, net::IpAddr, os::unix::fs::MetadataExt as _, path::PathBuf, thread};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use overlay_probe::{lab::send, netns};
use probe_tests::{
    Patience,
    judge::{Carried, Tcpdump},
    kernel::{Held, filters, has_clsact},
    lab::TestNetns,
    needs,
    needs::{Feature, ways},
    ns, sh,
    terminal::Terminal,
    tool::{INTERVAL, Watch, binary},
    wait_for,
};
use serde_json::Value;

use super::nic::*;

#[test]
fn a_watch_without_tunnels_follows_vfs() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = [TestNetns::new("wfa"), TestNetns::new("wfb")];
    nic.give(&[(0, &pods[0], "192.0.2.1/24"), (1, &pods[1], "192.0.2.2/24")]);
    let watch = Watch::start("/proc/self/ns/net");
    assert_eq!(watch.next()["tunnels"].as_array().unwrap().len(), 0);
    let [a, b] = [0, 1].map(|pod: usize| netns::open(pods[pod].name()).unwrap());
    watch.until("traffic", |value| {
        send::send_udp(&a, &b, "192.0.2.2".parse().unwrap(), 20, 700).unwrap();
        let rate = |index, direction: &str| vf(value, index)[direction]["packets_per_s"].as_f64();
        (rate(0, "tx")? > 0.0 && rate(1, "rx")? > 0.0).then_some(())
    });
    pods[0].ip(&format!("link set net1 netns {} name net2", pods[1].name()));
    watch.until("the VF in the other pod", |value| {
        let interface = &vf(value, 0)["interface"];
        (interface["name"] == "net2" && interface["netns"] == pods[1].name()).then_some(())
    });
    nic.set_count(0);
    watch.until("no VF any more", |value| value["vfs"].as_array().unwrap().is_empty().then_some(()));
}

#[test]
fn the_terminal_shows_vfs_of_a_node_without_tunnels() {
    needs!(Sriov);
    let nic = Nic::up();
    let pod = TestNetns::new("tui");
    nic.give(&[(0, &pod, "192.0.2.1/24")]);
    let terminal = Terminal::run("vfs", (80, 24), &format!("{} top", binary().display()));
    let screen = terminal.wait_for("all VFs");
    assert!(!screen.contains("TUNNEL▲") && screen.contains("COUNTED BY"), "{screen}");
    terminal.keys(&["5"]);
    terminal.keys(&["/"]);
    terminal.keys(&[&nic.pci(0), "Enter"]);
    let name = format!("{} vf 0", nic.pf());
    let by = if counter() == "ebpf" { "eBPF" } else { "interface" };
    let row = wait_for("the VF's rates", || {
        let screen = terminal.screen();
        let row = screen.lines().find(|line| line.contains(&name) && !line.contains('─'))?;
        let counted = row.trim_end().ends_with(by) && !row.contains(" - ");
        (screen.contains("spoof check") && counted).then(|| row.to_owned())
    });
    assert!(row.contains("in netns"), "{row}");
    let screen = terminal.screen();
    assert!(screen.contains("igbvf") && !screen.contains(&nic.pci(1)), "{screen}");
    nic.set_count(0);
    terminal.wait_for("none: no NIC of this node has virtual functions");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);
}

/// A namespace lives as long as anybody has a socket in it, and the VF of a pod comes back to the node only when its
/// namespace goes. So a probe that does nothing at all must not be in the way.
#[test]
fn a_vf_comes_back_from_a_pod_that_ends_while_it_is_watched() {
    needs!(Sriov);
    let nic = Nic::up();
    let pod = TestNetns::new("ends");
    nic.give(&[(0, &pod, "192.0.2.1/24")]);
    let watch = Watch::start("/proc/self/ns/net");
    watch.until("the VF in the pod", |value| {
        let vf = vf(value, 0);
        (vf["interface"]["netns"] == pod.name() && vf["traffic"]["counted_by"] == counter()).then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(watch.pid()).unwrap());
    // Between two looks into the namespace, which take a thread and a file of the namespace each. A file is told by what is
    // behind it: its name is the path that it was opened by.
    let identity = netns::open(pod.name()).unwrap().identity().unwrap();
    wait_for("the probe at rest", || {
        kill(pid, Signal::SIGSTOP).unwrap();
        let tasks = || fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let runs = |path: PathBuf| {
            // Gone since is as good.
            fs::read_to_string(path.join("stat")).is_ok_and(|stat| !stat.contains(") T "))
        };
        let rests = !tasks().any(|task| runs(task.path()))
            && !holders(identity).iter().any(|holder| holder.starts_with(format!("/proc/{pid}")));
        if !rests {
            kill(pid, Signal::SIGCONT).unwrap();
        }
        rests.then_some(())
    });
    drop(pod);
    let mut patience = Patience::start();
    while nic.interface(0).is_none() {
        assert!(patience.left().is_some(), "the VF does not come back: {:?}", holders(identity));
        thread::sleep(INTERVAL);
    }
    kill(pid, Signal::SIGCONT).unwrap();
    watch.until("the VF shown at the node", |value| {
        let interface = &vf(value, 0)["interface"];
        (interface["name"].is_string() && interface["netns"].is_null()).then_some(())
    });
}

/// Processes in a network namespace or with a file of it, and names of it: what it takes to see who keeps one.
fn holders(identity: (u64, u64)) -> Vec<PathBuf> {
    let is = |path: &PathBuf| fs::metadata(path).is_ok_and(|at| (at.dev(), at.ino()) == identity);
    let entries =
        |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let processes = entries(PathBuf::from("/proc")).flat_map(|process| {
        entries(process.join("fd")).chain(entries(process.join("task")).map(|task| task.join("ns/net")))
    });
    processes.chain(entries(PathBuf::from(netns::DIRECTORY))).filter(is).collect()
}

/// Both VFs counted by whom this kernel has.
fn counted(watch: &Watch, pods: &[TestNetns; 2]) -> Value {
    watch.until("both VFs to be counted", |value| {
        let is_counted = |index: usize| {
            let vf = vf(value, index);
            vf["interface"]["netns"] == pods[index].name() && vf["traffic"]["counted_by"] == counter()
        };
        ([0, 1].into_iter().all(is_counted) && !vf(value, 0)["tx"].is_null()).then(|| value.clone())
    })
}

/// IPv4 packets of a VF on the wire since `before`, with their bytes; there may be no others.
fn carried(now: &Value, before: &Value, index: usize, direction: &str) -> Carried {
    const ETHERNET: u64 = 14;
    let number = |value: &Value, field: &str| vf(value, index)["wire"][direction][field].as_u64().unwrap();
    let since = |field: &str| number(now, field) - number(before, field);
    assert_eq!((since("packets"), since("oversize")), (since("ipv4"), 0), "{now}");
    Carried { packets: since("packets"), bytes: since("bytes") - ETHERNET * since("packets") }
}

#[test]
fn packets_of_the_wire_between_pods() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = nic.give_both("wire");
    let watch = Watch::start("/proc/self/ns/net");
    let value = counted(&watch, &pods);
    if Feature::Tcx.missing().is_some() {
        assert!(vf(&value, 0)["wire"].is_null() && vf(&value, 1)["wire"].is_null());
        return;
    }
    let [a, b] = [0, 1].map(|pod: usize| netns::open(pods[pod].name()).unwrap());
    let to: IpAddr = "192.0.2.2".parse().unwrap();
    let traffic: [(&str, &dyn Fn() -> usize); 3] = [
        ("tcp", &|| send::send_tcp(&a, &b, to, 300_000).unwrap()),
        ("udp", &|| send::send_udp(&a, &b, to, 50, 700).unwrap()),
        ("udp", &|| send::send_udp_gso(&a, &b, to, 4, 7 * 1200 + 100, 1200).unwrap()),
    ];
    for offloads in ["off", "on"] {
        ns(pods[0].name(), &format!("ethtool -K net1 tso {offloads} gso {offloads}"));
        for (kind, send) in traffic {
            // What leaves in one buffer arrives packet by packet, each for tcpdump to see.
            ns(pods[1].name(), "ethtool -K net1 gro off");
            // A VF's ring may overflow, as on any NIC: then fewer arrive than left.
            wait_for("an exchange that loses nothing", || {
                let before = watch.settled();
                let judge = Tcpdump::start(pods[1].name(), "net1", "in", "ip");
                send();
                let now = watch.settled();
                let arrived = judge.stop();
                assert_eq!(carried(&now, &before, 1, "rx"), arrived, "{kind}");
                (carried(&now, &before, 0, "tx") == arrived).then_some(())
            });
            // Merged before anybody sees them, they are still as many.
            ns(pods[1].name(), "ethtool -K net1 gro on");
            wait_for("an exchange that loses nothing", || {
                let before = watch.settled();
                send();
                let now = watch.settled();
                let [left, arrived] = [(0, "tx"), (1, "rx")].map(|(vf, way)| carried(&now, &before, vf, way));
                (left == arrived && left.packets > 0).then_some(())
            });
        }
    }
    let value = watch.settled();
    let rx = &vf(&value, 1)["wire"]["rx"];
    let sizes = vf(&value, 1)["wire"]["sizes"].as_array().unwrap();
    let by_size: u64 = sizes.iter().map(|size| size["rx"].as_u64().unwrap()).sum();
    assert_eq!(rx["packets"], by_size);
    assert!(rx["skbs"].as_u64() < rx["packets"].as_u64() && rx["tcp"].as_u64() > Some(200), "{rx}");
    let names: Vec<&str> =
        value["self"]["programs"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"ovp_tunnel_rx (VFs)"), "{names:?}");
}

#[test]
fn packets_of_the_wire_between_the_pf_and_a_pod() {
    needs!(Sriov);
    needs!(Tcx);
    let nic = Nic::up();
    let pods = nic.give_both("pf");
    let pf = nic.pf();
    sh("ip", &["addr", "add", "192.0.2.9/24", "dev", &pf]);
    let node = netns::open("/proc/self/ns/net").unwrap();
    let watch = Watch::start("/proc/self/ns/net");
    counted(&watch, &pods);
    let pod = netns::open(pods[0].name()).unwrap();
    for (from, to, address, direction, way) in
        [(&node, &pod, "192.0.2.1", "in", "rx"), (&pod, &node, "192.0.2.9", "out", "tx")]
    {
        let address: IpAddr = address.parse().unwrap();
        // Neighbours find each other.
        wait_for("the first to arrive", || {
            (send::send_udp(from, to, address, 1, 700).unwrap() > 0).then_some(())
        });
        let before = watch.settled();
        let judge = Tcpdump::start(pods[0].name(), "net1", direction, "udp");
        send::send_udp(from, to, address, 50, 700).unwrap();
        let now = watch.settled();
        let number = |value: &Value| vf(value, 0)["wire"][way]["udp"].as_u64().unwrap();
        let judged = judge.stop();
        assert!(judged.packets > 0);
        assert_eq!(number(&now) - number(&before), judged.packets, "{way}");
    }
}

#[test]
fn a_vf_that_moves_between_pods_is_counted_anew() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = nic.give_both("moves");
    let watch = Watch::start("/proc/self/ns/net");
    counted(&watch, &pods);
    let [a, b] = [0, 1].map(|pod: usize| netns::open(pods[pod].name()).unwrap());
    send::send_udp(&a, &b, "192.0.2.2".parse().unwrap(), 100, 700).unwrap();
    let third = TestNetns::new("third");
    ns(third.name(), "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
    pods[0].ip(&format!("link set net1 netns {}", third.name()));
    third.ip("addr add 192.0.2.1/24 dev net1\nlink set net1 up");
    let value = watch.until("the VF to be counted in the other pod", |value| {
        let vf = vf(value, 0);
        let there = vf["interface"]["netns"] == third.name() && vf["traffic"]["counted_by"] == counter();
        (there && !vf["tx"].is_null()).then(|| value.clone())
    });
    if counter() == "ebpf" {
        assert!(vf(&value, 0)["wire"]["tx"]["udp"].as_u64().unwrap() < 100, "{value}");
    }
    let from = netns::open(third.name()).unwrap();
    watch.until("traffic of the other pod", |value| {
        send::send_udp(&from, &b, "192.0.2.2".parse().unwrap(), 20, 700).unwrap();
        (vf(value, 0)["tx"]["packets_per_s"].as_f64()? > 0.0).then_some(())
    });
}

#[test]
fn a_killed_probe_leaves_nothing_on_vfs() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = nic.give_both("killed");
    for attach in ways() {
        let watch = Watch::start_with("/proc/self/ns/net", &["--attach", attach]);
        let expected = if attach == "tcx" { "ebpf" } else { "interface" };
        watch.until("both VFs to be counted", |value| {
            let is_counted = |index: usize| vf(value, index)["traffic"]["counted_by"] == expected;
            [0, 1].into_iter().all(is_counted).then_some(())
        });
        let held = Held::by(watch.pid());
        assert_eq!(held.links.len(), if attach == "tcx" { 4 } else { 0 }, "{held:?}");
        for pod in &pods {
            assert!(!has_clsact(pod.name(), "net1") && filters(pod.name(), "net1").is_empty());
        }
        assert_eq!(watch.end(Signal::SIGKILL), None);
        wait_for("programs and links to go", || (held.left() == Held::default()).then_some(()));
    }
}
