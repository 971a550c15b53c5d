//! sriov-cni remembers a VF as given to a namespace that no pod has any more.

use super::super::prelude::*;
use crate::facts::pods::netns_name;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-allocation-stale",
    family: Family::Vfs,
    title: "a virtual function is allocated to a network namespace without a pod",
    symptom: "A pod stays in ContainerCreating: \"pci address is already allocated\".",
    core: false,
    needs: &[Need::Vfs],
    explained_by: &[],
    explain: Explain {
        how: "Files below /var/lib/cni/sriov/pci, each with the path of a namespace, against the namespaces of the sandboxes that the \
              container runtime has. A file whose namespace is gone is no fault: sriov-cni removes it when it gives the VF away next.",
        why: "The runtime forgot a sandbox whose namespace it could not remove.",
        fix: "Delete the namespace when no process is in it: the kernel gives the VF back to the node, and sriov-cni forgets the file.",
        not_if: "A pod that starts or ends just now: look again after a minute.",
        seen_in: "sriov-cni#219, sriov-cni#220",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let (pods, namespaces) = (&model.snapshot.pods, &model.snapshot.sriov.netns);
    let there: Vec<_> = pods
        .allocations
        .iter()
        .filter_map(|allocation| Some((allocation, netns_name(&allocation.netns)?)))
        .filter(|(_, name)| namespaces.iter().any(|there| there == name))
        .collect();
    if there.is_empty() {
        return Outcome::DoesNotApply("sriov-cni has given no VF to a namespace that is here");
    }
    // A runtime without any pod is not the one that these are of.
    let Some(sandboxes) = pods.sandboxes.value().filter(|sandboxes| !sandboxes.is_empty()) else {
        let why = pods.sandboxes.trouble();
        return Outcome::NotJudged(
            why.unwrap_or_else(|| "no container runtime with pods was found".to_owned()),
        );
    };
    if sandboxes.iter().any(|sandbox| sandbox.netns.is_none() && !sandbox.host_network) {
        return Outcome::NotJudged("the runtime does not tell all pods' network namespaces".to_owned());
    }
    let has_sandbox = |name: &str| {
        sandboxes.iter().any(|sandbox| sandbox.netns.as_deref().and_then(netns_name) == Some(name))
    };
    let stale = there.into_iter().filter(|(_, name)| !has_sandbox(name));
    Outcome::Judged(
        stale
            .map(|(allocation, name)| {
                let path = format!("/var/lib/cni/sriov/pci/{}", allocation.pci);
                Finding::new(
                    Warn,
                    SubjectKind::File,
                    &path,
                    format!(
                        "{} is given to a namespace that no pod has: the next pod that gets it fails.",
                        shown(&allocation.pci)
                    ),
                )
                .seen(shown(&path), shown(&allocation.netns), "no sandbox of the runtime has it")
                .fix("Delete the namespace if no process is in it: the kernel then gives the VF back to the node.")
                .run(format!("test -z \"$(ip netns pids {0})\" && ip netns delete {0}", quoted(name)))
            })
            .collect(),
    )
}
