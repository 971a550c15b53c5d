//! The health check's SR-IOV family on a real NIC: a healthy VF has no finding, each fault raises its check, and the finding's
//! own commands mend it.

use std::{
    fs,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use overlay_probe::{lab::send, netns};
use probe_tests::{cri, hostroot::HostRoot, lab::TestNetns, needs, ns, settled, sh, tool::run, wait_for};
use serde_json::Value;

use super::nic::{Nic, cached, mac};

/// A pool of the device plugin that takes the VFs.
const POOL: &str = r#"{"resourceName": "igb", "selectors": {"drivers": ["igbvf"]}}"#;

/// A window in which nothing is to happen.
const SHORT: &str = "50ms";

fn pools(of: &[&str]) -> String {
    format!(r#"{{"resourceList": [{}]}}"#, of.join(", "))
}

/// What is found with the files below `root`, by id, and the commands that shall mend it.
fn found(root: &str, window: &str) -> Vec<(String, Vec<String>)> {
    let output = run(&["--host-root", root, "check", "--only", "vf", "--window", window, "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["not_judged"], Value::Array(Vec::new()), "{document}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            let commands = finding["fix"]["commands"].as_array().unwrap().iter().map(text).collect();
            (text(&finding["id"]), commands)
        })
        .collect()
}

/// The one finding is `id`; its commands. A NIC that was reset has no carrier for a while, which is found as well.
fn only(root: &str, window: &str, id: &str) -> Vec<String> {
    let last = settled(|| found(root, window), |last| last.len() == 1 && last[0].0 == id);
    let raised: Vec<&str> = last.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(raised, [id], "{last:?}");
    last.into_iter().flat_map(|(_, commands)| commands).collect()
}

/// A PF that was reset answers its VFs with a refusal until their driver has noticed and asked it for a reset of their own,
/// up to two seconds later (igb_rcv_msg_from_vf and igbvf_watchdog_task, Linux 6.12): until then a VF takes neither an
/// address nor a VLAN. What is right is taken soon, what is wrong never.
fn until_taken(command: &str) {
    wait_for(&format!("success of {command}"), || {
        Command::new("sh").args(["-c", command]).output().unwrap().status.success().then_some(())
    });
}

/// Waits until the VF has been reset after its PF was: whoever closes its interface in the middle of that waits for ever
/// (napi_disable of igbvf_close, and napi_enable of igbvf_reset_task, which wants the lock that closing holds since Linux 6.15;
/// on 7.3 the end of a pod's namespace did so one time in 24).
fn until_reset(pod: &TestNetns) {
    until_taken(&format!("ip -n {} link add link net1 name net1.9 type vlan id 9", pod.name()));
    pod.ip("link del net1.9");
}

fn paste(commands: &[String]) {
    assert!(!commands.is_empty());
    for command in commands {
        until_taken(command);
    }
}

fn is_healthy(root: &str, after: &str) {
    // A NIC that was reset has no carrier for a while.
    wait_for(&format!("healthy VFs after {after}"), || found(root, SHORT).is_empty().then_some(()));
}

/// The one finding is `id`; its commands are run, and nothing is found any more.
fn is_found_and_mended(root: &str, id: &str) {
    paste(&only(root, SHORT, id));
    is_healthy(root, id);
}

/// A pod with VF 0, whose address is the one that its PF allows, and the node's files.
fn healthy(nic: &Nic, name: &str) -> (TestNetns, HostRoot) {
    let pod = TestNetns::new(name);
    nic.give(&[(0, &pod, "192.0.2.1/24")]);
    sh("ip", &["link", "set", &nic.pf(), "vf", "0", "mac", &mac(pod.name(), "net1")]);
    let host = HostRoot::new(&[
        ("var/lib/cni/results/sriov-net-c1-net1", cached("cart-0", pod.name(), Some(&nic.pci(0)))),
        ("etc/pcidp/config.json", pools(&[POOL])),
    ]);
    is_healthy(host.arg(), "VF 0 was given away");
    (pod, host)
}

#[test]
fn faults_of_a_vf_are_found_and_their_fixes_mend_them() {
    needs!(Sriov);
    let nic = Nic::up();
    let (pod, host) = healthy(&nic, "vfcheck");
    let (pf, root) = (nic.pf(), host.arg());

    sh("ip", &["link", "set", &pf, "vf", "0", "mac", "02:00:00:00:00:77", "spoofchk", "on"]);
    is_found_and_mended(root, "vf-mac-not-allowed");
    ns(pod.name(), "ip link set net1 mtu 2000");
    is_found_and_mended(root, "vf-mtu-exceeds-pf");
    until_reset(&pod);
    // igbvf takes no VLAN interface any more once its PF tags.
    pod.ip("link add link net1 name net1.5 type vlan id 5");
    sh("ip", &["link", "set", &pf, "vf", "0", "vlan", "7"]);
    assert_eq!(only(root, SHORT, "vf-vlan-tagged-twice"), [""; 0]);
    sh("ip", &["link", "set", &pf, "vf", "0", "vlan", "0"]);
    pod.ip("link del net1.5");
    is_healthy(root, "vf-vlan-tagged-twice");
    sh("ip", &["link", "set", &pf, "down"]);
    is_found_and_mended(root, "vf-link-down");
    until_reset(&pod);
}

#[test]
fn faults_of_a_vf_without_a_pod_are_found_and_their_fixes_mend_them() {
    needs!(Sriov);
    let nic = Nic::up();
    let (pod, host) = healthy(&nic, "vfidle");
    let (pf, root, idle) = (nic.pf(), host.arg(), nic.pci(1));
    let driver = format!("/sys/bus/pci/devices/{idle}/driver");
    let unbind = || fs::write(format!("{driver}/unbind"), &idle).unwrap();
    let bind = || {
        fs::write("/sys/bus/pci/drivers_probe", &idle).unwrap();
        wait_for("the VF's interface", || nic.interface(1))
    };

    unbind();
    is_found_and_mended(root, "vf-driver-missing");
    let interface = wait_for("the VF's interface", || nic.interface(1));
    sh("ip", &["address", "add", "198.51.100.7/24", "dev", &interface]);
    is_found_and_mended(root, "vf-addressed-on-node");

    // Its driver asks for the address when it is bound, as the finding says.
    sh("ip", &["link", "set", &pf, "vf", "1", "mac", &mac(pod.name(), "net1")]);
    unbind();
    bind();
    paste(&only(root, SHORT, "vf-mac-shared"));
    unbind();
    bind();
    is_healthy(root, "vf-mac-shared");
}

#[test]
fn what_files_say_wrongly_of_vfs_is_found() {
    needs!(Sriov);
    let nic = Nic::up();
    let (pod, host) = healthy(&nic, "vffiles");
    let root = host.arg();
    let config = "etc/pcidp/config.json";
    let mended = |id: &str, fix: &[String], mend: &dyn Fn()| {
        assert_eq!(fix, [""; 0], "nobody but a person can mend {id}");
        mend();
        is_healthy(root, id);
    };

    host.write(config, pools(&[r#"{"resourceName": "igb", "selectors": {"drivers": ["igb"]}}"#]));
    mended("vf-pool-empty", &only(root, SHORT, "vf-pool-empty"), &|| host.write(config, pools(&[POOL])));
    let wide = r#"{"resourceName": "any", "selectors": {"vendors": ["8086"]}}"#;
    host.write(config, pools(&[wide, POOL]));
    mended("vf-pools-overlap", &only(root, SHORT, "vf-pools-overlap"), &|| {
        host.write(config, pools(&[POOL]));
    });

    let other = "var/lib/cni/results/sriov-net-c2-net1";
    host.write(other, cached("cart-1", pod.name(), Some(&nic.pci(0))));
    mended("vf-pod-disputed", &only(root, SHORT, "vf-pod-disputed"), &|| {
        fs::remove_file(host.path().join(other)).unwrap();
    });
}

#[test]
fn a_vf_of_a_namespace_without_a_pod_is_found() {
    needs!(Sriov);
    let nic = Nic::up();
    let (_pod, host) = healthy(&nic, "vfkept");
    host.link("var/run", "/run");
    let pods = Arc::new(Mutex::new(vec![cri::Pod::new("cart-9", &["192.0.2.7"])]));
    let _runtime = cri::runtime(&host.path().join("run/containerd/containerd.sock"), &pods);
    let allocation = format!("var/lib/cni/sriov/pci/{}", nic.pci(1));
    host.write(&allocation, "/var/run/netns/gone");
    is_healthy(host.arg(), "a file whose namespace is gone");
    let kept = TestNetns::new("kept");
    nic.give(&[(1, &kept, "192.0.2.3/24")]);
    host.write(&allocation, format!("/var/run/netns/{}", kept.name()));
    is_found_and_mended(host.arg(), "vf-allocation-stale");
    wait_for("the VF on the node", || nic.interface(1));
}

#[test]
fn a_vf_that_sends_at_its_limit_is_found() {
    needs!(Sriov);
    let nic = Nic::up();
    let (pod, host) = healthy(&nic, "vfrate");
    sh("ip", &["link", "set", &nic.pf(), "vf", "0", "max_tx_rate", "1"]);
    // The emulated NIC limits nothing: what is sent is above the limit by far. Nobody has the address.
    pod.ip("neigh add 192.0.2.9 lladdr 02:00:00:00:00:99 dev net1 nud permanent");
    let _sending = Sending::start(&pod);
    // igbvf reads its counters every two seconds.
    let fix = wait_for("packets to be counted", || {
        let mut findings = found(host.arg(), "6s");
        (findings.len() == 1 && findings[0].0 == "vf-rate-limited").then(|| findings.remove(0).1)
    });
    paste(&fix);
    is_healthy(host.arg(), "vf-rate-limited");
}

/// Large datagrams that nobody answers, several megabits a second, until it is dropped.
struct Sending {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sending {
    fn start(from: &TestNetns) -> Self {
        let socket = send::udp_socket(&netns::open(from.name()).unwrap(), false, 0).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // A full ring is as good: then more is sent already than the limit allows.
                let _ = socket.send_to(&[0; 1400], ("192.0.2.9", 9));
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
