//! Multus waits for a file that is not there.

use super::{
    super::{agent, prelude::*},
    NO_MULTUS, multus,
};
use crate::observed::Observed;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-multus-waits",
    family: Family::Cni,
    title: "Multus waits for a file that does not exist",
    symptom: "New pods stay in ContainerCreating until a time-out, over and over.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`readinessindicatorfile` of Multus's configuration, looked for on the node.",
        why: "An update gave the CNI's file another name, or the CNI's pod has not written it.",
        fix: "Correct the path in Multus's configuration, or find out why the CNI's pod does not write the file.",
        not_if: "",
        seen_in: "rke2#10360, multus#1312",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some((_, _, multus)) = multus(model) else { return Outcome::DoesNotApply(NO_MULTUS) };
    let Some(file) = &multus.readiness_file else {
        return Outcome::DoesNotApply("Multus waits for no file");
    };
    if let Some(why) = multus.is_ready.trouble() {
        return Outcome::NotJudged(why);
    }
    if !matches!(multus.is_ready, Observed::Absent) {
        return Outcome::Judged(Vec::new());
    }
    Outcome::Judged(vec![agent::listed(
        model,
        Finding::new(
            Fail,
            SubjectKind::File,
            &file.value,
            format!("Multus waits for {}, which does not exist: no pod starts.", shown(&file.value)),
        )
        .seen("readinessindicatorfile", shown(&file.value), escape(&file.place()))
        .fix(
            "Find out why the cluster's CNI does not write this file; if its file has another name now, correct Multus's configuration.",
        ),
    )])
}
