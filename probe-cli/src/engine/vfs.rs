//! Reads what there is of virtual functions: sysfs, the PFs' drivers, the interfaces in every named network namespace, files.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    inventory::{self, PciInterface, VfFacts, VirtualFunction},
    netlink::{NetlinkError, Source},
    netns, pods, privilege, sriov,
};

/// Everything is read anew this often: a driver may have to ask its firmware, and a node may have hundreds of
/// namespaces. Counters of interfaces are read for every sample.
const EVERY: Duration = Duration::from_secs(5);

/// Virtual functions, followed.
pub(super) struct VfSource {
    root: PathBuf,
    due: Duration,
    found: Found,
}

impl VfSource {
    /// Reads nothing yet.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), due: Duration::ZERO, found: Found::default() }
    }

    /// The VFs at `now`, a time of the monotonic clock, and what does not fit together.
    pub(super) fn read(&mut self, now: Duration) -> (Vec<VirtualFunction>, Vec<String>) {
        if now >= self.due {
            self.due = now + EVERY;
            match read(&self.root) {
                Ok(found) => self.found = found,
                Err(error) => {
                    return (Vec::new(), vec![format!("virtual functions cannot be read: {error}")]);
                }
            }
        } else {
            self.found.count();
        }
        inventory::virtual_functions(&self.found.facts)
    }
}

/// Facts, and the sockets of the namespaces that interfaces of VFs are in.
#[derive(Default)]
struct Found {
    facts: VfFacts,
    sockets: Vec<(Option<String>, Source)>,
}

impl Found {
    /// Reads the counters of interfaces again. One that moved since has none until everything is read.
    fn count(&mut self) {
        let vfs: Vec<&str> = self.facts.pfs.iter().flat_map(|pf| &pf.vfs).map(|vf| vf.pci.as_str()).collect();
        for interface in self.facts.interfaces.iter_mut().filter(|i| vfs.contains(&i.pci.as_str())) {
            let socket = self.sockets.iter().find(|(netns, _)| *netns == interface.netns);
            interface.counters =
                socket.and_then(|(_, source)| source.link_counters(interface.ifindex).ok().flatten());
        }
    }
}

/// What there is below `root` and in the kernel. A namespace or PF that cannot be read becomes a note.
pub fn vf_facts(root: &Path) -> io::Result<VfFacts> {
    read(root).map(|found| found.facts)
}

fn read(root: &Path) -> io::Result<Found> {
    let pfs = sriov::physical_functions(root)?;
    let mut found = Found { facts: VfFacts { pfs, ..VfFacts::default() }, sockets: Vec::new() };
    // Without VFs there is nothing to look for in files and other namespaces.
    if found.facts.pfs.iter().all(|pf| pf.vfs.is_empty()) {
        return Ok(found);
    }
    found.facts.claims = pods::device_claims(root);
    found.facts.netns = netns::list();
    // Entering other namespaces needs CAP_SYS_ADMIN.
    privilege::with_admin(|| found.look());
    Ok(found)
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
                self.keep(None, source, here);
            }
            Err(error) => self.facts.notes.push(error.to_string()),
        }
        let own = netns::current_identity().ok();
        for name in self.facts.netns.clone() {
            let there = netns::open(&name).and_then(|namespace| {
                if namespace.identity().ok() == own {
                    return Ok(None);
                }
                netns::run_in(&namespace, || interfaces(Some(&name))).map(Some)
            });
            match there {
                Ok(None) => {}
                Ok(Some(Ok((source, interfaces)))) => self.keep(Some(name), source, interfaces),
                Ok(Some(Err(error))) => self.facts.notes.push(format!("network namespace {name}: {error}")),
                // A pod that ended meanwhile.
                Err(netns::NetnsError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.facts.notes.push(error.to_string()),
            }
        }
    }

    fn keep(&mut self, netns: Option<String>, source: Source, interfaces: Vec<PciInterface>) {
        if !interfaces.is_empty() {
            self.sockets.push((netns, source));
        }
        self.facts.interfaces.extend(interfaces);
    }
}

/// The interfaces of hardware in the calling thread's namespace, and a socket that stays in it.
fn interfaces(netns: Option<&str>) -> Result<(Source, Vec<PciInterface>), NetlinkError> {
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
