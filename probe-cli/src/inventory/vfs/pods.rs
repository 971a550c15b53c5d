//! Which pod has a virtual function: what each source says, from the strongest to the weakest. Pure.

use std::collections::HashMap;

use super::{VfPod, VfPodSource};
use crate::facts::{
    pods::{
        Allocation, Attachment, DeviceAssignment, InterfaceDevice, PodFacts, Sandbox, VfConfiguration,
        netns_name,
    },
    sriov::{PciInterface, VfFact},
};

/// What the sources say, by what they say it of.
pub(super) struct Claims<'a> {
    sandboxes: HashMap<&'a str, &'a Sandbox>,
    /// The runtime has told its sandboxes: what is of another one is of a pod that is gone.
    knows_sandboxes: bool,
    sandbox_in: HashMap<&'a str, &'a Sandbox>,
    attachments_in: HashMap<&'a str, Vec<&'a Attachment>>,
    attachment_of: HashMap<&'a str, &'a Attachment>,
    attachments_with: HashMap<&'a str, Vec<&'a Attachment>>,
    allocations: HashMap<&'a str, &'a Allocation>,
    configurations: HashMap<&'a str, Vec<&'a VfConfiguration>>,
    interface_devices: HashMap<&'a str, Vec<&'a InterfaceDevice>>,
    assignments: HashMap<&'a str, Vec<&'a DeviceAssignment>>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(facts: &'a PodFacts) -> Self {
        let sandboxes = facts.sandboxes.value().map_or(&[][..], Vec::as_slice);
        let resources: HashMap<&str, &str> = facts
            .resource_devices
            .iter()
            .map(|device| (device.resource_and_device.as_str(), device.pci.as_str()))
            .collect();
        // What is no PCI address is a name that the device plugin explains.
        let pci = |assignment: &'a DeviceAssignment| {
            let name = format!("{}-{}", assignment.resource, assignment.device).replace('/', "-");
            resources.get(name.as_str()).copied().unwrap_or(&assignment.device)
        };
        Self {
            sandboxes: sandboxes.iter().map(|sandbox| (sandbox.id.as_str(), sandbox)).collect(),
            knows_sandboxes: !sandboxes.is_empty(),
            sandbox_in: sandboxes
                .iter()
                .filter(|sandbox| sandbox.ready)
                .filter_map(|sandbox| Some((netns_name(sandbox.netns.as_deref()?)?, sandbox)))
                .collect(),
            attachments_in: lists(&facts.attachments, |attachment| netns_name(attachment.netns.as_deref()?)),
            attachment_of: facts.attachments.iter().map(|one| (one.container_id.as_str(), one)).collect(),
            attachments_with: lists(&facts.attachments, |attachment| attachment.device.as_deref()),
            allocations: facts.allocations.iter().map(|one| (one.pci.as_str(), one)).collect(),
            configurations: lists(&facts.configurations, |one| Some(&one.pci)),
            interface_devices: lists(&facts.interface_devices, |one| Some(&one.pci)),
            assignments: lists(facts.devices.value().map_or(&[][..], Vec::as_slice), |one| Some(pci(one))),
        }
    }

    /// The pods that sources name for a VF, strongest first.
    pub(super) fn of(&self, vf: &VfFact, interface: Option<&PciInterface>) -> Vec<VfPod> {
        let pci = vf.pci.as_str();
        let allocated = self.allocations.get(pci).and_then(|allocation| netns_name(&allocation.netns));
        let configured = all(&self.configurations, pci)
            .filter_map(|one| self.container(&one.container_id, &one.network, VfPodSource::SriovCni));
        let by_device = all(&self.attachments_with, pci)
            .filter(|attachment| !self.is_gone(&attachment.container_id))
            .map(|attachment| of_attachment(attachment, VfPodSource::LibcniDevice));
        let given = all(&self.assignments, pci).map(|assignment| VfPod {
            namespace: assignment.namespace.clone(),
            name: assignment.pod.clone(),
            network: None,
            source: VfPodSource::Kubelet,
        });
        let noted = all(&self.interface_devices, pci)
            .filter_map(|one| self.container(&one.container_id, &one.network, VfPodSource::DeviceInfo));
        let there = interface.and_then(|interface| interface.netns.as_deref());
        let mut pods: Vec<VfPod> = allocated
            .and_then(|name| self.in_netns(name, pci, VfPodSource::SriovCni))
            .into_iter()
            .chain(configured)
            .chain(by_device)
            .chain(given)
            .chain(noted)
            .chain(there.and_then(|name| self.in_netns(name, pci, VfPodSource::Netns)))
            .collect();
        // Two containers of a pod may share it.
        pods.dedup();
        pods
    }

    /// The pod that lives in a namespace.
    fn in_netns(&self, name: &str, pci: &str, source: VfPodSource) -> Option<VfPod> {
        // The attachment with the device names the network; any other of the namespace still names the pod.
        let mine =
            all(&self.attachments_in, name).find(|attachment| attachment.device.as_deref() == Some(pci));
        mine.map(|attachment| of_attachment(attachment, source))
            .or_else(|| {
                let any = all(&self.attachments_in, name).next()?;
                Some(VfPod { network: None, ..of_attachment(any, source) })
            })
            .or_else(|| Some(of_sandbox(self.sandbox_in.get(name)?, None, source)))
    }

    /// The pod of a sandbox that has an interface of `network`.
    fn container(&self, id: &str, network: &str, source: VfPodSource) -> Option<VfPod> {
        if self.is_gone(id) {
            return None;
        }
        let network = Some(network.to_owned()).filter(|network| !network.is_empty());
        match self.sandboxes.get(id) {
            Some(sandbox) => Some(of_sandbox(sandbox, network, source)),
            None => Some(VfPod { network, ..of_attachment(self.attachment_of.get(id)?, source) }),
        }
    }

    /// The runtime does not have the sandbox, or it has ended: what files say of it is stale.
    fn is_gone(&self, id: &str) -> bool {
        self.knows_sandboxes && !id.is_empty() && self.sandboxes.get(id).is_none_or(|sandbox| !sandbox.ready)
    }
}

fn of_attachment(attachment: &Attachment, source: VfPodSource) -> VfPod {
    VfPod {
        namespace: attachment.namespace.clone(),
        name: attachment.pod.clone(),
        network: Some(attachment.network.clone()).filter(|network| !network.is_empty()),
        source,
    }
}

fn of_sandbox(sandbox: &Sandbox, network: Option<String>, source: VfPodSource) -> VfPod {
    VfPod { namespace: sandbox.namespace.clone(), name: sandbox.name.clone(), network, source }
}

/// What has a key, by key.
fn lists<'a, T>(items: &'a [T], key: impl Fn(&'a T) -> Option<&'a str>) -> HashMap<&'a str, Vec<&'a T>> {
    let mut lists: HashMap<&str, Vec<&T>> = HashMap::new();
    for item in items {
        if let Some(key) = key(item) {
            lists.entry(key).or_default().push(item);
        }
    }
    lists
}

fn all<'b, T>(lists: &'b HashMap<&str, Vec<&T>>, key: &str) -> impl Iterator<Item = &'b T> {
    lists.get(key).into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Observed;

    const PCI: &str = "0000:01:10.0";

    fn sandbox(id: &str, pod: &str) -> Sandbox {
        Sandbox {
            id: id.to_owned(),
            namespace: "shop".to_owned(),
            name: pod.to_owned(),
            ready: true,
            netns: Some(format!("/var/run/netns/{pod}")),
            ..Sandbox::default()
        }
    }

    fn attachment(id: &str, pod: &str) -> Attachment {
        Attachment {
            container_id: id.to_owned(),
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            network: "sriov-net".to_owned(),
            netns: Some(format!("/var/run/netns/{pod}")),
            device: Some(PCI.to_owned()),
            ..Attachment::default()
        }
    }

    fn named(facts: &PodFacts) -> Vec<(String, Option<String>, VfPodSource)> {
        let vf = VfFact { pci: PCI.to_owned(), ..VfFact::default() };
        let interface = PciInterface { netns: Some("seen-0".to_owned()), ..PciInterface::default() };
        let pods = Claims::new(facts).of(&vf, Some(&interface)).into_iter();
        pods.map(|pod| (pod.name, pod.network, pod.source)).collect()
    }

    fn told(pod: &str, network: Option<&str>, source: VfPodSource) -> (String, Option<String>, VfPodSource) {
        (pod.to_owned(), network.map(str::to_owned), source)
    }

    /// Each source names another pod.
    fn facts() -> PodFacts {
        PodFacts {
            sandboxes: Observed::Value(vec![
                sandbox("a", "allocated-0"),
                sandbox("c", "configured-0"),
                sandbox("d", "cached-0"),
                sandbox("i", "noted-0"),
                sandbox("s", "seen-0"),
            ]),
            attachments: vec![attachment("d", "cached-0")],
            allocations: vec![Allocation {
                pci: PCI.to_owned(),
                netns: "/var/run/netns/allocated-0".to_owned(),
            }],
            configurations: vec![VfConfiguration {
                pci: PCI.to_owned(),
                container_id: "c".to_owned(),
                network: "sriov-net".to_owned(),
                ..VfConfiguration::default()
            }],
            interface_devices: vec![InterfaceDevice {
                pci: PCI.to_owned(),
                container_id: "i".to_owned(),
                network: "sriov-net".to_owned(),
                ..InterfaceDevice::default()
            }],
            devices: Observed::Value(vec![DeviceAssignment {
                namespace: "shop".to_owned(),
                pod: "given-0".to_owned(),
                resource: "example.com/sriov".to_owned(),
                device: PCI.to_owned(),
                ..DeviceAssignment::default()
            }]),
            ..PodFacts::default()
        }
    }

    #[test]
    fn from_the_strongest_to_the_weakest() {
        let network = Some("sriov-net");
        assert_eq!(
            named(&facts()),
            [
                told("allocated-0", None, VfPodSource::SriovCni),
                told("configured-0", network, VfPodSource::SriovCni),
                told("cached-0", network, VfPodSource::LibcniDevice),
                told("given-0", None, VfPodSource::Kubelet),
                told("noted-0", network, VfPodSource::DeviceInfo),
                told("seen-0", None, VfPodSource::Netns),
            ]
        );
    }

    #[test]
    fn files_of_sandboxes_that_are_gone_say_nothing() {
        let mut facts = facts();
        facts.sandboxes = Observed::Value(vec![sandbox("other", "other-0")]);
        assert_eq!(named(&facts), [told("given-0", None, VfPodSource::Kubelet)]);
        let ended = Sandbox { ready: false, ..sandbox("c", "configured-0") };
        facts.sandboxes = Observed::Value(vec![ended, sandbox("other", "other-0")]);
        assert_eq!(named(&facts), [told("given-0", None, VfPodSource::Kubelet)]);
    }

    #[test]
    fn without_a_runtime_the_cache_names_the_pods_of_sandboxes() {
        let mut facts = facts();
        facts.sandboxes = Observed::Failed { error: "refused".to_owned() };
        facts.configurations[0].container_id = "d".to_owned();
        let network = Some("sriov-net");
        assert_eq!(
            named(&facts),
            [
                told("cached-0", network, VfPodSource::SriovCni),
                told("cached-0", network, VfPodSource::LibcniDevice),
                told("given-0", None, VfPodSource::Kubelet),
            ]
        );
    }

    #[test]
    fn a_device_plugin_explains_its_names() {
        let mut facts = PodFacts { devices: facts().devices, ..PodFacts::default() };
        let Observed::Value(devices) = &mut facts.devices else { panic!() };
        devices[0].device = "vdpa/7".to_owned();
        assert_eq!(named(&facts), []);
        let resource_and_device = "example.com-sriov-vdpa-7".to_owned();
        facts.resource_devices =
            vec![crate::facts::pods::ResourceDevice { resource_and_device, pci: PCI.to_owned() }];
        assert_eq!(named(&facts), [told("given-0", None, VfPodSource::Kubelet)]);
    }
}
