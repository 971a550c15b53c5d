//! What a result of `bench run` says of a path.

use serde_json::Value;

/// Place, name and MTU of its devices, by the facts of a scenario.
#[expect(clippy::unwrap_used, reason = "a test states what must hold by panicking")]
pub fn devices(facts: &Value) -> Vec<(&str, &str, u64)> {
    facts["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| {
            let text = |name: &str| device[name].as_str().unwrap();
            (text("place"), text("name"), device["mtu"].as_u64().unwrap())
        })
        .collect()
}
