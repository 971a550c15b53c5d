//! Faults in the files of the runtime, Multus and Whereabouts.

use super::{Fault, canal, configure, sourced, wg};
use crate::{
    check::testdata::Node,
    facts::files::{CniDirectory, CniFile, CniNetwork, CniPlugin, Kubeconfig, Multus, Whereabouts},
    observed::Observed,
};

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        canal("cni-configuration-missing", |node| {
            node.files().rke2_directory = Observed::Value("/var/lib/rancher/rke2".to_owned());
            node.files().cni = Observed::Value(CniDirectory {
                path: sourced("/etc/cni/net.d".to_owned(), 1),
                ..CniDirectory::default()
            });
        }),
        canal("cni-file-broken", |node| {
            let broken = CniFile {
                file: "/etc/cni/net.d/00-copy.conf".to_owned(),
                problem: Some("/etc/cni/net.d/00-copy.conf is no JSON".to_owned()),
                ..CniFile::default()
            };
            let path = sourced("/etc/cni/net.d".to_owned(), 1);
            node.files().cni =
                Observed::Value(CniDirectory { path, files: vec![broken], default_network: None });
        }),
        canal("cni-first-file-foreign", |node| {
            let plugin = CniPlugin { kind: sourced("bridge".to_owned(), 3), ..CniPlugin::default() };
            first_network(node, "05-containers.conflist", plugin);
        }),
        canal("cni-first-file-foreign", |node| multus(node, behind_multus("bridge"))),
        canal("cni-multus-alone", |node| multus(node, Multus::default())),
        canal("cni-multus-waits", |node| {
            let file = sourced("/etc/cni/net.d/10-canal.conflist".to_owned(), 5);
            multus(node, Multus { readiness_file: Some(file), ..behind_multus("calico") });
        }),
        canal("cni-multus-kubeconfig", |node| {
            let file = sourced("/etc/cni/net.d/multus.d/multus.kubeconfig".to_owned(), 5);
            multus(node, Multus { kubeconfig: Some(file), ..behind_multus("calico") });
        }),
        canal("cni-multus-kubeconfig", |node| {
            let path = "/etc/cni/net.d/multus.d/multus.kubeconfig".to_owned();
            let written = Kubeconfig { file: path.clone(), modified: 0, token_expires: Some(1_000) };
            node.snapshot.taken_at = std::time::Duration::from_secs(1_000_000);
            let of_multus = Multus {
                kubeconfig: Some(sourced(path, 5)),
                kubeconfig_file: Observed::Value(written),
                ..behind_multus("calico")
            };
            multus(node, of_multus);
        }),
        canal("cni-multus-daemon-missing", |node| shim(node, Observed::Absent)),
        wg("cni-range-without-network", |node| {
            let ranges = ["usePodCidr", "usePodCidrIPv6"].map(|range| sourced(range.to_owned(), 8)).to_vec();
            let plugin = CniPlugin {
                kind: sourced("calico".to_owned(), 3),
                ipam: Some(sourced("host-local".to_owned(), 7)),
                ranges,
                ..CniPlugin::default()
            };
            first_network(node, "10-canal.conflist", plugin);
        }),
        canal("cni-sriov-default", |node| multus(node, behind_multus("sriov"))).with(&["intent-cni-differs"]),
        canal("cni-whereabouts-kubeconfig", |node| {
            let kubeconfig = Some(sourced("/var/lib/rancher/k3s/whereabouts.kubeconfig".to_owned(), 3));
            node.files().whereabouts = Observed::Value(Whereabouts { kubeconfig, ..Whereabouts::default() });
        }),
        canal("cni-node-name-differs", |node| {
            configure(node, "node-name", "node-1.example.com");
            node.files().hostname = Observed::Value(sourced("node-1".to_owned(), 1));
            node.files().whereabouts = Observed::Value(Whereabouts::default());
            let plugin =
                CniPlugin { node_slice_size: Some(sourced("/26".to_owned(), 7)), ..CniPlugin::default() };
            let network = CniNetwork { plugins: vec![plugin], ..CniNetwork::default() };
            node.files().multus_networks = Observed::Value(vec![CniFile { network, ..CniFile::default() }]);
        }),
    ]
}

/// What Multus has behind it: a plugin of this type.
fn behind_multus(kind: &str) -> Multus {
    let plugin = CniPlugin { kind: sourced(kind.to_owned(), 9), ..CniPlugin::default() };
    let name = Some(sourced("k8s-pod-network".to_owned(), 8));
    let delegates = vec![CniNetwork { name, plugins: vec![plugin], ..CniNetwork::default() }];
    Multus { delegates, ..Multus::default() }
}

/// Multus is configured, and its file is the first one of the CNI directory.
fn multus(node: &mut Node, multus: Multus) {
    configure(node, "cni", "multus,canal");
    let plugin = CniPlugin {
        kind: sourced("multus".to_owned(), 3),
        multus: Some(Box::new(multus)),
        ..CniPlugin::default()
    };
    first_network(node, "00-multus.conf", plugin);
}

/// The thick plugin, with its daemon's socket or without.
pub(in crate::check::tests) fn shim(node: &mut Node, socket: Observed<()>) {
    multus(node, Multus { socket, ..behind_multus("calico") });
    if let Observed::Value(directory) = &mut node.files().cni {
        directory.files[0].network.plugins[0].kind.value = "multus-shim".to_owned();
    }
}

/// The only file of the CNI directory has this plugin.
fn first_network(node: &mut Node, name: &str, plugin: CniPlugin) {
    let network = CniNetwork { plugins: vec![plugin], ..CniNetwork::default() };
    let file = CniFile { file: format!("/etc/cni/net.d/{name}"), network, ..CniFile::default() };
    let path = sourced("/etc/cni/net.d".to_owned(), 1);
    node.files().cni = Observed::Value(CniDirectory { path, files: vec![file], default_network: Some(0) });
}
