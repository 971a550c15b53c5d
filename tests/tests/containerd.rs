//! Real pods: what the runtime, libcni's cache and the kernel say of them, and that nothing of them stays.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    env, fs,
    net::IpAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
};

use nix::sys::signal::Signal;
use overlay_probe::{
    lab::{Family, send},
    netns,
};
use probe_tests::{
    base64,
    containerd::{Containerd, Pod, PodSpec, Sandbox},
    judge::{Carried, Counters},
    lab::{TestLab, TestNetns},
    needs, ns, sh,
    tool::{Watch, entry, number, run, run_contained},
    wait_for,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where libcni keeps what plugins answered, on the node.
const CACHE: &str = "var/lib/cni/results";
/// The network of every pod.
const NETWORK: &str = "k8s-pod-network";
/// Multus' annotation.
const REQUESTED: &str = "k8s.v1.cni.cncf.io/networks";

/// Packets, and bytes of their UDP payload.
const COUNT: usize = 50;
const PAYLOAD: usize = 700;

/// A network for the pods of a node's runtime: parts of node 1's pod networks where the lab's own pods are not.
fn network(ranges: &[&str]) -> Value {
    let ranges: Vec<Value> = ranges.iter().map(|subnet| json!([{"subnet": subnet}])).collect();
    json!({
        "cniVersion": "0.3.1",
        "name": NETWORK,
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "mtu": 1430,
            "capabilities": {"io.kubernetes.cri.pod-annotations": true},
            "ipam": {
                "type": "host-local",
                "ranges": ranges,
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }],
    })
}

const V4: &str = "10.42.1.192/26";
const V6: &str = "fd00:42:0:1::c000/114";

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A JSON file of the node.
fn read(containerd: &Containerd, path: &str) -> Value {
    json_of(&fs::read_to_string(containerd.host_root().join(path)).unwrap())
}

/// What `ip -j` says in a pod's namespace.
fn ip(containerd: &Containerd, pod: &Pod, command: &str) -> Value {
    let name = Path::new(pod.netns.as_deref().unwrap()).file_name().unwrap().to_str().unwrap();
    let words: Vec<&str> = ["-d", "-j", "-n", name].into_iter().chain(command.split(' ')).collect();
    json_of(&containerd.on_node(|| sh("ip", &words)))
}

/// Names of the interfaces that are ports of the node's bridge.
fn ports(node: &str) -> Vec<String> {
    let links = ns(node, "ip -j link show master cni0");
    let links: Vec<Value> = serde_json::from_str(&links).unwrap();
    links.iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

/// The runtime, libcni, the address allocator and the kernel agree on a pod.
fn all_agree(containerd: &Containerd, node: &str, pod: &Pod, spec: &PodSpec) {
    let status = containerd.cri().status(&pod.id).unwrap();
    let expected = Sandbox {
        id: pod.id.clone(),
        namespace: spec.namespace.clone(),
        name: spec.name.clone(),
        uid: spec.uid.clone(),
        ready: true,
    };
    assert_eq!(status.sandbox, expected);
    assert_eq!(status.annotations, spec.annotations);
    assert_eq!(status.info["processStatus"], "running");
    let netns = pod.netns.as_deref().unwrap();
    assert!(netns.starts_with("/var/run/netns/cni-"), "{netns}");

    let cached = read(containerd, &format!("{CACHE}/{NETWORK}-{}-eth0", pod.id));
    assert_eq!(cached["kind"], "cniCacheV1");
    assert_eq!(cached["containerId"], pod.id.as_str());
    assert_eq!((&cached["networkName"], &cached["ifName"]), (&NETWORK.into(), &"eth0".into()));
    let file = containerd.host_root().join("etc/cni/net.d/10-bridge.conflist");
    assert_eq!(cached["config"], base64(&fs::read(file).unwrap()));
    for (key, value) in [
        ("K8S_POD_NAMESPACE", &spec.namespace),
        ("K8S_POD_NAME", &spec.name),
        ("K8S_POD_UID", &spec.uid),
        ("K8S_POD_INFRA_CONTAINER_ID", &pod.id),
    ] {
        assert!(cached["cniArgs"].as_array().unwrap().contains(&json!([key, value])), "{cached}");
    }
    let annotations = &cached["capabilityArgs"]["io.kubernetes.cri.pod-annotations"];
    assert_eq!(annotations[REQUESTED].as_str(), spec.annotations.get(REQUESTED).map(String::as_str));
    let interfaces = cached["result"]["interfaces"].as_array().unwrap();
    let names: Vec<&str> = interfaces.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[2], names.len()), ("cni0", "eth0", 3));
    assert_eq!(interfaces[2]["sandbox"], netns);
    assert!(ports(node).contains(&names[1].to_owned()), "{names:?}");
    let told: Vec<String> = pod.addresses.iter().map(IpAddr::to_string).collect();
    let cached: Vec<&str> = cached["result"]["ips"].as_array().unwrap().iter().map(address_of).collect();
    assert_eq!(told, cached);

    for address in &pod.addresses {
        let lease = containerd.host_root().join(format!("var/lib/cni/networks/{NETWORK}/{address}"));
        assert_eq!(fs::read_to_string(lease).unwrap(), format!("{}\r\neth0", pod.id));
    }
    let link = &ip(containerd, pod, "addr show dev eth0")[0];
    assert_eq!((&link["linkinfo"]["info_kind"], &link["mtu"]), (&"veth".into(), &1430.into()));
    let kernel = link["addr_info"].as_array().unwrap().iter().filter(|one| one["scope"] == "global");
    let kernel: Vec<&str> = kernel.map(|one| one["local"].as_str().unwrap()).collect();
    assert_eq!(told, kernel);
}

/// The address in an entry such as `{"address": "192.0.2.1/24"}`.
fn address_of(entry: &Value) -> &str {
    entry["address"].as_str().unwrap().split('/').next().unwrap()
}

/// Sends from a pod to one of another node and back, and has the node's tunnel device say what it carried.
fn through_the_tunnel(lab: &TestLab, containerd: &Containerd, pod: &Pod, ipv6: bool) {
    let (here, there) = (containerd.open(pod).unwrap(), lab.pod(2, 1));
    let (ours, theirs) = (pod.address(ipv6), lab.address(2, 1, ipv6));
    wait_for("neighbours to know each other", || {
        (send::send_udp(&here, &there, theirs, 2, PAYLOAD).unwrap() == 2).then_some(())
    });
    let device = if ipv6 { "flannel-v6.1" } else { "flannel.1" };
    let before = Counters::read_vxlan(&lab.node(1), device);
    assert_eq!(send::send_udp(&here, &there, theirs, COUNT, PAYLOAD).unwrap(), COUNT);
    assert_eq!(send::send_udp(&there, &here, ours, COUNT, PAYLOAD).unwrap(), COUNT);
    let after = Counters::read_vxlan(&lab.node(1), device);
    let headers = if ipv6 { 48 } else { 28 };
    let count = u64::try_from(COUNT).unwrap();
    let expected = Carried { packets: count, bytes: count * u64::try_from(PAYLOAD + headers).unwrap() };
    assert_eq!((after.sent_since(&before), after.received_since(&before)), (expected, expected));
}

/// What `show pods` says on the node, against the runtime and the kernel.
fn as_the_tool_shows_them(containerd: &Containerd, node: &str, pods: &[Pod], specs: &[PodSpec]) {
    let output = containerd.on_node(|| run(&["show", "pods", "--format", "json"]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        value["pods"].as_array().unwrap().len(),
        pods.len() + 1,
        "those and the lab's own, unnamed: {value}"
    );
    for (pod, spec) in pods.iter().zip(specs) {
        let shown = entry(&value, "pods", &[("namespace", &spec.namespace), ("name", &spec.name)]).unwrap();
        assert_eq!((&shown["source"], &shown["uid"]), (&"cri".into(), &pod.uid.as_str().into()));
        let addresses: Vec<String> = pod.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(shown["addresses"], json!(addresses));
        assert_eq!(shown["host_network"], spec.host_network);
        assert_eq!(shown["disagreements"], json!([]), "{shown}");
        assert_eq!(shown["requested_networks"].as_str(), spec.annotations.get(REQUESTED).map(String::as_str));
        if spec.host_network {
            assert!(shown["host_ifname"].is_null() && shown["interfaces"] == json!([]), "{shown}");
            continue;
        }
        assert_eq!(shown["host_evidence"], "libcni-result");
        assert!(ports(node).contains(&shown["host_ifname"].as_str().unwrap().to_owned()), "{shown}");
        let interfaces = shown["interfaces"].as_array().unwrap();
        assert_eq!(interfaces.len(), 1, "{shown}");
        let eth0 = &interfaces[0];
        let judge = &ip(containerd, pod, "addr show dev eth0")[0];
        assert_eq!(
            (&eth0["name"], &eth0["mac"], &eth0["mtu"], &eth0["parent"], &eth0["network"]),
            (&"eth0".into(), &judge["address"], &judge["mtu"], &"cni0".into(), &NETWORK.into())
        );
    }
}

/// Packets of a pod through the tunnel are the pod's, both ways and in both families, although a bridge is between.
fn attributed(lab: &TestLab, containerd: &Containerd, watch: &Watch, pod: &Pod) {
    let packets = |value: &Value| {
        let shown = entry(value, "pods", &[("name", &pod.name)]).unwrap();
        (number(shown, "tx", "packets"), number(shown, "rx", "packets"))
    };
    let (here, there) = (containerd.open(pod).unwrap(), lab.pod(2, 1));
    for ipv6 in [false, true] {
        wait_for("both ways to be open", || {
            let forth = send::send_udp(&here, &there, lab.address(2, 1, ipv6), 2, PAYLOAD).unwrap();
            let back = send::send_udp(&there, &here, pod.address(ipv6), 2, PAYLOAD).unwrap();
            ((forth, back) == (2, 2)).then_some(())
        });
        let (before, count) = (packets(&watch.settled()), u64::try_from(COUNT).unwrap());
        assert_eq!(send::send_udp(&here, &there, lab.address(2, 1, ipv6), COUNT, PAYLOAD).unwrap(), COUNT);
        assert_eq!(send::send_udp(&there, &here, pod.address(ipv6), COUNT, PAYLOAD).unwrap(), COUNT);
        let after = packets(&watch.settled());
        assert_eq!((after.0 - before.0, after.1 - before.1), (count, count), "ipv6 {ipv6}");
    }
}

#[test]
fn pods_of_a_runtime_reach_another_node_and_go() {
    let lab = TestLab::up(2, 1, Family::Dual);
    let node = lab.node(1);
    let containerd = Containerd::start(&node);
    containerd.cni_conf("10-bridge.conflist", &network(&[V4, V6]));
    let specs = [
        PodSpec::new("shop", "cart-0").annotated(REQUESTED, "storage/macvlan-net@net1"),
        PodSpec::new("shop", "frontend-0"),
        PodSpec { host_network: true, ..PodSpec::new("kube-system", "rke2-canal-0") },
    ];
    let pods = [0, 1, 2].map(|index: usize| containerd.run_pod(&specs[index]));
    // The lab's nodes make no addresses by themselves, and without one of the link the kernel asks for no neighbour of what
    // it forwards (`ndisc_solicit`): pods would be reached only as long as their own questions are remembered.
    ns(&node, "ip addr add fe80::c1/64 dev cni0 nodad");
    for (pod, spec) in pods.iter().zip(&specs).take(2) {
        all_agree(&containerd, &node, pod, spec);
    }
    let addresses: Vec<String> = pods.iter().flat_map(|pod| &pod.addresses).map(IpAddr::to_string).collect();
    assert_eq!(addresses, ["10.42.1.194", "fd00:42:0:1::c002", "10.42.1.195", "fd00:42:0:1::c003"]);
    assert_eq!((&pods[2].addresses, &pods[2].netns), (&vec![], &None), "it is on the node's network");
    let names: Vec<String> = containerd.cri().list().into_iter().map(|sandbox| sandbox.name).collect();
    assert_eq!(names, ["rke2-canal-0", "cart-0", "frontend-0"], "by namespace");
    for pod in &pods[..2] {
        through_the_tunnel(&lab, &containerd, pod, false);
        through_the_tunnel(&lab, &containerd, pod, true);
    }

    as_the_tool_shows_them(&containerd, &node, &pods, &specs);
    let watch = containerd.on_node(|| Watch::start("/proc/self/ns/net"));
    attributed(&lab, &containerd, &watch, &pods[0]);
    // One comes and all go while it watches.
    let late = containerd.run_pod(&PodSpec::new("shop", "late-0"));
    let named = |value: &Value, name: &str| entry(value, "pods", &[("name", name)]).cloned();
    let shown = watch.until("the new pod", |value| named(value, "late-0"));
    assert_eq!(
        (&shown["source"], &shown["addresses"][0]),
        (&"cri".into(), &late.address(false).to_string().into())
    );
    containerd.remove_pod(&late);
    watch.until("the pod to go", |value| named(value, "late-0").is_none().then_some(()));
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));

    for pod in &pods {
        containerd.remove_pod(pod);
        assert!(containerd.cri().status(&pod.id).is_err(), "{} is still known", pod.name);
    }
    assert_eq!(containerd.cri().list(), []);
    assert_eq!(containerd.files(CACHE), [""; 0]);
    assert_eq!(containerd.files("run/netns"), [""; 0]);
    let leases = containerd.files(&format!("var/lib/cni/networks/{NETWORK}"));
    assert_eq!(leases, ["last_reserved_ip.0", "last_reserved_ip.1", "lock"]);
    assert_eq!(ports(&node), [""; 0]);
}

#[test]
fn what_runs_on_the_node_or_in_a_container_of_it_finds_its_files() {
    let lab = TestLab::up(2, 1, Family::V4);
    let containerd = Containerd::start(&lab.node(1));
    containerd.cni_conf("10-bridge.conflist", &network(&[V4]));
    let pod = containerd.run_pod(&PodSpec::new("shop", "cart-0"));
    let cached = format!("/{CACHE}/{NETWORK}-{}-eth0", pod.id);
    for own in [pod.netns.as_deref().unwrap(), &cached] {
        assert!(!Path::new(own).exists(), "{own} is the node's, not the machine's");
    }
    let seen = |root: &str| {
        let root = Path::new(root);
        let netns =
            netns::open(root.join("run/netns").join(&containerd.files("run/netns")[0]).to_str().unwrap());
        let here = fs::metadata("/proc/thread-self/ns/net").unwrap();
        (
            root.join("run/containerd/containerd.sock").exists(),
            fs::read_dir(root.join(CACHE)).map_or(0, Iterator::count),
            netns.ok().map(|netns| netns.identity().unwrap()),
            std::os::linux::fs::MetadataExt::st_ino(&here),
        )
    };
    let identity = containerd.open(&pod).unwrap().identity().unwrap();
    let nodes = netns::open(&lab.node(1)).unwrap().identity().unwrap().1;
    let all = (true, 2, Some(identity), nodes);
    assert_eq!(containerd.on_node(|| seen("/")), all);
    assert_eq!(containerd.in_container(|| seen("/host")), all);
    assert_eq!(containerd.in_container(|| seen("/")), (false, 0, None, nodes));
    assert_eq!(seen(containerd.host_root().to_str().unwrap()).2, Some(identity));

    // The tool, in one place after the other.
    let (here, there) = (containerd.open(&pod).unwrap(), lab.pod(2, 1));
    for contained in [false, true] {
        let more: &[&str] = if contained { &["--host-root", "/host"] } else { &[] };
        let start = || Watch::start_with("/proc/self/ns/net", more);
        let watch = if contained { containerd.in_container(start) } else { containerd.on_node(start) };
        assert!(send::send_udp(&here, &there, lab.address(2, 1, false), COUNT, PAYLOAD).unwrap() > 0);
        let value = watch.settled();
        let named = entry(&value, "pods", &[("namespace", "shop"), ("name", "cart-0")]).unwrap();
        assert_eq!((&named["source"], &named["uid"]), (&"cri".into(), &pod.uid.as_str().into()));
        assert!(number(named, "tx", "packets") > 0, "contained {contained}: {named}");
        let tunnel = entry(&value, "tunnels", &[("name", "flannel.1")]).unwrap();
        assert!(number(tunnel, "tx", "packets") > 0, "contained {contained}: {tunnel}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

/// The checks that a `check` could not judge.
fn not_judged(check: &Output) -> Vec<String> {
    let document: Value = serde_json::from_slice(&check.stdout).unwrap_or_default();
    assert!(document["schema_version"] == 1, "{}", String::from_utf8_lossy(&check.stderr));
    assert!(document["reason"].is_null(), "{document:#}");
    let unjudged = document["not_judged"].as_array().unwrap();
    unjudged.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Not `privileged`: five capabilities, the node's root directory to read, and one directory of it to write.
#[test]
fn a_container_needs_five_capabilities_and_two_mounts() {
    let lab = TestLab::up(2, 1, Family::V4);
    let containerd = Containerd::start(&lab.node(1));
    containerd.cni_conf("10-bridge.conflist", &network(&[V4]));
    let pod = containerd.run_pod(&PodSpec::new("shop", "cart-0"));
    let (here, there) = (containerd.open(&pod).unwrap(), lab.pod(2, 1));
    // The kubelet makes a directory that is to be mounted and is not there (`DirectoryOrCreate`).
    let records = containerd.host_root().join("run/overlay-probe");
    fs::create_dir(&records).unwrap();
    // `/proc` there is the machine's: the node's first process is this one.
    let node = format!("/host/proc/{}/ns/net", containerd.pid());
    let uncontained =
        containerd.on_node(|| run(&["--netns", "/proc/self/ns/net", "check", "--format", "json"]));
    for attach in needs::ways() {
        let more = ["--netns", &node, "--host-root", "/host", "--attach", attach];
        let (watch, check) = containerd.in_container(|| {
            sh("mount", &["--bind", "/host/run/overlay-probe", "/host/run/overlay-probe"]);
            sh("mount", &["-o", "remount,bind,ro", "/host"]);
            assert!(fs::write("/host/run/x", "").is_err() && fs::write("/host/etc/cni/x", "").is_err());
            // A network of its own, as pods have one that does not ask for the node's.
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let check = run_contained(&[&more[..4], &["check", "--format", "json"]].concat());
            (Watch::start_contained(&more), check)
        });
        assert_eq!(not_judged(&check), not_judged(&uncontained), "with more, no more can be judged");

        assert!(send::send_udp(&here, &there, lab.address(2, 1, false), COUNT, PAYLOAD).unwrap() > 0);
        let value = watch.settled();
        let named = entry(&value, "pods", &[("namespace", "shop"), ("name", "cart-0")]).unwrap();
        assert_eq!((&named["source"], &named["uid"]), (&"cri".into(), &pod.uid.as_str().into()));
        assert!(number(named, "tx", "packets") > 0, "{attach}: {named}");
        // That takes CAP_SYS_ADMIN, as does a look into pods' namespaces.
        // They are of programs that ran in the one interval of ten that times them.
        watch.until("times of programs", |value| {
            send::send_udp(&here, &there, lab.address(2, 1, false), 1, PAYLOAD).unwrap();
            let mut programs = value["self"]["programs"].as_array().unwrap().iter();
            programs.find_map(|program| program["ns_per_run"].as_f64())
        });
        assert_eq!(named["interfaces"][0]["name"], "eth0", "{named}");
        let notes = fs::read_dir(records.join("run")).map_or(0, Iterator::count);
        assert_eq!(notes, usize::from(attach == "clsact"), "the record is the node's");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
        assert_eq!(fs::read_dir(records.join("run")).map_or(0, Iterator::count), 0);
    }
}

/// A secondary interface: the plugin, what it is told, and what `ip -d link` must say of it, each with where it says so.
struct Secondary {
    plugin: &'static str,
    settings: Value,
    seen: &'static [(&'static str, &'static str)],
}

impl Secondary {
    /// Its network, as a NetworkAttachmentDefinition has it.
    fn configuration(&self, number: usize) -> Value {
        let mut configuration = json!({
            "cniVersion": "0.3.1",
            "name": format!("{}-net", self.plugin),
            "type": self.plugin,
            "ipam": {"type": "static", "addresses": [{"address": format!("198.18.{number}.7/24")}]},
        });
        let all = configuration.as_object_mut().unwrap();
        all.extend(self.settings.as_object().unwrap().clone());
        configuration
    }
}

/// A second NIC of a node, with its other end in the peer: `port`, with the number's first address on `gate`, which is the
/// same or a VLAN of it.
fn second_nic(node: &str, peer: &str, number: usize, gate: &str) {
    let port = format!("port{number}");
    ns(node, &format!("ip link add name {port} mtu 1400 type veth peer name {port} mtu 1400 netns {peer}"));
    for node in [node, peer] {
        ns(node, &format!("ip link set {port} up"));
    }
    if gate != port {
        ns(peer, &format!("ip link add link {port} name {gate} up type vlan id 100"));
    }
    ns(peer, &format!("ip addr add 198.18.{number}.1/24 dev {gate}"));
}

/// Gives one pod all of these, looks at each, has it carry packets, and takes them away. The first is `net1` and has
/// `port1` of the node below it, and so on.
fn with_secondaries(secondaries: &[Secondary]) {
    let lab = TestLab::up(2, 1, Family::V4);
    let (node, peer) = (lab.node(1), lab.node(2));
    let containerd = Containerd::start(&node);
    containerd.cni_conf("10-bridge.conflist", &network(&[V4]));
    let definition = |secondary: &Secondary| format!("storage/{}-net", secondary.plugin);
    let requested: Vec<String> = secondaries.iter().map(definition).collect();
    let pod = containerd.run_pod(&PodSpec::new("shop", "cart-0").annotated(REQUESTED, &requested.join(",")));
    for (number, secondary) in (1..).zip(secondaries) {
        let (port, net) = (format!("port{number}"), format!("net{number}"));
        second_nic(&node, &peer, number, if secondary.plugin == "vlan" { "gate" } else { &port });
        let configuration = secondary.configuration(number);
        let result = containerd.attach(&pod, &definition(secondary), &net, &configuration);
        let inside = result["interfaces"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (inside["name"].as_str(), inside["sandbox"].as_str()),
            (Some(&*net), pod.netns.as_deref())
        );
        let name = configuration["name"].as_str().unwrap();
        let cached = read(&containerd, &format!("var/lib/cni/multus/results/{name}-{}-{net}", pod.id));
        assert_eq!((&cached["networkName"], &cached["result"]), (&name.into(), &result));

        let link = &ip(&containerd, &pod, &format!("addr show dev {net}"))[0];
        for (at, value) in secondary.seen {
            let seen =
                link.pointer(at).map(|seen| seen.as_str().map_or_else(|| seen.to_string(), str::to_owned));
            assert_eq!(seen.as_deref(), Some(*value), "{at} of {link}");
        }
        if let Some(bridge) = configuration["bridge"].as_str() {
            ns(&node, &format!("ip link set {port} master {bridge}"));
        }
        let (here, there) = (containerd.open(&pod).unwrap(), netns::open(&peer).unwrap());
        let to = format!("198.18.{number}.1").parse().unwrap();
        wait_for("the interface to carry packets", || {
            (send::send_udp(&here, &there, to, 2, PAYLOAD).unwrap() == 2).then_some(())
        });
    }
    let output = containerd.on_node(|| run(&["show", "pods", "--format", "json"]));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = entry(&value, "pods", &[("name", "cart-0")]).unwrap();
    assert_eq!(shown["requested_networks"], requested.join(","));
    let interfaces = shown["interfaces"].as_array().unwrap();
    for (number, secondary) in (1..).zip(secondaries) {
        let name = format!("net{number}");
        let seen = interfaces.iter().find(|one| one["name"] == name.as_str()).unwrap();
        assert_eq!(seen["network"], secondary.configuration(number)["name"], "{seen}");
        assert_eq!(seen["addresses"], json!([format!("198.18.{number}.7/24")]));
        let parent = match secondary.plugin {
            "bridge" => secondary.settings["bridge"].clone(),
            // The other end is another node's.
            "host-device" => Value::Null,
            _ => secondary.settings["master"].clone(),
        };
        assert_eq!(seen["parent"], parent, "{seen}");
    }
    let noted = read(&containerd, &format!("var/lib/cni/multus/{}", pod.id));
    let noted: Vec<&str> =
        noted.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect();
    assert_eq!(
        (noted[0], &noted[1..]),
        (NETWORK, &requested.iter().map(String::as_str).collect::<Vec<_>>()[..])
    );

    containerd.remove_pod(&pod);
    assert_eq!(containerd.files("var/lib/cni/multus"), ["results"]);
    assert_eq!(containerd.files("var/lib/cni/multus/results"), [""; 0]);
    for number in 1..=secondaries.len() {
        // Also when it was in the pod itself.
        ns(&node, &format!("ip link show dev port{number}"));
    }
}

const KIND: &str = "/linkinfo/info_kind";
const MODE: &str = "/linkinfo/info_data/mode";

#[test]
fn secondary_interfaces_of_three_plugins() {
    needs!(Macvlan);
    with_secondaries(&[
        Secondary {
            plugin: "bridge",
            settings: json!({"bridge": "br7", "mtu": 1300}),
            seen: &[(KIND, "veth"), ("/mtu", "1300")],
        },
        Secondary {
            plugin: "host-device",
            settings: json!({"device": "port2"}),
            seen: &[(KIND, "veth"), ("/mtu", "1400")],
        },
        Secondary {
            plugin: "macvlan",
            settings: json!({"master": "port3", "mode": "bridge"}),
            seen: &[(KIND, "macvlan"), (MODE, "bridge"), ("/mtu", "1400")],
        },
    ]);
}

#[test]
fn secondary_interfaces_that_few_kernels_lack() {
    needs!(Ipvlan);
    needs!(Vlan);
    with_secondaries(&[
        Secondary {
            plugin: "ipvlan",
            settings: json!({"master": "port1", "mode": "l2"}),
            seen: &[(KIND, "ipvlan"), (MODE, "l2"), ("/mtu", "1400")],
        },
        Secondary {
            plugin: "vlan",
            settings: json!({"master": "port2", "vlanId": 100}),
            seen: &[(KIND, "vlan"), ("/linkinfo/info_data/id", "100"), ("/mtu", "1400")],
        },
    ]);
}

/// Tells a second process of this test to be the one that is killed: the node's namespace, and where to write that it is
/// ready.
const TO_BE_KILLED: &str = "OVERLAY_PROBE_TO_BE_KILLED";

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_test_that_is_killed_leaves_nothing_behind() {
    if let Some(what) = env::var_os(TO_BE_KILLED) {
        let what = what.into_string().unwrap();
        let (node, ready) = what.split_once(' ').unwrap();
        let containerd = Containerd::start(node);
        containerd.cni_conf("10-bridge.conflist", &network(&[V4]));
        let pod = containerd.run_pod(&PodSpec::new("shop", "cart-0"));
        fs::write(ready, pod.id).unwrap();
        loop {
            thread::park();
        }
    }
    let node = TestNetns::new("killed");
    let directory = TempDir::new().unwrap();
    let ready = directory.path().join("ready");
    let name = "a_test_that_is_killed_leaves_nothing_behind";
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1"])
        .env(TO_BE_KILLED, format!("{} {}", node.name(), ready.display()))
        .stdout(Stdio::null())
        .spawn();
    let child = Killed(child.unwrap());
    let id = wait_for("a pod", || fs::read_to_string(&ready).ok().filter(|id| !id.is_empty()));
    assert_eq!(ports(node.name()).len(), 1);
    let processes = || {
        let found = fs::read_dir("/proc").unwrap().flatten();
        found
            .filter(|one| fs::read_to_string(one.path().join("cgroup")).is_ok_and(|text| text.contains(&id)))
            .count()
    };
    assert_eq!(processes(), 1);
    drop(child);
    wait_for("the pod's process to go", || (processes() == 0).then_some(()));
    // The other end goes with the pod's namespace.
    wait_for("the pod's namespace to go", || ports(node.name()).is_empty().then_some(()));
    // The next run finds the way clear, and removes what the kernel does not.
    let cgroups = || sh("find", &["/sys/fs/cgroup", "-name", &id]);
    assert_ne!(cgroups(), "");
    drop(Containerd::start(node.name()));
    assert_eq!(cgroups(), "");
}
