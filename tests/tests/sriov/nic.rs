//! The NIC that the tests have, and what the tool shows of its VFs. No tests here.

use std::{fs, path::PathBuf};

use probe_tests::{lab::TestNetns, needs::Feature, ns, sh, tool::run, wait_for};
use serde_json::Value;

/// The machine's PF with two VFs, which go with this.
pub(crate) struct Nic {
    pub(crate) device: PathBuf,
}

impl Nic {
    pub(crate) fn up() -> Self {
        let devices = fs::read_dir("/sys/bus/pci/devices").unwrap().flatten().map(|entry| entry.path());
        let device = devices.into_iter().find(|device| device.join("sriov_totalvfs").exists()).unwrap();
        let nic = Self { device };
        // A VF's driver asks the PF for its address, which answers only when it is up. Its MTU may be an earlier test's.
        nic.set_count(0);
        sh("modprobe", &["igbvf"]);
        sh("ip", &["link", "set", &nic.pf(), "mtu", "1500", "up"]);
        wait_for("the PF's link", || {
            sh("ip", &["link", "show", &nic.pf()]).contains("LOWER_UP").then_some(())
        });
        nic.set_count(2);
        for index in 0..2 {
            wait_for("a VF's interface", || nic.interface(index));
        }
        nic
    }

    pub(crate) fn set_count(&self, count: u32) {
        fs::write(self.device.join("sriov_numvfs"), count.to_string()).unwrap();
    }

    /// Name of the PF's interface.
    pub(crate) fn pf(&self) -> String {
        wait_for("the PF's interface", || only_entry(&self.device.join("net")))
    }

    /// PCI address of a VF.
    pub(crate) fn pci(&self, index: u32) -> String {
        let link = fs::read_link(self.device.join(format!("virtfn{index}"))).unwrap();
        link.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Name of a VF's interface, while it is in the node's namespace.
    pub(crate) fn interface(&self, index: u32) -> Option<String> {
        only_entry(&self.device.join(format!("virtfn{index}/net")))
    }

    /// Moves VFs into namespaces as `net1`, each with an address. All links come up at the same time: a driver looks after its own
    /// every two seconds (`igbvf_watchdog_task`).
    pub(crate) fn give(&self, vfs: &[(u32, &TestNetns, &str)]) {
        for (index, to, address) in vfs {
            let name = self.interface(*index).unwrap();
            sh("ip", &["link", "set", &name, "netns", to.name(), "name", "net1"]);
            to.ip(&format!("addr add {address} dev net1 nodad\nlink set net1 up"));
        }
        for (_, to, _) in vfs {
            wait_for("the VF's link", || {
                ns(to.name(), "ip link show net1").contains("LOWER_UP").then_some(())
            });
        }
    }

    /// Gives both VFs to pods as 192.0.2.1 and .2, with nothing on the wire but what is sent.
    pub(crate) fn give_both(&self, name: &str) -> [TestNetns; 2] {
        let pods = [0, 1].map(|pod| TestNetns::new(&format!("{name}{pod}")));
        for pod in &pods {
            ns(pod.name(), "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
        }
        self.give(&[(0, &pods[0], "192.0.2.1/24"), (1, &pods[1], "192.0.2.2/24")]);
        for (pod, other) in [(0, 1), (1, 0)] {
            let mac = mac(pods[other].name(), "net1");
            pods[pod].ip(&format!("neigh add 192.0.2.{} lladdr {mac} dev net1 nud permanent", other + 1));
        }
        pods
    }
}

pub(crate) fn mac(netns: &str, interface: &str) -> String {
    let text = ns(netns, &format!("ip -j link show dev {interface}"));
    serde_json::from_str::<Value>(&text).unwrap()[0]["address"].as_str().unwrap().to_owned()
}

/// Who counts a VF that has an interface, on this kernel.
pub(crate) fn counter() -> &'static str {
    if Feature::Tcx.missing().is_none() { "ebpf" } else { "interface" }
}

impl Drop for Nic {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = fs::write(self.device.join("sriov_numvfs"), "0");
    }
}

pub(crate) fn only_entry(directory: &std::path::Path) -> Option<String> {
    let name = fs::read_dir(directory).ok()?.flatten().next()?.file_name();
    name.into_string().ok()
}

pub(crate) fn show(more: &[&str]) -> Value {
    let output = run(&[&["show", "vfs", "--format", "json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn vf(value: &Value, index: usize) -> &Value {
    &value["vfs"][index]
}

/// libcni's cache file for an interface of a pod. The configuration is the base64 of `{"deviceID":"<address>"}`.
pub(crate) fn cached(pod: &str, netns: &str, device: Option<&str>) -> String {
    let config = device.map(|device| format!("{{\"deviceID\":\"{device}\"}}")).unwrap_or_default();
    let config = probe_tests::base64(config.as_bytes());
    format!(
        r#"{{"kind":"cniCacheV1","containerId":"c-{pod}","config":"{config}","ifName":"net1","networkName":"sriov-net",
        "cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","{pod}"]],
        "result":{{"interfaces":[{{"name":"net1","sandbox":"/var/run/netns/{netns}"}}]}}}}"#
    )
}
