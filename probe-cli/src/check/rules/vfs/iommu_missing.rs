//! Virtual functions are to be given whole to pods, and the machine has no IOMMU to do so.

use super::{super::prelude::*, NONE};
use crate::{
    facts::{files::Sourced, pci::PciFunctionFact},
    model::device_pools,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-iommu-missing",
    family: Family::Vfs,
    title: "a pool wants vfio-pci, and the IOMMU is off",
    symptom: "The node offers none of a resource for DPDK; the change of drivers to vfio-pci fails with \"Invalid argument\".",
    core: false,
    needs: &[Need::Vfs, Need::Files, Need::DevicePlugin, Need::PciFunctions],
    explained_by: &[],
    explain: Explain {
        how: "A pool of the device plugin that takes nothing for its driver, vfio-pci, and virtual functions that it would take else, of \
              which none is in an IOMMU group.",
        why: "The IOMMU is off in the firmware or in the kernel's command line: vfio-pci then takes no device.",
        fix: "Turn it on in the firmware (VT-d, AMD-Vi), and boot with intel_iommu=on iommu=pt where the kernel needs it.",
        not_if: "vfio is used without an IOMMU (enable_unsafe_noiommu_mode): then devices have groups, too.",
        seen_in: "sriov-network-operator#162, sriov-network-operator#191",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.vfs.is_empty() {
        return Outcome::DoesNotApply(NONE);
    }
    let pools = device_pools(&model.snapshot);
    let has_group = |fact: &&PciFunctionFact| {
        model.vfs.iter().any(|row| row.vf.pci_address == fact.address && row.vf.iommu_group.is_some())
    };
    let is_vf = |fact: &&PciFunctionFact| fact.physical_function.is_some();
    let mut findings = Vec::new();
    for row in &pools {
        let by_driver = row.excluding().find(|step| {
            step.key == "drivers" && step.values.iter().any(|driver| driver.value == "vfio-pci")
        });
        let Some(step) = by_driver else { continue };
        let vfs: Vec<&PciFunctionFact> = step.before.iter().copied().filter(is_vf).collect();
        // One of the machine's is enough to see that the IOMMU is on.
        if vfs.is_empty()
            || model.vfs.iter().any(|row| row.vf.iommu_group.is_some())
            || vfs.iter().any(has_group)
        {
            continue;
        }
        let name = shown(&row.pool.name.value);
        let place = step.values.first().map_or_else(|| row.pool.name.place(), Sourced::place);
        let first = vfs.first().map_or("", |fact| fact.address.as_str());
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Setting,
                &row.pool.name.value,
                format!("The pool {name} wants vfio-pci, which takes no device here: the IOMMU is off."),
            )
            .seen("drivers", "vfio-pci", escape(&place))
            .seen(shown(first), "no IOMMU group", format!("/sys/bus/pci/devices/{}/iommu_group", shown(first)))
            .fix(
                "Turn the IOMMU on in the firmware, add intel_iommu=on iommu=pt to the kernel's command line on Intel machines, \
                 drain the node and reboot it.",
            ),
        );
    }
    Outcome::Judged(findings)
}
