//! Texts of a node's files as the fuzzer makes them up: every reader on every text, and what must hold of any.
//! Compiled for the fuzzer and for tests.

use std::{collections::BTreeSet, rc::Rc};

use serde_json::Value;

use super::{
    charts, cni, device_plugin, flannel, keys, kubeconfig, launch, modules,
    notes::FileNotes,
    rancher, runtime,
    tree::{At, Kind, Node, Style},
    yaml,
};
use crate::facts::files::Settings;

/// The name of every file.
const FILE: &str = "/etc/x";
/// Most levels of a tree, see `yaml`.
const DEPTH: u16 = 64;

/// What is found in files, and what is said of broken ones.
pub(crate) struct Found {
    /// Words of those who wrote the files, and what quotes them.
    pub(crate) texts: Vec<String>,
    /// Words of ours, which quote nothing.
    pub(crate) said: Vec<String>,
}

/// A file of YAML, for each of its readers.
pub(crate) fn yaml(text: &str) -> Found {
    let (documents, broken) = yaml::documents(text);
    let lines = u32::try_from(text.split(['\n', '\r']).count()).unwrap_or(u32::MAX);
    let mut seen = BTreeSet::new();
    let mut notes = FileNotes::default();
    let mut settings = Settings::new();
    let mut texts = Vec::new();
    for document in &documents {
        tree(document, lines, &mut seen);
        let at = At::root(FILE, document);
        rancher::merge(&mut settings, &at, &mut notes);
        if let Some(manifest) = charts::manifest(&at, &mut notes) {
            texts.extend(values(manifest.chart.values));
            texts.push(manifest.chart.name.value);
            notes.extend(manifest.notes);
        }
        for (_, token) in at.texts() {
            kubeconfig::expiry(token);
        }
    }
    texts.extend(values(settings));
    texts.extend(notes.into_list().into_iter().map(|note| note.value));
    Found { texts, said: broken.into_iter().map(|broken| broken.cause).collect() }
}

/// Each line is one of the text's, each level is counted, and what is shared is looked at once.
fn tree(node: &Rc<Node>, lines: u32, seen: &mut BTreeSet<*const Node>) {
    if !seen.insert(Rc::as_ptr(node)) {
        return;
    }
    assert!(node.line >= 1 && node.line <= lines, "line {} of {lines}", node.line);
    let below: Vec<&Rc<Node>> = match &node.kind {
        Kind::Scalar { .. } => Vec::new(),
        Kind::List(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
    };
    let depth = below.iter().map(|node| node.depth + 1).max().unwrap_or(0);
    assert!(depth == node.depth && depth <= DEPTH, "{depth} levels, not {}", node.depth);
    for node in below {
        tree(node, lines, seen);
    }
}

/// A file of JSON, for each of its readers. What it says is what serde_json says.
pub(crate) fn json(text: &str) -> Found {
    let node = match yaml::json(text) {
        Ok(node) => node,
        Err(broken) => return Found { texts: Vec::new(), said: vec![broken.cause] },
    };
    // Numbers beyond every range and halves of characters are JSON all the same, and no value.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert!(is_same(&node, &value), "not what the JSON text says");
    }
    let at = At::go_json(FILE, &node);
    let mut notes = FileNotes::default();
    let mut texts = Vec::new();
    for is_list in [false, true] {
        let file = cni::file(FILE, &at, is_list, &mut notes);
        cni::ipam_directories([&file.network].into_iter());
        let name = file.network.name.into_iter().map(|name| name.value);
        texts.extend(name.chain(file.network.plugins.into_iter().map(|plugin| plugin.kind.value)));
    }
    for pool in at.get("resourceList").into_iter().flat_map(At::items) {
        texts.extend(device_plugin::pool(&pool, &mut notes).map(|pool| pool.name.value));
    }
    texts.extend(notes.into_list().into_iter().map(|note| note.value));
    Found { texts, said: Vec::new() }
}

fn is_same(node: &Node, value: &Value) -> bool {
    match (&node.kind, value) {
        (Kind::Scalar { text, style }, Value::String(string)) => *style != Style::Plain && text == string,
        (Kind::Scalar { text, style: Style::Plain }, Value::Null | Value::Bool(_) | Value::Number(_)) => {
            serde_json::from_str::<Value>(text).is_ok_and(|read| read == *value)
        }
        (Kind::List(items), Value::Array(values)) => {
            items.len() == values.len() && items.iter().zip(values).all(|(item, value)| is_same(item, value))
        }
        // Of equal keys the last one counts.
        (Kind::Map(entries), Value::Object(values)) => {
            let last = |key: &str| entries.iter().rev().find(|(name, _)| name == key);
            entries.iter().all(|(key, _)| values.contains_key(key))
                && values.iter().all(|(key, value)| last(key).is_some_and(|(_, node)| is_same(node, value)))
        }
        _ => false,
    }
}

/// Files of other kinds: lines with keys, units, lists of modules, TOML.
pub(crate) fn lines(text: &str) -> Found {
    let mut notes = FileNotes::default();
    let mut texts: Vec<String> =
        keys::entries(FILE, text).into_iter().map(|entry| entry.value.value).collect();
    flannel::env(FILE, text, &mut notes);
    let (mut command, mut settings) = (Vec::new(), Settings::new());
    launch::command_line(FILE, text, &mut command);
    launch::script(FILE, text, &mut command);
    launch::arguments(&command, &mut settings);
    texts.extend(values(settings));
    texts.extend(text.lines().filter_map(modules::module));
    texts.extend(notes.into_list().into_iter().map(|note| note.value));
    let mut notes = FileNotes::default();
    texts.extend(
        runtime::path_in(FILE, text, &[&["plugins", "cni"], &["a"]], &mut notes).map(|path| path.value),
    );
    Found { texts, said: notes.into_list().into_iter().map(|note| note.value).collect() }
}

fn values(settings: Settings) -> impl Iterator<Item = String> {
    settings.into_values().flatten().map(|value| value.value)
}
