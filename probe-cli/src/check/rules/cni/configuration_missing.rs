//! The runtime has no CNI configuration.

use super::{
    super::{agent, prelude::*},
    directory, files,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-configuration-missing",
    family: Family::Cni,
    title: "the runtime has no CNI configuration",
    symptom: "The node is NotReady: \"cni plugin not initialized\"; no pod starts.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "Files of the runtime's CNI directory that end in .conf, .conflist or .json.",
        why: "The CNI's pod writes its configuration when it starts, and it has not: its image is not there, or it crashes.",
        fix: "Look at the log of the CNI's pod on this node (k3s writes the file itself: journalctl -u k3s or k3s-agent).",
        not_if: "The node joined a minute ago.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if let Some(why) = files(model).and_then(|files| files.cni.trouble()) {
        return Outcome::NotJudged(why);
    }
    let is_node = files(model)
        .is_some_and(|files| files.rke2_directory.value().is_some() || files.k3s_directory.value().is_some());
    let Some(directory) = directory(model).filter(|_| is_node) else {
        return Outcome::DoesNotApply("no CNI directory of RKE2 or k3s");
    };
    if !directory.files.is_empty() {
        return Outcome::Judged(Vec::new());
    }
    let path = escape(&directory.path.value);
    Outcome::Judged(vec![agent::listed(
        model,
        Finding::new(
            Fail,
            SubjectKind::File,
            &directory.path.value,
            "The runtime has no CNI configuration: no pod can start.".to_owned(),
        )
        .seen(path, "no configuration", escape(&directory.path.place()))
        .fix("Find out why the CNI's pod on this node does not run: it writes the configuration when it starts."),
    )])
}
