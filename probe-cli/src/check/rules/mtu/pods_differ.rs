//! Pods of one node have different MTUs.

use super::{super::prelude::*, paths};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-pods-differ",
    family: Family::Mtu,
    title: "pods of this node have different MTUs",
    symptom: "After a change of the MTU some workloads still hang or are slow, others are not.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["mtu-pod-exceeds-tunnel"],
    explain: Explain {
        how: "The MTUs of the node's ends of pods' interfaces.",
        why: "A pod's interface gets its MTU when the pod is made. Pods from before a change keep the old one.",
        fix: "Recreate the pods that are older than the change.",
        not_if: "Workloads set an MTU of their own.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let with_pods: Vec<_> =
        paths(model).filter(|path| !path.pods.is_empty() && !path.route_limits_pods).collect();
    if with_pods.is_empty() {
        return Outcome::DoesNotApply("no pod's interface is here");
    }
    let mut mtus: Vec<(u32, usize)> = Vec::new();
    for pods in with_pods.iter().flat_map(|path| &path.pods) {
        match mtus.iter_mut().find(|(mtu, _)| *mtu == pods.mtu) {
            Some((_, count)) => *count = (*count).max(pods.count),
            None => mtus.push((pods.mtu, pods.count)),
        }
    }
    mtus.sort_unstable();
    let [(smallest, _), .., (largest, _)] = mtus.as_slice() else { return Outcome::Judged(Vec::new()) };
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Pod,
        "pods",
        format!(
            "Pods' interfaces have MTUs from {smallest} to {largest}: some are older than a change of the MTU."
        ),
    );
    for (mtu, count) in &mtus {
        finding = finding.seen(counted(*count, "interface"), mtu, "IFLA_MTU of the node's end");
    }
    Outcome::Judged(vec![
        finding.fix("Recreate the pods that are older than the change (kubectl rollout restart)."),
    ])
}
