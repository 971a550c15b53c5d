//! Multus is wanted, and the CNI directory has no configuration of it.

use super::{super::prelude::*, source};
use crate::model::Origin;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-multus-missing",
    family: Family::Intent,
    title: "Multus is configured and not installed",
    symptom: "Pods start without their secondary interfaces; their annotations have no effect.",
    core: false,
    needs: &[Need::Files],
    explained_by: &["intent-cni-refused"],
    explain: Explain {
        how: "`cni` of RKE2's configuration has multus, and no file in the CNI directory is Multus's.",
        why: "Multus writes its configuration when its pod starts: the pod fails, or has not come yet.",
        fix: "Look at the pods of the DaemonSet rke2-multus in kube-system, and at their log.",
        not_if: "The node joined a minute ago.",
        seen_in: "rke2#8577",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let multus = model.setup.intent.as_ref().and_then(|intent| intent.multus.as_ref());
    let Some(requested) = multus.and_then(|multus| multus.requested.as_ref()) else {
        return Outcome::DoesNotApply("Multus is not configured");
    };
    let files = model.snapshot.files.value();
    if let Some(why) = files.and_then(|files| files.cni.trouble()) {
        return Outcome::NotJudged(why);
    }
    if multus.is_some_and(|multus| multus.installed.is_some()) {
        return Outcome::Judged(Vec::new());
    }
    let place =
        requested.file.clone().map_or(Origin::Default, |file| Origin::File { file, line: requested.line });
    let directory = files.and_then(|files| files.cni.value()).map(|cni| escape(&cni.path.value));
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            "/etc/cni/net.d",
            "Multus is configured, and no file in the CNI directory is Multus's.".to_owned(),
        )
        .seen("wanted", "multus", source(&place))
        .seen("CNI directory", directory.unwrap_or_else(|| "missing".to_owned()), "no Multus configuration")
        .fix("Find out why its pod does not run: it writes the configuration when it starts. Nothing is interrupted.")
        .run("kubectl -n kube-system get pods -o wide | grep multus"),
    ])
}
