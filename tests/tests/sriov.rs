//! Real virtual functions: whose they are, what is set, what they carried. Needs a NIC with SR-IOV; the virtual machines
//! have an Intel 82576 (igb), whose driver counts nothing for its VFs.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    net::IpAddr,
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use overlay_probe::{lab::send, netns};
use probe_tests::{
    cri,
    hostroot::HostRoot,
    judge::{Carried, Tcpdump},
    kernel::{Held, filters, has_clsact},
    lab::TestNetns,
    needs,
    needs::{Feature, ways},
    ns, sh,
    terminal::Terminal,
    tool::{Watch, binary, run},
    wait_for,
};
use serde_json::Value;

/// The machine's PF with two VFs, which go with this.
struct Nic {
    device: PathBuf,
}

impl Nic {
    fn up() -> Self {
        let devices = fs::read_dir("/sys/bus/pci/devices").unwrap().flatten().map(|entry| entry.path());
        let device = devices.into_iter().find(|device| device.join("sriov_totalvfs").exists()).unwrap();
        let nic = Self { device };
        // A VF's driver asks the PF for its address, which answers only when it is up.
        nic.set_count(0);
        sh("modprobe", &["igbvf"]);
        sh("ip", &["link", "set", &nic.pf(), "up"]);
        wait_for("the PF's link", || {
            sh("ip", &["link", "show", &nic.pf()]).contains("LOWER_UP").then_some(())
        });
        nic.set_count(2);
        for index in 0..2 {
            wait_for("a VF's interface", || nic.interface(index));
        }
        nic
    }

    fn set_count(&self, count: u32) {
        fs::write(self.device.join("sriov_numvfs"), count.to_string()).unwrap();
    }

    /// Name of the PF's interface.
    fn pf(&self) -> String {
        wait_for("the PF's interface", || only_entry(&self.device.join("net")))
    }

    /// PCI address of a VF.
    fn pci(&self, index: u32) -> String {
        let link = fs::read_link(self.device.join(format!("virtfn{index}"))).unwrap();
        link.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Name of a VF's interface, while it is in the node's namespace.
    fn interface(&self, index: u32) -> Option<String> {
        only_entry(&self.device.join(format!("virtfn{index}/net")))
    }

    /// Moves a VF into a namespace as `net1`, with an address.
    fn give(&self, index: u32, to: &TestNetns, address: &str) {
        let name = self.interface(index).unwrap();
        sh("ip", &["link", "set", &name, "netns", to.name(), "name", "net1"]);
        to.ip(&format!("addr add {address} dev net1 nodad\nlink set net1 up"));
        wait_for("the VF's link", || ns(to.name(), "ip link show net1").contains("LOWER_UP").then_some(()));
    }

    /// Gives both VFs to pods as 192.0.2.1 and .2, with nothing on the wire but what is sent.
    fn give_both(&self, name: &str) -> [TestNetns; 2] {
        let pods = [0, 1].map(|pod| TestNetns::new(&format!("{name}{pod}")));
        for (pod, index) in pods.iter().zip(0..) {
            ns(pod.name(), "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
            self.give(index, pod, &format!("192.0.2.{}/24", index + 1));
        }
        for (pod, other) in [(0, 1), (1, 0)] {
            let mac = mac(pods[other].name(), "net1");
            pods[pod].ip(&format!("neigh add 192.0.2.{} lladdr {mac} dev net1 nud permanent", other + 1));
        }
        pods
    }
}

fn mac(netns: &str, interface: &str) -> String {
    let text = ns(netns, &format!("ip -j link show dev {interface}"));
    serde_json::from_str::<Value>(&text).unwrap()[0]["address"].as_str().unwrap().to_owned()
}

/// Who counts a VF that has an interface, on this kernel.
fn counter() -> &'static str {
    if Feature::Tcx.missing().is_none() { "ebpf" } else { "interface" }
}

impl Drop for Nic {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = fs::write(self.device.join("sriov_numvfs"), "0");
    }
}

fn only_entry(directory: &std::path::Path) -> Option<String> {
    let name = fs::read_dir(directory).ok()?.flatten().next()?.file_name();
    name.into_string().ok()
}

fn show(more: &[&str]) -> Value {
    let output = run(&[&["show", "vfs", "--format", "json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn vf(value: &Value, index: usize) -> &Value {
    &value["vfs"][index]
}

/// libcni's cache file for an interface of a pod. The configuration is the base64 of `{"deviceID":"<address>"}`.
fn cached(pod: &str, netns: &str, device: Option<&str>) -> String {
    let config = device.map(|device| format!("{{\"deviceID\":\"{device}\"}}")).unwrap_or_default();
    let config = probe_tests::base64(config.as_bytes());
    format!(
        r#"{{"kind":"cniCacheV1","containerId":"c-{pod}","config":"{config}","ifName":"net1","networkName":"sriov-net",
        "cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","{pod}"]],
        "result":{{"interfaces":[{{"name":"net1","sandbox":"/var/run/netns/{netns}"}}]}}}}"#
    )
}

#[test]
fn vfs_in_pods_with_what_they_carried() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = [TestNetns::new("vfa"), TestNetns::new("vfb")];
    nic.give(0, &pods[0], "192.0.2.1/24");
    nic.give(1, &pods[1], "192.0.2.2/24");
    let [a, b] = [0, 1].map(|pod: usize| netns::open(pods[pod].name()).unwrap());
    let to: IpAddr = "192.0.2.2".parse().unwrap();
    // A VF's ring may overflow, as on any NIC: then the interface has not received it either.
    assert!(send::send_udp(&a, &b, to, 200, 700).unwrap() > 0);

    // igbvf reads its counters every two seconds, and forgets what it had not read when its link is reset: how much it
    // counts is its affair, that the same is shown is ours.
    wait_for("packets to be counted", || {
        let value = show(&[]);
        let count = |index, field: &str| vf(&value, index)["traffic"][field].as_u64();
        (count(0, "tx_packets")? > 0 && count(1, "rx_packets")? > 0).then_some(())
    });

    let host = HostRoot::new(&[(
        "var/lib/cni/results/sriov-net-c1-net1",
        cached("cart-0", pods[0].name(), Some(&nic.pci(0))),
    )]);
    let value = show(&["--host-root", host.arg()]);
    assert_eq!(value["vfs"].as_array().unwrap().len(), 2);
    for (index, pod) in pods.iter().enumerate() {
        let vf = vf(&value, index);
        let number = u32::try_from(index).unwrap();
        assert_eq!((&vf["index"], &vf["pci_address"]), (&number.into(), &nic.pci(number).into()));
        assert_eq!(
            (&vf["pf"], &vf["pf_driver"], &vf["driver"]),
            (&nic.pf().into(), &"igb".into(), &"igbvf".into())
        );
        assert_eq!(
            (&vf["interface"]["name"], &vf["interface"]["netns"]),
            (&"net1".into(), &pod.name().into())
        );
        // The judge; nothing is sent any more, but a VF's driver updates its counters when it likes.
        let traffic = wait_for("the counters to settle", || {
            let before = counters(pod);
            let value = show(&[]);
            let shown = self::vf(&value, index)["traffic"].clone();
            (before == counters(pod)).then_some((shown, before))
        });
        assert_eq!(traffic.0["counted_by"], "interface");
        for field in ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes"] {
            let (direction, counter) = field.split_once('_').unwrap();
            assert_eq!(traffic.0[field], traffic.1[direction][counter], "{field} of VF {index}");
        }
    }
    assert_eq!(vf(&value, 0)["pod"]["name"], "cart-0");
    assert_eq!(
        (&vf(&value, 0)["pod"]["network"], &vf(&value, 0)["pod"]["source"]),
        (&"sriov-net".into(), &"libcni-device".into())
    );
    assert!(vf(&value, 1)["pod"].is_null(), "nobody knows the other pod's name");

    // It moves to the other pod.
    pods[0].ip(&format!("link set net1 netns {} name net2", pods[1].name()));
    let value = show(&[]);
    assert_eq!(vf(&value, 0)["interface"]["name"], "net2");
    assert_eq!(vf(&value, 0)["interface"]["netns"], pods[1].name());
}

fn counters(pod: &TestNetns) -> Value {
    let text = ns(pod.name(), "ip -j -s link show dev net1");
    serde_json::from_str::<Value>(&text).unwrap()[0]["stats64"].clone()
}

#[test]
fn what_the_pf_sets_is_shown_and_zeros_of_its_driver_are_not() {
    needs!(Sriov);
    let nic = Nic::up();
    let pod = TestNetns::new("vfs");
    let pf = nic.pf();
    for setting in ["mac 02:00:00:00:00:77", "vlan 100 qos 3", "spoofchk off", "trust on"] {
        let words: Vec<&str> =
            ["link", "set", &pf, "vf", "1"].into_iter().chain(setting.split(' ')).collect();
        sh("ip", &words);
    }
    nic.give(0, &pod, "192.0.2.1/24");
    let value = show(&[]);
    let settings = &vf(&value, 1)["settings"];
    assert_eq!(settings["mac"], "02:00:00:00:00:77");
    assert_eq!((&settings["vlan"]["id"], &settings["vlan"]["qos"]), (&100.into(), &3.into()));
    assert_eq!((&settings["spoof_check"], &settings["trust"]), (&false.into(), &true.into()));
    sh("ip", &["link", "set", &pf, "vf", "1", "vlan", "0"]);
    sh("ip", &["link", "set", &pf, "vf", "1", "spoofchk", "on"]);
    let value = show(&[]);
    let settings = &vf(&value, 1)["settings"];
    assert!(settings["vlan"].is_null());
    assert_eq!(settings["spoof_check"], true);
}

#[test]
fn a_vf_of_vfio_has_the_pfs_view_and_its_pod() {
    needs!(Sriov);
    let nic = Nic::up();
    sh("modprobe", &["vfio-pci"]);
    let pci = nic.pci(1);
    let device = PathBuf::from("/sys/bus/pci/devices").join(&pci);
    fs::write(device.join("driver_override"), "vfio-pci").unwrap();
    fs::write(device.join("driver/unbind"), &pci).unwrap();
    fs::write("/sys/bus/pci/drivers_probe", &pci).unwrap();
    let pod = TestNetns::new("dpdk");
    let host =
        HostRoot::new(&[("var/lib/cni/results/sriov-net-c2-net1", cached("dpdk-0", pod.name(), Some(&pci)))]);
    let root = host.arg();
    let value = show(&["--host-root", root]);
    let seen = vf(&value, 1);
    assert_eq!((&seen["driver"], &seen["pod"]["name"]), (&"vfio-pci".into(), &"dpdk-0".into()));
    assert!(seen["interface"].is_null() && seen["iommu_group"].is_u64(), "{seen}");
    assert_eq!(seen["traffic"]["counted_by"], "not-counted-by-the-driver");
    let table = String::from_utf8(run(&["show", "vfs", "--host-root", root]).stdout).unwrap();
    assert!(
        table.contains("vfio-pci") && table.contains("shop/dpdk-0") && table.contains("not by driver"),
        "{table}"
    );
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
}

/// The kubelet and the container runtime, with what files say of sandboxes: nothing of the VFs is in any pod's namespace.
#[test]
fn who_has_a_vf_by_the_kubelet_and_the_runtime() {
    needs!(Sriov);
    let nic = Nic::up();
    let [first, second] = [nic.pci(0), nic.pci(1)];
    let id = cri::id("noted-0");
    let info = format!(r#"{{"type":"pci","version":"1.1.0","pci":{{"pci-address":"{second}"}}}}"#);
    let host = HostRoot::new(&[(&format!("run/k8s.cni.cncf.io/devinfo/cni/sriov-net-{id}_net1"), info)]);
    host.link("var/run", "/run");
    let show = || show(&["--host-root", host.arg()]);
    let pod = |value: &Value, index| {
        let pod = vf(value, index)["pod"].clone();
        [&pod["namespace"], &pod["name"], &pod["network"], &pod["source"]]
            .map(|value| value.as_str().map(str::to_owned))
    };
    let expected = |words: [&str; 4]| words.map(|word| Some(word.to_owned()).filter(|word| !word.is_empty()));
    let notes = |value: &Value| value["notes"].to_string();

    let value = show();
    assert!(
        vf(&value, 0)["pod"].is_null() && vf(&value, 1)["pod"].is_null(),
        "nobody is there to tell: {value}"
    );
    assert!(notes(&value).contains("the kubelet's pod-resources socket is not there"), "{value}");

    let pods = Arc::new(Mutex::new(vec![cri::Pod::new("noted-0", &["192.0.2.7"])]));
    let _runtime = cri::runtime(&host.path().join("run/containerd/containerd.sock"), &pods);
    let kubelet = cri::kubelet(host.path(), &[("shop", "dpdk-0", "example.com/sriov", &first)]);
    let value = show();
    assert_eq!(pod(&value, 0), expected(["shop", "dpdk-0", "", "kubelet"]));
    assert_eq!(pod(&value, 1), expected(["shop", "noted-0", "sriov-net", "device-info"]));
    assert_eq!(notes(&value), "[]");
    let table = String::from_utf8(run(&["show", "vfs", "--host-root", host.arg()]).stdout).unwrap();
    assert!(table.contains("shop/dpdk-0") && table.contains("shop/noted-0 (sriov-net)"), "{table}");
    drop(kubelet);

    // What sriov-cni has set up is stronger, and the other word is kept.
    let _kubelet = cri::kubelet(host.path(), &[("shop", "noted-0", "example.com/sriov", &first)]);
    pods.lock().unwrap().push(cri::Pod::new("cart-0", &["192.0.2.8"]));
    let configuration = host.path().join(format!("var/lib/cni/sriov/{}-net1", cri::id("cart-0")));
    fs::create_dir_all(configuration.parent().unwrap()).unwrap();
    fs::write(&configuration, format!(r#"{{"name":"sriov-net","deviceID":"{first}","vlan":100}}"#)).unwrap();
    let value = show();
    assert_eq!(pod(&value, 0), expected(["shop", "cart-0", "sriov-net", "sriov-cni"]));
    assert_eq!(vf(&value, 0)["disputed_by"][0]["name"], "noted-0");
    assert!(notes(&value).contains("the kubelet says shop/noted-0"), "{value}");
    // Its sandbox ends: what the file says is left over.
    pods.lock().unwrap().pop();
    assert_eq!(pod(&show(), 0), expected(["shop", "noted-0", "", "kubelet"]));
}

#[test]
fn a_kubelet_that_does_not_answer_is_told_and_files_name_the_pod() {
    needs!(Sriov);
    let nic = Nic::up();
    let pod = TestNetns::new("silent");
    let file = cached("cart-0", pod.name(), Some(&nic.pci(0)));
    let host = HostRoot::new(&[("var/lib/cni/results/sriov-net-c1-net1", file)]);
    let socket = host.path().join("var/lib/kubelet/pod-resources/kubelet.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let says = |words: &str| {
        let value = show(&["--host-root", host.arg()]);
        assert_eq!(vf(&value, 0)["pod"]["name"], "cart-0");
        assert!(value["notes"].to_string().contains(words), "{value}");
    };
    let silent = UnixListener::bind(&socket).unwrap();
    says("did not answer within 2 s");
    drop(silent);
    says("refused, nobody listens there");
}

#[test]
fn vfs_that_vanish_and_a_driver_that_is_loaded_again() {
    needs!(Sriov);
    let nic = Nic::up();
    assert_eq!(show(&[])["vfs"].as_array().unwrap().len(), 2);
    nic.set_count(0);
    let output = run(&["show", "vfs"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("sriov_numvfs is 0"));
    sh("modprobe", &["-r", "igb"]);
    assert_eq!(run(&["show", "vfs"]).status.code(), Some(3));
    sh("modprobe", &["igb"]);
    let pf = nic.pf();
    sh("ip", &["link", "set", &pf, "up"]);
    nic.set_count(1);
    let value = wait_for("the VF again", || {
        let value = show(&[]);
        vf(&value, 0)["interface"]["name"].is_string().then_some(value)
    });
    assert_eq!((&vf(&value, 0)["pf"], &vf(&value, 0)["pf_driver"]), (&pf.into(), &"igb".into()));
}

#[test]
fn links_of_pf_and_vfs_have_their_roles() {
    needs!(Sriov);
    let nic = Nic::up();
    let output = run(&["show", "links", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let roles = |name: &str| {
        let mut links = value["links"].as_array().unwrap().iter();
        links.find(|link| link["name"] == name).unwrap()["roles"].to_string()
    };
    assert!(roles(&nic.pf()).contains("physical-function"), "{value}");
    for index in 0..2 {
        assert!(roles(&nic.interface(index).unwrap()).contains("virtual-function"), "{value}");
    }
}

#[test]
fn a_nic_is_of_the_node_that_has_its_interface() {
    needs!(Sriov);
    let nic = Nic::up();
    let other = TestNetns::new("other");
    for command in [&["show", "vfs"][..], &["watch", "--count", "1"]] {
        let output = run(&[&["--netns", other.name()], command].concat());
        assert_eq!(output.status.code(), Some(3), "{command:?}");
        assert_eq!(output.stdout, b"");
    }
    assert_eq!(show(&[])["vfs"].as_array().unwrap().len(), 2);
    // As the host-device plugin does with a whole NIC; its VFs stay where they are.
    let pf = nic.pf();
    sh("ip", &["link", "set", &pf, "netns", other.name()]);
    assert_eq!(vf(&show(&[]), 0)["pf"], pf.as_str());
    other.ip(&format!("link set {pf} netns 1"));
}

#[test]
fn a_watch_without_tunnels_follows_vfs() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = [TestNetns::new("wfa"), TestNetns::new("wfb")];
    nic.give(0, &pods[0], "192.0.2.1/24");
    nic.give(1, &pods[1], "192.0.2.2/24");
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
    nic.give(0, &pod, "192.0.2.1/24");
    let terminal = Terminal::run("vfs", (80, 24), &format!("{} top", binary().display()));
    let screen = terminal.wait_for("all VFs");
    assert!(!screen.contains("TUNNEL▲") && screen.contains("COUNTED BY"), "{screen}");
    terminal.keys(&["5"]);
    terminal.keys(&["/"]);
    terminal.keys(&[&nic.pci(0), "Enter"]);
    let name = format!("{} vf 0", nic.pf());
    let row = wait_for("the VF's rates", || {
        let screen = terminal.screen();
        let row = screen.lines().find(|line| line.contains(&name) && !line.contains('─'))?;
        (screen.contains("spoof check") && !row.contains(" - ")).then(|| row.to_owned())
    });
    assert!(row.contains("in netns") && row.trim_end().ends_with("interface"), "{row}");
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
    nic.give(0, &pod, "192.0.2.1/24");
    let watch = Watch::start("/proc/self/ns/net");
    watch.until("the VF in the pod", |value| {
        let vf = vf(value, 0);
        (vf["interface"]["netns"] == pod.name() && vf["traffic"]["counted_by"] == counter()).then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(watch.pid()).unwrap());
    // Between two looks into the namespace, which take a thread and a file of the namespace each.
    wait_for("the probe at rest", || {
        kill(pid, Signal::SIGSTOP).unwrap();
        let entries = |directory: &str| fs::read_dir(format!("/proc/{pid}/{directory}")).unwrap().flatten();
        let is_netns =
            |path: PathBuf| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("net:"));
        let stopped = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ");
        let rests =
            stopped && entries("task").count() == 1 && !entries("fd").any(|entry| is_netns(entry.path()));
        if !rests {
            kill(pid, Signal::SIGCONT).unwrap();
        }
        rests.then_some(())
    });
    drop(pod);
    wait_for("the VF at the node", || nic.interface(0));
    kill(pid, Signal::SIGCONT).unwrap();
    watch.until("the VF shown at the node", |value| {
        let interface = &vf(value, 0)["interface"];
        (interface["name"].is_string() && interface["netns"].is_null()).then_some(())
    });
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
        for feature in ["tso", "gso"] {
            ns(pods[0].name(), &format!("ethtool -K net1 {feature} {offloads}"));
        }
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
