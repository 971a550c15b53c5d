//! Faults of the files that the runtime and CNI plugins read.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    Maker, intent,
    scene::{Part, Scene, Unfit},
};
use crate::lab::{
    files,
    plan::{Family, LabOptions},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("multus-nested", nested),
    ("cni-configuration-missing", |_| {
        Ok(vec![Part::Gone { path: format!("{DIRECTORY}/10-canal.conflist") }])
    }),
    ("cni-file-broken", |_| Ok(vec![file("00-half.conflist", "{ \"cniVersion\": \"0.3".to_owned())])),
    ("cni-file-foreign", |_| {
        let foreign = json!({
            "cniVersion": "0.3.1",
            "name": "containers",
            "plugins": [{ "type": "bridge", "bridge": "cni-podman0", "ipam": { "type": "host-local" } }]
        });
        Ok(vec![file("05-containers.conflist", format!("{foreign:#}\n"))])
    }),
    ("multus-alone", |scene| multus(scene, &json!({}), true)),
    ("multus-without-kubeconfig", |scene| multus(scene, &json!({ "delegates": [canal(scene)?] }), false)),
    ("multus-waits", waits),
    ("multus-without-daemon", |scene| {
        multus(scene, &json!({ "type": "multus-shim", "delegates": [canal(scene)?] }), true)
    }),
    ("sriov-as-default", sriov_default),
    ("whereabouts-without-kubeconfig", |_| {
        Ok(vec![whereabouts("/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig")])
    }),
    ("node-name-differs", node_name),
    ("ipv6-range-without-network", range_without_network),
    ("slice-unnamed", |scene| Ok(vec![slices(scene, None)?])),
];

const DIRECTORY: &str = "etc/cni/net.d";
const MULTUS_KUBECONFIG: &str = "multus.d/multus.kubeconfig";

fn file(name: &str, text: String) -> Part {
    Part::File { path: format!("{DIRECTORY}/{name}"), text }
}

fn canal(scene: &Scene<'_>) -> Result<Value, Unfit> {
    serde_json::from_str(&files::conflist(scene.options())).ok().ok_or(Unfit("a CNI configuration of JSON"))
}

/// Multus's own configuration, with more in it.
fn multus_with(more: &Value) -> Value {
    let mut multus = json!({
        "cniVersion": "0.3.1",
        "name": "multus-cni-network",
        "type": "multus",
        "kubeconfig": format!("/{DIRECTORY}/{MULTUS_KUBECONFIG}")
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut multus, more) {
        fields.extend(more.clone());
    }
    multus
}

/// Multus, which RKE2 was told to install, with more in its configuration.
fn multus(scene: &Scene<'_>, more: &Value, has_access: bool) -> Result<Vec<Part>, Unfit> {
    let mut parts = intent::cni(scene, "[multus, canal]")?;
    parts.push(file("00-multus.conf", format!("{:#}\n", multus_with(more))));
    parts.extend(has_access.then(multus_kubeconfig));
    Ok(parts)
}

/// Of a cluster that nobody has: it has no token.
fn multus_kubeconfig() -> Part {
    let text = "apiVersion: v1\nkind: Config\nclusters:\n- name: local\n  cluster: {server: 'https://10.43.0.1:443'}\n";
    file(MULTUS_KUBECONFIG, text.to_owned())
}

/// What Multus writes when it takes its own file for that of the cluster network.
fn nested(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let inner = multus_with(&json!({ "delegates": [canal(scene)?] }));
    multus(scene, &json!({ "delegates": [inner] }), true)
}

fn waits(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let more = json!({ "delegates": [canal(scene)?], "readinessindicatorfile": "/etc/cni/net.d/05-cilium.conflist" });
    multus(scene, &more, true)
}

fn sriov_default(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let sriov = json!({ "cniVersion": "0.3.1", "name": "sriov", "type": "sriov" });
    multus(scene, &json!({ "delegates": [sriov] }), true)
}

/// Whereabouts, which looks for its access at `kubeconfig`.
fn whereabouts(kubeconfig: &str) -> Part {
    let conf = json!({ "datastore": "kubernetes", "kubernetes": { "kubeconfig": kubeconfig } });
    file("whereabouts.d/whereabouts.conf", format!("{conf:#}\n"))
}

/// IPv6 was added to the configuration of a cluster that was made without.
fn range_without_network(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let options = scene.options();
    if options.family.v6() {
        return Err(Unfit("a lab of IPv4 only"));
    }
    let both = LabOptions { family: Family::Dual, ..options.clone() };
    Ok(vec![file("10-canal.conflist", files::conflist(&both))])
}

fn node_name(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    Ok(vec![
        slices(scene, Some("storage"))?,
        multus_kubeconfig(),
        whereabouts(&format!("/{DIRECTORY}/{MULTUS_KUBECONFIG}")),
        file("whereabouts.d/nodename", "node-1\n".to_owned()),
    ])
}

/// CNI's cache of a pod's second interface, which has an address of Whereabouts's slice of this node.
fn slices(scene: &Scene<'_>, network_name: Option<&str>) -> Result<Part, Unfit> {
    let pod = scene.pod(1)?;
    let id = files::container_id(pod);
    let mut ipam = json!({ "type": "whereabouts", "range": "192.0.2.0/24", "node_slice_size": "/28" });
    if let (Value::Object(fields), Some(name)) = (&mut ipam, network_name) {
        fields.insert("network_name".to_owned(), name.into());
    }
    let config = json!({
        "cniVersion": "0.3.1",
        "name": "storage",
        "type": "macvlan",
        "master": "eth0",
        "ipam": ipam
    });
    let netns = format!("/var/run/netns/{}", pod.netns);
    let cached = json!({
        "kind": "cniCacheV1",
        "containerId": id,
        "config": BASE64_STANDARD.encode(config.to_string()),
        "ifName": "net1",
        "networkName": "storage",
        "netns": netns,
        "cniArgs": [
            ["K8S_POD_NAMESPACE", pod.namespace],
            ["K8S_POD_NAME", pod.name],
            ["K8S_POD_INFRA_CONTAINER_ID", id]
        ],
        "result": {
            "cniVersion": "0.3.1",
            "interfaces": [{ "name": "net1", "sandbox": netns }],
            "ips": [{ "address": "192.0.2.17/24", "interface": 0 }],
            "dns": {}
        }
    });
    Ok(Part::File { path: format!("var/lib/cni/results/storage-{id}-net1"), text: cached.to_string() })
}
