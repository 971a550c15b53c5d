//! libcni's cache (containernetworking/cni libcni/api.go, `cachedInfo`): one file for each interface of each pod, with the
//! network's configuration and the plugin's result.

use std::{fmt, net::IpAddr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    limits::{self, First, LeftOut},
    network_config,
};
use crate::facts::pods::Attachment;

/// Key of `capabilityArgs` that containerd passes all annotations of a pod under (internal/cri/server/sandbox_run.go).
const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";
/// The annotation that asks Multus for secondary networks.
const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";
/// Most arguments of a plugin, and most plugins of a network.
const MOST: usize = 64;

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
    cni_args: First<(String, String), MOST>,
    #[serde(default)]
    capability_args: At<At<Text>>,
    #[serde(default)]
    result: Option<CniResult>,
}

#[derive(Default, Deserialize)]
struct CniResult {
    #[serde(default)]
    interfaces: First<Interface, { limits::INTERFACES }>,
    #[serde(default)]
    ips: First<Ip, { limits::INTERFACES }>,
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

/// The attachment in a cache file; none in one without a pod's name, as other users of libcni leave.
pub(super) fn parse(_name: &str, text: &str) -> Result<Option<Attachment>, String> {
    let cached: Cached = serde_json::from_str(text)
        .map_err(|error| format!("not a CNI cache file ({})", limits::mistake(&error)))?;
    let argument = |name: &str| {
        let arguments = cached.cni_args.kept.iter();
        arguments.filter(|(key, _)| key == name).map(|(_, value)| value.clone()).next()
    };
    let (Some(namespace), Some(pod)) = (argument("K8S_POD_NAMESPACE"), argument("K8S_POD_NAME")) else {
        return Ok(None);
    };
    let result = cached.result.unwrap_or_default();
    let First { kept: interfaces, further } = result.interfaces;
    let mut left_out = LeftOut::default();
    if further > 0 {
        left_out.add("interfaces");
    }
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
        result.ips.kept.iter().filter(|ip| is_ours(ip)).map(|ip| ip.address.addr()).collect();
    let host_ifnames = interfaces
        .iter()
        .filter(|interface| interface.sandbox.is_empty() && !interface.name.is_empty())
        .map(|interface| interface.name.clone())
        .collect();
    let requested_networks = cached.capability_args.0.and_then(|annotations| annotations.0?.0);
    // A configuration that is no JSON takes nothing from the rest.
    let config = BASE64_STANDARD.decode(&cached.config).ok();
    let config = config.filter(|text| {
        let fits = text.len() <= limits::CONFIG;
        if !fits {
            left_out.add("configurations");
        }
        fits
    });
    let config = config.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let network_config::Config { plugin, device, ipam } = network_config::of(&config);
    let attachment = Attachment {
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
        device,
        ipam,
        requested_networks,
    };
    let addresses = if result.ips.further > 0 { usize::MAX } else { attachment.addresses.len() };
    check(&attachment, addresses, &mut left_out);
    left_out.refusal()?;
    Ok(Some(attachment))
}

/// Counts what is longer than it can be.
fn check(attachment: &Attachment, addresses: usize, left_out: &mut LeftOut) {
    let Attachment { container_id, namespace, pod, uid, network, plugin, ifname, .. } = attachment;
    let some = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let host = attachment.host_ifnames.iter().map(String::len).max().unwrap_or_default();
    let ipam = attachment.ipam.iter().flat_map(|ipam| {
        let optional = [&ipam.node_slice_size, &ipam.network_name].into_iter().flatten();
        ipam.ranges.iter().chain([&ipam.kind]).chain(optional)
    });
    let ipam = ipam.map(String::len).max().unwrap_or_default();
    let names = [namespace.len(), pod.len(), network.len(), some(plugin), ifname.len(), host, ipam];
    for (what, length, longest) in [
        ("names", names.into_iter().max().unwrap_or_default(), limits::NAME),
        ("identifiers", container_id.len().max(some(uid)).max(some(&attachment.device)), limits::ID),
        ("paths of network namespaces", some(&attachment.netns), limits::PATH),
        ("lists of networks", some(&attachment.requested_networks), limits::NETWORKS),
        ("addresses", addresses, limits::ADDRESSES),
    ] {
        if length > longest {
            left_out.add(what);
        }
    }
}

/// What is in a map at one key, [`Key::NAME`]; the rest is passed over, and so is what is no map.
#[derive(Debug)]
struct At<T>(Option<T>);

impl<T> Default for At<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What the key of a value is called.
trait Key {
    const NAME: &str;
}

impl Key for At<Text> {
    const NAME: &str = ANNOTATIONS;
}

impl Key for Text {
    const NAME: &str = NETWORKS;
}

/// A text; none for anything else.
#[derive(Debug, Default)]
struct Text(Option<String>);

/// What a value that is passed over leaves of a type.
macro_rules! passed_over {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

struct AtVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Key + Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtVisitor(std::marker::PhantomData))
    }
}

impl<'de, T: Key + Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    passed_over!();

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(At(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = At(None);
        while let Some(key) = map.next_key::<String>()? {
            if key == T::NAME {
                found = At(Some(map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct TextVisitor;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    passed_over!();

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
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
            ipam: None,
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
