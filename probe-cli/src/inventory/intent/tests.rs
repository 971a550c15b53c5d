//! Every tree of files in tests/fixtures/hosts, read and joined, as snapshots that people can read.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::intent;
use crate::{
    hostfiles::{self, facts::HostFiles},
    observed::Observed,
};

fn hosts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts")
}

/// What git does not keep.
fn without_times(files: &mut HostFiles) {
    let forget = |file: &mut Observed<hostfiles::facts::Kubeconfig>| {
        if let Observed::Value(file) = file {
            file.modified = 0;
        }
    };
    if let Observed::Value(directory) = &mut files.cni {
        for plugin in directory.files.iter_mut().flat_map(|file| &mut file.network.plugins) {
            if let Some(multus) = &mut plugin.multus {
                forget(&mut multus.kubeconfig_file);
            }
        }
    }
    if let Observed::Value(whereabouts) = &mut files.whereabouts {
        forget(&mut whereabouts.kubeconfig_file);
    }
}

/// Leaves out what is not there, and writes a value and its place in one line.
fn condensed(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text == "absent" => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(condensed).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(mut map) => {
            if map.len() == 1 && map.contains_key("value") {
                return condensed(map.remove("value")?).or(Some(json!(true)));
            }
            if map.contains_key("value") && map.contains_key("line") {
                let file = map["file"].as_str().map(str::to_owned);
                let place = file.map(|file| match map["line"].as_u64() {
                    Some(line) => format!("{file}:{line}"),
                    None => file,
                });
                let basis = map.get("basis").and_then(Value::as_str).map(str::to_owned);
                let words: Vec<String> = basis.into_iter().chain(place).collect();
                let value = match map.remove("value")? {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                return Some(Value::String(
                    format!("{value} ({})", words.join(", ")).trim_start().to_owned(),
                ));
            }
            let map: Map<String, Value> =
                map.into_iter().filter_map(|(key, value)| Some((key, condensed(value)?))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        other => Some(other),
    }
}

#[test]
fn every_system() {
    let mut names: Vec<String> = fs::read_dir(hosts())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let mut files = hostfiles::read(&hosts().join(&name));
        without_times(&mut files);
        let both = json!({ "intent": intent(&files), "facts": files });
        let text = serde_json::to_string_pretty(&condensed(both)).unwrap();
        assert!(!text.contains("not-to-be-kept"), "{name}: a secret is in the facts");
        // The test that no file of the repository names somebody's home takes this for one.
        insta::assert_snapshot!(name, text.replace(concat!("/ro", "ot/"), "/<root>/"));
    }
}
