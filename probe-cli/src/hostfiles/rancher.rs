//! The configuration of RKE2 and k3s: `config.yaml`, then `config.yaml.d` by name. A later file replaces a key's value, and a
//! key with `+` behind it adds to it (k3s pkg/configfilearg/parser.go, `readConfigFile`). Only keys that concern networking are
//! kept: the same files hold the cluster's token.

use super::{
    notes::FileNotes,
    parse::{documents, ends, note_rest, note_trouble},
    root::Root,
    tree::At,
};
use crate::{
    facts::files::{Settings, Sourced},
    observed::Observed,
};

/// Keys that are kept, of servers and agents.
const KEYS: [&str; 32] = [
    "advertise-address",
    "bind-address",
    "cluster-cidr",
    "cluster-dns",
    "cni",
    "container-runtime-endpoint",
    "data-dir",
    "disable",
    "disable-kube-proxy",
    "disable-network-policy",
    "egress-selector-mode",
    "flannel-backend",
    "flannel-cni-conf",
    "flannel-conf",
    "flannel-external-ip",
    "flannel-iface",
    "flannel-ipv6-masq",
    "https-listen-port",
    "kube-proxy-arg",
    "kube-proxy-extra-mount",
    "multi-cluster-cidr",
    "node-external-dns",
    "node-external-ip",
    "node-internal-dns",
    "node-ip",
    "node-name",
    "profile",
    "protect-kernel-defaults",
    "selinux",
    "service-cidr",
    "service-node-port-range",
    "tls-san",
];

/// Arguments for another program may hold commas.
const WHOLE: [&str; 2] = ["kube-proxy-arg", "kube-proxy-extra-mount"];

/// Most drop-ins.
const FILES: usize = 256;
/// Most values of one key.
const VALUES: usize = 256;

/// The configuration in `file` and in the directory `file.d`. Absent where there is neither.
pub(super) fn read(root: &Root, file: &str, notes: &mut FileNotes) -> Observed<Settings> {
    let directory = format!("{file}.d");
    let drop_ins = root.names(&directory, FILES, |name, kind| {
        !kind.is_dir() && ends(&name.to_ascii_lowercase(), &[".yaml", ".yml"])
    });
    let names = drop_ins.value().map(|found| found.first.as_slice()).unwrap_or_default();
    if let Some(found) = drop_ins.value() {
        note_rest(found, &directory, notes);
    }
    let files = [file.to_owned()].into_iter().chain(names.iter().map(|name| format!("{directory}/{name}")));
    let mut settings = Settings::new();
    let (mut read_any, mut troubles) = (false, Vec::new());
    for path in files {
        let answer = documents(root, &path, notes);
        match &answer {
            Observed::Value(found) => {
                read_any = true;
                if found.len() > 1 {
                    notes.add(&path, None, "has several documents: only the first one counts");
                }
                if let Some(document) = found.first() {
                    merge(&mut settings, &At::root(&path, document), notes);
                }
            }
            Observed::Absent => {}
            Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => {
                troubles.push((path, answer.map(|_| Settings::new())));
            }
        }
    }
    let answer = match (read_any, troubles.is_empty()) {
        (true, _) => Observed::Value(settings),
        (false, true) => drop_ins.and_then(|_| Observed::Absent),
        // Where nothing could be read, the first trouble is the answer.
        (false, false) => troubles.remove(0).1,
    };
    for (path, trouble) in &troubles {
        note_trouble(trouble, path, notes);
    }
    answer
}

pub(super) fn merge(settings: &mut Settings, document: &At<'_>, notes: &mut FileNotes) {
    if !document.is_map() {
        notes.at(document, "is not a map of settings".to_owned());
        return;
    }
    for (written, at) in document.entries() {
        let (key, adds) = match written.strip_suffix('+') {
            Some(key) => (key, true),
            None => (written, false),
        };
        if !is_kept(key) {
            continue;
        }
        let mut values = values(key, at);
        if values.len() > VALUES {
            notes.at(&at, format!("{key} has more than {VALUES} values: the others are left out"));
            values.truncate(VALUES);
        }
        let kept = settings.entry(key.to_owned()).or_default();
        if !adds {
            kept.clear();
        }
        values.truncate(VALUES.saturating_sub(kept.len()));
        kept.append(&mut values);
    }
}

/// The values of a key: a list's elements, and the parts between commas.
fn values(key: &str, at: At<'_>) -> Vec<Sourced<String>> {
    at.texts().flat_map(|(at, text)| split(key, &at.sourced(text.to_owned()))).take(VALUES + 1).collect()
}

/// Is this a setting that is kept?
pub(super) fn is_kept(key: &str) -> bool {
    KEYS.contains(&key)
}

/// The values of a key that are between commas.
pub(super) fn split(key: &str, value: &Sourced<String>) -> Vec<Sourced<String>> {
    let is_whole = WHOLE.contains(&key);
    let parts = value.value.split(|c| c == ',' && !is_whole).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(|part| value.with(part.to_owned())).take(VALUES + 1).collect()
}
