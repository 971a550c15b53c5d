//! libcni's cache (containernetworking/cni libcni/api.go, `cachedInfo`): one file for each interface of each pod, with the
//! network's configuration and the plugin's result.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    facts::{Attachment, DeviceClaims},
    files,
};

/// Where runtimes and Multus have it.
const DIRECTORIES: [&str; 2] = ["var/lib/cni/results", "var/lib/cni/multus/results"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cached {
    #[serde(default)]
    if_name: String,
    #[serde(default)]
    network_name: String,
    /// Base64 of JSON.
    #[serde(default)]
    config: String,
    #[serde(default)]
    cni_args: Option<Vec<(String, String)>>,
    #[serde(default)]
    result: Option<CniResult>,
}

#[derive(Default, Deserialize)]
struct CniResult {
    #[serde(default)]
    interfaces: Option<Vec<Interface>>,
}

#[derive(Deserialize)]
struct Interface {
    #[serde(default)]
    name: String,
    #[serde(default)]
    sandbox: String,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default, rename = "deviceID")]
    device_id: Option<String>,
}

pub(super) fn read(root: &Path, claims: &mut DeviceClaims) {
    for directory in DIRECTORIES {
        let DeviceClaims { attachments, notes, .. } = claims;
        files::each(&root.join(directory), notes, |_, bytes| {
            attachments.extend(parse(bytes)?);
            Ok(())
        });
    }
}

/// The attachment in a cache file; none in one without a pod's name, as other users of libcni leave.
fn parse(bytes: &[u8]) -> Result<Option<Attachment>, String> {
    let cached: Cached =
        serde_json::from_slice(bytes).map_err(|error| format!("not a CNI cache file ({error})"))?;
    let argument = |name: &str| {
        let arguments = cached.cni_args.iter().flatten();
        arguments.filter(|(key, _)| key == name).map(|(_, value)| value.clone()).next()
    };
    let (Some(namespace), Some(pod)) = (argument("K8S_POD_NAMESPACE"), argument("K8S_POD_NAME")) else {
        return Ok(None);
    };
    let interfaces = cached.result.unwrap_or_default().interfaces.unwrap_or_default();
    let inside = interfaces.iter().filter(|interface| !interface.sandbox.is_empty());
    let netns = inside
        .clone()
        .find(|interface| interface.name == cached.if_name)
        .or_else(|| inside.clone().next())
        .map(|interface| interface.sandbox.clone());
    // A configuration that is no JSON takes nothing from the rest.
    let config = BASE64_STANDARD.decode(&cached.config).ok();
    let config: Config = config.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    Ok(Some(Attachment {
        namespace,
        pod,
        network: cached.network_name,
        ifname: cached.if_name,
        netns,
        device: config.device_id,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file() -> String {
        let config = BASE64_STANDARD
            .encode(r#"{"cniVersion":"0.3.1","name":"sriov-net","type":"sriov","deviceID":"0000:01:10.0"}"#);
        format!(
            r#"{{"kind":"cniCacheV1","containerId":"0a1b","config":"{config}","ifName":"net1","networkName":"sriov-net",
            "cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","cart-0"]],
            "result":{{"cniVersion":"0.3.1","interfaces":[{{"name":"eth1","mac":"02:00:00:00:00:01"}},
            {{"name":"net1","sandbox":"/var/run/netns/cni-1"}}],"dns":{{}}}}}}"#
        )
    }

    #[test]
    fn an_interface_of_a_pod_with_its_device() {
        let expected = Attachment {
            namespace: "shop".to_owned(),
            pod: "cart-0".to_owned(),
            network: "sriov-net".to_owned(),
            ifname: "net1".to_owned(),
            netns: Some("/var/run/netns/cni-1".to_owned()),
            device: Some("0000:01:10.0".to_owned()),
        };
        assert_eq!(parse(file().as_bytes()), Ok(Some(expected)));
    }

    #[test]
    fn others_files_and_broken_ones() {
        assert_eq!(parse(br#"{"kind":"cniCacheV1","ifName":"eth0"}"#), Ok(None));
        for broken in [&b""[..], b"{", b"\xff\xfe", b"7", br#"{"cniArgs":7}"#] {
            assert!(parse(broken).is_err());
        }
        let no_config = file().replace("\"config\":\"", "\"config\":\"%");
        assert_eq!(parse(no_config.as_bytes()).unwrap().unwrap().device, None);
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = file().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = parse(&bytes);
        }
    }
}
