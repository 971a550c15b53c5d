//! Which VFs our programs count: puts them on the interfaces, wherever those are, a few at a time. What the programs are, and
//! what they counted, is [`crate::ebpf`]'s affair.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    time::Duration,
};

use super::pci_interfaces::{interfaces, interfaces_of};
use crate::{
    ebpf::{EbpfError, VfCounters, VfPlace},
    facts::sriov::SriovFacts,
    netlink::NetlinkError,
    netns::{self, Namespace, NetnsError},
    procfs,
    sample::{ProgramCost, VfCounts},
    text,
};

/// How long a round may go on. The kernel waits for all its CPUs for each program that it attaches, some ten milliseconds,
/// and meanwhile nothing else is done here.
const ROUND: Duration = Duration::from_millis(200);

/// The programs on VFs, and what is still to be done.
#[derive(Default)]
pub(super) struct VfCounting {
    counters: VfCounters,
    waiting: VecDeque<Waiting>,
    /// Why programs could not be loaded. Not tried again: that takes the kernel longer than anything else here.
    refused: Option<String>,
    left_out: usize,
    notes: Vec<String>,
}

/// An interface that the programs are not on yet.
struct Waiting {
    place: VfPlace,
    name: String,
    mtu: u32,
}

impl VfCounting {
    /// Takes the programs off VFs that went elsewhere. Those that are new where they are wait for [`Self::advance`].
    pub(super) fn follow(&mut self, facts: &SriovFacts) {
        let vfs: BTreeSet<&str> =
            facts.pfs.rows().iter().flat_map(|pf| &pf.vfs).map(|vf| vf.pci.as_str()).collect();
        // The programs read Ethernet, which has addresses of six bytes; InfiniBand's are longer, and left out.
        let found = facts
            .interfaces
            .iter()
            .filter(|interface| vfs.contains(interface.pci.as_str()) && interface.mac.is_some());
        let all: Vec<Waiting> = found
            .map(|interface| Waiting {
                place: VfPlace {
                    pci: interface.pci.clone(),
                    netns: interface.netns.clone(),
                    ifindex: interface.ifindex,
                },
                name: interface.name.clone(),
                mtu: interface.mtu,
            })
            .collect();
        let wanted: BTreeMap<VfPlace, u32> = all.iter().map(|vf| (vf.place.clone(), vf.mtu)).collect();
        self.notes.clear();
        self.left_out = 0;
        if let Err(error) = self.counters.keep(&wanted) {
            self.notes.push(error.to_string());
        }
        let missing = all.into_iter().filter(|vf| !self.counters.has(&vf.place));
        // Pods first: what nobody has carries nothing.
        let (in_pods, here): (Vec<_>, Vec<_>) = missing.partition(|vf| vf.place.netns.is_some());
        self.waiting = in_pods.into_iter().chain(here).collect();
    }

    /// Puts the programs on some of those that wait.
    pub(super) fn advance(&mut self) {
        let start = procfs::monotonic();
        while self.refused.is_none()
            && let Some(vf) = self.waiting.pop_front()
        {
            match self.counters.make_room(vf.place.ifindex) {
                Ok(true) => {
                    if let Err(why) = attach(&mut self.counters, &vf) {
                        self.notes.push(format!(
                            "VF {} is counted by its interface: {why}",
                            text::escape(&vf.place.pci)
                        ));
                    }
                }
                Ok(false) => self.left_out += 1,
                Err(error) => self.refused = Some(format!("VFs are counted by their interfaces: {error}")),
            }
            if procfs::monotonic().saturating_sub(start) >= ROUND {
                break;
            }
        }
    }

    /// What was counted, by PCI address.
    pub(super) fn read(&mut self) -> BTreeMap<String, VfCounts> {
        self.counters.read().unwrap_or_else(|error| {
            let note = format!("VFs are counted by their interfaces: {error}");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
            BTreeMap::new()
        })
    }

    /// What the programs cost so far, and the bytes of their maps.
    pub(super) fn cost(&mut self) -> Result<(Vec<ProgramCost>, u64), EbpfError> {
        Ok((self.counters.costs()?, self.counters.map_bytes()))
    }

    /// What is counted otherwise, and why.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let left_out = (self.left_out > 0).then(|| {
            format!(
                "{} more VFs are counted by their interfaces: eBPF programs are on {}, and there is no room for more",
                self.left_out,
                self.counters.len()
            )
        });
        self.refused.iter().chain(&self.notes).cloned().chain(left_out)
    }
}

/// Puts the programs on one VF. One that went away meanwhile is no error.
fn attach(counters: &mut VfCounters, vf: &Waiting) -> Result<(), String> {
    let there = match vf.place.netns.as_deref().map(netns::open).transpose() {
        Ok(there) => there,
        // A pod that ended.
        Err(NetnsError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    match attach_in(counters, vf, there.as_ref()) {
        Err(Refusal::Ebpf(error)) if error.interface_is_gone() => Ok(()),
        Err(Refusal::Ebpf(error)) => Err(error.to_string()),
        Err(Refusal::Netlink(error)) => Err(error.to_string()),
        Ok(()) => Ok(()),
    }
}

enum Refusal {
    Ebpf(EbpfError),
    Netlink(NetlinkError),
}

/// On the interface, if it still is the VF's: an index is given again, and then it names another interface.
fn attach_in(counters: &mut VfCounters, vf: &Waiting, there: Option<&Namespace>) -> Result<(), Refusal> {
    let found = match there {
        Some(namespace) => interfaces_of(namespace, namespace.name()),
        None => interfaces().map(|(_, found)| found),
    };
    let found = found.map_err(Refusal::Netlink)?;
    if !found.iter().any(|(now, _)| now.pci == vf.place.pci && now.ifindex == vf.place.ifindex) {
        return Ok(());
    }
    counters.attach(&vf.place, &vf.name, vf.mtu, there).map_err(Refusal::Ebpf)
}
