//! Multus has no network to delegate to.

use super::{super::prelude::*, NO_MULTUS, multus};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-multus-alone",
    family: Family::Cni,
    title: "Multus has no network behind it",
    symptom: "No pod starts: Multus has nobody to make eth0.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`delegates` and `clusterNetwork` of Multus's configuration, the first file of the CNI directory.",
        why: "Multus wrote its configuration before the cluster's CNI wrote its own.",
        fix: "Delete the file and restart Multus's pod, when the other CNI's file is there.",
        not_if: "",
        seen_in: "multus#392",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some((file, plugin, multus)) = multus(model) else { return Outcome::DoesNotApply(NO_MULTUS) };
    if multus.cluster_network.is_some() || !multus.delegates.is_empty() {
        return Outcome::Judged(Vec::new());
    }
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            file,
            "Multus has neither delegates nor a clusterNetwork: no pod gets an interface.".to_owned(),
        )
        .seen("plugin", escape(&plugin.kind.value), escape(&plugin.kind.place()))
        .fix(
            "Cordon the node, delete the file, restart Multus's pod on this node, which writes it again, uncordon. Pods that start \
             meanwhile have no secondary networks.",
        )
        .run(format!("rm {}", quoted(file))),
    ])
}
