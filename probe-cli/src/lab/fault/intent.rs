//! Faults of what files want.

use std::path::Path;

use serde_json::Value;

use super::{
    Maker,
    scene::{Part, Scene, Unfit},
};
use crate::files::kernel_text;

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("config-other-cni", |scene| cni(scene, "calico")),
    ("config-other-backend", |scene| backend(scene, "host-gw")),
    ("config-one-family", one_family),
    ("config-other-cluster-cidr", other_cluster_cidr),
    ("subnet-env-differs", subnet_env),
    ("config-other-node-ip", other_node_ip),
    ("config-other-interface", other_interface),
    ("config-other-vni", |scene| Ok(vec![net_conf(scene, "VNI", 7.into())?])),
    ("config-other-port", other_port),
    ("config-wireguard", impossible),
    ("manifest-without-version", |scene| {
        Ok(vec![scene.edited(MANIFEST, "apiVersion: helm.cattle.io/v1\n", "")?])
    }),
    ("config-unknown-cni", |scene| cni(scene, "multus+canal")),
    ("multus-missing", |scene| cni(scene, "[multus, canal]")),
    ("config-refused-cni", |scene| cni(scene, "[canal, multus]")),
    ("direct-routing-wanted", |scene| Ok(vec![net_conf(scene, "DirectRouting", true.into())?])),
    ("config-smaller-mtu", |scene| {
        Ok(vec![net_conf(scene, "MTU", (scene.options().underlay_mtu - SMALLER).into())?])
    }),
    ("manifest-in-other-namespace", other_namespace),
];

/// Bytes that the configured MTU is smaller by.
const SMALLER: u32 = 100;
const CONFIG: &str = "rke2/config.yaml";
const MANIFEST: &str = "rke2-canal-config.yaml";
const NET_CONF: &str = "net-conf.json";
/// `__NEW_UTS_LEN` of linux/utsname.h, and a newline.
const LONGEST_RELEASE: u64 = 65;

/// RKE2 is told to install another CNI.
pub(super) fn cni(scene: &Scene<'_>, value: &str) -> Result<Vec<Part>, Unfit> {
    Ok(vec![scene.edited(CONFIG, "cni: canal", &format!("cni: {value}"))?])
}

fn net_conf_json(scene: &Scene<'_>) -> Result<(String, Value), Unfit> {
    let (path, text) = scene.file(NET_CONF)?;
    let conf = serde_json::from_str(&text).ok().ok_or(Unfit("a net-conf.json of JSON"))?;
    Ok((path, conf))
}

/// What flannel is told, with another value in its backend's section.
fn net_conf(scene: &Scene<'_>, name: &str, value: Value) -> Result<Part, Unfit> {
    let (path, mut conf) = net_conf_json(scene)?;
    if let Some(Value::Object(backend)) = conf.get_mut("Backend") {
        backend.insert(name.to_owned(), value);
    }
    Ok(Part::File { path, text: format!("{conf:#}\n") })
}

fn backend(scene: &Scene<'_>, name: &str) -> Result<Vec<Part>, Unfit> {
    let (_, manifest) = scene.file(MANIFEST)?;
    let line = manifest.lines().find(|line| line.contains("backend:")).unwrap_or_default();
    Ok(vec![
        scene.edited(MANIFEST, line, &format!("      backend: \"{name}\""))?,
        net_conf(scene, "Type", name.into())?,
    ])
}

/// With the list of modules of a kernel that has none for WireGuard.
fn impossible(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let release = kernel_text(Path::new("/proc/sys/kernel/osrelease"), LONGEST_RELEASE).unwrap_or_default();
    let mut parts = backend(scene, "wireguard")?;
    parts.push(Part::File {
        path: format!("lib/modules/{}/modules.dep", release.trim()),
        text: "kernel/drivers/net/vxlan/vxlan.ko:\n".to_owned(),
    });
    Ok(parts)
}

/// With the chart's own manifest, as RKE2 writes it.
fn other_namespace(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let config = scene.edited(MANIFEST, "namespace: kube-system", "namespace: default")?;
    let chart = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata:\n  name: rke2-canal\n  namespace: kube-system\n";
    let path = "var/lib/rancher/rke2/server/manifests/rke2-canal.yaml".to_owned();
    Ok(vec![config, Part::File { path, text: chart.to_owned() }])
}

fn one_family(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let family = scene.options().family;
    if !(family.v4() && family.v6()) {
        return Err(Unfit("a lab with both families"));
    }
    let (path, mut conf) = net_conf_json(scene)?;
    if let Value::Object(fields) = &mut conf {
        fields.insert("EnableIPv6".to_owned(), false.into());
        fields.remove("IPv6Network");
    }
    Ok(vec![scene.edited(CONFIG, ",fd00:42::/48", "")?, Part::File { path, text: format!("{conf:#}\n") }])
}

fn other_cluster_cidr(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let (from, to) =
        if scene.is_v6() { ("fd00:42::/48", "fd00:99::/48") } else { ("10.42.0.0/16", "10.99.0.0/16") };
    Ok(vec![scene.edited(CONFIG, from, to)?])
}

/// The node object was made again: flannel has another lease than the kernel.
fn subnet_env(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let lines = if scene.is_v6() {
        "FLANNEL_IPV6_NETWORK=fd00:42::/48\nFLANNEL_IPV6_SUBNET=fd00:42:0:99::1/64\n"
    } else {
        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.99.1/24\n"
    };
    let text = format!("{lines}FLANNEL_MTU={}\nFLANNEL_IPMASQ=true\n", scene.options().pod_mtu());
    Ok(vec![Part::File { path: "run/flannel/subnet.env".to_owned(), text }])
}

fn other_node_ip(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = scene.entries(scene.number()).node.to_string();
    let other = if scene.is_v6() { "2001:db8::77" } else { "192.0.2.77" };
    Ok(vec![scene.edited(CONFIG, &format!("node-ip: {own}"), &format!("node-ip: {other}"))?])
}

fn other_interface(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    Ok(vec![scene.edited(MANIFEST, "    flannel:\n", "    flannel:\n      iface: \"eth1\"\n")?])
}

fn other_port(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let name = if scene.options().dataplane.wireguard() { "ListenPort" } else { "Port" };
    Ok(vec![net_conf(scene, name, 4789.into())?])
}
