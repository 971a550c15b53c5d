//! Nodes in odd but real states, with their files: NICs that are veths, a tunnel on another NIC than the default route's, two
//! families, Multus that is wanted and not there, macvlan interfaces of a pod.

use probe_tests::{base64, hostroot::HostRoot, lab::TestNetns, needs, ns, tool::run};
use serde_json::{Value, json};

use super::{list, text};

/// A node whose NICs are veths into a switch, where the other nodes are.
struct Node {
    netns: TestNetns,
    switch: TestNetns,
    root: HostRoot,
}

impl Node {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let (netns, switch) = (TestNetns::new(name), TestNetns::new(&format!("{name}s")));
        let off = "sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0";
        ns(netns.name(), off);
        netns.ip("link set lo up");
        switch.ip("link add name sw type bridge\nlink set sw mtu 9000 up");
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
        Self { netns, switch, root: HostRoot::new(&files) }
    }

    /// A NIC with its addresses.
    fn nic(&self, name: &str, mtu: u32, addresses: &[&str]) {
        let switch = self.switch.name();
        self.netns.ip(&format!("link add name {name} mtu {mtu} type veth peer name p-{name} netns {switch}"));
        self.switch.ip(&format!("link set p-{name} mtu {mtu} master sw up"));
        self.netns.ip(&format!("link set {name} up"));
        for address in addresses {
            self.netns.ip(&format!("addr add {address} dev {name}"));
        }
    }

    /// A VXLAN device as flannel makes it.
    fn vxlan(&self, name: &str, mtu: u32, on: &str, local: &str, base: &str) {
        self.netns.ip(&format!(
            "link add name {name} mtu {mtu} type vxlan id 1 dev {on} local {local} dstport 8472 nolearning
             link set {name} up
             addr add {base} dev {name}"
        ));
    }

    /// Another node behind it.
    fn peer(&self, device: &str, network: &str, gateway: &str, mac: &str, at: &str) {
        self.netns.ip(&format!(
            "neigh add {gateway} lladdr {mac} dev {device} nud permanent
             route add {network} via {gateway} dev {device} onlink"
        ));
        ns(self.netns.name(), &format!("bridge fdb append {mac} dev {device} dst {at} self permanent"));
    }

    /// A pod's veth as Calico makes it; its namespace goes with what is returned.
    fn calico_pod(&self, name: &str, mtu: u32, addresses: &[&str]) -> TestNetns {
        let pod = TestNetns::new("pod");
        self.netns.ip(&format!(
            "link add name {name} mtu {mtu} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns {}
             link set {name} up",
            pod.name()
        ));
        pod.ip("link set eth0 up");
        for address in addresses {
            self.netns.ip(&format!("route add {address} dev {name}"));
        }
        pod
    }

    fn show(&self, what: &str) -> Value {
        let output = self.run(what, &["--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn table(&self, what: &str) -> String {
        let table = String::from_utf8(self.run(what, &[]).stdout).unwrap();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        table
    }

    fn run(&self, what: &str, more: &[&str]) -> std::process::Output {
        let node = ["--netns", self.netns.name(), "--host-root", self.root.arg(), "show", what];
        run(&[&node, more].concat())
    }
}

/// An entry of a list by one of its fields.
fn entry<'a>(value: &'a Value, name: &str, field: &str, wanted: &str) -> &'a Value {
    let mut entries = list(value, name).iter();
    entries.find(|entry| entry[field] == wanted).unwrap_or_else(|| panic!("no {field} {wanted} in {value}"))
}

fn row<'a>(value: &'a Value, aspect: &str) -> &'a Value {
    entry(value, "side_by_side", "aspect", aspect)
}

const CANAL: &str = r#"{"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [
    {"type": "calico", "mtu": 1450, "ipam": {"type": "host-local", "ranges": [[{"subnet": "usePodCidr"}]]}}]}"#;
const CONFIG: &str = "etc/rancher/rke2/config.yaml";
const MANIFESTS: &str = "var/lib/rancher/rke2/server/manifests";
const CONFLIST: &str = "etc/cni/net.d/10-canal.conflist";

/// A manifest for Canal's chart.
fn canal_config(values: &str) -> String {
    format!(
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: rke2-canal, namespace: kube-system}}\n\
         spec:\n  valuesContent: {values}\n"
    )
}

/// Both NICs have single addresses, and routers that only a route on the link reaches: no pods.
#[test]
fn nics_behind_routers_are_no_pods() {
    let config = "server: https://10.77.0.8:9345\nnode-ip: 10.77.0.5\ncni: [canal]\n";
    let manifest = canal_config(r#""flannel:\n  iface: lan0\n""#);
    let node = Node::new(
        "router",
        &[(CONFIG, config), (CONFLIST, CANAL), (&format!("{MANIFESTS}/network.yml"), &manifest)],
    );
    node.nic("wan0", 1500, &["198.51.100.44/32"]);
    node.nic("lan0", 1440, &["10.77.0.5/32"]);
    node.netns.ip("route add 172.29.9.1 dev wan0 scope link
         route add default via 172.29.9.1 dev wan0
         route add 10.77.0.1 dev lan0 scope link
         route add 10.77.0.53 dev lan0 scope link proto dhcp
         route add 10.77.0.0/16 via 10.77.0.1 dev lan0
         route add blackhole 10.66.4.0/24");
    node.vxlan("flannel.1", 1390, "lan0", "10.77.0.5", "10.66.4.0/32");
    node.peer("flannel.1", "10.66.1.0/24", "10.66.1.0", "0a:00:00:00:00:11", "10.77.0.8");
    let _pod = node.calico_pod("cali0f0f0f0f0f0", 1450, &["10.66.4.9"]);

    let shown = node.show("node");
    assert_eq!(shown["actual"]["pod_interfaces"], 1, "{shown}");
    assert_eq!(text(entry(&shown["actual"], "data_planes", "system", "canal"), "encapsulation"), "vxlan");
    let interface = row(&shown, "interface");
    assert_eq!((&interface["intended"], &interface["agrees"]), (&json!(["lan0"]), &json!(true)));
    assert!(text(interface, "file").ends_with("network.yml") && interface["line"] == 5, "{interface}");
    let pods = node.show("pods");
    let names: Vec<_> = list(&pods, "pods").iter().map(|pod| pod["host_ifname"].clone()).collect();
    assert_eq!(names, ["cali0f0f0f0f0f0"], "{pods}");
    let mtu = node.show("mtu");
    let path = entry(&mtu, "paths", "device", "flannel.1");
    assert_eq!(list(path, "pods").len(), 1, "{path}");
    assert_eq!((&path["pods"][0]["mtu"], &path["pods"][0]["count"]), (&json!(1450), &json!(1)), "{path}");
    let links = node.show("links");
    for (name, roles) in [("wan0", json!(["default-route", "nic"])), ("lan0", json!(["underlay", "nic"]))] {
        assert_eq!(entry(&links, "links", "name", name)["roles"], roles);
    }
}

/// kind: the node's NIC is a veth, pods' host ends have the gateway's address, and nothing is wrapped.
#[test]
fn a_node_in_a_container() {
    let node = Node::new("kind", &[]);
    node.nic("eth0", 1500, &["172.21.0.3/16"]);
    node.netns.ip("route add default via 172.21.0.1
         route add 172.21.0.53 dev eth0 scope link proto dhcp
         route add 10.247.2.0/24 via 172.21.0.4");
    let mut pods = Vec::new();
    for number in [5, 6] {
        pods.push(node.calico_pod(&format!("veth{number}"), 1500, &[&format!("10.247.1.{number}")]));
        node.netns.ip(&format!("addr add 10.247.1.1/32 dev veth{number}"));
    }
    let shown = node.show("pods");
    let mut names: Vec<_> =
        list(&shown, "pods").iter().map(|pod| text(pod, "host_ifname").to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["veth5", "veth6"], "{shown}");
    let links = node.show("links");
    let roles = entry(&links, "links", "name", "eth0")["roles"].to_string();
    assert!(roles.contains("nic") && !roles.contains("pod"), "{roles}");
}

/// The tunnel is on a VPN's NIC, which is smaller, and pods' MTU is the chart's constant.
#[test]
fn a_tunnel_on_a_vpn() {
    let manifest = canal_config("|-\n    flannel:\n      iface: \"vpn1\"");
    let file = format!("{MANIFESTS}/rke2-canal-config.yaml");
    let config = "node-ip: 10.78.0.1\nnode-external-ip: \"198.51.100.60\"\n";
    let node = Node::new("vpn", &[(CONFIG, config), (CONFLIST, CANAL), (&file, &manifest)]);
    node.nic("eth0", 1500, &["198.51.100.60/24"]);
    node.nic("vpn1", 1412, &["10.78.0.1/24"]);
    node.netns.ip("route add default via 198.51.100.1\nroute add blackhole 10.42.6.0/24");
    node.vxlan("flannel.1", 1362, "vpn1", "10.78.0.1", "10.42.6.0/32");
    node.peer("flannel.1", "10.42.7.0/24", "10.42.7.0", "0a:00:00:00:00:12", "10.78.0.2");
    let _pod = node.calico_pod("cali0e0e0e0e0e0", 1450, &["10.42.6.9"]);
    let shown = node.show("node");
    assert_eq!(
        (&row(&shown, "interface")["agrees"], &row(&shown, "interface")["line"]),
        (&json!(true), &json!(7))
    );
    assert!(node.table("node").contains("rke2-canal-config.yaml:7"), "the place is not cut");
    let table = node.table("mtu");
    for line in ["underlay vpn1     1412", "tunnel flannel.1  1362 fits", "1450 88 bytes too big"] {
        assert!(table.contains(line), "{table}");
    }
}

/// The tunnel over IPv6 is from another address than the node is told to have. Values of both families are whole.
#[test]
fn the_first_address_is_not_the_nodes_own() {
    let config =
        "cni: canal\ncluster-cidr: 10.45.0.0/16,2001:db8:a14:c::/108\nnode-ip: 10.51.7.18,2001:db8:a14::18\n";
    let node = Node::new("first", &[(CONFIG, config)]);
    node.nic("ens9", 1500, &["10.51.7.18/24", "2001:db8:a14::18/64", "2001:db8:a14:0:250:56ff:fe00:1718/64"]);
    node.netns.ip("route add default via 10.51.7.1\nroute add default via 2001:db8:a14::1 dev ens9");
    node.netns.ip("route add blackhole 10.45.3.0/24\nroute add blackhole 2001:db8:a14:c::3:0/112");
    node.vxlan("flannel.1", 1450, "ens9", "10.51.7.18", "10.45.3.0/32");
    node.peer("flannel.1", "10.45.4.0/24", "10.45.4.0", "0a:00:00:00:00:13", "10.51.7.19");
    let first = "2001:db8:a14:0:250:56ff:fe00:1718";
    node.vxlan("flannel-v6.1", 1430, "ens9", first, "2001:db8:a14:c::3:0/128");
    let other = "2001:db8:a14:c::4:0";
    node.peer("flannel-v6.1", &format!("{other}/112"), other, "0a:00:00:00:00:63", "2001:db8:a14::19");
    let _pod = node.calico_pod("cali0d0d0d0d0d0", 1450, &["10.45.3.9", "2001:db8:a14:c::3:9"]);

    let shown = node.show("node");
    let addresses = row(&shown, "node-addresses");
    assert_eq!((&addresses["agrees"], &addresses["line"]), (&json!(false), &json!(3)), "{addresses}");
    let cidrs: Vec<_> = list(&shown["actual"], "pod_cidrs").iter().map(|own| text(own, "cidr")).collect();
    assert_eq!(cidrs, ["10.45.3.0/24", "2001:db8:a14:c::3:0/112"]);
    let counts = ["peers", "peers_ipv4", "peers_ipv6"].map(|name| shown["actual"][name].clone());
    assert_eq!(counts, [1, 1, 1], "one node of two families");
    let table = node.table("node");
    for whole in
        [first, "2001:db8:a14::18", "2001:db8:a14:c::/108", "2001:db8:a14:c::3:0/112", "config.yaml:3"]
    {
        assert!(table.contains(whole), "{whole}: {table}");
    }
    assert!(!table.contains('…'), "{table}");
}

/// RKE2 is to install Multus, and its configuration is not there: Canal alone is what pods get.
#[test]
fn multus_that_has_not_come() {
    let config = "token: not-to-be-kept\ncni: multus,canal\n";
    let values = "# how it is to be\n---\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: rke2-multus\n  \
                  namespace: kube-system\nspec:\n  valuesContent: |-\n    config:\n      cni_conf:\n        logLevel: debug\n";
    let file = format!("{MANIFESTS}/rke2-multus-config.yaml");
    let node = Node::new("absent", &[(CONFIG, config), (CONFLIST, CANAL), (&file, values)]);
    node.nic("eth0", 9001, &["172.30.9.66/20"]);
    node.netns.ip("route add default via 172.30.0.1\nroute add blackhole 10.42.9.0/24");
    node.vxlan("flannel.1", 8951, "eth0", "172.30.9.66", "10.42.9.0/32");
    node.peer("flannel.1", "10.42.8.0/24", "10.42.8.0", "0a:00:00:00:00:14", "172.30.9.67");
    let _pod = node.calico_pod("cali0c0c0c0c0c0", 1450, &["10.42.9.9"]);
    let shown = node.show("node");
    let multus = &shown["intended"]["multus"];
    assert_eq!((&multus["requested"]["line"], &multus["installed"]), (&json!(2), &Value::Null), "{multus}");
    assert_eq!(
        (&row(&shown, "cni")["intended"], &row(&shown, "cni")["agrees"]),
        (&json!(["canal"]), &json!(true))
    );
    assert_eq!(shown["intended"]["notes"], json!([]), "that Multus is missing is for `check` to say");
    assert!(!shown.to_string().contains("not-to-be-kept"));
    let table = node.table("mtu");
    assert!(table.contains("1450 7501 bytes to spare"), "{table}");
}

/// libcni's cache of one interface of a pod.
fn cached(plugin: &str, network: &str, ifname: &str, pod: &str, address: &str) -> String {
    let config = base64(plugin.as_bytes());
    format!(
        r#"{{"kind":"cniCacheV1","containerId":"5d7e","config":"{config}","ifName":"{ifname}","networkName":"{network}",
        "cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","many-0"]],
        "result":{{"interfaces":[{{"name":"{ifname}","sandbox":"/var/run/netns/{pod}"}}],"ips":[{{"interface":0,"address":"{address}"}}]}}}}"#
    )
}

/// Two macvlan networks of Whereabouts behind the thick Multus, whose path of the cluster's network is one of its container.
#[test]
fn macvlans_of_a_pod_and_where_their_addresses_come_from() {
    needs!(Macvlan);
    let multus = r#"{"name":"multus-cni-network","type":"multus-shim","clusterNetwork":"/host/etc/cni/net.d/10-flannel.conflist"}"#;
    let flannel = r#"{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel"},{"type":"portmap"}]}"#;
    let files = [
        ("etc/cni/net.d/00-multus.conf", multus),
        ("etc/cni/net.d/10-flannel.conflist", flannel),
        ("etc/hostname", "worker-5.example.net\n"),
    ];
    let node = Node::new("slices", &files);
    node.nic("eth0", 1500, &["192.0.2.5/24"]);
    node.netns.ip("route add default via 192.0.2.1");
    node.vxlan("flannel.1", 1450, "eth0", "192.0.2.5", "10.42.5.0/32");
    node.peer("flannel.1", "10.42.6.0/24", "10.42.6.0", "0a:00:00:00:00:15", "192.0.2.6");
    node.netns
        .ip("link add name cni0 mtu 1450 type bridge\nlink set cni0 up\naddr add 10.42.5.1/24 dev cni0");
    let pod = TestNetns::new("many");
    node.netns.ip(&format!(
        "link add name veth5 mtu 1450 type veth peer name eth0 netns {0}
         link set veth5 master cni0 up
         link add link eth0 name mv1 type macvlan mode bridge
         link set mv1 netns {0} name net1
         link add link eth0 name mv2 type macvlan mode bridge
         link set mv2 netns {0} name net2",
        pod.name()
    ));
    pod.ip("link set eth0 up\naddr add 10.42.5.7/24 dev eth0
         addr add 10.140.2.1/24 dev net1\nlink set net1 up\naddr add 10.140.3.1/24 dev net2\nlink set net2 up");
    let add = |file: &str, plugin: &str, network: &str, ifname: &str, address: &str| {
        node.root.write(file, cached(plugin, network, ifname, pod.name(), address));
    };
    add(
        "var/lib/cni/results/multus-cni-network-5d7e-eth0",
        r#"{"type":"multus-shim"}"#,
        "multus-cni-network",
        "eth0",
        "10.42.5.7/24",
    );
    add("var/lib/cni/multus/results/cbr0-5d7e-eth0", flannel, "cbr0", "eth0", "10.42.5.7/24");
    for (ifname, range, address) in
        [("net1", "10.140.2.0/24", "10.140.2.1/24"), ("net2", "10.140.3.0/24", "10.140.3.1/24")]
    {
        let plugin = format!(
            r#"{{"type":"macvlan","name":"lan","ipam":{{"type":"whereabouts","range":"{range}","node_slice_size":"/27"}}}}"#
        );
        add(&format!("var/lib/cni/multus/results/lan-5d7e-{ifname}"), &plugin, "lan", ifname, address);
    }

    let shown = node.show("pods");
    let [pod] = list(&shown, "pods") else { panic!("{shown}") };
    assert_eq!((text(pod, "name"), text(pod, "source")), ("many-0", "libcni"));
    assert_eq!(entry(pod, "interfaces", "name", "eth0")["network"], "cbr0");
    for (name, range) in [("net1", "10.140.2.0/24"), ("net2", "10.140.3.0/24")] {
        let interface = entry(pod, "interfaces", "name", name);
        assert_eq!((&interface["kind"], &interface["parent"]), (&json!("macvlan"), &json!("eth0")));
        let ipam =
            json!({"kind": "whereabouts", "ranges": [range], "node_slice_size": "/27", "network_name": null});
        assert_eq!(interface["ipam"], ipam);
    }
    let table = node.table("pods");
    assert!(table.contains("cache") && !table.contains("cache, cache"), "{table}");
    assert!(table.contains("whereabouts") && table.contains("10.140.3.0/24"), "{table}");
    let shown = node.show("node");
    assert_eq!(text(&shown, "hostname"), "worker-5.example.net");
    assert_eq!(shown["intended"]["multus"]["delegate_plugin"]["value"], "flannel");
    let notes = shown["intended"]["notes"].to_string();
    assert!(!notes.contains("/host/"), "{notes}");
}

/// A file that is called as a pod's network namespace and is none any more.
#[test]
fn a_namespace_that_is_a_plain_file() {
    let node = Node::new("plain", &[]);
    node.nic("eth0", 1500, &["192.0.2.5/24"]);
    node.vxlan("flannel.1", 1450, "eth0", "192.0.2.5", "10.42.5.0/32");
    node.netns.ip("route add blackhole 10.42.5.0/24");
    let _pod = node.calico_pod("cali0b0b0b0b0b0", 1450, &["10.42.5.7"]);
    node.root.write("plain", "");
    node.root.write(
        "var/lib/cni/results/cbr0-5d7e-eth0",
        cached(r#"{"type":"calico"}"#, "cbr0", "eth0", "x", "10.42.5.7/32")
            .replace("/var/run/netns/x", "/plain"),
    );
    let table = node.table("pods");
    assert!(
        table.contains("network namespace /plain: cannot open it: it is not a network namespace"),
        "{table}"
    );
    assert!(!table.contains("Invalid argument"), "{table}");
}
