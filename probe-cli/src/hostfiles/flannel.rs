//! flannel's own files: `net-conf.json`, `cni-conf.json` and `subnet.env`. The chart keeps the first two in a ConfigMap, which
//! the kubelet writes below each pod that mounts it; flanneld writes the third.

use std::{collections::BTreeMap, fs::File, io, path::Path};

use ipnet::IpNet;

use super::{
    cni, keys,
    notes::FileNotes,
    parse::{json, note_rest, note_trouble},
    root::Root,
    tree::At,
};
use crate::{
    facts::{
        files::{CniFile, FlannelConf, FlannelOwner, Settings, Sourced, SubnetEnv},
        pods::Sandbox,
    },
    files,
    observed::Observed,
};

/// Where the kubelet has the files of pods.
const PODS: &str = "/var/lib/kubelet/pods";
/// The volume of flannel's pod, below the pod's directory. Canal's, rke2-flannel's and flannel's own manifest call it so.
const VOLUME: &str = "volumes/kubernetes.io~configmap/flannel-cfg";
/// Keys of the ConfigMap that Canal has and flannel has not.
const CANAL: [&str; 2] = ["cni_network_config", "canal_iface"];
/// Where k3s has its flannel's configuration, below its data directory.
const K3S: &str = "agent/etc/flannel/net-conf.json";
/// Where flanneld writes the node's lease.
const SUBNET_ENV: &str = "/run/flannel/subnet.env";
/// flannel's program, and so its process.
const FLANNELD: &str = "flanneld";
/// What `/proc/<pid>/ns/user` leads to in the user namespace that the kernel starts with (`PROC_USER_INIT_INO`,
/// include/linux/proc_ns.h).
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";
/// Most pods that are looked at.
const MOST_PODS: usize = 10_000;
/// Most processes that are looked at.
const MOST_PROCESSES: usize = 32_768;

/// What flannel's configuration is.
pub(super) struct Flannel {
    pub(super) conf: Observed<FlannelConf>,
    pub(super) cni: Observed<CniFile>,
}

/// Kubernetes namespaces in which flannel runs: Canal's and rke2-flannel's, and that of its own manifest.
const NAMESPACES: [&str; 2] = ["kube-system", "kube-flannel"];

/// Where k3s has its flannel's configuration: where it is told, or below its data directory.
pub(super) fn of_k3s(told: &Observed<Settings>, data: &str) -> String {
    let told = told.value().and_then(|settings| settings.get("flannel-conf")?.last());
    told.map_or_else(|| format!("{data}/{K3S}"), |told| told.value.clone())
}

/// The newest ConfigMap volume's files, or k3s' own in the file `k3s`.
pub(super) fn read(root: &Root, k3s: &str, owners: &Owners, notes: &mut FileNotes) -> Flannel {
    let mut volumes = match volumes(root, notes) {
        Observed::Value(volumes) => volumes,
        Observed::Absent => Vec::new(),
        other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
            return Flannel { conf: other.map(|_| FlannelConf::default()), cni: Observed::Absent };
        }
    };
    volumes.retain(|volume| owners.may_have(volume, notes));
    if !owners.are_known()
        && let Some(contradiction) = contradiction(root, &volumes)
    {
        return Flannel { conf: contradiction, cni: Observed::Absent };
    }
    let volumes: Vec<(String, String)> =
        volumes.into_iter().map(|volume| (volume.written, volume.path)).collect();
    let Some((_, newest)) = volumes.first() else {
        let conf = conf(root, k3s, FlannelOwner::K3s, notes);
        return Flannel { conf, cni: Observed::Absent };
    };
    let is_canal = CANAL.iter().any(|key| root.exists(&format!("{newest}/{key}")).value().is_some());
    let owner = if is_canal { FlannelOwner::Canal } else { FlannelOwner::Flannel };
    let found = conf(root, &format!("{newest}/net-conf.json"), owner, notes);
    for (_, older) in volumes.iter().skip(1) {
        let other = conf(root, &format!("{older}/net-conf.json"), owner, notes);
        if let (Some(found), Some(other)) = (found.value(), other.value())
            && backend(found) != backend(other)
        {
            let text = format!("differs from the newer {}, which is used", found.file);
            notes.add(&other.file, other.backend.as_ref().and_then(|backend| backend.line), text);
        }
    }
    let path = format!("{newest}/cni-conf.json");
    Flannel {
        conf: found,
        cni: json(root, &path).map(|node| cni::file(&path, &At::go_json(&path, &node), true, notes)),
    }
}

/// Which pods have which files: anybody who may make a pod can have a ConfigMap mounted under any name.
pub(super) struct Owners(Option<BTreeMap<String, String>>);

impl Owners {
    /// By the runtime's sandboxes; without a runtime nobody is known.
    pub(super) fn new(sandboxes: &Observed<Vec<Sandbox>>) -> Self {
        let of = |sandbox: &Sandbox| (sandbox.uid.clone(), sandbox.namespace.clone());
        Self(sandboxes.value().map(|sandboxes| sandboxes.iter().map(of).collect()))
    }

    fn are_known(&self) -> bool {
        self.0.is_some()
    }

    /// False for a volume of a pod that cannot be flannel's. One of a pod that the runtime does not have is a leftover.
    fn may_have(&self, volume: &Volume, notes: &mut FileNotes) -> bool {
        let Some(owners) = &self.0 else { return true };
        let Some(namespace) = owners.get(&volume.pod) else { return false };
        let is_flannels = NAMESPACES.contains(&namespace.as_str());
        if !is_flannels {
            let expected = NAMESPACES.join(" or ");
            notes.add(
                &volume.path,
                None,
                format!("left out: its pod is in the Kubernetes namespace {namespace}, and flannel's is in {expected}"),
            );
        }
        is_flannels
    }
}

/// A ConfigMap volume called like flannel's.
struct Volume {
    /// The version that the kubelet wrote last, named by its time.
    written: String,
    path: String,
    /// Its pod's UID.
    pod: String,
}

/// Without a runtime nobody says whose the volumes are: when they differ, none is believed.
fn contradiction(root: &Root, volumes: &[Volume]) -> Option<Observed<FlannelConf>> {
    let confs: Vec<FlannelConf> = volumes
        .iter()
        .filter_map(|volume| {
            conf(
                root,
                &format!("{}/net-conf.json", volume.path),
                FlannelOwner::Flannel,
                &mut FileNotes::default(),
            )
            .value()
            .cloned()
        })
        .collect();
    let what = |conf: &FlannelConf| {
        let network = |said: &Option<Sourced<IpNet>>| said.as_ref().map(|said| said.value);
        (backend(conf).map(str::to_owned), network(&conf.network), network(&conf.ipv6_network))
    };
    let first = confs.first()?;
    confs.iter().any(|conf| what(conf) != what(first)).then(|| {
        let files: Vec<&str> = confs.iter().map(|conf| conf.file.as_str()).collect();
        Observed::Failed {
            error: format!(
                "several pods have a net-conf.json and they differ; without the container runtime it is unknown which pod is \
                 flannel's: {}",
                files.join(", ")
            ),
        }
    })
}

fn backend(conf: &FlannelConf) -> Option<&str> {
    conf.backend.as_ref().map(|backend| backend.value.as_str())
}

/// flannel's ConfigMap volumes, the newest first. The kubelet writes each version of a volume into a directory named by its
/// time, and points the link `..data` to it (kubernetes pkg/volume/util/atomic_writer.go).
fn volumes(root: &Root, notes: &mut FileNotes) -> Observed<Vec<Volume>> {
    let pods = root.names(PODS, MOST_PODS, |_, kind| kind.is_dir());
    pods.map(|pods| {
        note_rest(&pods, PODS, notes);
        let mut volumes = Vec::new();
        for pod in &pods.first {
            let volume = format!("{PODS}/{pod}/{VOLUME}");
            match root.exists(&volume) {
                Observed::Value(()) => {
                    let written = root.link(&format!("{volume}/..data")).unwrap_or_default();
                    volumes.push(Volume { written, path: volume, pod: pod.clone() });
                }
                answer @ (Observed::Absent
                | Observed::Denied { .. }
                | Observed::Unsupported { .. }
                | Observed::Failed { .. }) => {
                    note_trouble(&answer, &volume, notes);
                }
            }
        }
        volumes.sort_by(|a, b| (&b.written, &b.path).cmp(&(&a.written, &a.path)));
        volumes
    })
}

fn conf(root: &Root, path: &str, owner: FlannelOwner, notes: &mut FileNotes) -> Observed<FlannelConf> {
    json(root, path).map(|node| {
        let at = At::go_json(path, &node);
        let mut conf = FlannelConf {
            file: path.to_owned(),
            owner,
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

/// Opens flanneld's lease below the root of its process for one that may not look into other processes: below the host's root that
/// is given. None where nobody can be asked.
pub type AskForLease = fn(&Path) -> Option<io::Result<(u32, File)>>;

/// Opens the lease that flanneld has to itself, below the host's root, to read it; with the number of its process.
pub fn open_lease(host: &Path) -> io::Result<(u32, File)> {
    let root = Root::open(host)?;
    let found = flanneld(&root).and_then(|pid| root.of_process(pid).map(|process| (pid, process)));
    let (pid, process) = match found {
        Observed::Value(found) => found,
        Observed::Absent => return Err(io::ErrorKind::NotFound.into()),
        Observed::Denied { .. } => return Err(io::ErrorKind::PermissionDenied.into()),
        Observed::Unsupported { why } | Observed::Failed { error: why } => return Err(io::Error::other(why)),
    };
    let (file, _) = process.open_file(Path::new(SUBNET_ENV), process.disk())?;
    Ok((pid, file))
}

/// The node's lease: on the host, or where flanneld has it to itself.
pub(super) fn subnet_env(root: &Root, ask: AskForLease, notes: &mut FileNotes) -> Observed<SubnetEnv> {
    match root.text(SUBNET_ENV) {
        Observed::Absent => {}
        answer @ (Observed::Value(_)
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }
        | Observed::Failed { .. }) => {
            return answer.map(|text| env(SUBNET_ENV, &text, notes));
        }
    }
    // Its path says which process is believed to be flanneld.
    let path = |pid: u32| format!("/proc/{pid}/root{SUBNET_ENV}");
    let found = flanneld(root).and_then(|pid| {
        root.of_process(pid).and_then(|process| process.text(SUBNET_ENV).map(|text| (path(pid), text)))
    });
    let found = match found {
        // Below Landlock no other process can be looked into.
        Observed::Denied { need } => match ask(root.path()) {
            None => Observed::Denied { need },
            Some(opened) => opened_lease(opened, path),
        },
        found @ (Observed::Value(_)
        | Observed::Absent
        | Observed::Unsupported { .. }
        | Observed::Failed { .. }) => found,
    };
    found.map(|(path, text)| env(&path, &text, notes))
}

/// What a lease says that somebody else has opened.
fn opened_lease(opened: io::Result<(u32, File)>, path: impl Fn(u32) -> String) -> Observed<(String, String)> {
    match opened {
        Ok((pid, file)) => Root::text_of(&file, &path(pid)).map(|text| (path(pid), text)),
        Err(error) if files::is_absent(&error) => Observed::Absent,
        Err(error) => Observed::Failed { error: format!("cannot read flanneld's {SUBNET_ENV}: {error}") },
    }
}

/// The process of flanneld. Of several, the one with the lowest number. Anybody may call a process so: it is one of root that
/// runs a program of this name, in the user namespace of the machine.
fn flanneld(root: &Root) -> Observed<u32> {
    let pids = root.names("/proc", MOST_PROCESSES, |name, _| name.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(pids) = pids.value() else { return Observed::Absent };
    let mut pids: Vec<u32> = pids.first.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut denied = Observed::Absent;
    for pid in pids {
        match is_flanneld(root, pid) {
            Observed::Value(true) => return Observed::Value(pid),
            Observed::Denied { need } => denied = Observed::Denied { need },
            Observed::Value(false)
            | Observed::Absent
            | Observed::Unsupported { .. }
            | Observed::Failed { .. } => {}
        }
    }
    denied
}

fn is_flanneld(root: &Root, pid: u32) -> Observed<bool> {
    let told = |file: &str| root.kernel_text(&format!("/proc/{pid}/{file}"));
    let of_kernel = |link: &str| root.link_target(&format!("/proc/{pid}/{link}"));
    let is_called_so = told("comm").value().is_some_and(|name| name.trim_end() == FLANNELD);
    let is_roots = || told("status").value().is_some_and(|status| is_of_root(status));
    if !is_called_so || !is_roots() {
        return Observed::Value(false);
    }
    of_kernel("ns/user").and_then(|user| {
        of_kernel("exe").map(|program| {
            let program = program.strip_suffix(" (deleted)").unwrap_or(&program);
            user == INITIAL_USER_NAMESPACE && program.rsplit('/').next() == Some(FLANNELD)
        })
    })
}

/// `Uid:` of `/proc/<pid>/status` has the real, the effective, the saved and the file system's.
fn is_of_root(status: &str) -> bool {
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.is_some_and(|uids| {
        uids.split_whitespace().count() == 4 && uids.split_whitespace().all(|uid| uid == "0")
    })
}

pub(super) fn env(path: &str, text: &str, notes: &mut FileNotes) -> SubnetEnv {
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

#[cfg(test)]
mod tests;
