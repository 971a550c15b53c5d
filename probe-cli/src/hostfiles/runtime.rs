//! Which directory the container runtime takes CNI configurations from: what its own configuration says, or its default.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    notes::FileNotes,
    parse::{conf_files, note_trouble},
    root::Root,
};
use crate::{facts::files::Sourced, observed::Observed};

/// What containerd and CRI-O take without configuration.
const DEFAULT: &str = "/etc/cni/net.d";
/// containerd's configuration below the data directory of RKE2 and k3s, who write it at each start.
const AGENT: &str = "agent/etc/containerd/config.toml";
/// Where k3s has its flannel's configuration, below its data directory.
const K3S: &str = "agent/etc/cni/net.d";
/// containerd's own.
const CONTAINERD: &str = "/etc/containerd/config.toml";
/// CRI-O's (crio.conf(5), crio.conf.d(5)).
const CRIO: &str = "/etc/crio/crio.conf";
/// Most drop-ins.
const FILES: usize = 256;

/// Where containerd's configuration has the directory: of versions 3, 2 and 1 (containerd docs/cri/config.md).
const CONF_DIR: [&[&str]; 3] = [
    &["plugins", "io.containerd.cri.v1.runtime", "cni", "conf_dir"],
    &["plugins", "io.containerd.grpc.v1.cri", "cni", "conf_dir"],
    &["plugins", "cri", "cni", "conf_dir"],
];
/// Where CRI-O's has it.
const NETWORK_DIR: &[&str] = &["crio", "network", "network_dir"];

/// The directory, and what says so. `rke2` and `k3s` are data directories.
pub(super) fn directory(root: &Root, rke2: &str, k3s: &str, notes: &mut FileNotes) -> Sourced<String> {
    for file in [format!("{rke2}/{AGENT}"), format!("{k3s}/{AGENT}"), CONTAINERD.to_owned()] {
        match of_file(root, &file, &CONF_DIR, notes) {
            Observed::Absent => {}
            Observed::Value(Some(found)) => return found,
            Observed::Value(None)
            | Observed::Denied { .. }
            | Observed::Unsupported { .. }
            | Observed::Failed { .. } => {
                return Sourced { value: DEFAULT.to_owned(), file, line: None };
            }
        }
    }
    if let Some(found) = crio(root, notes) {
        return found;
    }
    let k3s = format!("{k3s}/{K3S}");
    let is_k3s = root.exists(&k3s).value().is_some();
    let path = if is_k3s { k3s } else { DEFAULT.to_owned() };
    Sourced { file: path.clone(), value: path, line: None }
}

/// CRI-O's: of its file and drop-ins, the last one that says it.
fn crio(root: &Root, notes: &mut FileNotes) -> Option<Sourced<String>> {
    let directory = format!("{CRIO}.d");
    let names = conf_files(root, &directory, FILES, notes);
    let files = [CRIO.to_owned()].into_iter().chain(names.iter().map(|name| format!("{directory}/{name}")));
    let mut found = None;
    for file in files {
        match of_file(root, &file, &[NETWORK_DIR], notes) {
            Observed::Absent => {}
            Observed::Value(Some(said)) => found = Some(said),
            Observed::Value(None)
            | Observed::Denied { .. }
            | Observed::Unsupported { .. }
            | Observed::Failed { .. } => {
                found = found.or(Some(Sourced { value: DEFAULT.to_owned(), file, line: None }));
            }
        }
    }
    found
}

/// What a TOML file says under one of these paths.
fn of_file(
    root: &Root,
    file: &str,
    paths: &[&[&str]],
    notes: &mut FileNotes,
) -> Observed<Option<Sourced<String>>> {
    let answer = root.text(file);
    note_trouble(&answer, file, notes);
    answer.map(|text| path_in(file, &text, paths, notes))
}

/// The same of the file's text.
pub(super) fn path_in(
    file: &str,
    text: &str,
    paths: &[&[&str]],
    notes: &mut FileNotes,
) -> Option<Sourced<String>> {
    match DeTable::parse(text) {
        Ok(table) => paths.iter().find_map(|path| {
            let found = at(table.get_ref(), path)?;
            let value = found.get_ref().as_str().map(|path| path.trim_end_matches('/'));
            let value = value.filter(|path| path.starts_with('/'))?.to_owned();
            Some(Sourced { value, file: file.to_owned(), line: Some(line_of(text, found.span().start)) })
        }),
        Err(error) => {
            // Its whole text quotes the line, and such files may hold a registry's password.
            let line = error.span().map(|span| line_of(text, span.start));
            notes.add(file, line, format!("not TOML: {}", error.message()));
            None
        }
    }
}

fn at<'a, 'i>(table: &'a DeTable<'i>, path: &[&str]) -> Option<&'a Spanned<DeValue<'i>>> {
    let (first, rest) = path.split_first()?;
    let found = table.get(*first)?;
    if rest.is_empty() { Some(found) } else { at(found.get_ref().as_table()?, rest) }
}

/// The line of a byte, from 1.
fn line_of(text: &str, byte: usize) -> u32 {
    let before = text.as_bytes().iter().take(byte);
    u32::try_from(before.filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}
