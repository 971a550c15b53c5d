//! A container runtime and a kubelet that are nothing but their sockets: servers of CRI v1 and of pod-resources v1 (k8s.io/kubelet
//! pkg/apis/podresources/v1/api.proto), with every field that real ones fill.

pub(crate) mod messages;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use prost::Message;

use self::messages::{
    LinuxPodSandboxStatus, ListPodSandboxResponse, Namespace, NamespaceMode, NamespaceOption, PodIp,
    PodSandboxMetadata, PodSandboxNetworkStatus, PodSandboxStatus, PodSandboxStatusRequest,
    PodSandboxStatusResponse,
};
pub use self::messages::{PodSandbox, PodSandboxState};
use crate::grpc::{Answer, Server};

#[derive(Clone, PartialEq, Message)]
struct VersionResponse {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "2")]
    runtime_name: String,
    #[prost(string, tag = "3")]
    runtime_version: String,
    #[prost(string, tag = "4")]
    runtime_api_version: String,
}

#[derive(Clone, PartialEq, Message)]
struct ListPodResourcesResponse {
    #[prost(message, repeated, tag = "1")]
    pod_resources: Vec<PodResources>,
}

#[derive(Clone, PartialEq, Message)]
struct PodResources {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(message, repeated, tag = "3")]
    containers: Vec<ContainerResources>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerResources {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    devices: Vec<ContainerDevices>,
    #[prost(int64, repeated, tag = "3")]
    cpu_ids: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerDevices {
    #[prost(string, tag = "1")]
    resource_name: String,
    #[prost(string, repeated, tag = "2")]
    device_ids: Vec<String>,
    #[prost(message, optional, tag = "3")]
    topology: Option<Topology>,
}

#[derive(Clone, PartialEq, Message)]
struct Topology {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<NumaNode>,
}

#[derive(Clone, PartialEq, Message)]
struct NumaNode {
    #[prost(int64, tag = "1")]
    id: i64,
}

/// A pod as a [`runtime`] has it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// What the list says.
    pub listed: PodSandbox,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Path of its network namespace.
    pub netns: String,
    /// It is on the host's network.
    pub host_network: bool,
}

impl Pod {
    /// A ready pod `shop/<name>`, whose container ID is made from the name.
    pub fn new(name: &str, addresses: &[&str]) -> Self {
        let names = [("name", name), ("namespace", "shop"), ("uid", "u-1")];
        let label = |(key, value): (&str, &str)| (format!("io.kubernetes.pod.{key}"), value.to_owned());
        Self {
            listed: PodSandbox {
                id: id(name),
                metadata: Some(PodSandboxMetadata {
                    name: name.to_owned(),
                    uid: format!("u-{name}"),
                    namespace: "shop".to_owned(),
                    attempt: 1,
                }),
                state: PodSandboxState::Ready.into(),
                created_at: 1_700_000_000_000_000_000,
                labels: names.map(label).into(),
                annotations: [
                    ("k8s.v1.cni.cncf.io/networks".to_owned(), "macvlan".to_owned()),
                    // As `kubectl apply` leaves the whole manifest there.
                    ("kubectl.kubernetes.io/last-applied-configuration".to_owned(), "secret".to_owned()),
                ]
                .into(),
                runtime_handler: "runc".to_owned(),
            },
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            netns: format!("/var/run/netns/cni-{name}"),
            host_network: false,
        }
    }

    fn status(&self) -> Vec<u8> {
        let PodSandbox { id, metadata, state, created_at, labels, annotations, runtime_handler } =
            self.listed.clone();
        let mut addresses = self.addresses.iter().cloned();
        let ip = addresses.next().unwrap_or_default();
        let additional_ips = addresses.map(|ip| PodIp { ip }).collect();
        let network = if self.host_network { NamespaceMode::Node } else { NamespaceMode::Pod };
        let options = Some(NamespaceOption {
            network: network.into(),
            pid: NamespaceMode::Container.into(),
            ipc: NamespaceMode::Pod.into(),
        });
        let network_namespace = if self.host_network {
            serde_json::json!([{"type": "pid"}])
        } else {
            serde_json::json!([{"type": "pid"}, {"type": "network", "path": self.netns}])
        };
        let info = serde_json::json!({
            "pid": 4711, "processStatus": "running", "netNamespaceClosed": false, "snapshotter": "overlayfs",
            "runtimeSpec": {"ociVersion": "1.1.0", "linux": {"namespaces": network_namespace}},
        });
        PodSandboxStatusResponse {
            status: Some(PodSandboxStatus {
                id,
                metadata,
                state,
                created_at,
                network: Some(PodSandboxNetworkStatus { ip, additional_ips }),
                linux: Some(LinuxPodSandboxStatus { namespaces: Some(Namespace { options }) }),
                labels,
                annotations,
                runtime_handler,
            }),
            info: [("info".to_owned(), info.to_string())].into(),
            timestamp: 1_700_000_000_000_000_001,
        }
        .encode_to_vec()
    }
}

/// A container ID: 64 hexadecimal digits.
pub fn id(name: &str) -> String {
    let digits = name.bytes().cycle().take(64);
    digits.map(|byte| char::from_digit(u32::from(byte) % 16, 16).unwrap()).collect()
}

/// The pods of a runtime, which may change while it runs.
pub type Pods = Arc<Mutex<Vec<Pod>>>;

/// A runtime that listens at `path` and has these pods.
pub fn runtime(path: &Path, pods: &Pods) -> Server {
    let pods = Arc::clone(pods);
    Server::start(path, move |method, request| answer(method, &request, &pods.lock().unwrap()))
}

/// What a runtime that has these pods answers.
pub fn answer(method: &str, request: &[u8], pods: &[Pod]) -> Answer {
    match method {
        "/runtime.v1.RuntimeService/Version" => Answer::Message(
            VersionResponse {
                version: "0.1.0".to_owned(),
                runtime_name: "containerd".to_owned(),
                runtime_version: "v2.0.5-k3s1".to_owned(),
                runtime_api_version: "v1".to_owned(),
            }
            .encode_to_vec(),
        ),
        "/runtime.v1.RuntimeService/ListPodSandbox" => Answer::Message(
            ListPodSandboxResponse { items: pods.iter().map(|pod| pod.listed.clone()).collect() }
                .encode_to_vec(),
        ),
        "/runtime.v1.RuntimeService/PodSandboxStatus" => {
            let request = PodSandboxStatusRequest::decode(request).unwrap();
            assert!(request.verbose, "without verbose there is no namespace");
            match pods.iter().find(|pod| pod.listed.id == request.pod_sandbox_id) {
                Some(pod) => Answer::Message(pod.status()),
                None => Answer::Status(5, "an error occurred when try to find sandbox: not found"),
            }
        }
        _ => Answer::Status(12, "unknown method"),
    }
}

/// A kubelet that listens below `root` and has given devices: namespace, pod, resource, device.
pub fn kubelet(root: &Path, devices: &[(&str, &str, &str, &str)]) -> Server {
    let pod_resources = devices
        .iter()
        .map(|&(namespace, pod, resource, device)| PodResources {
            name: pod.to_owned(),
            namespace: namespace.to_owned(),
            containers: vec![ContainerResources {
                name: "app".to_owned(),
                devices: vec![ContainerDevices {
                    resource_name: resource.to_owned(),
                    device_ids: vec![device.to_owned()],
                    topology: Some(Topology { nodes: vec![NumaNode { id: 0 }, NumaNode { id: 1 }] }),
                }],
                cpu_ids: vec![0, 1, 2],
            }],
        })
        .collect();
    let reply = ListPodResourcesResponse { pod_resources }.encode_to_vec();
    Server::start(&root.join("var/lib/kubelet/pod-resources/kubelet.sock"), move |method, _| match method {
        "/v1.PodResourcesLister/List" => Answer::Message(reply.clone()),
        _ => Answer::Status(12, "unknown method"),
    })
}
