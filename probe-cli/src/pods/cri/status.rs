//! What a sandbox's status says: addresses, network namespace, host network. Runtimes agree on the message, and each has a
//! JSON of its own beside it.

use std::net::IpAddr;

use serde::Deserialize;

use super::messages::{NODE, PodSandboxStatusResponse};
use crate::pods::limits::{self, LeftOut};

/// What is known of a sandbox beside its name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) netns: Option<String>,
    pub(super) host_network: bool,
}

impl Details {
    /// Nothing is missing that there could be. While a runtime makes a sandbox, it lists it and knows less.
    pub(super) fn is_complete(&self) -> bool {
        self.host_network || (self.netns.is_some() && !self.addresses.is_empty())
    }

    /// What is kept of it, where there is still `room` for so many bytes.
    pub(super) fn bounded(self, room: &mut usize, left_out: &mut LeftOut) -> Self {
        let netns =
            self.netns.and_then(|path| left_out.text("paths of network namespaces", path, limits::PATH));
        let addresses = left_out.list("lists of addresses", self.addresses, limits::ADDRESSES);
        let size = netns.as_ref().map_or(0, String::len) + size_of_val(addresses.as_slice());
        if size > *room {
            left_out.add("statuses, for which there is no room");
            return Self { host_network: self.host_network, ..Self::default() };
        }
        *room -= size;
        Self { addresses, netns, host_network: self.host_network }
    }
}

/// `info["info"]`: containerd's `SandboxInfo` (internal/cri/types/sandbox_info.go) and CRI-O's (server/sandbox_status.go)
/// both have these two.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default)]
    runtime_spec: Option<Spec>,
}

/// `linux.namespaces` of OCI's runtime specification.
#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    linux: Option<Linux>,
}

#[derive(Deserialize)]
struct Linux {
    #[serde(default)]
    namespaces: Option<Vec<Namespace>>,
}

#[derive(Deserialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: Option<String>,
}

pub(super) fn details(reply: PodSandboxStatusResponse) -> Details {
    let status = reply.status.unwrap_or_default();
    let options = status.linux.and_then(|linux| linux.namespaces?.options).unwrap_or_default();
    let network = status.network.unwrap_or_default();
    let texts = [network.ip].into_iter().chain(network.additional_ips.into_iter().map(|other| other.ip));
    let host_network = options.network == NODE;
    Details {
        addresses: texts.filter_map(|text| text.parse().ok()).collect(),
        netns: reply.info.get("info").filter(|_| !host_network).and_then(|json| netns(json)),
        host_network,
    }
}

/// The path of the network namespace. One of its own without a path is that of the sandbox's first process.
fn netns(json: &str) -> Option<String> {
    // Whatever a runtime has there instead says nothing, and takes nothing from the rest.
    let info: Info = serde_json::from_str(json).ok()?;
    let namespaces = info.runtime_spec?.linux?.namespaces?;
    let network = namespaces.into_iter().find(|namespace| namespace.kind == "network")?;
    let of_process = || info.pid.filter(|pid| *pid > 0).map(|pid| format!("/proc/{pid}/ns/net"));
    network.path.filter(|path| !path.is_empty()).or_else(of_process)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::{
        super::messages::{
            LinuxPodSandboxStatus, NamespaceOption, PodIp, PodSandboxNetworkStatus, PodSandboxStatus,
        },
        *,
    };

    /// As containerd and CRI-O tell.
    const INFO: &str = r#"{"pid":4711,"processStatus":"running","netNamespaceClosed":false,"snapshotKey":"0a",
        "config":{"metadata":{"name":"cart-0"}},"runtimeSpec":{"ociVersion":"1.0.2","process":{"args":["/pause"]},
        "linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/var/run/netns/cni-1"}]}},"cniResult":{}}"#;

    fn reply(network: i32, info: &str) -> PodSandboxStatusResponse {
        let additional_ips = ["2001:db8::7", "", "not an address"].map(|ip| PodIp { ip: ip.to_owned() });
        let options = Some(NamespaceOption { network });
        PodSandboxStatusResponse {
            status: Some(PodSandboxStatus {
                network: Some(PodSandboxNetworkStatus {
                    ip: "192.0.2.7".to_owned(),
                    additional_ips: additional_ips.to_vec(),
                }),
                linux: Some(LinuxPodSandboxStatus {
                    namespaces: Some(super::super::messages::Namespace { options }),
                }),
            }),
            info: [("info".to_owned(), info.to_owned())].into(),
        }
    }

    #[test]
    fn addresses_and_the_namespace() {
        let found = details(reply(0, INFO));
        assert_eq!(found.addresses, ["192.0.2.7", "2001:db8::7"].map(|text| text.parse::<IpAddr>().unwrap()));
        assert_eq!(found.netns.as_deref(), Some("/var/run/netns/cni-1"));
        assert!(found.is_complete() && !found.host_network);
        let host = details(reply(NODE, INFO));
        assert!(host.host_network && host.netns.is_none() && host.is_complete());
        assert!(!details(PodSandboxStatusResponse::default()).is_complete());
    }

    #[test]
    fn runtimes_that_tell_less() {
        let spec = |namespaces: &str| format!(r#"{{"pid":7,"runtimeSpec":{{"linux":{{{namespaces}}}}}}}"#);
        let network = |path: &str| spec(&format!(r#""namespaces":[{{"type":"network"{path}}}]"#));
        for (info, netns) in [
            (network(r#","path":"/run/netns/a""#), Some("/run/netns/a")),
            (network(""), Some("/proc/7/ns/net")),
            (network(r#","path":"""#), Some("/proc/7/ns/net")),
            (network("").replace('7', "0"), None),
            (spec(r#""namespaces":[{"type":"pid"}]"#), None),
            (spec(r#""namespaces":null"#), None),
            (r#"{"runtimeSpec":null}"#.to_owned(), None),
            ("null".to_owned(), None),
            ("[".repeat(100_000), None),
            (String::new(), None),
        ] {
            assert_eq!(details(reply(0, &info)).netns.as_deref(), netns, "{info:.60}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = reply(0, INFO).encode_to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(reply) = PodSandboxStatusResponse::decode(&*bytes) {
                let found = details(reply);
                prop_assert!(found.addresses.len() <= bytes.len() / 2);
                prop_assert!(!found.host_network || found.netns.is_none());
            }
        }

        #[test]
        fn no_json_panics(at in any::<prop::sample::Index>(), byte in 1_u8..128) {
            let mut text = INFO.as_bytes().to_vec();
            let at = at.index(text.len());
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            prop_assert!(netns(&text).is_none_or(|path| !path.is_empty() && path.len() <= text.len()));
        }
    }
}
