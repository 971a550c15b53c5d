//! What is said of a broken file quotes nothing of it: files of CNI plugins may hold passwords and tokens, and what is said goes to
//! screens, logs and recordings.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{device_info, libcni, sriov_cni};

/// A text that is nowhere else.
const MARKER: &str = "MARKER0f5e";

/// What each parser says of a text under a good name.
fn said(text: &str) -> Vec<Option<String>> {
    let id = "0123456789abcdef";
    vec![
        libcni::parse("x", text).err(),
        sriov_cni::configuration("0a1b-net1", text).err(),
        sriov_cni::allocation("0000:01:10.0", text).err(),
        device_info::of_device("example.com-x-device.json", text).err(),
        device_info::of_interface(&format!("net-{id}_net1"), text).err(),
    ]
}

fn documents() -> [Value; 3] {
    [
        json!({"kind": "cniCacheV1", "containerId": "0a1b", "config": "e30=", "ifName": "net1", "networkName": "n",
            "cniArgs": [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "cart-0"]],
            "capabilityArgs": {"io.kubernetes.cri.pod-annotations": {"k8s.v1.cni.cncf.io/networks": "a"}},
            "result": {"interfaces": [{"name": "net1", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "192.0.2.7/24", "interface": 0}]}}),
        json!({"name": "n", "deviceID": "0000:01:10.0", "vlan": 7}),
        json!({"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:01:10.0"}}),
    ]
}

/// Replaces one value of a document, counted from its root; false when it has fewer.
fn replace(value: &mut Value, at: &mut usize, with: &Value) -> bool {
    if *at == 0 {
        *value = with.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(values) => values.iter_mut().any(|value| replace(value, at, with)),
        Value::Object(values) => values.values_mut().any(|value| replace(value, at, with)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[test]
fn a_value_of_another_kind_is_not_quoted() {
    let mut broken = 0;
    for document in documents() {
        for with in [json!(MARKER), json!([MARKER]), json!({MARKER: MARKER}), json!(true)] {
            for at in 0.. {
                let mut changed = document.clone();
                if !replace(&mut changed, &mut { at }, &with) {
                    break;
                }
                for said in said(&changed.to_string()).into_iter().flatten() {
                    broken += 1;
                    assert!(!said.contains(MARKER) && said.len() < 200, "{said}");
                }
            }
        }
    }
    assert!(broken > 20, "{broken}");
}

proptest! {
    #[test]
    fn a_broken_text_is_not_quoted(document in 0..3_usize, at in any::<prop::sample::Index>(), cut: bool) {
        let text = documents()[document].to_string();
        let (before, after) = text.split_at(at.index(text.len()));
        let text = format!("{before}{MARKER}{}", if cut { "" } else { after });
        for said in said(&text).into_iter().flatten() {
            prop_assert!(!said.contains(MARKER) && said.len() < 200, "{}", said);
        }
    }
}
