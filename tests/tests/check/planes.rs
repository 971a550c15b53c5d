//! Data planes that the lab does not build, as their systems leave them on a node, with their files: nothing is found on a
//! healthy node, and on a broken one what was broken.

use probe_tests::{hostroot::HostRoot, lab::TestNetns, node::Node, ns, tool::run};
use serde_json::{Value, json};

/// A node with its files and one pod.
struct Plane {
    node: Node,
    files: HostRoot,
    _pod: TestNetns,
}

/// What is different in the files of one CNI from those of another.
struct Cni {
    name: &'static str,
    file: &'static str,
    network: &'static str,
    plugin: &'static str,
    veth: &'static str,
}

impl Plane {
    /// `make` gives the node its devices, and the pod its veth.
    fn new(name: &str, cni: &Cni, address: &str, gateway: &str, make: impl FnOnce(&Node)) -> Self {
        let node = Node::new(name);
        ns(node.name(), "sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0");
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
        Self { node, files, _pod: pod }
    }

    fn check(&self, more: &[&str]) -> (Option<i32>, String) {
        // Whether a bridge's packets pass iptables is up to the modules of the machine that runs this.
        let always = [
            "--netns",
            self.node.name(),
            "--host-root",
            self.files.arg(),
            "check",
            "--window",
            "50ms",
            "--skip",
            "host-bridge-netfilter-missing",
        ];
        let output = run(&[&always, more].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Ids of what is found and no other finding explains.
    fn found(&self) -> Vec<String> {
        let (_, text) = self.check(&["--format", "json"]);
        let document: Value = serde_json::from_str(&text).unwrap();
        let findings = document["findings"].as_array().unwrap().iter();
        let causes = findings.filter(|finding| finding["explained_by"].is_null());
        causes.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing is found, and the first line and that of the MTU are these.
    fn is_well(&self, heading: &str, mtu: &str) {
        let (code, text) = self.check(&[]);
        assert!(code == Some(0) && text.contains(heading) && text.contains(mtu), "{code:?} {text}");
        assert_eq!(self.found(), [""; 0], "{text}");
    }

    /// These commands, each `ip`'s, break what `id` names; those undo it.
    fn breaks(&self, commands: &str, id: &str, undo: &str) {
        self.node.ip(commands);
        assert_eq!(self.found(), [id], "{commands}");
        self.node.ip(undo);
        assert_eq!(self.found(), [""; 0], "{undo}");
    }
}

const CALICO: Cni = Cni {
    name: "calico",
    file: "10-calico.conflist",
    network: "k8s-pod-network",
    plugin: "calico",
    veth: "cali0a1b2c3d4e5",
};

#[test]
fn rke2_flannel() {
    let cni = Cni {
        name: "flannel",
        file: "10-flannel.conflist",
        network: "cbr0",
        plugin: "flannel",
        veth: "veth1a2b3c4d",
    };
    let plane = Plane::new("prke2", &cni, "10.42.0.2/24", "10.42.0.1", |node| {
        node.flannel("flannel.4096", 4096, 4789);
    });
    let env =
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
    plane.files.write("run/flannel/subnet.env", env);
    plane.is_well("rke2-flannel VXLAN  flannel.4096  1 peer  1 pod", "1500 > 1450 >= pods 1450");
    plane.breaks(
        "link set veth1a2b3c4d mtu 1500",
        "mtu-pod-exceeds-tunnel",
        "link set veth1a2b3c4d mtu 1450",
    );
    plane.breaks("link set cni0 down", "pod-interface-down", "link set cni0 up");
    for (commands, undo) in [
        ("link set veth1a2b3c4d nomaster", "link set veth1a2b3c4d master cni0"),
        ("addr del 10.42.0.1/24 dev cni0", "addr add 10.42.0.1/24 dev cni0"),
    ] {
        plane.breaks(commands, "pod-gateway-unreachable", undo);
    }
    plane.breaks(
        "neigh del 10.42.1.0 dev flannel.4096",
        "peer-route-without-neighbour",
        "neigh add 10.42.1.0 lladdr 0a:00:00:00:00:02 dev flannel.4096 nud permanent",
    );
}

#[test]
fn calico_vxlan() {
    let plane = Plane::new("pcalico", &CALICO, "10.42.0.66/32", "169.254.1.1", |node| {
        node.calico_vxlan();
        node.calico_pod("10.42.0.66");
        node.ip("link set cali0a1b2c3d4e5 mtu 1450");
    });
    plane.is_well("Calico VXLAN  vxlan.calico  1 peer  1 pod", "1500 > 1450 >= pods 1450");
    plane.breaks(
        "route del 10.42.2.128/26 proto 80",
        "peer-fdb-without-route",
        "route add 10.42.2.128/26 via 10.42.2.129 dev vxlan.calico onlink proto 80",
    );
    plane.breaks("link set u0 mtu 1400", "mtu-tunnel-exceeds-underlay", "link set u0 mtu 1500");
}

#[test]
fn calico_ebpf() {
    let plane = Plane::new("pebpf", &CALICO, "10.42.0.66/32", "169.254.1.1", |node| {
        node.ip("link add name vxlan.calico mtu 1450 type vxlan external dstport 4789
             addr add 10.42.0.64/32 dev vxlan.calico
             link set vxlan.calico up
             route add 10.42.2.128/26 via 10.42.2.128 dev vxlan.calico onlink proto 80
             route add blackhole 10.42.0.64/26 proto 80");
        node.calico_pod("10.42.0.66");
        node.ip("link set cali0a1b2c3d4e5 mtu 1450");
    });
    plane.is_well("Calico eBPF VXLAN  vxlan.calico  peers unknown  1 pod", "1500 > 1450 >= pods 1450");
    let (_, text) = plane.check(&[]);
    assert!(text.contains("--    peers        not seen"), "{text}");
    plane.breaks("link set u0 mtu 1400", "mtu-tunnel-exceeds-underlay", "link set u0 mtu 1500");
    plane.breaks(
        "link set vxlan.calico down",
        "dataplane-tunnel-down",
        "link set vxlan.calico up
         route add 10.42.2.128/26 via 10.42.2.128 dev vxlan.calico onlink proto 80",
    );
}

#[test]
fn cilium_vxlan() {
    let cni = Cni {
        name: "cilium",
        file: "05-cilium.conflist",
        network: "cilium",
        plugin: "cilium-cni",
        veth: "cali0a1b2c3d4e5",
    };
    let tunnel = "link add name cilium_vxlan type vxlan external dstport 8472
         link set cilium_vxlan up";
    let plane = Plane::new("pcilium", &cni, "10.42.0.77/32", "10.42.0.5", |node| {
        node.cilium_host("10.42");
        node.ip("route add 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu 1450");
        node.ip(tunnel);
        node.calico_pod("10.42.0.77");
    });
    plane.is_well("Cilium VXLAN  cilium_vxlan  peers unknown  1 pod", "1500 > 1450 of pods' routes");
    plane.breaks("link set cilium_vxlan down", "dataplane-tunnel-down", "link set cilium_vxlan up");
    plane.breaks("link del cilium_vxlan", "dataplane-missing", tunnel);
    plane.breaks(
        "link set cilium_host down",
        "dataplane-host-device-down",
        "link set cilium_host up
         route add 10.42.0.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5
         route add 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu 1450",
    );
    let route = "route change 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu";
    plane.breaks(&format!("{route} 1500"), "mtu-tunnel-exceeds-underlay", &format!("{route} 1450"));
}
