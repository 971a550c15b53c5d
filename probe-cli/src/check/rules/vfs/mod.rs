//! SR-IOV: VFs, what their PFs allow them, and the pools that pods get them from.

use crate::{
    facts::netlink::LinkFact,
    model::{Model, VfRow, VirtualFunction},
    text::{escape, shown},
};

pub(super) mod addressed_on_node;
pub(super) mod allocation_stale;
pub(super) mod driver_missing;
pub(super) mod iommu_missing;
pub(super) mod link_down;
pub(super) mod mac_mismatch;
pub(super) mod mac_shared;
pub(super) mod mtu_exceeds_pf;
pub(super) mod pod_disputed;
pub(super) mod pool_empty;
pub(super) mod pools_overlap;
pub(super) mod rate_limited;
pub(super) mod vlan_twice;

/// Why a check about VFs does not apply where there are none.
const NONE: &str = "no virtual function";

/// A VF as people speak of it: `VF 3 of ens1f0`.
fn named(vf: &VirtualFunction) -> String {
    format!("VF {} of {}", vf.index, shown(vf.pf.as_deref().unwrap_or(&vf.pf_pci_address)))
}

/// Who has it, for a sentence.
fn owner(vf: &VirtualFunction) -> String {
    match &vf.pod {
        Some(pod) => format!("pod {}/{}", shown(&pod.namespace), shown(&pod.name)),
        None => "nobody".to_owned(),
    }
}

/// VFs that pods have.
fn of_pods(model: &Model) -> impl Iterator<Item = &VfRow> {
    model.vfs.iter().filter(|row| row.vf.pod.is_some())
}

/// The PF's interface, where it is in the node's own network namespace.
fn pf_link<'a>(model: &'a Model, vf: &VirtualFunction) -> Option<&'a LinkFact> {
    let interfaces = &model.snapshot.sriov.interfaces;
    let pf = interfaces.iter().find(|one| one.pci == vf.pf_pci_address && one.netns.is_none())?;
    model.snapshot.netlink.links.iter().find(|link| link.ifindex == pf.ifindex)
}

/// The setting of a VF as `ip link` names it, for evidence.
fn setting(vf: &VirtualFunction, attribute: &str) -> String {
    format!("{attribute}, of {} vf {}", escape(vf.pf.as_deref().unwrap_or(&vf.pf_pci_address)), vf.index)
}
