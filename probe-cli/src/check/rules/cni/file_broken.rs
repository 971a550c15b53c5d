//! The runtime stumbles over a file of the CNI directory.

use super::{super::prelude::*, directory, files};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-file-broken",
    family: Family::Cni,
    title: "a file of the CNI directory cannot be used",
    symptom: "No pod starts after the runtime or the node was restarted.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The runtime takes the files of its CNI directory by name. Those up to the first valid one are judged.",
        why: "A node lost power while the file was written, or an editor left a copy behind.",
        fix: "Remove the file. The CNI's pod writes its own again when it starts.",
        not_if: "Files that come after the one in use, and CRI-O, which passes over such files.",
        seen_in: "cni#1055, containerd#8197",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if let Some(why) = files(model).and_then(|files| files.cni.trouble()) {
        return Outcome::NotJudged(why);
    }
    let Some(directory) = directory(model).filter(|directory| !directory.files.is_empty()) else {
        return Outcome::DoesNotApply("no CNI configuration");
    };
    if directory.path.file.starts_with("/etc/crio/") {
        return Outcome::DoesNotApply("CRI-O passes over files that it cannot use");
    }
    let first = directory.default_network.unwrap_or(directory.files.len());
    let broken = directory.files.iter().take(first).filter_map(|file| Some((file, file.problem.as_ref()?)));
    Outcome::Judged(
        broken
            .map(|(file, problem)| {
                let name = shown(&file.file);
                Finding::new(
                    Fail,
                    SubjectKind::File,
                    &file.file,
                    format!("{name} comes first in the CNI directory and cannot be used."),
                )
                .seen("its contents", shown(problem.strip_prefix(&format!("cannot read {}: ", file.file)).unwrap_or(problem)), &name)
                .fix("Rename the file, so that it is not the first; if it is the CNI's own, restart the CNI's pod on this node, which writes it again.")
                .run(format!("mv {} {}", quoted(&file.file), quoted(&format!("{}.broken", file.file))))
            })
            .collect(),
    )
}
