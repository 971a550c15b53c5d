//! sriov-cni remembers a VF as given to a namespace that is gone.

use super::super::prelude::*;
use crate::facts::pods::netns_name;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-allocation-stale",
    family: Family::Vfs,
    title: "a virtual function is allocated to a network namespace that is gone",
    symptom: "A pod stays in ContainerCreating: \"pci address is already allocated\".",
    core: false,
    needs: &[Need::Vfs],
    explained_by: &[],
    explain: Explain {
        how: "Files below /var/lib/cni/sriov/pci, each with the path of a namespace, against the namespaces there are.",
        why: "The node was reset, or the runtime ended the pod without calling the plugin's DEL.",
        fix: "Delete the file: the next pod then gets the VF.",
        not_if: "A pod that ends just now: look again after a minute.",
        seen_in: "sriov-cni#219, sriov-cni#220",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let (allocations, netns) = (&model.snapshot.pods.allocations, &model.snapshot.sriov.netns);
    if allocations.is_empty() {
        return Outcome::DoesNotApply("sriov-cni has allocated nothing");
    }
    let stale = allocations.iter().filter(|allocation| {
        netns_name(&allocation.netns).is_some_and(|name| !netns.iter().any(|there| there == name))
    });
    Outcome::Judged(
        stale
            .map(|allocation| {
                let path = format!("/var/lib/cni/sriov/pci/{}", allocation.pci);
                Finding::new(
                    Warn,
                    SubjectKind::File,
                    &path,
                    format!(
                        "{} counts as given to a pod that is gone: the next pod that gets it fails.",
                        shown(&allocation.pci)
                    ),
                )
                .seen(shown(&path), shown(&allocation.netns), "which does not exist")
                .fix("Delete the file. No living pod uses this VF.")
                .run(format!("rm {}", quoted(&path)))
            })
            .collect(),
    )
}
