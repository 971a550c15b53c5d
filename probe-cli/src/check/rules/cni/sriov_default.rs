//! SR-IOV makes the first interface of all pods.

use super::{super::prelude::*, NO_MULTUS, multus};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-sriov-default",
    family: Family::Cni,
    title: "SR-IOV is the default network of all pods",
    symptom: "Most pods stay in ContainerCreating: there are fewer virtual functions than pods.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The plugin behind Multus, the default network.",
        why: "Multus took a file of sriov-cni's for the cluster's network: it came first by name.",
        fix: "Make SR-IOV a secondary network, by a NetworkAttachmentDefinition.",
        not_if: "",
        seen_in: "multus#1400",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if multus(model).is_none() {
        return Outcome::DoesNotApply(NO_MULTUS);
    }
    let multus = model.setup.intent.as_ref().and_then(|intent| intent.multus.as_ref());
    let behind = multus.and_then(|multus| multus.delegate_plugin.as_ref());
    let Some(behind) = behind.filter(|plugin| plugin.value == "sriov") else {
        return Outcome::Judged(Vec::new());
    };
    let file = behind.file.clone().unwrap_or_default();
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            &file,
            "Each pod needs a virtual function for its eth0: SR-IOV is the default network.".to_owned(),
        )
        .seen("plugin behind Multus", "sriov", escape(&file))
        .fix_elsewhere("make SR-IOV a secondary network (a NetworkAttachmentDefinition), and the cluster's CNI Multus's delegate."),
    ])
}
