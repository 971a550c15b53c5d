//! Devices that the kubelet has given to containers, from its pod-resources socket: `v1.PodResourcesLister` of
//! k8s.io/kubelet pkg/apis/podresources/v1/api.proto, with the fields that are used here.

use std::{path::Path, time::Duration};

use prost::Message;

use super::{
    grpc::{Entry, Socket, Trouble, Within},
    limits,
};
use crate::{facts::pods::DeviceAssignment, observed::Observed};

/// Where the kubelet listens, below the host's root.
const SOCKET: &str = "/var/lib/kubelet/pod-resources/kubelet.sock";
const LIST: &str = "/v1.PodResourcesLister/List";
/// Longest reply. A pod with some devices is some hundred bytes.
const LONGEST: usize = 4 << 20;
/// Most devices of all containers.
const MOST: usize = 16_384;

/// How long the kubelet may take, with connecting.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// Its reply is a list of [`PodResources`].
#[derive(Clone, PartialEq, Message)]
struct ListPodResourcesRequest {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodResources {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(message, repeated, tag = "3")]
    containers: Vec<ContainerResources>,
}

impl Entry for PodResources {
    /// Containers, their devices, the identifiers of those.
    const LISTS: &'static [u32] = &[3, 2, 2];
}

#[derive(Clone, PartialEq, Message)]
struct ContainerResources {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    devices: Vec<ContainerDevices>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerDevices {
    #[prost(string, tag = "1")]
    resource_name: String,
    #[prost(string, repeated, tag = "2")]
    device_ids: Vec<String>,
}

/// The devices of all containers on the host whose root is `root`, within `deadline`.
pub async fn assignments(root: &Path, deadline: Duration) -> Observed<Vec<DeviceAssignment>> {
    match ask(root, Within::new(deadline, deadline)).await {
        Ok(pods) => match flat(&pods) {
            Some(found) => Observed::Value(found),
            None => Observed::Failed {
                error: format!("List at {SOCKET}: more than {MOST} devices, or too long names"),
            },
        },
        Err(trouble) => trouble.observed(),
    }
}

async fn ask(root: &Path, within: Within) -> Result<Vec<PodResources>, Trouble> {
    let client = Socket::new(root, Path::new(SOCKET)).connect(within).await?;
    client.list(LIST, ListPodResourcesRequest {}, LONGEST, within).await
}

/// One entry for each device; none when there are too many. What is too long for a name is none.
pub(super) fn flat(pods: &[PodResources]) -> Option<Vec<DeviceAssignment>> {
    let fits = |text: &String| text.len() <= limits::NAME;
    let mut found = Vec::new();
    let mut room = limits::ALL;
    for pod in pods.iter().filter(|pod| fits(&pod.name) && fits(&pod.namespace)) {
        for container in pod.containers.iter().filter(|container| fits(&container.name)) {
            for devices in container.devices.iter().filter(|devices| fits(&devices.resource_name)) {
                let ids = devices.device_ids.iter().filter(|id| fits(id));
                let names = [&pod.namespace, &pod.name, &container.name, &devices.resource_name];
                let names: usize = names.map(String::len).into_iter().sum();
                for id in ids.clone() {
                    room = room.checked_sub(size_of::<DeviceAssignment>() + names + id.len())?;
                }
                if found.len() + devices.device_ids.len() > MOST {
                    return None;
                }
                found.extend(ids.map(|device| DeviceAssignment {
                    namespace: pod.namespace.clone(),
                    pod: pod.name.clone(),
                    container: container.name.clone(),
                    resource: devices.resource_name.clone(),
                    device: device.clone(),
                }));
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::grpc::entries, *};

    fn pods() -> Vec<PodResources> {
        let devices = |resource: &str, ids: &[&str]| ContainerDevices {
            resource_name: resource.to_owned(),
            device_ids: ids.iter().map(|&id| id.to_owned()).collect(),
        };
        let containers = vec![
            ContainerResources { name: "sidecar".to_owned(), devices: Vec::new() },
            ContainerResources {
                name: "app".to_owned(),
                devices: vec![
                    devices("example.com/sriov", &["0000:01:10.0", "0000:01:10.2"]),
                    devices("example.com/gpu", &["GPU-1"]),
                ],
            },
        ];
        vec![PodResources { name: "dpdk-0".to_owned(), namespace: "shop".to_owned(), containers }]
    }

    #[test]
    fn each_device_of_each_container() {
        let found = flat(&pods()).unwrap();
        let short: Vec<_> = found
            .iter()
            .map(|one| (one.pod.as_str(), one.container.as_str(), one.resource.as_str(), one.device.as_str()))
            .collect();
        assert_eq!(
            short,
            [
                ("dpdk-0", "app", "example.com/sriov", "0000:01:10.0"),
                ("dpdk-0", "app", "example.com/sriov", "0000:01:10.2"),
                ("dpdk-0", "app", "example.com/gpu", "GPU-1"),
            ]
        );
    }

    #[test]
    fn a_reply_does_not_grow_without_bound() {
        let mut many = pods();
        many[0].containers[1].devices[0].device_ids = vec![String::new(); MOST];
        assert_eq!(flat(&many), None);
        many[0].name = "n".repeat(limits::NAME + 1);
        assert_eq!(flat(&many), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = vec![0x0a];
            bytes.extend(pods()[0].encode_length_delimited_to_vec());
            prop_assert_eq!(entries::<PodResources>(&mut bytes.as_slice(), 9).unwrap(), Some(pods()));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(Some(pods)) = entries(&mut bytes.as_slice(), 9) {
                let found = flat(&pods).unwrap_or_default();
                prop_assert!(found.len() <= MOST.min(bytes.len()));
                prop_assert!(found.iter().all(|one| one.pod.len() <= limits::NAME));
            }
        }
    }
}
