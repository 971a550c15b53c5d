//! What a node's files say of its network: RKE2, k3s, flannel, CNI, Calico, Multus, Whereabouts, and the services that meddle
//! with interfaces. All paths are below a root. Every file is hostile input: reading is bounded, links never lead out of the
//! root, and what cannot be read or understood is a note.
//!
//! What follows from it is decided in [`crate::inventory`].

mod charts;
mod cni;
mod deadline;
mod device_plugin;
mod firewalls;
mod flannel;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hosts;
mod ipam;
mod keys;
mod kubeconfig;
mod launch;
mod modules;
mod notes;
mod parse;
mod rancher;
mod runtime;
mod services;
#[cfg(test)]
mod tests;
mod tree;
mod whereabouts;
mod yaml;

use std::{collections::BTreeMap, io, path::Path};

pub use self::flannel::{AskForLease, open_lease};
use self::{deadline::within, flannel::Owners, notes::FileNotes, root::Root};
use crate::{
    facts::{
        files::{HostFiles, K3sRole, Settings, Sourced},
        host::Installed,
        ipam::IpamNetwork,
        pods::Sandbox,
    },
    files::root,
    observed::Observed,
};

/// Everything that the files below `directory` say. That it cannot be opened is an answer too.
pub fn read(directory: &Path) -> HostFiles {
    read_with(directory, &Observed::Absent, |_root| None)
}

/// The same where the runtime's sandboxes say whose the files of pods are, and where somebody else may look into flanneld's root.
pub fn read_with(directory: &Path, sandboxes: &Observed<Vec<Sandbox>>, lease: AskForLease) -> HostFiles {
    let (owned, owners) = (directory.to_owned(), Owners::new(sandboxes));
    within(deadline::FILES, move || read_all(&owned, &owners, lease))
        .unwrap_or_else(|late| unreadable("read", directory, &late))
}

/// The same on the calling thread, for as long as it takes.
pub fn read_here(directory: &Path, sandboxes: &Observed<Vec<Sandbox>>) -> HostFiles {
    read_all(directory, &Owners::new(sandboxes), |_root| None)
}

fn read_all(directory: &Path, owners: &Owners, lease: AskForLease) -> HostFiles {
    let root = match Root::open(directory) {
        Ok(root) => root,
        Err(error) => return unreadable("open", directory, &error),
    };
    let mut notes = FileNotes::default();
    let notes_ = &mut notes;
    let (rke2, _) = told(&root, "/etc/rancher/rke2/config.yaml", &["rke2-server", "rke2-agent"], notes_);
    let (k3s, k3s_verb) = told(&root, "/etc/rancher/k3s/config.yaml", &["k3s", "k3s-agent"], notes_);
    let k3s_role = k3s_verb.map(|verb| {
        let role = if verb.value == "agent" { K3sRole::Agent } else { K3sRole::Server };
        verb.with(role)
    });
    let rke2_data = data_directory(&rke2, "/var/lib/rancher/rke2");
    let k3s_data = data_directory(&k3s, "/var/lib/rancher/k3s");
    let mut charts = charts::read(&root, &format!("{rke2_data}/server/manifests"), notes_);
    if matches!(charts, Observed::Absent) {
        charts = charts::read(&root, &format!("{k3s_data}/server/manifests"), notes_);
    }
    let flannel = flannel::read(&root, &flannel::of_k3s(&k3s, &k3s_data), owners, notes_);
    let subnet_env = flannel::subnet_env(&root, lease, notes_);
    let cni_directory = runtime::directory(&root, &rke2_data, &k3s_data, notes_);
    HostFiles {
        rke2_directory: root.exists(&rke2_data).map(|()| rke2_data),
        k3s_directory: root.exists(&k3s_data).map(|()| k3s_data),
        rke2,
        k3s,
        k3s_role,
        charts,
        flannel: flannel.conf,
        flannel_cni: flannel.cni,
        subnet_env,
        whereabouts: whereabouts::read(&root, &cni_directory.value, notes_),
        cni: cni::directory(&root, cni_directory, notes_),
        multus_networks: cni::files(&root, "/etc/cni/multus/net.d", notes_),
        device_plugin: device_plugin::read(&root, notes_),
        calico_nodename: hosts::one_line(&root, "/var/lib/calico/nodename"),
        calico_mtu: hosts::number(&root, "/var/lib/calico/mtu"),
        hostname: hosts::hostname(&root),
        hosts: hosts::read(&root, notes_),
        network_manager: services::network_manager(&root, notes_),
        networkd: services::networkd(&root, notes_),
        firewalls: firewalls::read(&root, notes_),
        notes: notes.into_list(),
    }
}

/// The addresses that host-local has given away, by the files below `directory`: in its own place, and where the plugins of
/// `files` keep theirs. To be read again as pods come and go, but not with each sample.
pub fn ipam(directory: &Path, files: &HostFiles) -> Observed<Vec<IpamNetwork>> {
    let others = ipam_directories(files);
    below(directory, move |root| ipam::read(root, others.iter().map(String::as_str)))
}

/// Where host-local has its files by the configurations of plugins, and in its own place.
pub fn ipam_directories(files: &HostFiles) -> Vec<String> {
    let files = files.cni.value().map(|cni| &cni.files).into_iter().chain(files.multus_networks.value());
    let networks = files.flatten().map(|file| &file.network);
    cni::ipam_directories(networks).into_iter().chain([ipam::DIRECTORY]).map(str::to_owned).collect()
}

/// What `read` finds below a root, within the time that there is.
fn below<T: Send + 'static>(
    directory: &Path,
    read: impl FnOnce(&Root) -> Observed<T> + Send + 'static,
) -> Observed<T> {
    let owned = directory.to_owned();
    let told = within(deadline::FILES, move || Root::open(&owned).map(|root| read(&root)));
    told.and_then(|told| told).unwrap_or_else(|error| Observed::Failed {
        error: format!("cannot read {}: {error}", directory.display()),
    })
}

/// Which modules that a pod network may need the files below `directory` have for the kernel of this release.
pub fn modules(directory: &Path, release: &str) -> Observed<BTreeMap<String, Installed>> {
    let release = release.to_owned();
    below(directory, move |root| modules::read(root, &release))
}

/// What RKE2 or k3s is told: by its configuration, and by how its services are started; and the word for what they start.
fn told(
    root: &Root,
    file: &str,
    services: &[&str],
    notes: &mut FileNotes,
) -> (Observed<Settings>, Option<Sourced<String>>) {
    let configured = rancher::read(root, file, notes);
    let mut settings = configured.value().cloned().unwrap_or_default();
    let verb = launch::read(root, services, &mut settings, notes);
    let settings = match configured {
        Observed::Value(_) => Observed::Value(settings),
        Observed::Absent if !settings.is_empty() => Observed::Value(settings),
        // Part of it would look like all of it.
        other @ (Observed::Absent
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }
        | Observed::Failed { .. }) => other,
    };
    (settings, verb)
}

/// Where RKE2 or k3s keeps its state.
fn data_directory(settings: &Observed<Settings>, default: &str) -> String {
    let said = settings.value().and_then(|settings| settings.get("data-dir")?.last());
    let said = said.map(|said| said.value.trim_end_matches('/')).filter(|path| path.starts_with('/'));
    said.unwrap_or(default).to_owned()
}

fn unreadable(operation: &str, directory: &Path, error: &io::Error) -> HostFiles {
    let mut notes = FileNotes::default();
    notes.add(
        "/",
        None,
        format!("cannot {operation} {}: {error}: nothing of the host was read", directory.display()),
    );
    HostFiles { notes: notes.into_list(), ..HostFiles::default() }
}
