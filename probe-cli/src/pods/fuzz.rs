//! Answers about pods and files of CNI plugins as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use super::{
    cri, device_info,
    grpc::{bounded, entries},
    kubelet::{PodResources, flat},
    libcni,
    limits::{self, Size},
    sriov_cni,
};
use crate::facts::pods::Attachment;

/// Pods of one list of the kubelet.
const MOST: usize = 64;
/// What a container's identifier looks like.
const ID: &str = "0123456789abcdef";

/// Takes the bytes for each answer of the runtime and the kubelet. Returns what somebody else chose the words of.
pub(crate) fn answers(bytes: &[u8]) -> Vec<String> {
    let mut texts = cri::fuzz::replies(bytes);
    match entries::<PodResources>(&mut &*bytes, MOST) {
        Ok(pods) => {
            for device in flat(&pods.unwrap_or_default()).unwrap_or_default() {
                let names = [device.namespace, device.pod, device.container, device.resource, device.device];
                assert!(names.iter().all(|name| name.len() <= limits::NAME), "a long name is kept");
                texts.extend(names);
            }
        }
        Err(error) => texts.push(bounded(&error.to_string())),
    }
    texts
}

/// What files say, and what is said of those that are broken.
pub(crate) struct Files {
    /// Words of those who wrote the files.
    pub(crate) texts: Vec<String>,
    /// Words of ours.
    pub(crate) said: Vec<String>,
}

/// Takes the text for each file that there is.
pub(crate) fn files(text: &str) -> Files {
    let mut found = Files { texts: Vec::new(), said: Vec::new() };
    if let Some(attachment) = found.keep(libcni::parse("x", text)) {
        // Escapes and Base64 take more room than what they stand for.
        assert!(
            attachment.bytes() <= size_of::<Attachment>() + 12 * text.len(),
            "an attachment out of nothing"
        );
        found.attachment(attachment);
    }
    if let Some(allocation) = found.keep(sriov_cni::allocation("0000:01:10.0", text)) {
        assert!(allocation.netns.len() <= limits::PATH, "a long path is kept");
        found.texts.push(allocation.netns);
    }
    if let Some(configuration) = found.keep(sriov_cni::configuration(&format!("{ID}-net1"), text)) {
        assert!(configuration.pci.len() <= limits::ID, "a long address is kept");
        assert!(configuration.network.len() <= limits::NAME, "a long name is kept");
        found.texts.extend([configuration.pci, configuration.network]);
    }
    if let Some(device) = found.keep(device_info::of_device("example.com-x-device.json", text)) {
        assert!(device.pci.len() <= limits::ID, "a long address is kept");
        found.texts.push(device.pci);
    }
    // The text as a name, too: whoever writes a file names it.
    let name: String = text.chars().take(255).collect();
    if let Some(device) = found.keep(device_info::of_interface(&format!("net-{ID}_net1"), text)) {
        found.texts.extend([device.pci, device.network]);
    }
    if let Ok(Some(device)) = device_info::of_interface(&name, r#"{"pci":{"pci-address":"0000:01:10.0"}}"#) {
        let parts = [device.network, device.container_id, device.ifname];
        assert!(parts.iter().all(|part| name.contains(part)), "a part that is not in the name");
    }
    found
}

impl Files {
    /// Keeps the words of an answer.
    fn keep<T>(&mut self, answer: Result<Option<T>, String>) -> Option<T> {
        answer.map_err(|why| self.said.push(why)).ok().flatten()
    }

    fn attachment(&mut self, attachment: Attachment) {
        let Attachment { container_id, namespace, pod, uid, network, plugin, ifname, host_ifnames, .. } =
            attachment;
        assert!(attachment.addresses.len() <= limits::ADDRESSES, "too many addresses are kept");
        let short = [uid, attachment.device].into_iter().flatten().chain([container_id]);
        let short: Vec<String> = short.collect();
        assert!(short.iter().all(|text| text.len() <= limits::ID), "a long identifier is kept");
        let names = [namespace, pod, network, ifname].into_iter().chain(plugin).chain(host_ifnames);
        let names: Vec<String> = names.collect();
        assert!(names.iter().all(|text| text.len() <= limits::NAME), "a long name is kept");
        self.texts.extend(short.into_iter().chain(names));
        self.texts.extend([attachment.netns, attachment.requested_networks].into_iter().flatten());
    }
}
