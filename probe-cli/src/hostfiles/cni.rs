//! CNI configuration files (containernetworking/cni SPEC.md, libcni/conf.go), with what Multus has inside of them.

use super::{
    kubeconfig,
    notes::FileNotes,
    parse::{ends, json, note_rest},
    root::Root,
    tree::At,
};
use crate::{
    facts::files::{CniDirectory, CniFile, CniNetwork, CniPlugin, Multus, Sourced},
    observed::Observed,
};

/// Most files of one directory.
const FILES: usize = 64;
/// Most plugins of one network, and delegates of one Multus.
const PLUGINS: usize = 64;
/// Most ranges of one plugin.
const RANGES: usize = 64;
/// Where the thick plugin's daemon has its socket when no file says otherwise (multus-cni pkg/server/api, `DefaultMultusRunDir`).
const SOCKETS: &str = "/run/multus";
/// Multus within Multus.
const NESTED: usize = 3;

/// A directory as the runtime reads it: by name, the first valid file is the default network.
pub(super) fn directory(root: &Root, path: Sourced<String>, notes: &mut FileNotes) -> Observed<CniDirectory> {
    files(root, &path.value, notes).map(|files| {
        let first = files.iter().enumerate().find(|(_, file)| file.problem.is_none());
        let default_network = first.filter(|(_, file)| file.unread.is_none()).map(|(index, _)| index);
        CniDirectory { path, files, default_network }
    })
}

/// The configurations of a directory, by name.
pub(super) fn files(root: &Root, directory: &str, notes: &mut FileNotes) -> Observed<Vec<CniFile>> {
    list(root, directory, true, notes)
}

/// With what is beside each, or without: a directory that a configuration in it names would have no end.
fn list(root: &Root, directory: &str, looks_around: bool, notes: &mut FileNotes) -> Observed<Vec<CniFile>> {
    let names = root
        .names(directory, FILES, |name, kind| !kind.is_dir() && ends(name, &[".conf", ".conflist", ".json"]));
    names.map(|names| {
        note_rest(&names, directory, notes);
        let files = names.first.iter().map(|name| {
            let path = format!("{directory}/{name}");
            let none = CniFile { file: path.clone(), ..CniFile::default() };
            match json(root, &path) {
                Observed::Value(node) => {
                    let is_list = ends(name, &[".conflist"]);
                    let mut found = file(&path, &At::go_json(&path, &node), is_list, notes);
                    for plugin in found.network.plugins.iter_mut().filter(|_| looks_around) {
                        look_around(root, plugin, notes);
                    }
                    found
                }
                Observed::Absent => {
                    CniFile { problem: Some(format!("cannot read {path}: it is a dangling link")), ..none }
                }
                Observed::Failed { error } => CniFile { problem: Some(error), ..none },
                other @ (Observed::Denied { .. } | Observed::Unsupported { .. }) => {
                    CniFile { unread: other.trouble(), ..none }
                }
            }
        });
        files.collect()
    })
}

/// Adds what is beside a Multus configuration: the files that it names.
fn look_around(root: &Root, plugin: &mut CniPlugin, notes: &mut FileNotes) {
    let Some(multus) = &mut plugin.multus else { return };
    if plugin.kind.value == "multus-shim" {
        let directory = multus.socket_directory.as_ref().map_or(SOCKETS, |directory| &directory.value);
        multus.socket = root.exists(&format!("{}/multus.sock", directory.trim_end_matches('/')));
        // The daemon has the host's files there.
        if let (Observed::Absent, Some(own)) = (&multus.socket, directory.strip_prefix("/host/")) {
            multus.socket = root.exists(&format!("/{}/multus.sock", own.trim_end_matches('/')));
        }
    }
    if let Some(kubeconfig) = &multus.kubeconfig {
        multus.kubeconfig_file = kubeconfig::read(root, &kubeconfig.value);
    }
    if let Some(file) = &multus.readiness_file {
        multus.is_ready = root.exists(&file.value);
    }
    if let Some(directory) = &multus.conf_dir {
        let directory = directory.value.as_str();
        multus.conf_dir_files = list(root, directory, false, notes);
        // The thick plugin's daemon has the host's files there.
        if let (Observed::Absent, Some(own)) = (&multus.conf_dir_files, directory.strip_prefix("/host/")) {
            multus.conf_dir_files = list(root, &format!("/{own}"), false, notes);
        }
    }
}

/// Where host-local has its files for one of the networks, their delegates included, other than in its own place.
pub(super) fn ipam_directories<'a>(networks: impl Iterator<Item = &'a CniNetwork>) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest: Vec<&CniNetwork> = networks.collect();
    while let Some(network) = rest.pop() {
        for plugin in &network.plugins {
            found.extend(plugin.ipam_directory.as_ref().map(|directory| directory.value.as_str()));
            let multus = plugin.multus.iter();
            rest.extend(multus.flat_map(|multus| {
                let files = multus.conf_dir_files.value().into_iter().flatten().map(|file| &file.network);
                multus.delegates.iter().chain(files)
            }));
        }
    }
    found
}

/// The network of a file.
pub(super) fn file(path: &str, at: &At<'_>, is_list: bool, notes: &mut FileNotes) -> CniFile {
    let network = network(at, NESTED, notes);
    let first = network.plugins.first();
    let has_plugins = at.get_exact("plugins").is_some();
    let problem = if !at.is_map() {
        Some("it is not a map")
    } else if is_list && !has_plugins {
        Some("a .conflist without `plugins`")
    } else if !is_list && has_plugins {
        Some("`plugins` in a file whose name does not end in .conflist")
    } else if first.is_none_or(|plugin| plugin.kind.value.is_empty()) {
        Some("no plugin, or one without `type`")
    } else if is_list && network.name.is_none() {
        Some("a .conflist without `name`")
    } else {
        None
    };
    let problem = problem.map(|problem| format!("the runtime cannot use {path}: {problem}"));
    CniFile { file: path.to_owned(), network, problem, unread: None }
}

/// A list of plugins is a map to libcni, in which the case of keys counts (`ConfListFromBytes`); a plugin is a struct.
fn network(at: &At<'_>, nested: usize, notes: &mut FileNotes) -> CniNetwork {
    let list = at.get_exact("plugins");
    let of_list = |key: &str| at.get_exact(key).and_then(|at| at.filled());
    let said = |key: &str| if list.is_some() { of_list(key) } else { at.string(key) };
    let plugins = match list {
        Some(plugins) => plugins.items().take(PLUGINS).map(|item| plugin(&item, nested, notes)).collect(),
        None if at.get("type").is_some() => vec![plugin(at, nested, notes)],
        None => Vec::new(),
    };
    CniNetwork { name: said("name"), cni_version: said("cniVersion"), plugins }
}

fn plugin(at: &At<'_>, nested: usize, notes: &mut FileNotes) -> CniPlugin {
    let kind = at.string("type").unwrap_or_else(|| at.sourced(String::new()));
    let is_multus = matches!(kind.value.as_str(), "multus" | "multus-shim");
    let device = match kind.value.as_str() {
        "bridge" => at.string("bridge"),
        "host-device" => at.string("device"),
        _ => at.string("master"),
    };
    let ipam = at.get("ipam");
    let vlan = ["vlanId", "vlan"].into_iter().find(|key| at.get(key).is_some());
    CniPlugin {
        // flannel's plugin hands its `delegate` to the bridge plugin.
        mtu: at
            .parsed("mtu", "a number", notes)
            .or_else(|| at.get("delegate")?.parsed("mtu", "a number", notes)),
        device,
        vlan: vlan.and_then(|key| at.parsed(key, "a number", notes)),
        ipam: ipam.and_then(|ipam| ipam.string("type")),
        ipam_directory: ipam.and_then(|ipam| ipam.string("dataDir")),
        ranges: ipam.map(|ipam| ranges(&ipam)).unwrap_or_default(),
        node_slice_size: ipam.and_then(|ipam| ipam.string("node_slice_size")),
        network_name: ipam.and_then(|ipam| ipam.string("network_name")),
        multus: (is_multus && nested > 0).then(|| Box::new(multus(at, nested - 1, notes))),
        kind,
    }
}

/// host-local's `ranges` are lists of alternatives in a list; one `subnet` is the short form of one.
fn ranges(ipam: &At<'_>) -> Vec<Sourced<String>> {
    let short = ["subnet", "range"].into_iter().filter_map(|key| ipam.string(key));
    let sets = ipam.get("ranges").into_iter().flat_map(At::items);
    let inner = sets.flat_map(At::items).filter_map(|range| range.string("subnet"));
    let listed =
        ipam.get("ipRanges").into_iter().flat_map(At::items).filter_map(|range| range.string("range"));
    short.chain(inner).chain(listed).take(RANGES).collect()
}

fn multus(at: &At<'_>, nested: usize, notes: &mut FileNotes) -> Multus {
    let delegates = at.get("delegates").into_iter().flat_map(At::items);
    let default_networks = at.get("defaultNetworks").into_iter().flat_map(At::texts);
    Multus {
        delegates: delegates.take(PLUGINS).map(|delegate| network(&delegate, nested, notes)).collect(),
        cluster_network: at.string("clusterNetwork"),
        conf_dir: at.string("confDir"),
        conf_dir_files: Observed::Absent,
        default_networks: default_networks
            .take(PLUGINS)
            .map(|(at, text)| at.sourced(text.to_owned()))
            .collect(),
        readiness_file: at.string("readinessindicatorfile"),
        is_ready: Observed::Absent,
        kubeconfig: at.string("kubeconfig"),
        kubeconfig_file: Observed::Absent,
        // Early versions have the shorter name.
        socket_directory: at.string("daemonSocketDir").or_else(|| at.string("socketDir")),
        socket: Observed::Absent,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_that_multus_names_is_read_once_and_not_further() {
        let root = tempfile::tempdir().unwrap();
        let multus = r#"{"name":"m","type":"multus","confDir":"/nets","delegates":[
            {"name":"d","plugins":[{"type":"bridge","ipam":{"type":"host-local","dataDir":"/data/d"}}]}]}"#;
        for directory in ["etc", "nets"] {
            fs::create_dir(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("00-multus.conf"), multus).unwrap();
        }
        fs::write(
            root.path().join("nets/10-net1.conf"),
            r#"{"name":"net1","type":"macvlan","ipam":{"type":"host-local","dataDir":"/data/net1"}}"#,
        )
        .unwrap();
        let found = files(&Root::open(root.path()).unwrap(), "/etc", &mut FileNotes::default());
        let network = &found.value().unwrap()[0].network;
        let of = |network: &CniNetwork| network.plugins[0].multus.clone().unwrap();
        assert_eq!(of(network).conf_dir.unwrap().value, "/nets");
        let inner = of(network).conf_dir_files;
        let inner = inner.value().unwrap();
        assert_eq!(inner[1].network.name.as_ref().unwrap().value, "net1");
        // It names its own directory: without end, if that were followed.
        assert_eq!(of(&inner[0].network).conf_dir_files, Observed::Absent);
        let mut directories = ipam_directories([network].into_iter());
        directories.sort_unstable();
        assert_eq!(directories, ["/data/d", "/data/d", "/data/net1"]);
    }
}
