//! Two VFs of one PF have one address.

use std::collections::BTreeMap;

use super::{super::prelude::*, NONE, named, owner};
use crate::model::{Mac, VirtualFunction};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-mac-shared",
    family: Family::Vfs,
    title: "two virtual functions of one PF have the same MAC address",
    symptom: "Connections of a pod's secondary interface stop and come back; answers arrive at another pod.",
    core: false,
    needs: &[Need::Vfs, Need::VfSettings],
    explained_by: &[],
    explain: Explain {
        how: "The address that each VF's interface has, or that its PF set where it has none, per PF and VLAN.",
        why: "sriov-cni could not give a VF its own address back when its pod ended, and another pod has got that address.",
        fix: "Recreate one of the two pods, or give the VF without a pod another address.",
        not_if: "VFs of different PFs share an address in a bond: only VFs of one PF are compared.",
        seen_in: "sriov-cni#125",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.vfs.is_empty() {
        return Outcome::DoesNotApply(NONE);
    }
    let mut by_address: BTreeMap<(&str, Option<u16>, Mac), Vec<&VirtualFunction>> = BTreeMap::new();
    for vf in model.vfs.iter().map(|row| &row.vf) {
        let used = vf.interface.as_ref().and_then(|interface| interface.mac);
        let set = vf.settings.and_then(|settings| settings.mac);
        let vlan = vf.settings.and_then(|settings| settings.vlan).map(|vlan| vlan.id);
        let Some(mac) = used.or(set).filter(|mac| mac.0 != [0; 6]) else { continue };
        by_address.entry((&vf.pf_pci_address, vlan, mac)).or_default().push(vf);
    }
    let shared = by_address.into_iter().filter(|(_, vfs)| vfs.len() > 1);
    Outcome::Judged(
        shared
            .map(|((_, _, mac), vfs)| {
                let summary = format!("{mac} is the address of {} virtual functions of one PF.", vfs.len());
                let pci = vfs.first().map_or("", |vf| &vf.pci_address);
                let mut finding = Finding::new(Fail, SubjectKind::Interface, pci, summary);
                for vf in vfs.iter().take(4) {
                    finding = finding.seen(named(vf), mac, format!("used by {}", owner(vf)));
                }
                let idle = vfs.iter().find(|vf| vf.pod.is_none() && vf.pf.is_some());
                match idle.and_then(|vf| Some((vf.index, vf.pf.as_deref()?))) {
                    Some((index, pf)) => finding
                        .fix("Take the address from the VF that no pod has; its driver chooses another when it is bound again.")
                        .run(format!("ip link set {} vf {index} mac 00:00:00:00:00:00", quoted(pf))),
                    None => finding.fix("Delete all but one of these pods; their controllers make new ones."),
                }
            })
            .collect(),
    )
}
