//! Reads what there is of virtual functions: sysfs, the PFs' drivers, the interfaces in every named network namespace, and who
//! has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    path::{Path, PathBuf},
    time::Duration,
};

use super::host::HostOptions;
use super::vf_counting::{self, VfCounting};
use crate::{
    ebpf::{AttachMode, EbpfError},
    facts::{pods::PodFacts, sriov::PfFact},
    inventory::{self, PciInterface, VfFacts, VirtualFunction},
    netlink::{NetlinkError, Source},
    netns::{self, Namespace, NetnsError},
    pods, privilege, procfs,
    sample::{ProgramCost, VfDriverTimes, VfSample},
    sriov,
};

/// Everything is read anew this often: a driver may have to ask its firmware, and a node may have hundreds of
/// namespaces. Counters of interfaces are read for every sample.
const EVERY: Duration = Duration::from_secs(5);

/// A VF that is seen to have gone is looked for this long after everything was read, or now when that is past.
const SOON: Duration = Duration::from_secs(1);

/// Virtual functions, followed.
pub(super) struct VfSource {
    root: PathBuf,
    due: Duration,
    drivers: VfDriverTimes,
    found: Found,
    /// Programs on them; none where there is no TCX, as with `--attach clsact`: a filter would stay behind in a pod's
    /// namespace when we are killed.
    counting: Option<VfCounting>,
}

/// What there is of them at one moment.
#[derive(Default)]
pub(super) struct VfReading {
    /// All of them.
    pub(super) vfs: Vec<VirtualFunction>,
    /// What our programs counted, by PCI address.
    pub(super) counts: BTreeMap<String, VfSample>,
    /// When that and the interfaces' counters were read, on the monotonic clock.
    pub(super) at: Duration,
    /// What does not fit together, or could not be read.
    pub(super) notes: Vec<String>,
}

impl VfSource {
    /// Reads nothing yet.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            due: Duration::ZERO,
            drivers: VfDriverTimes::default(),
            found: Found::default(),
            counting: None,
        }
    }

    /// Has VFs counted by programs from now on, where this way to attach them leaves nothing behind.
    pub(super) fn count(&mut self, mode: AttachMode) {
        if mode == AttachMode::Tcx {
            self.counting.insert(VfCounting::default()).follow(&self.found.facts);
        }
    }

    /// The VFs at `now`, a time of the monotonic clock; `pods` are the last answers of those who know who has them.
    pub(super) fn read(&mut self, now: Duration, pods: &PodFacts) -> VfReading {
        if now >= self.due
            && let Err(error) = self.read_all(now)
        {
            let notes = vec![format!("virtual functions cannot be read: {error}")];
            return VfReading { notes, ..VfReading::default() };
        }
        // Entering other namespaces needs CAP_SYS_ADMIN. The counters last, and all at once: rates are between such times.
        let is_missing = privilege::with_admin(|| {
            self.counting.iter_mut().for_each(VfCounting::advance);
            self.found.count()
        });
        if is_missing {
            self.due = self.due.min(self.drivers.at + SOON);
        }
        if has_vfs(&self.found.facts.pfs) && self.found.facts.claims != *pods {
            self.found.facts.claims = pods.clone();
        }
        let counts = self.counting.as_mut().map(VfCounting::read).unwrap_or_default();
        let at = procfs::monotonic();
        self.found.facts.frames = vf_counting::frames(&counts);
        let (vfs, mut notes) = inventory::virtual_functions(&self.found.facts);
        notes.extend(self.counting.iter().flat_map(VfCounting::notes));
        VfReading { vfs, counts, at, notes }
    }

    /// Reads everything anew.
    fn read_all(&mut self, now: Duration) -> io::Result<()> {
        self.due = now + EVERY;
        let pfs = sriov::physical_functions(&self.root)?;
        // Who has VFs matters where there are some.
        let found = read(pfs, PodFacts::default());
        let (vfs, _) = inventory::virtual_functions(&self.found.facts);
        let before = vfs.into_iter().map(|vf| (vf.pci_address, vf.traffic)).collect();
        let at = mem::replace(&mut self.drivers.at, now);
        self.drivers.before = (!at.is_zero()).then_some((at, before));
        self.found = found;
        if let Some(counting) = &mut self.counting {
            privilege::with_admin(|| counting.follow(&self.found.facts));
        }
        Ok(())
    }

    /// When the PFs' drivers were asked.
    pub(super) fn drivers(&self) -> VfDriverTimes {
        self.drivers.clone()
    }

    /// What the programs on VFs cost so far, and the bytes of their maps.
    pub(super) fn cost(&mut self) -> Result<(Vec<ProgramCost>, u64), EbpfError> {
        self.counting.as_mut().map_or_else(|| Ok(Default::default()), VfCounting::cost)
    }
}

/// Facts, and a socket in the node's own namespace. There is none in another: a socket keeps its namespace (`get_net` in
/// `sk_alloc`), so a pod's would outlive the pod, and the pod's VF would not come back to the node.
#[derive(Default)]
struct Found {
    facts: VfFacts,
    own: Option<Source>,
}

impl Found {
    /// Reads the counters of the VFs' interfaces again. One that moved since has none until everything is read; true when
    /// there is such a one that was still there the last time.
    fn count(&mut self) -> bool {
        let Self { facts: VfFacts { pfs, interfaces, .. }, own } = self;
        let vfs: BTreeSet<&str> = pfs.iter().flat_map(|pf| &pf.vfs).map(|vf| vf.pci.as_str()).collect();
        let mut there: BTreeMap<String, Vec<PciInterface>> = BTreeMap::new();
        let mut is_missing = false;
        for interface in interfaces.iter_mut().filter(|interface| vfs.contains(interface.pci.as_str())) {
            let before = interface.counters;
            interface.counters = match &interface.netns {
                None => own.as_ref().and_then(|own| own.link_counters(interface.ifindex).ok().flatten()),
                Some(name) => there
                    .entry(name.clone())
                    // What cannot be read is said when everything is read.
                    .or_insert_with(|| {
                        let read = netns::open(name).and_then(|namespace| interfaces_of(&namespace, name));
                        read.ok().and_then(Result::ok).unwrap_or_default()
                    })
                    .iter()
                    .find(|now| now.pci == interface.pci && now.ifindex == interface.ifindex)
                    .and_then(|now| now.counters),
            };
            is_missing |= before.is_some() && interface.counters.is_none();
        }
        is_missing
    }
}

/// What there is below the host's root and in the kernel. What cannot be read, and who does not answer, becomes a note.
pub async fn vf_facts(host: &HostOptions) -> io::Result<VfFacts> {
    let HostOptions { root, cri_socket, .. } = host;
    let pfs = sriov::physical_functions(root)?;
    let claims =
        if has_vfs(&pfs) { pods::read(root, cri_socket.as_deref()).await } else { PodFacts::default() };
    Ok(read(pfs, claims).facts)
}

/// Without VFs there is nothing to look for in files, sockets and other namespaces.
fn has_vfs(pfs: &[PfFact]) -> bool {
    pfs.iter().any(|pf| !pf.vfs.is_empty())
}

fn read(pfs: Vec<PfFact>, claims: PodFacts) -> Found {
    let has_vfs = has_vfs(&pfs);
    let mut found = Found { facts: VfFacts { pfs, claims, ..VfFacts::default() }, own: None };
    if !has_vfs {
        return found;
    }
    found.facts.netns = netns::list();
    // Entering other namespaces needs CAP_SYS_ADMIN.
    privilege::with_admin(|| found.look());
    // Who could not look cannot tell.
    if found.own.is_some() {
        found.facts.leave_out_others();
    }
    found
}

impl Found {
    /// Looks into every namespace.
    fn look(&mut self) {
        match interfaces(None) {
            Ok((source, here)) => {
                // The PFs themselves are asked from their own namespace.
                for pf in
                    here.iter().filter(|interface| self.facts.pfs.iter().any(|pf| pf.pci == interface.pci))
                {
                    match source.vf_list(pf.ifindex) {
                        Ok(list) => drop(self.facts.lists.insert(pf.pci.clone(), list)),
                        Err(error) => self.facts.notes.push(format!("{}: {error}", pf.name)),
                    }
                }
                self.facts.interfaces.extend(here);
                self.own = Some(source);
            }
            Err(error) => self.facts.notes.push(error.to_string()),
        }
        let own = netns::current_identity().ok();
        for name in self.facts.netns.clone() {
            let there = netns::open(&name).and_then(|namespace| {
                if namespace.identity().ok() == own {
                    return Ok(None);
                }
                interfaces_of(&namespace, &name).map(Some)
            });
            match there {
                Ok(None) => {}
                Ok(Some(Ok(interfaces))) => self.facts.interfaces.extend(interfaces),
                Ok(Some(Err(error))) => self.facts.notes.push(format!("network namespace {name}: {error}")),
                // A pod that ended meanwhile.
                Err(NetnsError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.facts.notes.push(error.to_string()),
            }
        }
    }
}

/// The interfaces of hardware in another namespace, which nothing of ours stays in.
fn interfaces_of(
    namespace: &Namespace,
    name: &str,
) -> Result<Result<Vec<PciInterface>, NetlinkError>, NetnsError> {
    netns::run_in(namespace, || interfaces(Some(name)).map(|(_, found)| found))
}

/// The interfaces of hardware in the calling thread's namespace, and a socket that stays in it.
pub(super) fn interfaces(netns: Option<&str>) -> Result<(Source, Vec<PciInterface>), NetlinkError> {
    let source = Source::connect()?;
    let found = source.hardware()?;
    let found = found.into_iter().filter_map(|(link, counters)| {
        Some(PciInterface {
            pci: link.parent_device?,
            ifindex: link.ifindex,
            name: link.name,
            netns: netns.map(str::to_owned),
            mtu: link.mtu,
            mac: link.mac,
            up: link.up,
            counters,
        })
    });
    let found = found.collect();
    Ok((source, found))
}
