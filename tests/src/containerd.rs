//! Real pods on a node of a lab: containerd with the reference CNI plugins, asked through the Container Runtime Interface.
//! Nothing is fetched, nothing of the machine's own containerd is touched, and nothing is left behind.
//!
//! The node is a network namespace; `node` gives it a root directory and processes of its own. What Multus would add is
//! in `multus`.

mod cgroups;
mod cri;
mod image;
mod messages;
mod multus;
mod node;

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use overlay_probe::netns::{self, Namespace};
use serde_json::Value;
use tempfile::TempDir;

pub use self::cri::{Cri, PodSpec, Sandbox, SandboxStatus};
use self::{
    cgroups::Cgroup,
    node::{Node, OWN, View},
};
use crate::{sh, wait_for};

/// Where Debian's containernetworking-plugins has them.
pub const PLUGINS: &str = "/usr/lib/cni";

/// Where the runtime is asked, on the node.
const SOCKET: &str = "run/containerd/containerd.sock";

/// Where libcni looks for networks, on the node.
const NETWORKS: &str = "etc/cni/net.d";

/// What containerd is told (containerd docs/cri/config.md). Its own choice of snapshotter is overlayfs, which is not to be
/// had on top of another; and without `CAP_SYS_RESOURCE` the sandbox's score for the OOM killer cannot be lowered.
const CONFIGURATION: &str = r#"
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
    "io.containerd.internal.v1.opt",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.overlayfs",
    "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "IMAGE"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "PLUGINS"
conf_dir = "/etc/cni/net.d"
"#;

/// A pod that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its sandbox: the container ID of CNI.
    pub id: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Addresses on the cluster's network; none on the node's.
    pub addresses: Vec<IpAddr>,
    /// Path of its network namespace on the node, as the runtime says it; none on the node's network.
    pub netns: Option<String>,
}

impl Pod {
    /// Its address of a family.
    pub fn address(&self, ipv6: bool) -> IpAddr {
        *self.addresses.iter().find(|address| address.is_ipv6() == ipv6).unwrap()
    }
}

/// A running containerd, with its pods. All of it goes when this is dropped.
pub struct Containerd {
    cri: Cri,
    // In this order: a cgroup goes after its processes.
    node: Node,
    cgroup: Cgroup,
}

impl Containerd {
    /// Starts it on the node that lives in this network namespace, a name or a path, and waits until it answers.
    pub fn start(netns: &str) -> Self {
        let cgroup = Cgroup::new();
        let configuration = CONFIGURATION.replace("IMAGE", image::NAME).replace("PLUGINS", PLUGINS);
        let fill = move |root: &Path| {
            fs::create_dir_all(root.join(NETWORKS)).unwrap();
            fs::write(root.join("etc/containerd/config.toml"), configuration).unwrap();
        };
        let mut node = Node::start(netns, fill, "containerd --config /etc/containerd/config.toml");
        let cri = Cri::new(&node.root().join(SOCKET));
        wait_for("containerd to answer", || {
            assert!(node.lives(), "containerd has ended: {}", node.log());
            cri.conditions()
                .is_ok_and(|true_ones| true_ones.iter().any(|one| one == "RuntimeReady"))
                .then_some(())
        });
        let this = Self { cri, node, cgroup };
        this.import_image();
        this
    }

    fn import_image(&self) {
        let directory = TempDir::new().unwrap();
        let archive = image::archive(&directory);
        let socket = self.socket();
        let (socket, archive) = (socket.to_str().unwrap(), archive.to_str().unwrap());
        let import = ["--namespace", "k8s.io", "images", "import", "--snapshotter", "native", archive];
        sh("ctr", &[&["--address", socket], &import[..]].concat());
        // What `ctr` stores becomes known to CRI by an event.
        wait_for("the image of sandboxes", || self.cri.has_image(image::NAME).then_some(()));
    }

    /// Gives the node its network, as the file of this name in `/etc/cni/net.d`, and waits until containerd has it. Once,
    /// before the first pod.
    pub fn cni_conf(&self, name: &str, configuration: &Value) {
        self.write(&format!("{NETWORKS}/{name}"), configuration.to_string().as_bytes());
        wait_for("the network to be ready", || {
            self.cri.conditions().unwrap().iter().any(|one| one == "NetworkReady").then_some(())
        });
    }

    /// Starts a pod and waits until the plugins have put it on its networks.
    pub fn run_pod(&self, spec: &PodSpec) -> Pod {
        let id = self.cri.run(spec, &self.cgroup.path());
        let id = id.unwrap_or_else(|status| panic!("{}: {status}\n{}", spec.name, self.node.log()));
        let SandboxStatus { sandbox, addresses, netns, .. } = self.cri.status(&id).unwrap();
        let Sandbox { namespace, name, uid, .. } = sandbox;
        Pod { id, namespace, name, uid, addresses, netns }
    }

    /// Takes a pod off all its networks, and ends and removes it, as a kubelet does.
    pub fn remove_pod(&self, pod: &Pod) {
        self.detach_all(pod);
        self.cri.stop(&pod.id).unwrap();
        self.cri.remove(&pod.id).unwrap();
    }

    /// containerd's process, to stop it with `SIGSTOP`, say.
    pub fn pid(&self) -> u32 {
        self.node.pid()
    }

    /// The runtime, to ask.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// Where the runtime is asked, seen from the machine.
    pub fn socket(&self) -> PathBuf {
        self.host_root().join(SOCKET)
    }

    /// The node's root directory, seen from the machine: `/run/containerd/containerd.sock`, `/var/lib/cni`, `/run/netns`,
    /// `/etc/cni/net.d`, `/proc` and all else is below it. The kernel lets only those in who may trace the node's first
    /// process (proc(5) on `/proc/pid/root`), so what gives up its capabilities looks from [`Self::in_container`].
    pub fn host_root(&self) -> PathBuf {
        self.node.root()
    }

    /// Writes a file on the node, where the node has files of its own.
    pub fn write(&self, path: &str, contents: &[u8]) {
        assert!(OWN.iter().any(|own| Path::new(path).starts_with(own)), "{path} would be the machine's");
        let path = self.host_root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Not by renaming: containerd 1.6 looks at its networks again when a file is written, not when one appears.
        fs::write(&path, contents).unwrap();
    }

    /// Names of the files in a directory of the node, sorted; none when it is not there.
    pub fn files(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.host_root().join(directory)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// A pod's network namespace, to send from and to. None for one on the node's network.
    pub fn open(&self, pod: &Pod) -> Option<Namespace> {
        // `/var/run` is a link to `/run`, which from here would be the machine's.
        let path = pod.netns.as_deref()?.trim_start_matches("/var").trim_start_matches('/');
        Some(netns::open(self.host_root().join(path).to_str().unwrap()).unwrap())
    }

    /// Runs something on the node: in its network namespace, with its files. What it starts, such as the tool, is there too.
    /// The node has no name there: `--netns /proc/self/ns/net`. Processes are the machine's, as in [`Self::in_container`].
    pub fn on_node<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.node.enter(View::Host, work)
    }

    /// Runs something in a container on the node's network, with the node's root directory at `/host`. Where the node has
    /// files of its own, the container has none.
    pub fn in_container<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.node.enter(View::Container, work)
    }
}
