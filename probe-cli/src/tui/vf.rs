//! What screens say of a virtual function, in a few words, safe to print.

use crate::{
    model::{Counts, Flow, Mac, VfLinkState, VfPod, VfRow, VirtualFunction},
    text,
};

/// Its PF and number: `ens1f0 vf 3`. The PF's PCI address stands in for an interface that could not be found.
pub(super) fn name(vf: &VirtualFunction) -> String {
    format!("{} vf {}", pf(vf), vf.index)
}

/// For ordering by name: 2 before 10.
pub(super) fn sort_name(vf: &VirtualFunction) -> String {
    format!("{} vf {:010}", pf(vf), vf.index)
}

fn pf(vf: &VirtualFunction) -> String {
    text::escape(vf.pf.as_deref().unwrap_or(&vf.pf_pci_address))
}

/// `namespace/name` of a pod.
pub(super) fn pod(pod: &VfPod) -> String {
    format!("{}/{}", text::escape(&pod.namespace), text::escape(&pod.name))
}

/// Who has it: its pod, or the network namespace that its interface is in when nobody knows of a pod.
pub(super) fn holder(vf: &VirtualFunction) -> Option<String> {
    let in_netns = || netns(vf).map(|netns| format!("in netns {netns}"));
    vf.pod.as_ref().map(pod).or_else(in_netns)
}

/// The network namespace of its interface; none in the node's own.
pub(super) fn netns(vf: &VirtualFunction) -> Option<String> {
    vf.interface.as_ref()?.netns.as_deref().map(text::escape)
}

/// The CNI network that it belongs to.
pub(super) fn network(vf: &VirtualFunction) -> Option<String> {
    vf.pod.as_ref()?.network.as_deref().map(text::escape)
}

/// The name of its interface.
pub(super) fn interface(vf: &VirtualFunction) -> Option<String> {
    vf.interface.as_ref().map(|interface| text::escape(&interface.name))
}

/// The driver that has it. That it has none is known, other than what is not.
pub(super) fn driver(vf: &VirtualFunction) -> String {
    vf.driver.as_deref().map_or_else(|| "none".to_owned(), text::escape)
}

/// The VLAN that the NIC puts it into: `none` when there is none; nothing when the driver does not tell.
pub(super) fn vlan(vf: &VirtualFunction) -> Option<String> {
    let vlan = vf.settings.as_ref()?.vlan;
    Some(vlan.map_or_else(|| "none".to_owned(), |vlan| vlan.id.to_string()))
}

/// The state of its link as the PF's administrator set it, in the words of `ip link`.
pub(super) fn link(vf: &VirtualFunction) -> Option<&'static str> {
    Some(match vf.settings.as_ref()?.link_state? {
        VfLinkState::Auto => "auto",
        VfLinkState::Enable => "enable",
        VfLinkState::Disable => "disable",
    })
}

/// The addresses it is known by: its interface's, and the one that the PF's administrator gave it.
pub(super) fn macs(vf: &VirtualFunction) -> (Option<Mac>, Option<Mac>) {
    let used = vf.interface.as_ref().and_then(|interface| interface.mac);
    (used, vf.settings.as_ref().and_then(|settings| settings.mac))
}

/// Mean bytes of an Ethernet frame; none while there was none.
pub(super) fn mean_frame(counts: &Counts) -> Option<f64> {
    (counts.packets > 0).then(|| counts.outer_bytes as f64 / counts.packets as f64)
}

/// Mean packets of the wire per socket buffer; none while there was none.
pub(super) fn segments(counts: &Counts) -> Option<f64> {
    Flow { total: *counts, rate: None }.packets_per_skb()
}

/// Everything else that a filter looks at.
pub(super) fn words(row: &VfRow) -> Vec<String> {
    let vf = &row.vf;
    let (used, set) = macs(vf);
    let fixed = [vf.pci_address.clone(), vf.pf_pci_address.clone(), driver(vf)];
    fixed
        .into_iter()
        .chain(vf.pf_driver.as_deref().map(text::escape))
        .chain(vf.pod.iter().chain(&vf.disputed_by).map(pod))
        .chain([network(vf), interface(vf), netns(vf)].into_iter().flatten())
        .chain([used, set].into_iter().flatten().map(|mac| mac.to_string()))
        .chain([row.traffic.counted_by().to_owned()])
        .collect()
}
