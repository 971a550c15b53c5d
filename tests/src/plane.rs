//! A node with a data plane that the lab does not build, as its system leaves it, with its files and one pod: what `check` finds.

use serde_json::{Value, json};

use crate::{hostroot::HostRoot, lab::TestNetns, node::Node, ns, settled, sh, tool::run};

/// A setting that a namespace has where the machine's kernel has br_netfilter.
pub const BRIDGE_NETFILTER: &str = "net.bridge.bridge-nf-call-iptables";

/// A node with its files and one pod.
pub struct Plane {
    /// The node.
    pub node: Node,
    /// Its files.
    pub files: HostRoot,
    /// Its pod's network namespace.
    pub pod: TestNetns,
}

/// What is different in the files of one CNI from those of another.
pub struct Cni {
    /// As config.yaml has it.
    pub name: &'static str,
    /// Its file in the runtime's directory.
    pub file: &'static str,
    /// Its network.
    pub network: &'static str,
    /// The plugin.
    pub plugin: &'static str,
    /// The node's end of the pod's veth.
    pub veth: &'static str,
}

/// Calico.
pub const CALICO: Cni = Cni {
    name: "calico",
    file: "10-calico.conflist",
    network: "k8s-pod-network",
    plugin: "calico",
    veth: "cali0a1b2c3d4e5",
};

/// flannel as RKE2 has it by itself.
pub const FLANNEL: Cni = Cni {
    name: "flannel",
    file: "10-flannel.conflist",
    network: "cbr0",
    plugin: "flannel",
    veth: "veth1a2b3c4d",
};

/// Cilium.
pub const CILIUM: Cni = Cni {
    name: "cilium",
    file: "05-cilium.conflist",
    network: "cilium",
    plugin: "cilium-cni",
    veth: "cali0a1b2c3d4e5",
};

impl Plane {
    /// `make` gives the node its devices, and the pod its veth.
    pub fn new(name: &str, cni: &Cni, address: &str, gateway: &str, make: impl FnOnce(&Node)) -> Self {
        let node = Node::new(name);
        ns(node.name(), "sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0");
        // Whether a namespace starts with it is up to the machine.
        ns(node.name(), &format!("sysctl -q -e -w {BRIDGE_NETFILTER}=1"));
        make(&node);
        let pod = TestNetns::new(&format!("{name}p"));
        node.move_pod_end(&pod, address, gateway);
        let config = format!(
            "cni: {}\ncluster-cidr: 10.42.0.0/16\nservice-cidr: 10.43.0.0/16\nnode-ip: 192.0.2.1\n",
            cni.name
        );
        let conflist =
            json!({ "name": cni.network, "cniVersion": "0.3.1", "plugins": [{ "type": cni.plugin }] });
        let netns = format!("/var/run/netns/{}", pod.name());
        let cached = json!({
            "kind": "cniCacheV1", "containerId": "c1", "ifName": "eth0", "networkName": cni.network, "netns": netns,
            "cniArgs": [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "cart-0"]],
            "result": {
                "cniVersion": "0.3.1",
                "interfaces": [{ "name": cni.veth }, { "name": "eth0", "sandbox": netns }],
                "ips": [{ "version": "4", "interface": 1, "address": address }],
            },
        });
        let files = HostRoot::new(&[
            ("etc/rancher/rke2/config.yaml", config),
            (&format!("etc/cni/net.d/{}", cni.file), conflist.to_string()),
            (&format!("var/lib/cni/results/{}-c1-eth0", cni.network), cached.to_string()),
        ]);
        Self { node, files, pod }
    }

    /// rke2-flannel's VXLAN to one other node.
    pub fn rke2_flannel(name: &str) -> Self {
        let plane = Self::new(name, &FLANNEL, "10.42.0.2/24", "10.42.0.1", |node| {
            node.flannel("flannel.4096", 4096, 4789);
        });
        let env = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
        plane.files.write("run/flannel/subnet.env", env);
        plane
    }

    /// Cilium's VXLAN, whose device these commands of `ip` make.
    pub fn cilium_vxlan(name: &str, tunnel: &str) -> Self {
        Self::new(name, &CILIUM, "10.42.0.77/32", "10.42.0.5", |node| {
            node.cilium_host("10.42");
            node.ip("route add 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu 1450");
            node.ip(tunnel);
            node.calico_pod("10.42.0.77");
        })
    }

    /// True where the node's namespace has [`BRIDGE_NETFILTER`].
    pub fn has_bridge_netfilter(&self) -> bool {
        ns(self.node.name(), "find /proc/sys/net -name bridge-nf-call-iptables").contains("iptables")
    }

    /// Runs `check` on it: exit code and what it prints.
    pub fn check(&self, more: &[&str]) -> (Option<i32>, String) {
        let always =
            ["--netns", self.node.name(), "--host-root", self.files.arg(), "check", "--window", "50ms"];
        // Without the module it would be found on every bridge with pods.
        let absent: &[&str] =
            if self.has_bridge_netfilter() { &[] } else { &["--skip", "host-bridge-netfilter-missing"] };
        let output = run(&[&always, absent, more].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// What `check` finds, as JSON.
    fn findings(&self) -> Vec<Value> {
        let (_, text) = self.check(&["--format", "json"]);
        let mut document: Value = serde_json::from_str(&text).unwrap();
        let Value::Array(findings) = document["findings"].take() else { panic!("{text}") };
        findings
    }

    /// Ids of what is found and no other finding explains.
    pub fn found(&self) -> Vec<String> {
        let causes = self.findings().into_iter().filter(|finding| finding["explained_by"].is_null());
        causes.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until this is found and nothing else: the kernel tells a bridge of a port's carrier a little later (`linkwatch_event`).
    fn finds(&self, ids: &[&str], when: &str) {
        let found = settled(|| self.found(), |found| found == ids);
        assert_eq!(found, ids, "{when}: {:?}", self.findings());
    }

    /// Nothing is found, and the first line and that of the MTU are these.
    pub fn is_well(&self, heading: &str, mtu: &str) {
        self.finds(&[], heading);
        let (code, text) = self.check(&[]);
        assert!(code == Some(0) && text.contains(heading) && text.contains(mtu), "{code:?} {text}");
    }

    /// These commands, each `ip`'s, break what `id` names; those undo it.
    pub fn breaks(&self, commands: &str, id: &str, undo: &str) {
        self.breaks_by(|node| node.ip(commands), id, |node| node.ip(undo));
    }

    /// The same by anything.
    pub fn breaks_by(&self, work: impl FnOnce(&Node), id: &str, undo: impl FnOnce(&Node)) {
        work(&self.node);
        self.finds(&[id], "broken");
        undo(&self.node);
        self.finds(&[], &format!("{id} undone"));
    }

    /// The same, and the finding's own commands undo it.
    pub fn breaks_and_is_mended(&self, work: impl FnOnce(&Node), id: &str) {
        work(&self.node);
        self.finds(&[id], "broken");
        let findings = self.findings();
        assert!(findings.len() == 1, "{findings:?}");
        let commands = findings[0]["fix"]["commands"].as_array().unwrap();
        assert!(!commands.is_empty(), "{findings:?}");
        for command in commands {
            let netns = format!("--net=/run/netns/{}", self.node.name());
            sh("nsenter", &[&netns, "sh", "-c", command.as_str().unwrap()]);
        }
        self.finds(&[], &format!("{id} mended"));
    }
}
