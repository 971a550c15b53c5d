//! All sources but eBPF, and what they said last: reads everything once, then again what changes. What is the same as before
//! keeps its place in memory.

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use super::{
    hooks,
    host::HostOptions,
    host_files::{self, FilesReader},
    inside::Inside,
    network::network,
    pods::PodSource,
};
use crate::{
    facts::{
        SCHEMA, Snapshot,
        counters::NodeCounters,
        files::HostFiles,
        host::{HostFacts, Modules},
        netlink::{LinkCounters, LinkFact, OfDevice, WIREGUARD, WireguardFact},
        network::PodNetwork,
        sriov::SriovFacts,
    },
    hostfiles,
    inventory::{Inventory, PeerKey},
    leftovers::{self, RunDirectory},
    netlink::{NetlinkError, Source},
    netns::helper,
    observed::Observed,
    proc, procfs,
    sample::{Hooks, PerDirection, ProgramCost, WireguardSample},
    sriov,
};

/// See the module.
pub(super) struct Sources {
    netlink: Source,
    pods: Box<PodSource>,
    host: HostOptions,
    /// Reads the host's files again; none where they are read once.
    files: Option<FilesReader>,
    inside: Inside,
    /// Pods that are still to be looked into, a few with each sample, since somebody asked or the run began.
    unseen: usize,
    /// When what changes slowly is read again.
    due: Duration,
    snapshot: Arc<Snapshot>,
}

/// What changes slowly is read this often: much of it costs a system call or more for each device, pod or address.
const SLOW: Duration = Duration::from_secs(30);
/// Pods that are looked into each time. One takes about a millisecond.
const INSIDE: usize = 16;

impl Sources {
    /// Opens them in the calling thread's network namespace. Nothing is read yet.
    pub(super) fn open(host: &HostOptions) -> Result<Self, NetlinkError> {
        Ok(Self {
            netlink: Source::connect()?,
            pods: Box::new(PodSource::new(host)),
            host: host.clone(),
            files: None,
            inside: Inside::default(),
            unseen: 0,
            due: Duration::ZERO,
            snapshot: Arc::default(),
        })
    }

    /// Where the node's files are.
    pub(super) fn host(&self) -> &HostOptions {
        &self.host
    }

    /// Asks who pods are, and waits for the answers.
    pub(super) async fn ask(&mut self) {
        self.pods.ask().await;
    }

    /// Goes on asking who pods are, in the background. Must be called inside a runtime of tokio.
    pub(super) fn follow_pods(&mut self) {
        self.pods.follow();
    }

    /// Goes on reading the host's files, on a thread of its own, which opens nothing but what is below the host's root if it is
    /// confined. To be called before this thread is.
    pub(super) fn follow_files(&mut self, is_confined: bool) -> io::Result<()> {
        if self.host.is_node {
            let release = self.snapshot.host.kernel.value().cloned();
            self.files = Some(FilesReader::start(&self.host, release, is_confined)?);
        }
        Ok(())
    }

    /// True when the host's files say something else than in the snapshot; the next one has it. Cheap.
    pub(super) fn files_changed(&mut self) -> bool {
        let Some(reader) = &mut self.files else { return false };
        let told = reader.next(|| self.pods.facts().sandboxes.clone());
        let Observed::Value(before) = &*self.snapshot.files else { return false };
        let (files, host) = match told {
            Some(told) => {
                let modules = &self.snapshot.host.modules;
                let installed = host_files::or_before(told.installed, &modules.installed);
                let modules = Modules { installed, ..modules.clone() };
                let host = HostFacts { modules, ..HostFacts::clone(&self.snapshot.host) };
                (host_files::merged(before, told.files), kept(&self.snapshot.host, host))
            }
            None if reader.is_late() => (host_files::late(before), Arc::clone(&self.snapshot.host)),
            None => return false,
        };
        let files = kept(&self.snapshot.files, Observed::Value(files));
        let is_same = Arc::ptr_eq(&files, &self.snapshot.files) && Arc::ptr_eq(&host, &self.snapshot.host);
        if !is_same {
            self.snapshot = Arc::new(Snapshot { files, host, ..Snapshot::clone(&self.snapshot) });
        }
        !is_same
    }

    /// True when pods have come or gone. Cheap.
    pub(super) fn pods_changed(&mut self) -> bool {
        self.pods.changed()
    }

    /// Something has happened that may have to do with pods, or with files.
    pub(super) fn happened(&mut self) {
        self.pods.happened();
        if let Some(files) = &mut self.files {
            files.happened();
        }
    }

    /// Counters of the interfaces of pods that have several, and whether a pod has others than in the snapshot.
    pub(super) fn pod_interfaces(&mut self) -> (BTreeMap<(String, u32), LinkCounters>, bool) {
        self.pods.counters(&self.netlink)
    }

    /// Reads everything: what changes only when somebody configures the node, too. What is known of VFs is given.
    pub(super) async fn read_all(&mut self, sriov: &SriovFacts) -> Result<Arc<Snapshot>, NetlinkError> {
        let HostOptions { root, is_node, .. } = &self.host;
        let files = if *is_node {
            Observed::Value(hostfiles::read_with(root, &self.pods.facts().sandboxes, helper::lease))
        } else {
            Observed::Absent
        };
        let kernel = told(procfs::kernel_release());
        let installed = kernel.as_ref().and_then(|release| hostfiles::modules(root, release));
        let host = HostFacts {
            kernel,
            hostname: hostname(&self.host, &files),
            modules: Modules { installed, ..Modules::default() },
            ..HostFacts::default()
        };
        self.snapshot =
            Arc::new(Snapshot { files: Arc::new(files), host: Arc::new(host), ..Snapshot::default() });
        self.due = Duration::ZERO;
        self.refresh(sriov).await
    }

    /// Reads again what changes while the node runs: the kernel's tables and the namespaces of pods.
    pub(super) async fn refresh(&mut self, vfs: &SriovFacts) -> Result<Arc<Snapshot>, NetlinkError> {
        let mut netlink = self.netlink.facts().await?;
        let is_due = procfs::monotonic() >= self.due;
        // A start, and a look at the node, do not wait for pods that are entered one by one.
        if is_due && !self.due.is_zero() {
            self.look_inside();
        }
        if is_due {
            self.due = procfs::monotonic() + SLOW;
        }
        let before = &self.snapshot;
        netlink.notes.extend(name_hardware(&mut netlink.links, vfs));
        // What is counted is in samples.
        netlink.wireguard = without_counters(&netlink.wireguard);
        self.pods.read(&self.netlink);
        let (network, ipam, pci, runs) = if is_due {
            let root = Some(self.host.root.as_path()).filter(|root| *root != Path::new("/"));
            let runs = leftovers::runs(&RunDirectory::new(root));
            let ipam = match &*before.files {
                Observed::Value(files) => hostfiles::ipam(&self.host.root, files),
                Observed::Absent
                | Observed::Denied { .. }
                | Observed::Unsupported { .. }
                | Observed::Failed { .. } => Observed::Absent,
            };
            let pci = match sriov::network_functions(&self.host.root) {
                Ok(functions) => Observed::Value(functions),
                Err(error) => Observed::Failed { error: error.to_string() },
            };
            (
                kept(&before.network, network(&self.netlink, &netlink)),
                kept(&before.ipam, ipam),
                kept(&before.pci, pci),
                kept(&before.runs, runs),
            )
        } else {
            (
                Arc::clone(&before.network),
                Arc::clone(&before.ipam),
                Arc::clone(&before.pci),
                Arc::clone(&before.runs),
            )
        };
        let host = if is_due {
            kept(&before.host, self.with_modules(&before.host))
        } else {
            Arc::clone(&before.host)
        };
        let pods = self.pods.facts();
        let pods = Arc::clone(if before.pods == *pods { &before.pods } else { pods });
        self.snapshot = Arc::new(Snapshot {
            schema: SCHEMA,
            taken_at: procfs::wall_clock(),
            netlink: kept(&before.netlink, netlink),
            pods,
            namespaces: kept(&before.namespaces, self.pods.namespaces()),
            network,
            inside: kept(&before.inside, self.inside.facts()),
            ipam,
            pci,
            runs,
            files: Arc::clone(&before.files),
            host,
            sriov: if *before.sriov == *vfs { Arc::clone(&before.sriov) } else { Arc::new(vfs.clone()) },
        });
        Ok(Arc::clone(&self.snapshot))
    }

    /// The host's facts with the modules that are loaded now.
    fn with_modules(&self, host: &HostFacts) -> HostFacts {
        let loaded = proc::modules();
        let wireguard_family = self.netlink.has_generic_family(WIREGUARD);
        HostFacts {
            wireguard_module: told(procfs::has_module(&self.host.root, "wireguard")),
            modules: Modules { loaded, wireguard_family, ..host.modules.clone() },
            ..host.clone()
        }
    }

    /// Has all pods looked into, a few with each sample, and what changes slowly read with the next reading.
    pub(super) fn look_again(&mut self) {
        self.look_inside_from_now_on();
        self.pods.look_again();
        if let Some(files) = &mut self.files {
            files.hurry();
        }
        self.due = self.due.min(procfs::monotonic());
    }

    /// Has all pods looked into that are there, a few with each sample.
    pub(super) fn look_inside_from_now_on(&mut self) {
        self.unseen = self.pods.identities().len();
    }

    /// Looks into a few more of the pods that are still to be looked into. What is found there, when it is not as in the snapshot.
    pub(super) fn sees_more_inside(&mut self) -> Option<Vec<PodNetwork>> {
        if self.unseen == 0 {
            return None;
        }
        self.unseen = self.unseen.saturating_sub(INSIDE);
        self.look_inside();
        Some(self.inside.facts()).filter(|inside| *inside != *self.snapshot.inside)
    }

    /// Takes a snapshot that was made of the last one.
    pub(super) fn take(&mut self, snapshot: &Arc<Snapshot>) {
        self.snapshot = Arc::clone(snapshot);
    }

    /// The same snapshot with what is known of VFs now.
    pub(super) fn with_sriov(&mut self, sriov: &SriovFacts) -> Arc<Snapshot> {
        if *self.snapshot.sriov != *sriov {
            let snapshot = Snapshot::clone(&self.snapshot);
            let (taken_at, sriov) = (procfs::wall_clock(), Arc::new(sriov.clone()));
            self.snapshot = Arc::new(Snapshot { taken_at, sriov, ..snapshot });
        }
        Arc::clone(&self.snapshot)
    }

    /// Looks into a few of the pods' namespaces that were looked into longest ago. What is found is in the next snapshot.
    fn look_inside(&mut self) {
        self.look_inside_of(INSIDE);
    }

    /// Looks into all pods' namespaces, within a deadline. What is found is in the next snapshot.
    pub(super) fn look_inside_all(&mut self) {
        self.look_inside_of(usize::MAX);
    }

    fn look_inside_of(&mut self, most: usize) {
        if let Some(root) = self.pods.open_root() {
            self.inside.read(&root, &self.pods.identities(), most);
        }
    }

    /// What the kernel counted of the node's network by itself.
    pub(super) fn counters(&self) -> NodeCounters {
        let devices = self.snapshot.network.devices.iter().map(|found| found.device.ifindex);
        NodeCounters {
            protocols: proc::protocols(),
            softnet: proc::softnet(),
            conntrack: proc::conntrack(),
            links: devices.map(|ifindex| self.netlink.link_statistics_of(ifindex)).collect(),
        }
    }

    /// The eBPF programs on the overlay's devices; `own` are what ours cost.
    pub(super) fn hooks(&self, inventory: &Inventory, own: &[ProgramCost]) -> Observed<Box<Hooks>> {
        hooks::hooks(&self.netlink, inventory, own)
    }

    /// What WireGuard counted for the peers of its devices; and whether a device or a peer is another than in the snapshot.
    /// The kernel tells of no such change.
    pub(super) fn wireguard(&self) -> (BTreeMap<(u32, PeerKey), WireguardSample>, bool) {
        let known = &self.snapshot.netlink.wireguard;
        let ifindices: Vec<u32> = known.iter().map(|device| device.ifindex).collect();
        // What cannot be read is said when everything is read again.
        let (devices, _) = self.netlink.wireguard(&ifindices);
        let changed = without_counters(&devices) != *known;
        let mut samples = BTreeMap::new();
        for device in devices.iter().filter_map(|device| device.told.value()) {
            for peer in &device.peers {
                let key = PeerKey::PublicKey(peer.public_key);
                let counters = peer.counters;
                let sample = WireguardSample {
                    last_handshake: counters.last_handshake,
                    bytes: PerDirection { tx: counters.tx_bytes, rx: counters.rx_bytes },
                };
                samples.insert((device.ifindex, key), sample);
            }
        }
        (samples, changed)
    }
}

/// Before Linux 5.14 a link does not say what is behind it; `ethtool` does, and is asked where there may be virtual functions.
/// Gives what could not be read.
fn name_hardware(links: &mut [LinkFact], sriov: &SriovFacts) -> Option<String> {
    if sriov.pfs.rows().is_empty() {
        return None;
    }
    match Source::connect().and_then(|source| source.hardware()) {
        Ok(found) => {
            for (known, _) in found {
                if let Some(link) = links.iter_mut().find(|link| link.ifindex == known.ifindex) {
                    link.parent_device = known.parent_device;
                }
            }
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Host name of the node. Ours is that of the machine, or of the container, that this runs in: another node's when its files
/// are below a root of their own, or when it is a network namespace beside the machine's.
fn hostname(host: &HostOptions, files: &Observed<HostFiles>) -> Observed<String> {
    match files {
        Observed::Value(_) if host.root == Path::new("/") => told(procfs::hostname()),
        Observed::Value(files) => files.hostname.as_ref().map(|name| name.value.clone()),
        Observed::Absent
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }
        | Observed::Failed { .. } => Observed::Absent,
    }
}

/// What was there before, when it is the same.
fn kept<T: PartialEq>(before: &Arc<T>, now: T) -> Arc<T> {
    if **before == now { Arc::clone(before) } else { Arc::new(now) }
}

fn told<T>(answer: Option<T>) -> Observed<T> {
    answer.map_or(Observed::Absent, Observed::Value)
}

/// What changes only when somebody changes it, or when a peer moves.
fn without_counters(devices: &[OfDevice<WireguardFact>]) -> Vec<OfDevice<WireguardFact>> {
    let of = |device: &OfDevice<WireguardFact>| OfDevice {
        ifindex: device.ifindex,
        told: device.told.as_ref().map(WireguardFact::without_counters),
    };
    devices.iter().map(of).collect()
}
