//! Whereabouts cannot ask the API server.

use super::{super::prelude::*, access, files, without_access};
use crate::observed::Observed;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-whereabouts-kubeconfig",
    family: Family::Cni,
    title: "Whereabouts cannot use its kubeconfig",
    symptom: "Pods with secondary networks stay in ContainerCreating.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`kubernetes.kubeconfig` of whereabouts.conf, else whereabouts.kubeconfig beside it, and `exp` of the token in it.",
        why: "The chart has the paths of another distribution (k3s keeps CNI's files in /var/lib/rancher/k3s/agent/etc/cni/net.d), or Whereabouts's pod does not run.",
        fix: "Correct the path in the chart's values, or restart Whereabouts's pod, which writes the file.",
        not_if: "",
        seen_in: "k3s#10545, k3s#10869, whereabouts#480",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let whereabouts = files(model).map(|files| &files.whereabouts);
    if let Some(why) = whereabouts.and_then(Observed::trouble) {
        return Outcome::NotJudged(why);
    }
    let Some(whereabouts) = whereabouts.and_then(Observed::value) else {
        return Outcome::DoesNotApply("Whereabouts is not installed");
    };
    let Some(path) = &whereabouts.kubeconfig else {
        return Outcome::DoesNotApply("Whereabouts's configuration names no kubeconfig");
    };
    if let Some(why) = whereabouts.kubeconfig_file.trouble() {
        return Outcome::NotJudged(why);
    }
    let found = access(model, &whereabouts.kubeconfig_file);
    let finding =
        found.map(|found| without_access("Whereabouts", path, &whereabouts.kubeconfig_file, &found));
    let fixed = finding.map(|finding| {
        finding
            .fix("Restart Whereabouts's pod on this node; if the path is another distribution's, correct it in the chart's values.")
            .run("kubectl get pods -A -o wide | grep whereabouts")
    });
    Outcome::Judged(fixed.into_iter().collect())
}
