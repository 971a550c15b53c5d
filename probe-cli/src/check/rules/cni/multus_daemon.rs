//! Multus's thick plugin has no daemon to ask.

use super::{super::prelude::*, NO_MULTUS, multus};
use crate::observed::Observed;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-multus-daemon-missing",
    family: Family::Cni,
    title: "the daemon of Multus's thick plugin is not there",
    symptom: "No pod starts, and none ends: \"failed to send CNI request\", \"connection refused\", \"no such file\".",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The socket multus.sock in the directory that the configuration of multus-shim names (/run/multus otherwise).",
        why: "Multus's pod does not run on this node; or Multus was removed, and its configuration, the first file of the CNI \
              directory, was left.",
        fix: "Find out why its pod does not run. When Multus was removed, delete 00-multus.conf and multus.d: the file of the \
              cluster's CNI is then the first one.",
        not_if: "Multus's pod restarts just now.",
        seen_in: "multus#1429, multus#1146, multus#592",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some((file, plugin, multus)) = multus(model) else { return Outcome::DoesNotApply(NO_MULTUS) };
    if plugin.kind.value != "multus-shim" {
        return Outcome::DoesNotApply("Multus is the thin plugin, which needs no daemon");
    }
    if let Some(why) = multus.socket.trouble() {
        return Outcome::NotJudged(why);
    }
    if !matches!(multus.socket, Observed::Absent) {
        return Outcome::Judged(Vec::new());
    }
    let directory = multus.socket_directory.as_ref();
    let path = directory.map_or("/run/multus", |directory| directory.value.trim_end_matches('/'));
    let path = shown(&format!("{path}/multus.sock"));
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::File,
            file,
            "The daemon of Multus's thick plugin is not there: no pod starts, and none ends.".to_owned(),
        )
        .seen("plugin", escape(&plugin.kind.value), escape(&plugin.kind.place()))
        .seen("socket", format!("{path} is missing"), directory.map_or_else(|| "default".to_owned(), |it| escape(&it.place())))
        .fix(format!(
            "Find out why Multus's pod does not run on this node. If Multus was removed, delete {} and multus.d beside it.",
            escape(file)
        ))
        .run("kubectl get pods -A -o wide | grep multus"),
    ])
}
