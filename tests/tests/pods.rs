//! Pods as the tool finds them on real namespaces: who they are, their interfaces, and what the secondary ones carry.
//! Pods of a real container runtime are in `containerd.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    net::IpAddr,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use overlay_probe::lab::{Family, files, live, send};
use probe_tests::{
    cri::{self, Pod},
    grpc::Server,
    lab::TestLab,
    ns, sh,
    tool::{Watch, binary, entry, run},
};
use serde_json::Value;
use tempfile::TempDir;

fn show(netns: &str) -> Value {
    let output = run(&["--netns", netns, "show", "pods", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Gives a pod a macvlan on its node's NIC, as Multus would.
fn add_macvlan(lab: &TestLab, node: u16, pod_netns: &str, address: &str) {
    let node_netns = lab.node(node);
    sh("ip", &["-n", &node_netns, "link", "add", "mv0", "link", "eth0", "type", "macvlan", "mode", "bridge"]);
    sh("ip", &["-n", &node_netns, "link", "set", "mv0", "netns", pod_netns, "name", "net1"]);
    sh("ip", &["-n", pod_netns, "addr", "add", address, "dev", "net1"]);
    sh("ip", &["-n", pod_netns, "link", "set", "net1", "mtu", "1400", "up"]);
}

/// An interface of a pod, in what `watch` or `show pods` printed.
fn interface<'a>(value: &'a Value, pod: &str, name: &str) -> Option<&'a Value> {
    entry(value, "pods", &[("name", pod)])?["interfaces"].as_array()?.iter().find(|one| one["name"] == name)
}

#[test]
fn the_interfaces_of_a_pod_are_as_ip_shows_them() {
    let lab = TestLab::up(2, 2, Family::Dual);
    add_macvlan(&lab, 1, &lab.lab.options.pod(1, 1), "192.0.2.9/24");
    let value = show(&lab.node(1));
    let pods = &lab.lab.nodes[0].pods;
    assert_eq!(value["pods"].as_array().unwrap().len(), pods.len());
    for pod in pods {
        let shown = entry(&value, "pods", &[("name", &pod.name)]).unwrap();
        assert_eq!((&shown["source"], &shown["host_evidence"]), (&"lab".into(), &"calico-name".into()));
        assert_eq!(shown["host_ifname"], pod.host_ifname.as_str());
        assert_eq!(shown["disagreements"].as_array().unwrap().len(), 0, "{shown}");
        let links: Value = serde_json::from_str(&ns(&pod.netns, "ip -j -d addr show")).unwrap();
        let expected: Vec<_> =
            links.as_array().unwrap().iter().filter(|link| link["ifname"] != "lo").collect();
        let interfaces = shown["interfaces"].as_array().unwrap();
        assert_eq!(interfaces.len(), expected.len(), "{shown}");
        for (ours, judge) in interfaces.iter().zip(expected) {
            assert_eq!(
                (&ours["name"], &ours["ifindex"], &ours["mtu"], &ours["mac"], &ours["kind"]),
                (
                    &judge["ifname"],
                    &judge["ifindex"],
                    &judge["mtu"],
                    &judge["address"],
                    &judge["linkinfo"]["info_kind"]
                )
            );
            let global = judge["addr_info"].as_array().unwrap().iter().filter(|one| one["scope"] == "global");
            let global: Vec<String> = global
                .map(|one| format!("{}/{}", one["local"].as_str().unwrap(), one["prefixlen"]))
                .collect();
            let shown: Vec<&str> =
                ours["addresses"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
            assert_eq!(shown, global, "{ours}");
        }
    }
    let macvlan = interface(&value, &pods[0].name, "net1").unwrap();
    assert_eq!((&macvlan["parent"], &macvlan["is_default"]), (&"eth0".into(), &false.into()));
    let table = String::from_utf8(run(&["--netns", &lab.node(1), "show", "pods"]).stdout).unwrap();
    assert!(table.contains("macvlan") && table.contains("192.0.2.9/24"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

/// The packets and bytes that an interface of a pod has sent and received, by `ip`.
fn judged(netns: &str, name: &str) -> [u64; 4] {
    let value: Value = serde_json::from_str(&ns(netns, &format!("ip -j -s link show dev {name}"))).unwrap();
    let count = |direction: &str, field: &str| value[0]["stats64"][direction][field].as_u64().unwrap();
    [count("tx", "packets"), count("tx", "bytes"), count("rx", "packets"), count("rx", "bytes")]
}

#[test]
fn a_secondary_interface_that_appears_is_counted_as_ip_counts_it() {
    let lab = TestLab::up(2, 1, Family::V4);
    let watch = Watch::start(&lab.node(1));
    let (name, address) = ("late-0".to_owned(), "10.42.1.77".parse().unwrap());
    let pod = live::add_pod(lab.prefix(), 1, 7, "shop", &name, vec![address]).unwrap();
    let only = watch.until("the pod", |value| interface(value, &name, "eth0").cloned());
    assert!(only["counters"].is_null(), "the rest of the entry tells of an only interface: {only}");

    // Nothing is said in the node's namespace when a plugin adds an interface to a pod that is there already.
    add_macvlan(&lab, 1, &pod.netns, "192.0.2.1/24");
    add_macvlan(&lab, 2, &lab.lab.options.pod(2, 1), "192.0.2.2/24");
    watch.until("the interface", |value| interface(value, &name, "net1").map(drop));
    let to: IpAddr = "192.0.2.2".parse().unwrap();
    let received = send::send_udp(&lab.pod(1, 7), &lab.pod(2, 1), to, 200, 700).unwrap();
    let received = u64::try_from(received).unwrap();
    assert!(received > 0);

    let netns = pod.netns;
    watch.until("the counters of the judge", |value| {
        let before = judged(&netns, "net1");
        let counters = &interface(value, &name, "net1")?["counters"];
        let ours = ["tx_packets", "tx_bytes", "rx_packets", "rx_bytes"].map(|field| counters[field].as_u64());
        (ours == before.map(Some) && before[0] >= received).then_some(())
    });
    watch.until("rates", |value| {
        send::send_udp(&lab.pod(1, 7), &lab.pod(2, 1), to, 20, 700).unwrap();
        (interface(value, &name, "net1")?["tx"]["packets_per_s"].as_f64()? > 0.0).then_some(())
    });
    sh("ip", &["-n", &netns, "link", "del", "net1"]);
    watch.until("its end", |value| {
        let pod = entry(value, "pods", &[("name", &name)])?;
        (pod["interfaces"].as_array()?.len() == 1).then_some(())
    });
}

/// What libcni has cached of one of a node's pods.
fn a_result(results: &Path) -> String {
    let cached = fs::read_dir(results).unwrap().flatten().next().unwrap().path();
    fs::read_to_string(cached).unwrap()
}

#[test]
fn pods_are_named_by_the_files_of_the_node() {
    let lab = TestLab::up(2, 2, Family::Dual);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let results = roots[0].join("var/lib/cni/results");
    // What a pod that is long gone, a crash and a stranger left behind.
    let text = a_result(&results);
    let name = &lab.lab.nodes[0].pods[0].name;
    let stale = text.replace(name, "gone-0").replace(&lab.lab.nodes[0].pods[1].name, "gone-0");
    let stale =
        stale.replace("-node1-pod", "-no-such-pod").replace("\"containerId\":\"", "\"containerId\":\"0");
    fs::write(results.join("k8s-pod-network-0-eth0"), stale).unwrap();
    fs::write(results.join("k8s-pod-network-1-eth0"), "").unwrap();
    fs::write(results.join("k8s-pod-network-2-eth0"), [0xff, 0xfe, 0]).unwrap();
    let output = run(&[
        "--netns",
        &lab.node(1),
        "--host-root",
        roots[0].to_str().unwrap(),
        "show",
        "pods",
        "--format",
        "json",
    ]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pods = value["pods"].as_array().unwrap();
    assert_eq!(pods.len(), 2, "{value}");
    for pod in pods {
        assert_eq!((&pod["source"], &pod["host_evidence"]), (&"libcni".into(), &"calico-name".into()));
        assert_eq!(pod["uid"].as_str().unwrap().len(), 36);
        assert_eq!(pod["interfaces"][0]["network"], "k8s-pod-network");
        assert_eq!(pod["disagreements"].as_array().unwrap().len(), 0, "{pod}");
    }
    let notes: Vec<&str> =
        value["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.iter().any(|note| note.contains("names 1 sandbox(es) whose pods are gone")), "{notes:?}");
    for what in ["empty, as after a crash", "not UTF-8"] {
        let told = |note: &&str| note.starts_with("1 file(s) of ") && note.contains(what);
        assert!(notes.iter().any(told), "{what}: {notes:?}");
    }
}

/// What a file of CNI says is a pod's namespace may be anything: what is none is not opened, which would wait for ever for who
/// writes into a pipe, and start a watchdog.
#[test]
fn what_is_no_pods_namespace_is_not_opened() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let results = roots[0].join("var/lib/cni/results");
    let text = a_result(&results);
    let there = format!("/var/run/netns/{}", lab.lab.options.pod(1, 1));
    assert!(text.contains(&there), "{text}");
    for place in [roots[0].join("pipe"), directory.path().join("pipe")] {
        mkfifo(&place, Mode::S_IRUSR).unwrap();
    }
    symlink(directory.path().join("pipe"), roots[0].join("link")).unwrap();
    let node = lab.node(1);
    let own = format!("/var/run/netns/{node}");
    for path in ["/pipe", "/link", "/../pipe", "/dev/null", "/proc/1/ns/mnt", &own] {
        for (number, pod) in (0..).zip(["strange-0", "strange-1"]) {
            let strange = text.replace(&there, path).replace(&lab.lab.nodes[0].pods[0].name, pod);
            fs::write(results.join(format!("k8s-pod-network-{number}-eth0")), strange).unwrap();
        }
        let output = Command::new("timeout")
            .args(["--signal=KILL", "120"])
            .arg(binary())
            .args(["--netns", &node, "--host-root", roots[0].to_str().unwrap()])
            .args(["show", "pods", "--format", "json"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let value: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{path}: {said}"));
        let notes = value["notes"].to_string();
        assert_eq!(notes.contains("the node's own network namespace"), path == own, "{path}: {notes}");
        assert!(!value["pods"].to_string().contains("flannel.1"), "{path}: {value}");
    }
}

/// What a process had in memory at most, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

/// Neither a runtime that lies nor files that pods' owners have a say in decide how much memory this takes.
#[test]
fn what_is_said_of_pods_takes_little_memory() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let results = roots[0].join("var/lib/cni/results");
    let text = a_result(&results);
    let name = &lab.lab.nodes[0].pods[0].name;
    for number in 0..256 {
        let more = format!("\"k8s.v1.cni.cncf.io/networks\":\"{}\"", "n".repeat((1 << 20) - 4096));
        let text = text.replace(name, &format!("big-{number}"));
        let text = text.replace(
            "\"io.kubernetes.cri.pod-annotations\":{}",
            &format!("\"io.kubernetes.cri.pod-annotations\":{{{more}}}"),
        );
        assert!(text.len() > 1_000_000, "{text}");
        fs::write(results.join(format!("k8s-pod-network-{number}-eth0")), text).unwrap();
    }
    let socket = roots[0].join("run/containerd/containerd.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let pods: Vec<Pod> = (0..500).map(|number| Pod::new(&format!("p{number:03}"), &["192.0.2.7"])).collect();
    let _server = Server::start(&socket, move |method, request| {
        if !method.ends_with("Status") {
            return cri::answer(method, &request, &pods);
        }
        let mut pods = pods.clone();
        let path = "n".repeat(1_900_000);
        pods.retain(|pod| request.windows(64).any(|part| part == pod.listed.id.as_bytes()));
        for pod in &mut pods {
            pod.netns.clone_from(&path);
        }
        cri::answer(method, &request, &pods)
    });
    let watch = Watch::start_with(&lab.node(1), &["--host-root", roots[0].to_str().unwrap()]);
    let started = std::time::Instant::now();
    let notes = watch.until("both to be told", |value| {
        let notes = value["notes"].to_string();
        let is_told = notes.contains("reports more than is kept") && notes.contains("too many or too long");
        (is_told && started.elapsed().as_secs() > 12).then_some(notes)
    });
    let peak = peak_mib(watch.pid());
    assert!(peak < 64, "{peak} MiB; {notes}");
}

#[test]
fn a_runtime_that_does_not_answer_is_told_and_files_name_the_pods() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let socket = roots[0].join("run/containerd/containerd.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let root = roots[0].to_str().unwrap();
    let (node, name) = (lab.node(1), lab.lab.nodes[0].pods[0].name.as_str());
    let told = |value: &Value, words: &str| {
        let pod = entry(value, "pods", &[("name", name)]).unwrap();
        assert_eq!(pod["source"], "libcni", "{pod}");
        let notes: Vec<_> = value["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(notes.iter().any(|note| note.contains(words)), "{words}: {notes:?}");
    };
    let show = |more: &[&str]| {
        let output =
            run(&[&["--netns", &node, "--host-root", root], more, &["show", "pods", "--format", "json"]]
                .concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    // One that was left behind.
    let stale = directory.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    told(&show(&["--cri-socket", stale.to_str().unwrap()]), "cannot list pods from the container runtime");
    let silent = UnixListener::bind(&socket).unwrap();
    told(&show(&[]), "did not answer within 2 s");
    let watch = Watch::start_with(&node, &["--host-root", root]);
    told(&watch.next(), "did not answer within 2 s");
    drop(silent);
    told(&show(&[]), "nobody listens there");
}

/// As in a container: other namespaces than the node's, and the node's root directory mounted at a place of its own.
#[test]
fn in_a_container_the_node_is_reached_through_its_root_directory() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let root = roots[0].to_str().unwrap();
    fs::create_dir_all(roots[0].join("proc/1/ns")).unwrap();
    fs::write(roots[0].join("proc/1/ns/net"), "").unwrap();
    fs::remove_file(roots[0].join("run/netns")).unwrap();
    fs::create_dir(roots[0].join("run/netns")).unwrap();
    // The binary may be below what is hidden.
    let script = format!(
        "mount --bind /run/netns/{node} {root}/proc/1/ns/net && mount --rbind /run/netns {root}/run/netns && \
         exec 3<{tool} && mount -t tmpfs none /run && mkdir /run/netns && \
         /proc/self/fd/3 --host-root {root} show pods --format json && \
         /proc/self/fd/3 --host-root {root} watch --count 1 --format jsonl",
        node = lab.node(1),
        tool = binary().display(),
    );
    let text = sh("unshare", &["--mount", "--net", "sh", "-c", &script]);
    let mut documents = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (show, watch) = (documents.next().unwrap(), documents.next().unwrap());
    let name = lab.lab.nodes[0].pods[0].name.as_str();
    let pod = entry(&show, "pods", &[("name", name)]).unwrap();
    assert_eq!((&pod["source"], &pod["interfaces"][0]["name"]), (&"libcni".into(), &"eth0".into()), "{pod}");
    assert!(entry(&watch, "pods", &[("name", name)]).is_some(), "{watch}");
    assert_eq!(watch["tunnels"][0]["name"], "flannel.1");
}

#[test]
fn a_node_without_pods_says_so() {
    let lab = TestLab::up(2, 0, Family::V4);
    let output = run(&["--netns", &lab.node(1), "show", "pods"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("this node has no pods"));
    let output = run(&["--netns", &lab.node(1), "show", "pods", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["pods"].as_array().unwrap().len(), 0);
}
