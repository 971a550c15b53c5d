//! Everything that files of CNI plugins and device plugins say of pods, below one root: which directories, in which order,
//! and what is odd about them together.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{device_info, directory::Directory, libcni, sriov_cni};
use crate::{
    facts::pods::{
        Allocation, Attachment, InterfaceDevice, PodFacts, ResourceDevice, Sandbox, VfConfiguration,
    },
    files,
};

/// Where namespaces of pods have their names.
pub(super) const NAMESPACES: &str = "/run/netns";
/// Most of them that are looked at.
const MOST_NAMES: usize = 65_536;

/// The files, with what they said when they were read last: reading again costs a look at each, and the contents of those
/// that changed.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    results: [Directory<Attachment>; 2],
    allocations: Directory<Allocation>,
    configurations: Directory<VfConfiguration>,
    of_interfaces: Directory<InterfaceDevice>,
    of_devices: Directory<ResourceDevice>,
}

impl Files {
    /// Those below `root`. Reads nothing yet.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            results: libcni::DIRECTORIES.map(|path| Directory::new(path, &[], libcni::parse)),
            allocations: Directory::new(sriov_cni::ALLOCATIONS, &["vf_lock"], sriov_cni::allocation),
            configurations: Directory::new(sriov_cni::CONFIGURATIONS, &["pci"], sriov_cni::configuration),
            of_interfaces: Directory::new(device_info::OF_INTERFACES, &[], device_info::of_interface),
            of_devices: Directory::new(device_info::OF_DEVICES, &[], device_info::of_device),
        }
    }

    /// Reads what changed, and gives everything that files say. Of too many files those of
    /// `sandboxes` are read. Others of the thread have a turn meanwhile.
    pub async fn read(&mut self, sandboxes: &[Sandbox]) -> PodFacts {
        let live: BTreeSet<&str> = sandboxes.iter().map(|sandbox| sandbox.id.as_str()).collect();
        let (root, none) = (&self.root, BTreeSet::new());
        let mut facts = PodFacts::default();
        for results in &mut self.results {
            results.read(root, &live).await;
            facts.attachments.extend(results.items().cloned());
            facts.notes.extend(results.notes(root));
        }
        // Their names hold no container IDs.
        self.allocations.read(root, &none).await;
        self.of_devices.read(root, &none).await;
        self.configurations.read(root, &live).await;
        self.of_interfaces.read(root, &live).await;
        facts.allocations.extend(self.allocations.items().cloned());
        facts.resource_devices.extend(self.of_devices.items().cloned());
        facts.configurations.extend(self.configurations.items().cloned());
        facts.interface_devices.extend(self.of_interfaces.items().cloned());
        facts.notes.extend(self.allocations.notes(root));
        facts.notes.extend(self.of_devices.notes(root));
        facts.notes.extend(self.configurations.notes(root));
        facts.notes.extend(self.of_interfaces.notes(root));
        facts.notes.extend(dangling(root, &facts.attachments));
        facts
    }

    /// The same without giving others a turn.
    pub fn read_now(&mut self, sandboxes: &[Sandbox]) -> PodFacts {
        let mut reading = pin!(self.read(sandboxes));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(facts) = reading.as_mut().poll(&mut context) {
                return facts;
            }
        }
    }
}

/// Attachments whose network namespace is no more: files outlive pods after a crash or a restart of the machine. Namespaces
/// that have no name are not looked for.
fn dangling(root: &Path, attachments: &[Attachment]) -> Option<String> {
    let names = files::Root::open(root).ok()?.names(NAMESPACES, MOST_NAMES, |_, _| true);
    let names = names.value().filter(|names| names.further == 0 && !names.is_cut)?;
    let names: BTreeSet<&String> = names.first.iter().collect();
    let name = |attachment: &Attachment| {
        let (directory, name) = attachment.netns.as_deref()?.rsplit_once('/')?;
        directory.ends_with(NAMESPACES).then(|| name.to_owned())
    };
    let mut gone =
        attachments.iter().filter(|attachment| name(attachment).is_some_and(|name| !names.contains(&name)));
    let first = gone.next()?;
    Some(format!(
        "{} file(s) of {} are of network namespaces that do not exist, such as {} of pod {}/{}: leftovers",
        1 + gone.count(),
        files::root::shown(root, Path::new(libcni::DIRECTORIES[0])),
        first.netns.as_deref().unwrap_or_default(),
        first.namespace,
        first.pod,
    ))
}

#[cfg(test)]
mod tests;
