//! The files that a node of a lab would have if RKE2 ran it: what is configured, and what CNI plugins left behind for its
//! pods. One tree for each node, to be given with `--host-root`, so that one run can join files and kernel.
//!
//! Formats as RKE2's documentation, its Canal chart, flannel (pkg/subnet), Calico's CNI plugin and libcni (libcni/api.go) have
//! them. What is in the kernel is made elsewhere.

use std::{
    fmt::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::{
    error::LabError,
    plan::{Family, LabOptions, PORT, VNI},
    registry::{self, Lab, Node, Pod},
};
use crate::{files::Tree, netns, text::hex};

/// What a directory of such trees has in it, so that it can be written again.
const MARK: &str = ".overlay-probe-lab";
/// Name of Canal's pod network.
const NETWORK: &str = "k8s-pod-network";

/// Writes a tree for each node as [`write()`] does, and notes in the lab where, so that faults find it.
pub fn install(lab: &mut Lab, directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let roots = write(lab, directory)?;
    let directory = std::path::absolute(directory)
        .map_err(|source| LabError::File { path: directory.to_owned(), source })?;
    lab.host_files = Some(directory);
    registry::write(lab)?;
    Ok(roots)
}

/// The directory of such trees, to change files in.
pub(super) fn tree(directory: &Path) -> Result<Tree, LabError> {
    Tree::make(directory, MARK).map_err(|source| LabError::File { path: directory.to_owned(), source })
}

/// Writes a tree below `directory` for each node of the lab, named like the node, and gives their paths.
pub fn write(lab: &Lab, directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let failed = |path: &Path| {
        let path = directory.join(path);
        move |source| LabError::File { path, source }
    };
    let tree = tree(directory)?;
    let mut roots = Vec::new();
    for node in &lab.nodes {
        let root = Path::new(&node.netns);
        for (path, text) in files(lab, node) {
            let path = root.join(path);
            tree.write(&path, text.as_bytes()).map_err(failed(&path))?;
        }
        // The pods' namespaces are where they are.
        let link = root.join("run/netns");
        tree.link(&link, Path::new(netns::DIRECTORY)).map_err(failed(&link))?;
        roots.push(directory.join(root));
    }
    Ok(roots)
}

/// A node's files by their path below its root.
pub(super) fn files(lab: &Lab, node: &Node) -> Vec<(String, String)> {
    let options = &lab.options;
    let config_map = format!(
        "var/lib/kubelet/pods/{}/volumes/kubernetes.io~configmap/flannel-cfg",
        uid(&format!("canal.{}", node.netns))
    );
    let mut files = vec![
        ("etc/rancher/rke2/config.yaml".to_owned(), config(options, node)),
        ("etc/hosts".to_owned(), hosts(lab)),
        (format!("{config_map}/net-conf.json"), net_conf(options)),
        (format!("{config_map}/cni-conf.json"), conflist(options)),
        ("etc/cni/net.d/10-canal.conflist".to_owned(), conflist(options)),
        ("var/lib/calico/nodename".to_owned(), format!("{}\n", node.netns)),
        (
            "etc/NetworkManager/conf.d/rke2-canal.conf".to_owned(),
            "[keyfile]\nunmanaged-devices=interface-name:flannel*;interface-name:cali*\n".to_owned(),
        ),
    ];
    if node.number == 1 {
        let manifest = "var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml";
        files.push((manifest.to_owned(), manifest_text(options)));
    }
    files.extend(node.pods.iter().map(|pod| {
        let path = format!("var/lib/cni/results/{NETWORK}-{}-eth0", container_id(pod));
        (path, cached(options, pod))
    }));
    files
}

/// Only servers have `cni`; the lab's first node is one.
fn config(options: &LabOptions, node: &Node) -> String {
    let list = |v4: &str, v6: &str| by_family(options.family, v4, v6).join(",");
    let addresses: Vec<String> = node.addresses.iter().map(IpAddr::to_string).collect();
    let mut text = format!("node-name: {}\nnode-ip: {}\n", node.netns, addresses.join(","));
    if node.number == 1 {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "cni: canal\ncluster-cidr: {}\nservice-cidr: {}\n",
            list("10.42.0.0/16", "fd00:42::/48"),
            list("10.43.0.0/16", "fd00:43::/112"),
        );
    }
    text
}

fn by_family<'a>(family: Family, v4: &'a str, v6: &'a str) -> Vec<&'a str> {
    let v4 = family.v4().then_some(v4);
    v4.into_iter().chain(family.v6().then_some(v6)).collect()
}

fn backend(options: &LabOptions) -> &'static str {
    if options.dataplane.wireguard() { "wireguard" } else { "vxlan" }
}

/// `vethuMTU` is what the pods' MTU comes from, and it is a number that somebody has to set.
fn manifest_text(options: &LabOptions) -> String {
    format!(
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: rke2-canal\n  namespace: kube-system\n\
         spec:\n  valuesContent: |-\n    flannel:\n      backend: \"{}\"\n    calico:\n      vethuMTU: {}\n",
        backend(options),
        options.pod_mtu()
    )
}

/// What flannel is told (pkg/subnet/config.go).
fn net_conf(options: &LabOptions) -> String {
    let backend = if options.dataplane.wireguard() {
        json!({ "Type": "wireguard" })
    } else {
        json!({ "Type": "vxlan", "VNI": VNI, "Port": PORT })
    };
    let mut conf =
        json!({ "EnableIPv4": options.family.v4(), "EnableIPv6": options.family.v6(), "Backend": backend });
    if let Value::Object(fields) = &mut conf {
        if options.family.v4() {
            fields.insert("Network".to_owned(), "10.42.0.0/16".into());
        }
        if options.family.v6() {
            fields.insert("IPv6Network".to_owned(), "fd00:42::/48".into());
        }
    }
    pretty(&conf)
}

/// The configuration that the runtime reads.
pub(super) fn conflist(options: &LabOptions) -> String {
    let ranges: Vec<Value> = by_family(options.family, "usePodCidr", "usePodCidrIPv6")
        .into_iter()
        .map(|subnet| json!([{ "subnet": subnet }]))
        .collect();
    pretty(&json!({
        "name": NETWORK,
        "cniVersion": "0.3.1",
        "plugins": [
            {
                "type": "calico",
                "log_level": "info",
                "datastore_type": "kubernetes",
                "mtu": options.pod_mtu(),
                "ipam": { "type": "host-local", "ranges": ranges },
                "policy": { "type": "k8s" },
                "kubernetes": { "kubeconfig": "/etc/cni/net.d/calico-kubeconfig" }
            },
            { "type": "portmap", "snat": true, "capabilities": { "portMappings": true } },
            { "type": "bandwidth", "capabilities": { "bandwidth": true } }
        ]
    }))
}

/// libcni's cache of a pod's interface to the cluster network.
pub(super) fn cached(options: &LabOptions, pod: &Pod) -> String {
    let id = container_id(pod);
    let prefix = |address: &IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let ips: Vec<Value> = pod
        .addresses
        .iter()
        .map(|address| json!({ "address": format!("{address}/{}", prefix(address)) }))
        .collect();
    let text = json!({
        "kind": "cniCacheV1",
        "containerId": id,
        "config": BASE64_STANDARD.encode(conflist(options)),
        "ifName": "eth0",
        "networkName": NETWORK,
        "netns": format!("/var/run/netns/{}", pod.netns),
        "cniArgs": [
            ["IgnoreUnknown", "1"],
            ["K8S_POD_NAMESPACE", pod.namespace],
            ["K8S_POD_NAME", pod.name],
            ["K8S_POD_INFRA_CONTAINER_ID", id],
            ["K8S_POD_UID", uid(&format!("{}.{}", pod.namespace, pod.name))]
        ],
        "capabilityArgs": { "io.kubernetes.cri.pod-annotations": {} },
        "result": {
            "cniVersion": "0.3.1",
            "interfaces": [
                { "name": pod.host_ifname },
                { "name": "eth0", "sandbox": format!("/var/run/netns/{}", pod.netns) }
            ],
            "ips": ips.into_iter().map(|mut ip| {
                if let Value::Object(fields) = &mut ip {
                    fields.insert("interface".to_owned(), 1.into());
                }
                ip
            }).collect::<Vec<_>>(),
            "dns": {}
        }
    });
    text.to_string()
}

fn hosts(lab: &Lab) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned();
    for node in &lab.nodes {
        for address in &node.addresses {
            let _ = writeln!(text, "{address} {}", node.netns);
        }
    }
    text
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// 64 hexadecimal digits, as containerd makes them; the same for the same pod.
pub(super) fn container_id(pod: &Pod) -> String {
    let of = |salt: &str| digest(&format!("{salt}.{}.{}", pod.namespace, pod.name));
    format!("{}{}", of("a"), of("b")).chars().take(64).collect()
}

/// A UID as Kubernetes makes them; the same for the same name.
fn uid(name: &str) -> String {
    let digits = digest(name);
    let part = |from: usize, length: usize| digits.chars().skip(from).take(length).collect::<String>();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 4), part(12, 3), part(15, 3), part(18, 12))
}

fn digest(text: &str) -> String {
    hex(&Sha1::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pods;

    fn lab(family: Family) -> Lab {
        let pod = Pod {
            namespace: "shop".to_owned(),
            name: "cart-0".to_owned(),
            addresses: vec!["10.42.1.2".parse().unwrap(), "fd00:42:0:1::2".parse().unwrap()],
            host_ifname: "cali1".to_owned(),
            netns: "ovp-node1-pod1".to_owned(),
        };
        let node = |number: u16, pods| Node {
            number,
            netns: format!("ovp-node{number}"),
            identity: (0, 0),
            addresses: vec!["172.31.77.1".parse().unwrap()],
            pods,
        };
        Lab {
            options: LabOptions { family, ..LabOptions::default() },
            nodes: vec![node(1, vec![pod]), node(2, vec![])],
            host_files: None,
            faults: Vec::new(),
        }
    }

    #[test]
    fn the_tools_own_readers_understand_them() {
        let directory = tempfile::tempdir().unwrap();
        for _again in 0..2 {
            let roots = write(&lab(Family::Dual), directory.path()).unwrap();
            assert_eq!(roots, [directory.path().join("ovp-node1"), directory.path().join("ovp-node2")]);
        }
        let facts = pods::read_files(&directory.path().join("ovp-node1"));
        let [attachment] = facts.attachments.as_slice() else { panic!("{facts:?}") };
        assert_eq!(
            (attachment.namespace.as_str(), attachment.pod.as_str(), attachment.plugin.as_deref()),
            ("shop", "cart-0", Some("calico"))
        );
        assert_eq!(
            (attachment.addresses.len(), attachment.host_ifnames.as_slice()),
            (2, &["cali1".to_owned()][..])
        );
        assert_eq!(attachment.netns.as_deref(), Some("/var/run/netns/ovp-node1-pod1"));
        assert_eq!(attachment.container_id.len(), 64);
        assert_eq!(attachment.uid.as_ref().map(String::len), Some(36));
    }

    #[test]
    fn what_is_configured_is_what_the_lab_is() {
        let of = |lab: &Lab| {
            let files = files(lab, &lab.nodes[0]);
            files.into_iter().map(|(path, text)| format!("--- {path}\n{text}")).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(of(&lab(Family::Dual)));
        let v6 = of(&lab(Family::V6));
        assert!(v6.contains("cluster-cidr: fd00:42::/48") && !v6.contains("10.42.0.0/16"), "{v6}");
    }
}
