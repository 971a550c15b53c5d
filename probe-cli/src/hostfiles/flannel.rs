//! flannel's own files: `net-conf.json`, `cni-conf.json` and `subnet.env`. The chart keeps the first two in a ConfigMap, which
//! the kubelet writes below each pod that mounts it; flanneld writes the third.

use super::{
    cni, keys,
    notes::Notes,
    parse::{json, note_rest, note_trouble},
    root::Root,
    tree::At,
};
use crate::{
    facts::files::{CniFile, FlannelConf, SubnetEnv},
    observed::Observed,
};

/// Where the kubelet has the files of pods.
const PODS: &str = "/var/lib/kubelet/pods";
/// The volume of flannel's pod, below the pod's directory. Canal's, rke2-flannel's and flannel's own manifest call it so.
const VOLUME: &str = "volumes/kubernetes.io~configmap/flannel-cfg";
/// Where k3s has its flannel's configuration, below its data directory.
const K3S: &str = "agent/etc/flannel/net-conf.json";
/// Where flanneld writes the node's lease.
const SUBNET_ENV: &str = "/run/flannel/subnet.env";
/// Most pods that are looked at.
const MOST_PODS: usize = 10_000;
/// Most processes that are looked at.
const MOST_PROCESSES: usize = 32_768;

/// What flannel's configuration is.
pub(super) struct Flannel {
    pub(super) conf: Observed<FlannelConf>,
    pub(super) cni: Observed<CniFile>,
}

/// The newest ConfigMap volume's files, or k3s' own below `k3s`, its data directory.
pub(super) fn read(root: &Root, k3s: &str, notes: &mut Notes) -> Flannel {
    let volumes = match volumes(root, notes) {
        Observed::Value(volumes) => volumes,
        Observed::Absent => Vec::new(),
        other => return Flannel { conf: other.map(|_| FlannelConf::default()), cni: Observed::Absent },
    };
    let Some((_, newest)) = volumes.first() else {
        return Flannel { conf: conf(root, &format!("{k3s}/{K3S}"), notes), cni: Observed::Absent };
    };
    let found = conf(root, &format!("{newest}/net-conf.json"), notes);
    for (_, older) in volumes.iter().skip(1) {
        let other = conf(root, &format!("{older}/net-conf.json"), notes);
        if let (Some(found), Some(other)) = (found.value(), other.value())
            && backend(found) != backend(other)
        {
            let text = format!("differs from the newer {}, which is taken", found.file);
            notes.add(&other.file, other.backend.as_ref().and_then(|backend| backend.line), text);
        }
    }
    let path = format!("{newest}/cni-conf.json");
    Flannel {
        conf: found,
        cni: json(root, &path).map(|node| cni::file(&path, &At::root(&path, &node), true, notes)),
    }
}

fn backend(conf: &FlannelConf) -> Option<&str> {
    conf.backend.as_ref().map(|backend| backend.value.as_str())
}

/// flannel's ConfigMap volumes, the newest first. The kubelet writes each version of a volume into a directory named by its
/// time, and points the link `..data` to it (kubernetes pkg/volume/util/atomic_writer.go).
fn volumes(root: &Root, notes: &mut Notes) -> Observed<Vec<(String, String)>> {
    let pods = root.names(PODS, MOST_PODS, |_, kind| kind.is_dir());
    pods.map(|pods| {
        note_rest(&pods, PODS, notes);
        let mut volumes: Vec<(String, String)> = Vec::new();
        for pod in &pods.first {
            let volume = format!("{PODS}/{pod}/{VOLUME}");
            match root.exists(&volume) {
                Observed::Value(()) => {
                    volumes.push((root.link(&format!("{volume}/..data")).unwrap_or_default(), volume));
                }
                answer => note_trouble(&answer, &volume, notes),
            }
        }
        volumes.sort_by(|a, b| b.cmp(a));
        volumes
    })
}

fn conf(root: &Root, path: &str, notes: &mut Notes) -> Observed<FlannelConf> {
    json(root, path).map(|node| {
        let at = At::root(path, &node);
        let mut conf = FlannelConf {
            file: path.to_owned(),
            network: at.parsed("Network", "a CIDR", notes),
            ipv6_network: at.parsed("IPv6Network", "a CIDR", notes),
            enable_ipv4: at.flag("EnableIPv4", notes),
            enable_ipv6: at.flag("EnableIPv6", notes),
            ..FlannelConf::default()
        };
        if let Some(backend) = at.get("Backend") {
            conf.backend = backend.string("Type");
            conf.vni = backend.parsed("VNI", "a number", notes);
            conf.port = backend.parsed("Port", "a port", notes);
            conf.port = conf.port.or_else(|| backend.parsed("ListenPort", "a port", notes));
            conf.port_v6 = backend.parsed("ListenPortV6", "a port", notes);
            conf.mtu = backend.parsed("MTU", "a number", notes);
            conf.direct_routing = backend.flag("DirectRouting", notes);
            conf.mode = backend.string("Mode");
        }
        conf
    })
}

/// The node's lease: on the host, or where flanneld has it to itself.
pub(super) fn subnet_env(root: &Root, notes: &mut Notes) -> Observed<SubnetEnv> {
    match root.text(SUBNET_ENV) {
        Observed::Absent => {}
        answer => return answer.map(|text| env(SUBNET_ENV, &text, notes)),
    }
    let Some(pid) = flanneld(root) else { return Observed::Absent };
    root.of_process(pid).and_then(|process| {
        let path = format!("/proc/{pid}/root{SUBNET_ENV}");
        process.text(SUBNET_ENV).map(|text| env(&path, &text, notes))
    })
}

/// The process of flanneld. Of several, the one with the lowest number.
fn flanneld(root: &Root) -> Option<u32> {
    let pids = root.names("/proc", MOST_PROCESSES, |name, _| name.bytes().all(|byte| byte.is_ascii_digit()));
    let mut pids: Vec<u32> = pids.value()?.first.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter().find(|pid| {
        root.text(&format!("/proc/{pid}/comm")).value().is_some_and(|name| name.trim_end() == "flanneld")
    })
}

fn env(path: &str, text: &str, notes: &mut Notes) -> SubnetEnv {
    let entries = keys::entries(path, text);
    SubnetEnv {
        file: path.to_owned(),
        network: keys::parsed(&entries, "FLANNEL_NETWORK", "a CIDR", notes),
        subnet: keys::parsed(&entries, "FLANNEL_SUBNET", "a CIDR", notes),
        ipv6_network: keys::parsed(&entries, "FLANNEL_IPV6_NETWORK", "a CIDR", notes),
        ipv6_subnet: keys::parsed(&entries, "FLANNEL_IPV6_SUBNET", "a CIDR", notes),
        mtu: keys::parsed(&entries, "FLANNEL_MTU", "a number", notes),
    }
}
