//! A client of the Container Runtime Interface that shares nothing with the tool's.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::{Path, PathBuf},
};

use prost::Message;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tonic::{Request, Status, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;
use xtask::digest::sha256;

use super::messages::{
    Empty, ImageSpec, ImageStatusRequest, ImageStatusResponse, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, PodSandboxConfig, PodSandboxId, RunPodSandboxRequest, StatusResponse,
};
use crate::{
    cri::messages::{
        ListPodSandboxResponse, NamespaceMode, NamespaceOption, PodSandboxMetadata, PodSandboxState,
        PodSandboxStatusRequest, PodSandboxStatusResponse,
    },
    patience,
};

/// What a pod is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSpec {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Annotations, as the API server has them.
    pub annotations: BTreeMap<String, String>,
    /// On the node's network.
    pub host_network: bool,
}

impl PodSpec {
    /// A pod on the cluster's network. The UID looks like one of the API server's, and is the same for the same names.
    pub fn new(namespace: &str, name: &str) -> Self {
        let digest = sha256(format!("{namespace}/{name}").as_bytes());
        let part = |from: usize, length: usize| &digest[from..from + length];
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 4), part(12, 3), part(15, 3), part(18, 12)),
            ..Self::default()
        }
    }

    /// The same with one more annotation.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// What the runtime says of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Its identifier: the container ID of CNI.
    pub id: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Pod UID.
    pub uid: String,
    /// `SANDBOX_READY`.
    pub ready: bool,
}

/// What the runtime says of a sandbox when it is asked for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxStatus {
    /// What it says of each sandbox.
    pub sandbox: Sandbox,
    /// Addresses on the cluster's network; none on the node's.
    pub addresses: Vec<IpAddr>,
    /// The pod's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Path of the network namespace on the node; none on the node's network.
    pub netns: Option<String>,
    /// `info["info"]`: containerd's own words. Its `pid` is a number of the node's `/proc`.
    pub info: Value,
}

/// The client.
pub struct Cri {
    socket: PathBuf,
    runtime: Runtime,
}

impl Cri {
    /// One that connects when it is asked.
    pub fn new(socket: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { socket: socket.to_owned(), runtime }
    }

    /// `RuntimeService.Status`: the conditions that hold, such as `RuntimeReady` and `NetworkReady`.
    pub fn conditions(&self) -> Result<Vec<String>, Status> {
        let response: StatusResponse = self.call("/runtime.v1.RuntimeService/Status", Empty {})?;
        let conditions = response.status.unwrap_or_default().conditions.into_iter();
        Ok(conditions.filter(|condition| condition.status).map(|condition| condition.kind).collect())
    }

    /// `ImageService.ImageStatus`: true when the image is there.
    pub fn has_image(&self, name: &str) -> bool {
        let request = ImageStatusRequest { image: Some(ImageSpec { image: name.to_owned() }) };
        let response: ImageStatusResponse =
            self.call("/runtime.v1.ImageService/ImageStatus", request).unwrap();
        response.image.is_some()
    }

    /// `RuntimeService.RunPodSandbox`, with the labels that a kubelet gives; the sandbox's identifier.
    pub fn run(&self, spec: &PodSpec, cgroup_parent: &str) -> Result<String, Status> {
        let labels = [("name", &spec.name), ("namespace", &spec.namespace), ("uid", &spec.uid)];
        let labels = labels.map(|(key, value)| (format!("io.kubernetes.pod.{key}"), value.clone()));
        let network = if spec.host_network { NamespaceMode::Node } else { NamespaceMode::Pod };
        let options = NamespaceOption {
            network: network.into(),
            pid: NamespaceMode::Container.into(),
            ipc: NamespaceMode::Pod.into(),
        };
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: spec.name.clone(),
                uid: spec.uid.clone(),
                namespace: spec.namespace.clone(),
                attempt: 0,
            }),
            hostname: if spec.host_network { String::new() } else { spec.name.clone() },
            labels: HashMap::from(labels),
            annotations: spec.annotations.clone().into_iter().collect(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: cgroup_parent.to_owned(),
                security_context: Some(LinuxSandboxSecurityContext { namespace_options: Some(options) }),
            }),
        };
        let request = RunPodSandboxRequest { config: Some(config) };
        let response: PodSandboxId = self.call("/runtime.v1.RuntimeService/RunPodSandbox", request)?;
        Ok(response.pod_sandbox_id)
    }

    /// `RuntimeService.StopPodSandbox`: the plugins take the pod off its networks.
    pub fn stop(&self, id: &str) -> Result<(), Status> {
        self.call("/runtime.v1.RuntimeService/StopPodSandbox", of(id)).map(|Empty {}| ())
    }

    /// `RuntimeService.RemovePodSandbox`.
    pub fn remove(&self, id: &str) -> Result<(), Status> {
        self.call("/runtime.v1.RuntimeService/RemovePodSandbox", of(id)).map(|Empty {}| ())
    }

    /// `RuntimeService.ListPodSandbox`: all there are, by namespace and name.
    pub fn list(&self) -> Vec<Sandbox> {
        let response: ListPodSandboxResponse =
            self.call("/runtime.v1.RuntimeService/ListPodSandbox", Empty {}).unwrap();
        let mut sandboxes: Vec<Sandbox> =
            response.items.into_iter().map(|item| sandbox(item.id, item.metadata, item.state)).collect();
        sandboxes.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        sandboxes
    }

    /// `RuntimeService.PodSandboxStatus`, verbose.
    pub fn status(&self, id: &str) -> Result<SandboxStatus, Status> {
        let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned(), verbose: true };
        let response: PodSandboxStatusResponse =
            self.call("/runtime.v1.RuntimeService/PodSandboxStatus", request)?;
        let status = response.status.unwrap();
        let network = status.network.unwrap_or_default();
        let others = network.additional_ips.into_iter().map(|one| one.ip);
        let addresses = [network.ip].into_iter().chain(others).filter(|ip| !ip.is_empty());
        let info: Value = serde_json::from_str(&response.info["info"]).unwrap();
        let namespaces = info["runtimeSpec"]["linux"]["namespaces"].as_array().unwrap();
        let netns = namespaces.iter().find(|namespace| namespace["type"] == "network");
        Ok(SandboxStatus {
            sandbox: sandbox(status.id, status.metadata, status.state),
            addresses: addresses.map(|ip| ip.parse().unwrap()).collect(),
            annotations: status.annotations.into_iter().collect(),
            netns: netns.and_then(|namespace| namespace["path"].as_str()).map(str::to_owned),
            info,
        })
    }

    fn call<Q: Message + 'static, A: Message + Default + 'static>(
        &self,
        method: &'static str,
        question: Q,
    ) -> Result<A, Status> {
        self.runtime.block_on(async {
            let endpoint = Endpoint::from_shared(format!("unix:{}", self.socket.display())).unwrap();
            let refused = |error: tonic::transport::Error| Status::unavailable(format!("{error:?}"));
            let channel = endpoint.timeout(patience()).connect().await.map_err(refused)?;
            let mut grpc = Grpc::new(channel);
            grpc.ready().await.map_err(refused)?;
            let codec = ProstCodec::default();
            let answer = grpc.unary(Request::new(question), method.parse().unwrap(), codec).await?;
            Ok(answer.into_inner())
        })
    }
}

fn of(id: &str) -> PodSandboxId {
    PodSandboxId { pod_sandbox_id: id.to_owned() }
}

fn sandbox(id: String, metadata: Option<PodSandboxMetadata>, state: i32) -> Sandbox {
    let PodSandboxMetadata { name, uid, namespace, attempt: _ } = metadata.unwrap();
    Sandbox { id, namespace, name, uid, ready: state == PodSandboxState::Ready as i32 }
}
