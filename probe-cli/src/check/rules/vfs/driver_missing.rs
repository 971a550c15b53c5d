//! A VF that no driver has, beside others that one has.

use super::{super::prelude::*, NONE, named};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-driver-missing",
    family: Family::Vfs,
    title: "a virtual function has no driver, its siblings do",
    symptom: "The node offers fewer virtual functions than it has; pods that ask for one stay Pending.",
    core: false,
    needs: &[Need::Vfs],
    explained_by: &[],
    explain: Explain {
        how: "The driver of each VF in sysfs, where another VF of the same PF has one.",
        why: "The change from vfio-pci back to the NIC's driver was interrupted when a pod ended, or loading the driver failed.",
        fix: "Let the kernel look for a driver again.",
        not_if: "Somebody unbound it on purpose for a virtual machine that starts just now.",
        seen_in: "sriov-cni#349, sriov-cni#79",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.vfs.is_empty() {
        return Outcome::DoesNotApply(NONE);
    }
    let vfs = || model.vfs.iter().map(|row| &row.vf);
    let has_driven_sibling = |pf: &str| vfs().any(|vf| vf.pf_pci_address == pf && vf.driver.is_some());
    let lost = vfs().filter(|vf| {
        vf.driver.is_none()
            && vf.interface.is_none()
            && vf.pod.is_none()
            && has_driven_sibling(&vf.pf_pci_address)
    });
    Outcome::Judged(
        lost.map(|vf| {
            let summary = format!("{} has no driver: no pod can get it.", named(vf));
            Finding::new(Warn, SubjectKind::Interface, &vf.pci_address, summary)
                .seen(
                    shown(&vf.pci_address),
                    "no driver",
                    format!("/sys/bus/pci/devices/{}/driver", shown(&vf.pci_address)),
                )
                .fix("Let the kernel look for its driver again.")
                .run(format!("echo {} > /sys/bus/pci/drivers_probe", quoted(&vf.pci_address)))
        })
        .collect(),
    )
}
