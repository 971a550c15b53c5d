//! Which CNI makes the pods' first interface, what is in front of it, and the MTU that it gives to pods.

use crate::{
    facts::files::{CniDirectory, CniFile, CniNetwork, CniPlugin, HostFiles, Multus, Sourced},
    intent::{
        Basis, Cni, Intended, Intent, MultusIntent,
        agree::{agree, default, follows, like, parsed, said},
        charts,
        distribution::is_k3s_server,
        flannel::{turned_off, whose},
    },
    text::shown,
};

/// Networks that call each other which are followed.
const CHAIN: usize = 4;
/// MTU of Canal's pods where nobody says another (`calico.vethuMTU` in the chart rke2-canal).
const CANAL_MTU: u32 = 1450;

pub(super) fn join(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let configured = configured(files, intent);
    let found = default_file(files);
    let seen = found.and_then(|file| seen(files, file));
    intent.default_network = found.and_then(|file| file.network.name.clone()).map(said);
    let configured = configured.or_else(|| seen.is_none().then(|| whose(files)).flatten());
    // A default is what no file says: the command line or the environment may.
    let told = configured.as_ref().filter(|configured| configured.basis != Basis::Default);
    intent.foreign_cni = told.zip(seen.as_ref()).and_then(|(told, seen)| {
        let is_foreign = told.value != seen.value && (told.value != Cni::None || is_off(files, seen));
        is_foreign.then(|| seen.clone())
    });
    intent.cni = match configured {
        Some(weak) if weak.value == Cni::None || weak.basis == Basis::Default => match seen {
            Some(seen) if seen.value != weak.value && !is_off(files, &seen) => Some(seen),
            _ => Some(weak),
        },
        configured => configured.or(seen),
    };
    directory_notes(files, notes);
    multus(files, intent, notes);
    intent.whereabouts = files.whereabouts.value().map(|whereabouts| {
        let file = whereabouts.kubeconfig.as_ref().or(whereabouts.datastore.as_ref());
        match file {
            Some(file) => follows(file, ()),
            None => Intended { value: (), basis: Basis::Inferred, file: None, line: None },
        }
    });
}

/// What RKE2 or k3s is told.
fn configured(files: &HostFiles, intent: &mut Intent) -> Option<Intended<Cni>> {
    let is_server = files.charts.value().is_some();
    if let Some(settings) = files.rke2.value() {
        let names = settings.get("cni").map(Vec::as_slice).unwrap_or_default();
        if !names.is_empty() {
            return rke2(names, intent);
        }
    }
    if is_server && files.rke2_directory.value().is_some() && files.rke2.trouble().is_none() {
        return Some(default(Cni::Canal));
    }
    let backend = files.k3s.value().and_then(|settings| settings.get("flannel-backend")?.last());
    match backend {
        Some(backend) if backend.value == "none" => Some(follows(backend, Cni::None)),
        Some(backend) => Some(follows(backend, Cni::K3sFlannel)),
        None if is_k3s_server(files) && files.k3s.trouble().is_none() => Some(default(Cni::K3sFlannel)),
        None => None,
    }
}

/// k3s' own flannel, where k3s is told not to run it: its file outlives the change.
fn is_off(files: &HostFiles, seen: &Intended<Cni>) -> bool {
    seen.value == Cni::K3sFlannel && turned_off(files).is_some()
}

/// RKE2's `cni`: one name, or `multus` and another one (rke2 pkg/cli/cmds/server.go, `validateCNI`).
fn rke2(names: &[Sourced<String>], intent: &mut Intent) -> Option<Intended<Cni>> {
    let multus = names.iter().position(|name| name.value == "multus");
    if let Some(found) = multus.and_then(|index| names.get(index)) {
        let requested = Some(said(found.with(())));
        intent.multus = Some(MultusIntent { requested, ..MultusIntent::default() });
    }
    let primary = names.iter().rev().find(|name| name.value != "multus")?;
    let cni = match primary.value.as_str() {
        "canal" => Cni::Canal,
        "flannel" => Cni::Flannel,
        "calico" => Cni::Calico,
        "cilium" => Cni::Cilium,
        "none" => Cni::None,
        other => Cni::Other(other.to_owned()),
    };
    Some(said(primary.with(cni)))
}

fn default_file(files: &HostFiles) -> Option<&CniFile> {
    let directory = files.cni.value()?;
    directory.files.get(directory.default_network?)
}

/// A network, and the file that it is in where it has one of its own.
type Found<'a> = (&'a CniNetwork, Option<&'a CniFile>);

/// The networks that call each other, from the default one of the CNI directory on. More than one where that is Multus, which
/// may be its own delegate by mistake.
fn chain(files: &HostFiles) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> =
        default_file(files).map(|file| (&file.network, Some(file))).into_iter().collect();
    while found.len() < CHAIN {
        let part = found.last().and_then(|(network, _)| network.plugins.first()?.multus.as_deref());
        let Some(next) = part.and_then(|multus| behind(files, multus)) else { break };
        let is_known = found.iter().any(|(network, _)| std::ptr::eq(*network, next.0));
        found.push(next);
        if is_known {
            break;
        }
    }
    found
}

fn is_multus(network: &CniNetwork) -> bool {
    let first = network.plugins.first();
    first.is_some_and(|plugin| matches!(plugin.kind.value.as_str(), "multus" | "multus-shim"))
}

/// The network of the CNI directory that makes the pods' first interface, behind Multus if that is the default.
fn first_network(files: &HostFiles) -> Option<Found<'_>> {
    chain(files).pop().filter(|(network, _)| !is_multus(network))
}

/// What is behind Multus: `clusterNetwork`, else the first delegate.
fn behind<'a>(files: &'a HostFiles, multus: &'a Multus) -> Option<Found<'a>> {
    let Some(wanted) = &multus.cluster_network else {
        return multus.delegates.first().map(|network| (network, None));
    };
    let directory = files.cni.value();
    let in_directory = directory.map(|directory| directory.files.as_slice()).unwrap_or_default();
    // Where Multus looks for configurations by name.
    let own = if multus.conf_dir.is_some() { &multus.conf_dir_files } else { &files.multus_networks };
    let own = own.value().map(Vec::as_slice).unwrap_or_default();
    let file = if wanted.value.starts_with('/') {
        by_path(&wanted.value, own, in_directory, multus, directory)
    } else {
        let has_name =
            |file: &&CniFile| file.network.name.as_ref().is_some_and(|name| name.value == wanted.value);
        own.iter().chain(in_directory).find(has_name)
    };
    file.map(|file| (&file.network, Some(file)))
}

/// A file by its path, or the first one of a directory. The thick plugin's path is one of its daemon's container, which has
/// the host's files below `/host`, and its CNI directory where it is mounted.
fn by_path<'a>(
    wanted: &str,
    own: &'a [CniFile],
    in_directory: &'a [CniFile],
    multus: &Multus,
    directory: Option<&CniDirectory>,
) -> Option<&'a CniFile> {
    let wanted = wanted.trim_end_matches('/');
    let paths = [Some(wanted), wanted.strip_prefix("/host").filter(|rest| rest.starts_with('/'))];
    let is = |path: &str| paths.iter().flatten().any(|wanted| *wanted == path.trim_end_matches('/'));
    let mut files = own.iter().chain(in_directory);
    if let Some(file) = files.find(|file| is(&file.file)) {
        return Some(file);
    }
    if multus.conf_dir.as_ref().is_some_and(|directory| is(&directory.value)) {
        return own.first();
    }
    if directory.is_some_and(|directory| is(&directory.path.value)) {
        return in_directory.first();
    }
    let name = wanted.rsplit('/').next();
    in_directory.iter().find(|file| file.file.rsplit('/').next() == name)
}

/// The CNI that the directory's default network is of.
fn seen(files: &HostFiles, file: &CniFile) -> Option<Intended<Cni>> {
    let (network, behind) = first_network(files)?;
    let plugin = network.plugins.first()?;
    let path = behind.map_or(file.file.as_str(), |behind| behind.file.as_str());
    let cni = match plugin.kind.value.as_str() {
        "calico" if is_canal(files, path, plugin) => Cni::Canal,
        "calico" => Cni::Calico,
        "flannel" if is_k3ss(files, path) => Cni::K3sFlannel,
        "flannel" => Cni::Flannel,
        "cilium-cni" | "cilium" => Cni::Cilium,
        "multus" | "multus-shim" => return None,
        other => Cni::Other(other.to_owned()),
    };
    Some(follows(&plugin.kind, cni))
}

/// The file is in k3s' own directory.
fn is_k3ss(files: &HostFiles, path: &str) -> bool {
    let directory = files.k3s_directory.value();
    path.contains("/k3s/") || directory.is_some_and(|directory| path.starts_with(&format!("{directory}/")))
}

/// Canal has Calico's plugin take addresses out of the node's podCIDR; Calico by itself has its own IPAM.
fn is_canal(files: &HostFiles, path: &str, plugin: &CniPlugin) -> bool {
    let by_name = path.rsplit('/').next().is_some_and(|name| name.contains("canal"));
    let host_local = plugin.ipam.as_ref().is_some_and(|ipam| ipam.value == "host-local");
    by_name || host_local && files.flannel.value().is_some()
}

/// Files of the CNI directory that could not be read.
fn directory_notes(files: &HostFiles, notes: &mut Vec<String>) {
    let Some(directory) = files.cni.value() else { return };
    for unread in directory.files.iter().filter_map(|file| file.unread.as_ref()) {
        notes.push(format!("cannot read a file in {}: {}", shown(&directory.path.value), shown(unread)));
    }
}

fn multus(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let default_file = default_file(files);
    let plugin = default_file.and_then(|file| file.network.plugins.first());
    let part = plugin.and_then(|plugin| Some((plugin, plugin.multus.as_deref()?)));
    let Some((plugin, part)) = part else { return };
    let multus = intent.multus.get_or_insert_default();
    multus.installed = Some(said(plugin.kind.with(())));
    let chain = chain(files);
    let last = chain.last().map(|(network, _)| *network).filter(|network| !is_multus(network));
    multus.delegate = match (&part.cluster_network, last) {
        (Some(wanted), _) => Some(said(wanted.clone())),
        (None, Some(network)) => network.name.clone().map(said),
        (None, None) => None,
    };
    let plugins = chain.iter().filter_map(|(network, _)| network.plugins.first());
    multus.chain = plugins.map(|plugin| said(plugin.kind.clone())).collect();
    let behind = last.and_then(|network| network.plugins.first());
    multus.delegate_plugin = behind.map(|plugin| follows(&plugin.kind, plugin.kind.value.clone()));
    // That it is not there is no trouble of reading.
    if let Some((file, why)) = part.kubeconfig.as_ref().zip(part.kubeconfig_file.trouble()) {
        let (at, path) = (shown(&file.place()), shown(&file.value));
        notes.push(format!("{at}: Multus' kubeconfig {path}: {}", shown(&why)));
    }
}

/// MTU of new pods: what the chart says, and what the CNI's file says.
pub(super) fn pod_mtu(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let cni = intent.cni.as_ref().map(|cni| &cni.value);
    let chart = match cni {
        Some(Cni::Canal) => charts::number(files, "rke2-canal", "calico.vethuMTU"),
        Some(Cni::Calico) => charts::number(files, "rke2-calico", "installation.calicoNetwork.mtu"),
        Some(Cni::Cilium) => charts::number(files, "rke2-cilium", "MTU"),
        _ => None,
    };
    let chart = chart.and_then(|mtu| parsed("MTU", mtu, notes)).map(said);
    let plugin = first_network(files).and_then(|(network, _)| network.plugins.first());
    let file = plugin.and_then(|plugin| plugin.mtu.clone()).filter(|mtu| mtu.value != 0).map(said);
    // Calico's plugin takes what calico-node wrote down where its own MTU is 0.
    let is_calico = plugin.is_some_and(|plugin| plugin.kind.value == "calico");
    let written = files.calico_mtu.value().filter(|_| is_calico && file.is_none()).cloned().map(said);
    let remedy =
        "pods get what is in the CNI's file when they start: restart the CNI's DaemonSet, then the pods";
    let found = agree("MTU of pods", remedy, [chart, file, written], notes);
    // flannel's plugin takes the tunnel's.
    let of_tunnel = || {
        let tunnel =
            intent.tunnel_mtu.as_ref().filter(|_| matches!(cni, Some(Cni::Flannel | Cni::K3sFlannel)))?;
        Some(like(tunnel, tunnel.value, Basis::Inferred))
    };
    let usual = || (matches!(cni, Some(Cni::Canal)) && charts::of_rke2(files)).then(|| default(CANAL_MTU));
    intent.pod_mtu = found.or_else(of_tunnel).or_else(usual);
}
