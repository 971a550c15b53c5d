//! libcni's cache (containernetworking/cni libcni/api.go, `cachedInfo`): one file for each interface of each pod, with the
//! network's configuration and the plugin's result.

use std::{collections::BTreeMap, net::IpAddr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ipnet::IpNet;
use serde::Deserialize;

use crate::facts::pods::Attachment;

/// Key of `capabilityArgs` that containerd passes all annotations of a pod under (internal/cri/server/sandbox_run.go).
const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";
/// The annotation that asks Multus for secondary networks.
const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";

/// Where runtimes and Multus have it. The container ID is a part of a file's name.
pub(super) const DIRECTORIES: [&str; 2] = ["/var/lib/cni/results", "/var/lib/cni/multus/results"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cached {
    #[serde(default)]
    container_id: String,
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
    capability_args: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    result: Option<CniResult>,
}

#[derive(Default, Deserialize)]
struct CniResult {
    #[serde(default)]
    interfaces: Option<Vec<Interface>>,
    #[serde(default)]
    ips: Option<Vec<Ip>>,
}

#[derive(Deserialize)]
struct Ip {
    address: IpNet,
    /// Index into the interfaces; absent where there is one only.
    #[serde(default)]
    interface: Option<usize>,
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
    /// Of a single plugin.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// Of a list of plugins.
    #[serde(default)]
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(rename = "type")]
    kind: String,
}

/// The attachment in a cache file; none in one without a pod's name, as other users of libcni leave.
pub(super) fn parse(_name: &str, text: &str) -> Result<Option<Attachment>, String> {
    let cached: Cached =
        serde_json::from_str(text).map_err(|error| format!("not a CNI cache file ({error})"))?;
    let argument = |name: &str| {
        let arguments = cached.cni_args.iter().flatten();
        arguments.filter(|(key, _)| key == name).map(|(_, value)| value.clone()).next()
    };
    let (Some(namespace), Some(pod)) = (argument("K8S_POD_NAMESPACE"), argument("K8S_POD_NAME")) else {
        return Ok(None);
    };
    let result = cached.result.unwrap_or_default();
    let interfaces = result.interfaces.unwrap_or_default();
    let inside = interfaces.iter().filter(|interface| !interface.sandbox.is_empty());
    let netns = inside
        .clone()
        .find(|interface| interface.name == cached.if_name)
        .or_else(|| inside.clone().next())
        .map(|interface| interface.sandbox.clone());
    let is_ours = |ip: &Ip| match ip.interface {
        Some(index) => interfaces.get(index).is_some_and(|interface| interface.name == cached.if_name),
        None => true,
    };
    let addresses: Vec<IpAddr> =
        result.ips.iter().flatten().filter(|ip| is_ours(ip)).map(|ip| ip.address.addr()).collect();
    let host_ifnames = interfaces
        .iter()
        .filter(|interface| interface.sandbox.is_empty() && !interface.name.is_empty())
        .map(|interface| interface.name.clone())
        .collect();
    let annotations = cached.capability_args.as_ref().and_then(|arguments| arguments.get(ANNOTATIONS));
    let requested_networks = annotations.and_then(|all| all.get(NETWORKS)?.as_str()).map(str::to_owned);
    // A configuration that is no JSON takes nothing from the rest.
    let config = BASE64_STANDARD.decode(&cached.config).ok();
    let config: Config = config.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let plugin = config.kind.or_else(|| config.plugins.into_iter().next().map(|plugin| plugin.kind));
    Ok(Some(Attachment {
        uid: argument("K8S_POD_UID"),
        container_id: cached.container_id,
        namespace,
        pod,
        network: cached.network_name,
        plugin,
        ifname: cached.if_name,
        host_ifnames,
        addresses,
        netns,
        device: config.device_id,
        requested_networks,
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
            "cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","cart-0"],["K8S_POD_UID","u-1"]],
            "capabilityArgs":{{"io.kubernetes.cri.pod-annotations":{{"k8s.v1.cni.cncf.io/networks":"sriov-net@net1"}}}},
            "result":{{"cniVersion":"0.3.1","interfaces":[{{"name":"eth1","mac":"02:00:00:00:00:01"}},
            {{"name":"net1","sandbox":"/var/run/netns/cni-1"}}],
            "ips":[{{"version":"4","address":"192.0.2.7/24","interface":1}},{{"address":"192.0.2.8/24","interface":0}}],
            "dns":{{}}}}}}"#
        )
    }

    #[test]
    fn an_interface_of_a_pod_with_its_device() {
        let expected = Attachment {
            container_id: "0a1b".to_owned(),
            uid: Some("u-1".to_owned()),
            plugin: Some("sriov".to_owned()),
            host_ifnames: vec!["eth1".to_owned()],
            addresses: vec!["192.0.2.7".parse().unwrap()],
            requested_networks: Some("sriov-net@net1".to_owned()),
            namespace: "shop".to_owned(),
            pod: "cart-0".to_owned(),
            network: "sriov-net".to_owned(),
            ifname: "net1".to_owned(),
            netns: Some("/var/run/netns/cni-1".to_owned()),
            device: Some("0000:01:10.0".to_owned()),
        };
        assert_eq!(parse("", &file()), Ok(Some(expected)));
    }

    #[test]
    fn others_files_and_broken_ones() {
        assert_eq!(parse("", r#"{"kind":"cniCacheV1","ifName":"eth0"}"#), Ok(None));
        for broken in ["", "{", "7", r#"{"cniArgs":7}"#] {
            assert!(parse("", broken).is_err());
        }
        let no_config = file().replace("\"config\":\"", "\"config\":\"%");
        assert_eq!(parse("", &no_config).unwrap().unwrap().device, None);
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = file().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(Some(found)) = parse("", &text) {
                // Escapes take more room than what they stand for, and an address is at least two characters.
                let longest = found.pod.len().max(found.network.len()).max(found.container_id.len());
                prop_assert!(longest <= text.len() && found.addresses.len() <= text.len() / 2);
            }
        }
    }
}
