//! `cni:` is a list that RKE2 does not start with.

use super::super::prelude::*;
use crate::facts::files::Sourced;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-cni-refused",
    family: Family::Intent,
    title: "the configured list of CNIs is one that RKE2 refuses",
    symptom: "rke2-server does not start after its next restart: \"invalid value provided for --cni\".",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`cni` of RKE2's configuration and its drop-ins: one CNI, or multus and then one CNI.",
        why: "Multus was added behind the CNI instead of before it, or alone; or a drop-in added a second CNI to the list.",
        fix: "Write `cni: [multus, canal]`, with the CNI that the cluster has, on every server.",
        not_if: "",
        seen_in: "rke2-docs networking/multus_sriov.md",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let files = model.snapshot.files.value();
    if let Some(why) = files.and_then(|files| files.rke2.trouble()) {
        return Outcome::NotJudged(why);
    }
    let names = files.and_then(|files| files.rke2.value()).and_then(|settings| settings.get("cni"));
    let Some((names, last)) = names.and_then(|names| Some((names, names.last()?))) else {
        return Outcome::DoesNotApply("RKE2's configuration names no CNI");
    };
    let Some(why) = refusal(names) else { return Outcome::Judged(Vec::new()) };
    let list: Vec<String> = names.iter().map(|name| shown(&name.value)).collect();
    let primary = names
        .iter()
        .find(|name| name.value != "multus")
        .map_or_else(|| "canal".to_owned(), |name| shown(&name.value));
    Outcome::Judged(vec![
        Finding::new(Fail, SubjectKind::File, &last.file, format!("RKE2 does not start with this list of CNIs: {why}."))
            .seen("cni", list.join(", "), escape(&last.place()))
            .fix(format!(
                "Write `cni: [multus, {primary}]`, or `cni: {primary}` without Multus, into {}; RKE2 reads it when it starts next.",
                escape(&last.place())
            )),
    ])
}

/// Why RKE2 refuses the list (rke2 pkg/cli/cmds/server.go, `validateCNI`); none when it does not.
fn refusal(names: &[Sourced<String>]) -> Option<&'static str> {
    let multus = names.iter().position(|name| name.value == "multus");
    match (names.len(), multus) {
        (1, Some(_)) => Some("multus needs another CNI behind it"),
        (2, Some(0)) | (0 | 1, _) => None,
        (2, Some(_)) => Some("multus must come first"),
        (2, None) => Some("two CNIs are allowed only when the first one is multus"),
        _ => Some("at most multus and one CNI are allowed"),
    }
}
