//! Files as their owners take them: which keys are the same, which directory counts, which path is one of a container.

use super::Host;
use crate::{
    facts::files::{CniFile, CniPlugin, Sourced},
    observed::Observed,
};

fn said<T: Clone>(value: Option<&Sourced<T>>) -> Option<T> {
    value.map(|value| value.value.clone())
}

fn plugin(file: &CniFile) -> &CniPlugin {
    &file.network.plugins[0]
}

/// Go's encoding/json finds the field of a struct whatever the case of the key, and of several keys the last one counts.
#[test]
fn json_of_structs_has_keys_of_any_case() {
    let host = Host::new();
    host.write(
        "var/lib/rancher/k3s/agent/etc/flannel/net-conf.json",
        r#"{"network": "10.9.0.0/16", "ENABLEIPV6": true, "backend": {"TYPE": "vxlan", "vni": 7, "directRouting": true,
            "Mtu": 1400, "mtu": 1300}}"#,
    );
    host.write(
        "etc/cni/net.d/00-multus.conf",
        r#"{"Name": "m", "Type": "multus", "readinessIndicatorFile": "/ready", "clusternetwork": "pods"}"#,
    );
    host.write(
        "etc/cni/net.d/10-net.conflist",
        r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [
            {"Type": "macvlan", "MASTER": "eth1", "Ipam": {"TYPE": "whereabouts", "Range": "192.0.2.0/24",
             "Node_Slice_Size": "/26", "network_Name": "slow"}}]}"#,
    );
    host.write("etc/cni/net.d/whereabouts.d/whereabouts.conf", r#"{"Kubernetes": {"kubeConfig": "/k"}}"#);
    host.write(
        "etc/pcidp/config.json",
        r#"{"ResourceList": [{"resourcename": "pool", "Selectors": {"PCIAddresses": ["0000:01:00.0"], "isRDMA": true}}]}"#,
    );
    let files = host.read();
    assert_eq!(files.notes, []);
    let flannel = files.flannel.value().unwrap();
    assert_eq!(said(flannel.network.as_ref()).unwrap().to_string(), "10.9.0.0/16");
    assert_eq!(
        (said(flannel.backend.as_ref()).as_deref(), said(flannel.vni.as_ref()), said(flannel.mtu.as_ref())),
        (Some("vxlan"), Some(7), Some(1300))
    );
    assert_eq!(
        (said(flannel.direct_routing.as_ref()), said(flannel.enable_ipv6.as_ref())),
        (Some(true), Some(true))
    );
    let directory = files.cni.value().unwrap();
    assert_eq!(directory.default_network, Some(0));
    let multus = plugin(&directory.files[0]).multus.as_ref().unwrap();
    assert_eq!(said(multus.readiness_file.as_ref()).as_deref(), Some("/ready"));
    assert_eq!(said(multus.cluster_network.as_ref()).as_deref(), Some("pods"));
    let macvlan = plugin(&directory.files[1]);
    assert_eq!(
        (
            said(macvlan.device.as_ref()).as_deref(),
            said(macvlan.ipam.as_ref()).as_deref(),
            macvlan.ranges[0].value.as_str()
        ),
        (Some("eth1"), Some("whereabouts"), "192.0.2.0/24")
    );
    assert_eq!(
        (said(macvlan.node_slice_size.as_ref()).as_deref(), said(macvlan.network_name.as_ref()).as_deref()),
        (Some("/26"), Some("slow"))
    );
    assert_eq!(said(files.whereabouts.value().unwrap().kubeconfig.as_ref()).as_deref(), Some("/k"));
    let pool = &files.device_plugin.value().unwrap().resources[0];
    assert_eq!((pool.name.value.as_str(), pool.selectors[0].pci_addresses.len()), ("pool", 1));
    assert_eq!(said(pool.selectors[0].is_rdma.as_ref()), Some(true));
}

/// libcni takes a list of plugins as a map, and Kubernetes and Helm have YAML: there the case counts.
#[test]
fn maps_and_yaml_have_keys_of_one_case() {
    let host = Host::new();
    host.write("etc/cni/net.d/10-a.conflist", r#"{"name": "a", "Plugins": [{"type": "bridge"}]}"#);
    host.write("etc/cni/net.d/20-b.conflist", r#"{"Name": "b", "plugins": [{"type": "bridge"}]}"#);
    host.write("etc/rancher/rke2/config.yaml", "CNI: calico\nCluster-CIDR: 10.9.0.0/16\n");
    host.write(
        "var/lib/rancher/rke2/server/manifests/a.yaml",
        "apiVersion: helm.cattle.io/v1\nKind: HelmChartConfig\nmetadata: {name: rke2-canal}\n",
    );
    let files = host.read();
    let problems: Vec<_> = files.cni.value().unwrap().files.iter().map(|file| file.problem.clone()).collect();
    assert!(problems[0].as_ref().unwrap().contains("without `plugins`"), "{problems:?}");
    assert!(problems[1].as_ref().unwrap().contains("without `name`"), "{problems:?}");
    assert!(files.rke2.value().unwrap().is_empty(), "{:?}", files.rke2);
    assert_eq!(files.charts, Observed::Value(Vec::new()));
}

/// In the runtime's CNI directory, which is another one in k3s; and the kubeconfig is the one that its file names.
#[test]
fn whereabouts_is_where_the_runtime_looks() {
    const K3S: &str = "var/lib/rancher/k3s/agent/etc/cni/net.d/whereabouts.d";
    let conf = |kubeconfig: &str| {
        format!(r#"{{"datastore": "kubernetes", "kubernetes": {{"kubeconfig": "{kubeconfig}"}}}}"#)
    };
    let host = Host::new();
    host.write(&format!("{K3S}/whereabouts.conf"), conf("/etc/other.kubeconfig"));
    host.write(&format!("{K3S}/nodename"), "worker-3.example.net\n");
    host.write("etc/other.kubeconfig", "apiVersion: v1\n");
    // Another plugin's, or one of an installation before.
    host.write("etc/cni/net.d/whereabouts.d/whereabouts.conf", conf("/old"));
    let files = host.read();
    let found = files.whereabouts.value().unwrap();
    assert_eq!(found.nodename.value().unwrap().value, "worker-3.example.net");
    assert_eq!(found.kubeconfig_file.value().unwrap().file, "/etc/other.kubeconfig");
    assert!(found.datastore.as_ref().unwrap().file.starts_with(&format!("/{K3S}/")), "{found:?}");
    // One that is not there is known to be absent, and not looked for beside the file.
    let host = Host::new();
    host.write("etc/cni/net.d/whereabouts.d/whereabouts.conf", conf("/gone"));
    host.write("etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig", "apiVersion: v1\n");
    assert_eq!(host.read().whereabouts.value().unwrap().kubeconfig_file, Observed::Absent);
    // Without a file that names one, it is the one beside.
    let host = Host::new();
    host.write("etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig", "apiVersion: v1\n");
    let files = host.read();
    let file = files.whereabouts.value().unwrap().kubeconfig_file.value().unwrap();
    assert_eq!(file.file, "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig");
    // k3s without Whereabouts of its own: where else the plugin looks.
    let host = Host::new();
    host.write("var/lib/rancher/k3s/agent/etc/cni/net.d/10-flannel.conflist", "{}");
    host.write("etc/cni/net.d/whereabouts.d/nodename", "n1\n");
    assert_eq!(host.read().whereabouts.value().unwrap().nodename.value().unwrap().value, "n1");
}

/// The thick plugin's daemon has the host's files below `/host`.
#[test]
fn a_directory_of_a_container_is_the_hosts() {
    let host = Host::new();
    host.write(
        "etc/cni/net.d/00-multus.conf",
        r#"{"name": "m", "type": "multus-shim", "confDir": "/host/etc/cni/multus/nets", "clusterNetwork": "pods"}"#,
    );
    host.write("etc/cni/multus/nets/10-a.conf", r#"{"name": "pods", "type": "bridge"}"#);
    let files = host.read();
    let multus = plugin(&files.cni.value().unwrap().files[0]).multus.as_ref().unwrap();
    assert_eq!(multus.conf_dir_files.value().unwrap()[0].file, "/etc/cni/multus/nets/10-a.conf");
}

/// hostname(5): comments and empty lines are passed over.
#[test]
fn a_host_name() {
    for (text, expected) in [
        ("kind-worker.example.net\n", Some("kind-worker.example.net")),
        ("# set by the installer\n\n  n1  \nn2\n", Some("n1")),
        ("# nothing\n", None),
    ] {
        let host = Host::new();
        host.write("etc/hostname", text);
        let found = host.read().hostname;
        assert_eq!(found.value().map(|name| name.value.as_str()), expected, "{text:?}");
    }
}
