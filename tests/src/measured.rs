//! What `mtu --format json` measured of a node's paths.

use serde_json::{Value, json};

use crate::tool::run;

/// Runs `mtu` on a node: its exit code, and the document. It says nothing else.
#[expect(clippy::unwrap_used, reason = "a test states what must hold by panicking")]
pub fn measured(netns: &str, more: &[&str]) -> (i32, Value) {
    // A slow machine needs longer than the default.
    let arguments = [&["--netns", netns, "mtu", "--format", "json", "--deadline", "120s"], more].concat();
    let output = run(&arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The path to an address.
#[expect(clippy::unwrap_used, reason = "a test states what must hold by panicking")]
pub fn path<'a>(document: &'a Value, address: &str) -> &'a Value {
    let mut paths = document["paths"].as_array().unwrap().iter();
    let found = paths.find(|path| path["address"] == address);
    assert!(found.is_some(), "no {address} in {document}");
    found.unwrap()
}

/// The verdict about an address, what was expected, and what was measured.
pub fn result(document: &Value, address: &str) -> Value {
    let path = path(document, address);
    json!([path["verdict"], path["expected"], path["measured"]])
}
