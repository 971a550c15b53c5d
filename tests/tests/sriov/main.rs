//! Real virtual functions: whose they are, what is set, what they carried. Needs a NIC with SR-IOV; the virtual machines
//! have an Intel 82576 (igb), whose driver counts nothing for its VFs.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

mod bench;
mod check;
mod live;
mod nic;

use std::{
    fs,
    net::IpAddr,
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use overlay_probe::{lab::send, netns};
use probe_tests::{cri, hostroot::HostRoot, lab::TestNetns, needs, ns, sh, tool::run, wait_for};
use serde_json::Value;

use nic::*;

#[test]
fn vfs_in_pods_with_what_they_carried() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = [TestNetns::new("vfa"), TestNetns::new("vfb")];
    nic.give(&[(0, &pods[0], "192.0.2.1/24"), (1, &pods[1], "192.0.2.2/24")]);
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
    nic.give(&[(0, &pod, "192.0.2.1/24")]);
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
        table.contains("vfio-pci") && table.contains("shop/dpdk-0") && table.contains("no counters"),
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
    // Its sandbox ends: what the file says is stale.
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
