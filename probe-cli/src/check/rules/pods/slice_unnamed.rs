//! Whereabouts' node slices without a name.

use std::collections::BTreeMap;

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-slice-unnamed",
    family: Family::Pods,
    title: "node slices of Whereabouts have no network name",
    symptom: "Pods get no address from the network, or the same ones as pods of other networks.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "`node_slice_size` without `network_name` in the IPAM configuration of pods' interfaces, as the CNI cache has it.",
        why: "Whereabouts keeps the nodes' slices in an object that is called as the network: without a name it cannot be made.",
        fix: "Add `network_name` to the network's IPAM configuration.",
        not_if: "",
        seen_in: "whereabouts#518, whereabouts#558",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let mut networks: BTreeMap<String, (&str, bool)> = BTreeMap::new();
    for attachment in &model.snapshot.pods.attachments {
        let Some(ipam) = &attachment.ipam else { continue };
        let Some(size) = &ipam.node_slice_size else { continue };
        let key = format!("{} ({})", attachment.network, ipam.ranges.join(", "));
        networks.insert(key, (size, ipam.network_name.is_some()));
    }
    if networks.is_empty() {
        return Outcome::DoesNotApply("no pod's network has node slices");
    }
    let unnamed = networks.into_iter().filter(|(_, (_, is_named))| !is_named);
    Outcome::Judged(
        unnamed
            .map(|(network, (size, _))| {
                let name = escape(&network);
                Finding::new(
                    Fail,
                    SubjectKind::Pod,
                    &network,
                    format!("Network {name} has node_slice_size and no network_name."),
                )
                .seen("node_slice_size", escape(size), "CNI cache")
                .seen("network_name", "missing", "CNI cache")
                .fix_elsewhere("add `network_name` to the ipam section of the NetworkAttachmentDefinition, then recreate the pods.")
            })
            .collect(),
    )
}
