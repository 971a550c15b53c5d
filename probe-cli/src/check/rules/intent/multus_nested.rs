//! Multus is its own delegate.

use super::{super::prelude::*, source};
use crate::model::Origin;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-multus-nested",
    family: Family::Intent,
    title: "Multus delegates to itself",
    symptom: "New pods stay in ContainerCreating, or get each interface twice.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The plugins that call each other, from the first file of the CNI directory on.",
        why: "Multus took its own configuration for that of the cluster network when it wrote the file anew, after an update of \
              the runtime for example.",
        fix: "Delete the file and restart Multus's pod, which writes it again.",
        not_if: "",
        seen_in: "multus#1162",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let multus = model.setup.intent.as_ref().and_then(|intent| intent.multus.as_ref());
    let Some(multus) = multus.filter(|multus| !multus.chain.is_empty()) else {
        return Outcome::DoesNotApply("Multus is not installed");
    };
    let is_multus = |name: &str| name == "multus" || name == "multus-shim";
    if multus.chain.iter().filter(|plugin| is_multus(&plugin.value)).count() < 2 {
        return Outcome::Judged(Vec::new());
    }
    let chain: Vec<String> = multus.chain.iter().map(|plugin| escape(&plugin.value)).collect();
    let installed = multus.installed.as_ref();
    let file = installed.and_then(|installed| installed.file.clone()).unwrap_or_default();
    let place = Origin::File { file: file.clone(), line: None };
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            &file,
            format!("Multus delegates to itself: {}.", chain.join(" > ")),
        )
        .seen("plugins", chain.join(" > "), source(&place))
        .fix(
            "Cordon the node, delete the file, restart Multus's pod on this node, which writes it again, uncordon. Pods that start \
             meanwhile have no secondary networks.",
        )
        .run(format!("rm {}", quoted(&file))),
    ])
}
