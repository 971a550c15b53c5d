//! What the runtime and files say of pods and their devices, as plain types. Every text in them is hostile input.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// The container runtime that answered; none when none did.
    pub runtime: Option<RuntimeFact>,
    /// Pod sandboxes, from the container runtime.
    pub sandboxes: Observed<Vec<Sandbox>>,
    /// Interfaces of pods, from libcni's cache.
    pub attachments: Vec<Attachment>,
    /// Pods of a lab's node, from the lab's registry.
    pub registered: Vec<RegisteredPod>,
    /// Network namespaces by PCI address, from sriov-cni.
    pub allocations: Vec<Allocation>,
    /// Configurations of VFs, from sriov-cni.
    pub configurations: Vec<VfConfiguration>,
    /// Devices of pods' interfaces, from Multus.
    pub interface_devices: Vec<InterfaceDevice>,
    /// PCI addresses of devices, from device plugins.
    pub resource_devices: Vec<ResourceDevice>,
    /// Devices of containers, from the kubelet.
    pub devices: Observed<Vec<DeviceAssignment>>,
    /// What could not be read, with the cause.
    pub notes: Vec<String>,
}

impl PodFacts {
    /// Why pods could not be listed from the container runtime.
    pub fn runtime_trouble(&self) -> Option<String> {
        let why = self.sandboxes.trouble()?;
        Some(format!("cannot list pods from the container runtime ({why}); pod names come from files"))
    }
}

/// A container runtime, from `RuntimeService.Version` of CRI v1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeFact {
    /// The socket that it answered on.
    pub socket: String,
    /// `containerd`, `cri-o`; none when it does not tell.
    pub name: Option<String>,
    /// Its version, as it writes it.
    pub version: Option<String>,
}

/// A pod sandbox, from `RuntimeService.ListPodSandbox` and `PodSandboxStatus` of CRI v1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Its identifier: the container ID that CNI plugins are called with.
    pub id: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Pod UID.
    pub uid: String,
    /// `SANDBOX_READY`.
    pub ready: bool,
    /// When it was made, nanoseconds since the Unix epoch.
    pub created_at: i64,
    /// The runtime's `network.ip` and `additional_ips`; none on the host's network.
    pub addresses: Vec<IpAddr>,
    /// Path of its network namespace, from the verbose status' `runtimeSpec`; none when the runtime does not tell.
    pub netns: Option<String>,
    /// It is on the host's network (`namespaces.options.network` is `NODE`).
    pub host_network: bool,
    /// Those of the pod's annotations that concern its networks: `k8s.v1.cni.cncf.io/*`. Others may hold secrets.
    pub annotations: BTreeMap<String, String>,
}

/// One interface of one pod, from libcni's cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `containerId`: the sandbox.
    pub container_id: String,
    /// `K8S_POD_NAMESPACE`.
    pub namespace: String,
    /// `K8S_POD_NAME`.
    pub pod: String,
    /// `K8S_POD_UID`, where the runtime gave it.
    pub uid: Option<String>,
    /// The CNI network's name.
    pub network: String,
    /// Type of the network's plugin, of the first one in a list: `bridge`, `macvlan`, `calico`, `multus`.
    pub plugin: Option<String>,
    /// Name of the interface in the pod.
    pub ifname: String,
    /// Names of interfaces that the plugin made on the node's side.
    pub host_ifnames: Vec<String>,
    /// Addresses of the interface in the pod.
    pub addresses: Vec<IpAddr>,
    /// Path of the pod's network namespace; none when the result does not name one.
    pub netns: Option<String>,
    /// `deviceID` of the network's configuration: a PCI address.
    pub device: Option<String>,
    /// `ipam` of the network's configuration, of the first plugin in a list; none without one.
    pub ipam: Option<AttachmentIpam>,
    /// The pod's annotation `k8s.v1.cni.cncf.io/networks`, as containerd passes it on
    /// (`io.kubernetes.cri.pod-annotations` in `capabilityArgs`).
    pub requested_networks: Option<String>,
}

/// Where the addresses of an interface come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentIpam {
    /// `type`: `host-local`, `whereabouts`.
    pub kind: String,
    /// CIDRs that it takes addresses out of: `range` and `ipRanges` of Whereabouts, `subnet` and `ranges` of host-local.
    pub ranges: Vec<String>,
    /// `node_slice_size` of Whereabouts: prefix length of each node's part of the range, as `/26` or `26`.
    pub node_slice_size: Option<String>,
    /// `network_name` of Whereabouts: what the range is called where it is kept; node slices need it.
    pub network_name: Option<String>,
}

/// A pod that a lab has made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredPod {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Name of the host end of its veth.
    pub host_ifname: String,
    /// Name of its network namespace.
    pub netns: String,
}

/// A VF that sriov-cni has given to a network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// PCI address of the VF.
    pub pci: String,
    /// Path of the namespace.
    pub netns: String,
}

/// What sriov-cni has set up a VF with, for an interface of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfConfiguration {
    /// PCI address of the VF.
    pub pci: String,
    /// The sandbox.
    pub container_id: String,
    /// Name of the interface in the pod.
    pub ifname: String,
    /// The CNI network's name; empty when the configuration has none.
    pub network: String,
}

/// The device of a pod's interface, as Multus notes it for the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceDevice {
    /// PCI address.
    pub pci: String,
    /// The sandbox.
    pub container_id: String,
    /// Name of the interface in the pod.
    pub ifname: String,
    /// The CNI network's name, with `/` written as `-`.
    pub network: String,
}

/// A device of a device plugin, as the plugin describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDevice {
    /// `<resource>-<device ID>`, with `/` written as `-`.
    pub resource_and_device: String,
    /// PCI address.
    pub pci: String,
}

/// A device that the kubelet has given to a container, from `PodResourcesLister.List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAssignment {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod name.
    pub pod: String,
    /// Container name.
    pub container: String,
    /// The resource that the container asked for: `example.com/sriov`.
    pub resource: String,
    /// What the device plugin calls the device. SR-IOV device plugins use the PCI address.
    pub device: String,
}

/// The name of a network namespace by its path below `/run/netns` or `/var/run/netns`, be it that of a container that has the
/// host's files elsewhere; none of one that is elsewhere.
pub fn netns_name(path: &str) -> Option<&str> {
    let (directory, name) = path.rsplit_once('/')?;
    (directory.ends_with("/run/netns") && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::netns_name;

    #[test]
    fn namespaces_have_names_in_one_directory() {
        for (path, expected) in [
            ("/run/netns/cni-1", Some("cni-1")),
            ("/var/run/netns/cni-1", Some("cni-1")),
            ("/proc/7/ns/net", None),
            ("/host/run/netns/cni-1", Some("cni-1")),
            ("/var/netns/cni-1", None),
            ("/run/netns/", None),
            ("cni-1", None),
        ] {
            assert_eq!(netns_name(path), expected, "{path}");
        }
    }
}
