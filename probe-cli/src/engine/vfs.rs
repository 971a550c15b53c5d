//! Reads what there is of virtual functions: sysfs, the PFs' drivers, and the interfaces in every named network namespace. What
//! they are is for the snapshot, what was counted for the sample.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    pci_interfaces::{Counted, interfaces, interfaces_of},
    vf_counting::VfCounting,
};
use crate::{
    ebpf::{AttachMode, EbpfError},
    facts::{
        netlink::LinkCounters,
        sriov::{OfPf, PciInterface, PfFact, SriovFacts},
    },
    netlink::{NetlinkError, Source},
    netns::{self, NetnsError},
    observed::Observed,
    procfs,
    sample::{ProgramCost, VfDriver, VfDrivers, VfSample},
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
    drivers: VfDrivers,
    found: Found,
    /// Programs on them; none where there is no TCX, as with `--attach clsact`: a filter would stay behind in a pod's
    /// namespace when we are killed.
    counting: Option<VfCounting>,
}

/// What was counted at one moment.
#[derive(Default)]
pub(super) struct VfReading {
    /// On the VFs' interfaces, by PCI address.
    pub(super) vfs: Vec<VfSample>,
    /// When that was read, on the monotonic clock.
    pub(super) at: Duration,
    /// What the PFs' drivers counted.
    pub(super) drivers: VfDrivers,
    /// What is counted otherwise than it could be, and why.
    pub(super) notes: Vec<String>,
}

impl VfSource {
    /// Reads nothing yet.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            due: Duration::ZERO,
            drivers: VfDrivers::default(),
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

    /// What they are, as of the last time that everything was read.
    pub(super) fn facts(&self) -> &SriovFacts {
        &self.found.facts
    }

    /// Reads everything anew when it is time, or when a VF was seen to have gone.
    pub(super) fn follow(&mut self, now: Duration) {
        if now < self.due {
            return;
        }
        self.due = now + EVERY;
        self.found = read(&self.root);
        let told = mem::take(&mut self.found.told);
        let before = mem::replace(&mut self.drivers, VfDrivers { at: now, told, before: None });
        self.drivers.before = (!before.at.is_zero()).then_some((before.at, before.told));
        if let Some(counting) = &mut self.counting {
            counting.follow(&self.found.facts);
        }
    }

    /// What was counted until now.
    pub(super) fn read(&mut self) -> VfReading {
        // The counters last, and all at once: rates are between such times.
        self.counting.iter_mut().for_each(VfCounting::advance);
        if self.found.count() {
            self.due = self.due.min(self.drivers.at + SOON);
        }
        let mut counts = self.counting.as_mut().map(VfCounting::read).unwrap_or_default();
        let at = procfs::monotonic();
        let samples = self.found.vf_interfaces().map(|interface| VfSample {
            pci: interface.pci.clone(),
            netns: interface.netns.clone(),
            ifindex: interface.ifindex,
            interface: self.found.counters.get(&interface.pci).copied(),
            programs: counts.remove(&interface.pci),
        });
        let mut vfs: Vec<VfSample> = samples.collect();
        vfs.sort_by(|a, b| a.pci.cmp(&b.pci));
        let notes = self.counting.iter().flat_map(VfCounting::notes).collect();
        VfReading { vfs, at, drivers: self.drivers.clone(), notes }
    }

    /// What the programs on VFs cost so far, and the bytes of their maps.
    pub(super) fn cost(&mut self) -> Result<(Vec<ProgramCost>, u64), EbpfError> {
        self.counting.as_mut().map_or_else(|| Ok(Default::default()), VfCounting::cost)
    }
}

/// Facts, what goes with them, and a socket in the node's own namespace. There is none in another: a socket keeps its namespace
/// (`get_net` in `sk_alloc`), so a pod's would outlive the pod, and the pod's VF would not come back to the node.
#[derive(Default)]
struct Found {
    facts: SriovFacts,
    /// What the drivers counted.
    told: Vec<VfDriver>,
    /// What interfaces counted when they were read last, by PCI address.
    counters: BTreeMap<String, LinkCounters>,
    own: Option<Source>,
}

impl Found {
    /// The interfaces of VFs.
    fn vf_interfaces(&self) -> impl Iterator<Item = &PciInterface> {
        let pfs = self.facts.pfs.rows().iter();
        let vfs: BTreeSet<&str> = pfs.flat_map(|pf| &pf.vfs).map(|vf| vf.pci.as_str()).collect();
        self.facts.interfaces.iter().filter(move |interface| vfs.contains(interface.pci.as_str()))
    }

    /// Reads the counters of the VFs' interfaces again. One that moved since has none until everything is read; true when
    /// there is such a one that was still there the last time.
    fn count(&mut self) -> bool {
        let mut there: BTreeMap<&str, Vec<Counted>> = BTreeMap::new();
        let mut counters = BTreeMap::new();
        let mut is_missing = false;
        for interface in self.vf_interfaces() {
            let now = match &interface.netns {
                None => self.own.as_ref().and_then(|own| own.link_counters(interface.ifindex).ok().flatten()),
                Some(name) => there
                    .entry(name)
                    // What cannot be read is said when everything is read.
                    .or_insert_with(|| {
                        let there = netns::open(name).ok();
                        there.and_then(|there| interfaces_of(&there, name).ok()).unwrap_or_default()
                    })
                    .iter()
                    .find(|(now, _)| now.pci == interface.pci && now.ifindex == interface.ifindex)
                    .and_then(|(_, counters)| *counters),
            };
            is_missing |= now.is_none() && self.counters.contains_key(&interface.pci);
            counters.extend(now.map(|now| (interface.pci.clone(), now)));
        }
        self.counters = counters;
        is_missing
    }
}

/// What there is below the host's root and in the kernel, and what the drivers counted. What cannot be read becomes a note.
pub(super) fn once(root: &Path) -> (SriovFacts, VfReading) {
    let mut source = VfSource::new(root);
    source.follow(procfs::monotonic());
    let reading = source.read();
    (source.found.facts, reading)
}

fn read(root: &Path) -> Found {
    let mut found = Found::default();
    found.facts.pfs = sriov::physical_functions(root);
    if !found.facts.has_vfs() {
        return found;
    }
    found.facts.netns = netns::list();
    found.look();
    // Who could not look cannot tell. A copy of a node's files is that node's, wherever its interfaces are.
    if found.own.is_some() && !sriov::is_copy(root) {
        found.facts.leave_out_others();
    }
    found.take_counters();
    found
}

impl Found {
    /// Looks into every namespace.
    fn look(&mut self) {
        match interfaces() {
            Ok((source, here)) => {
                let pfs = self.facts.pfs.rows();
                let is_pf = |interface: &PciInterface| pfs.iter().any(|pf| pf.pci == interface.pci);
                // The PFs themselves are asked from their own namespace.
                let lists: Vec<OfPf> = here
                    .iter()
                    .filter(|(interface, _)| is_pf(interface))
                    .map(|(pf, _)| OfPf {
                        pci: pf.pci.clone(),
                        told: match source.vf_list(pf.ifindex) {
                            Ok(list) => Observed::Value(list),
                            Err(error) => Observed::Failed { error: format!("{}: {error}", pf.name) },
                        },
                    })
                    .collect();
                self.facts.lists = lists;
                self.add(here);
                self.own = Some(source);
            }
            Err(error) => self.facts.notes.push(error.to_string()),
        }
        let own = netns::current_identity().ok();
        for name in self.facts.netns.clone() {
            match netns::open(&name) {
                Ok(there) if there.identity().ok() == own => {}
                Ok(there) => match interfaces_of(&there, &name) {
                    Ok(interfaces) => self.add(interfaces),
                    // It is named there.
                    Err(NetlinkError::Enter(error)) => self.facts.notes.push(error.to_string()),
                    Err(error) => self.facts.notes.push(format!("network namespace {name}: {error}")),
                },
                // A pod that ended meanwhile.
                Err(NetnsError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.facts.notes.push(error.to_string()),
            }
        }
    }

    fn add(&mut self, interfaces: Vec<Counted>) {
        for (interface, counters) in interfaces {
            self.counters.extend(counters.map(|counters| (interface.pci.clone(), counters)));
            self.facts.interfaces.push(interface);
        }
    }

    /// Takes what drivers counted out of the facts.
    fn take_counters(&mut self) {
        let SriovFacts { pfs: Observed::Value(pfs), lists, .. } = &mut self.facts else { return };
        for PfFact { pci: pf, vfs, .. } in pfs {
            let list = lists.iter_mut().find(|list| list.pci == *pf);
            let mut list = list.and_then(|list| match &mut list.told {
                Observed::Value(list) => Some(list),
                Observed::Absent
                | Observed::Denied { .. }
                | Observed::Unsupported { .. }
                | Observed::Failed { .. } => None,
            });
            for vf in vfs {
                let told =
                    list.as_mut().and_then(|list| list.vfs.iter_mut().find(|told| told.index == vf.index));
                let (told, files) = (told.and_then(|told| told.counters.take()), vf.stats.take());
                self.told.push(VfDriver { pf: pf.clone(), pci: vf.pci.clone(), told, files });
            }
        }
    }
}
