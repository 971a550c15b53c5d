//! `show node|links|peers|mtu` on real namespaces, held against what `ip` and `bridge` say of the same ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

mod alone;
mod lab;
mod oversize;
mod planes;
mod planned;
mod states;
mod whole_nodes;
mod wireguard;

use probe_tests::{ns, tool::run};
use serde_json::Value;

/// What a namespace's node is shown as, and the exit code.
fn show_with_code(netns: &str, what: &str) -> (Value, Option<i32>) {
    let output = run(&["--netns", netns, "show", what, "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{what}: {error}: {said}"));
    (value, output.status.code())
}

/// The same where there is something to show.
fn show(netns: &str, what: &str) -> Value {
    let (value, code) = show_with_code(netns, what);
    assert_eq!(code, Some(0), "{what}: {value}");
    value
}

/// A table, which fits a terminal and has nothing in it that a terminal acts on.
fn table(netns: &str, what: &str) -> String {
    let output = run(&["--netns", netns, "show", what]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && !line.contains(char::is_control), "{line:?}");
    }
    text
}

/// What a judge prints as JSON inside a namespace.
fn judge(netns: &str, command: &str) -> Vec<Value> {
    let text = ns(netns, command);
    if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// Texts, sorted.
fn sorted<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort();
    values
}
