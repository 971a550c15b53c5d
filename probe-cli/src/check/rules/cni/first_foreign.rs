//! The first file of the CNI directory is another CNI's.

use super::{super::prelude::*, directory, multus};
use crate::model::Cni;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-first-file-foreign",
    family: Family::Cni,
    title: "the first file of the CNI directory is another CNI's than the configured one",
    symptom: "New pods get addresses of a network that no other node knows, or do not start; older pods go on.",
    core: false,
    needs: &[Need::Files],
    explained_by: &["intent-cni-differs", "intent-cni-unknown", "intent-cni-refused", "cni-sriov-default"],
    explain: Explain {
        how: "The plugin of the first valid file of the runtime's CNI directory, behind Multus where that is the first, against the CNI \
              of RKE2's or k3s' configuration.",
        why: "The runtime takes the first file by name: one that a package brought along, or one of a CNI that was used before.",
        fix: "Move the file out of the directory, then recreate the pods that were made meanwhile. Where Multus is the first and \
              took the other CNI for the cluster's: move that CNI's file away and restart Multus's pod, which writes its own anew.",
        not_if: "The CNI was chosen on the command line: only what a file says is compared.",
        seen_in: "flannel#1437, plugins#629",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(directory) = directory(model).filter(|directory| directory.default_network.is_some()) else {
        return Outcome::DoesNotApply("no CNI configuration that the runtime can use");
    };
    let Some(intent) = &model.setup.intent else { return Outcome::DoesNotApply("no files are read") };
    let Some((wanted, first)) = intent.cni.as_ref().zip(intent.foreign_cni.as_ref()) else {
        return Outcome::Judged(Vec::new());
    };
    // Canal's plugin is Calico's, and k3s' is flannel's.
    let is_kin = matches!(
        (&wanted.value, &first.value),
        (Cni::Canal, Cni::Calico) | (Cni::K3sFlannel, Cni::Flannel) | (Cni::Flannel, Cni::K3sFlannel)
    );
    if is_kin {
        return Outcome::Judged(Vec::new());
    }
    let (wanted_name, name) = (shown(&wanted.value.to_string()), shown(&first.value.to_string()));
    let file =
        directory.default_network.and_then(|index| directory.files.get(index)).map_or("", |file| &file.file);
    let place = |file: &Option<String>, line: Option<u32>| {
        let file = file.as_deref().map_or_else(|| "default".to_owned(), escape);
        line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    };
    let finding = Finding::new(
        Fail,
        SubjectKind::File,
        file,
        format!("New pods are {name}'s: its file is the first one, and {wanted_name} is configured."),
    )
    .seen("first file", shown(file), escape(&directory.path.value))
    .seen("its CNI", name.clone(), place(&first.file, first.line))
    .seen("configured", wanted_name, place(&wanted.file, wanted.line));
    // Without Multus's file new pods would have no secondary networks.
    Outcome::Judged(vec![if multus(model).is_some() {
        finding.fix(format!(
            "Multus took {name} for the cluster network. Move {name}'s own file out of {}, restart Multus's pod on this node, which \
             writes its file anew, then recreate the pods that were made meanwhile.",
            escape(&directory.path.value)
        ))
    } else {
        finding
            .fix("Move the file out of the way if nobody needs it, then recreate the pods that were made meanwhile.")
            .run(format!("mv {} {}", quoted(file), quoted(&format!("{file}.disabled"))))
    }])
}
