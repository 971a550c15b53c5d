//! Sources name different pods for one VF.

use super::{super::prelude::*, NONE, named};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-pod-disputed",
    family: Family::Vfs,
    title: "a virtual function is given to two pods at once",
    symptom: "A pod's secondary interface disappears when another pod ends.",
    core: false,
    needs: &[Need::Vfs],
    explained_by: &[],
    explain: Explain {
        how: "sriov-cni's allocations, libcni's cache, the kubelet, Multus' device information and the namespaces themselves.",
        why: "Records of an earlier pod were left behind, or two pools offer the same VF.",
        fix: "Recreate both pods, so that each gets a VF of its own.",
        not_if: "",
        seen_in: "sriov-network-operator#132",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.vfs.is_empty() {
        return Outcome::DoesNotApply(NONE);
    }
    let mut findings = Vec::new();
    for vf in model.vfs.iter().map(|row| &row.vf) {
        let Some(pod) = vf.pod.as_ref().filter(|_| !vf.disputed_by.is_empty()) else { continue };
        let summary = format!("{} belongs to different pods, by who is asked.", named(vf));
        let mut finding = Finding::new(Warn, SubjectKind::Interface, &vf.pci_address, summary);
        for pod in std::iter::once(pod).chain(vf.disputed_by.iter().take(3)) {
            let name = format!("{}/{}", shown(&pod.namespace), shown(&pod.name));
            finding = finding.seen("pod", name, pod.source.words());
        }
        findings.push(finding.fix("Delete these pods; their controllers make new ones."));
    }
    Outcome::Judged(findings)
}
