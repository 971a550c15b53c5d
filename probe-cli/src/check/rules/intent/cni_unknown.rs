//! `cni:` has a value that RKE2 has no chart for.

use super::{super::prelude::*, source};
use crate::model::{Cni, Origin};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-cni-unknown",
    family: Family::Intent,
    title: "the configured CNI is not one that RKE2 knows",
    symptom: "No CNI is installed: nodes stay NotReady, pods stay in ContainerCreating.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`cni` of RKE2's configuration against canal, calico, cilium, flannel, multus and none.",
        why: "Several CNIs are a list (`cni: [multus, canal]`); one word such as `multus+canal` is taken for a name.",
        fix: "Correct the value on every server and restart rke2-server.",
        not_if: "A third party's CNI is installed under `cni: none`.",
        seen_in: "rancher#33784",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let wanted = model.setup.intent.as_ref().and_then(|intent| intent.cni.as_ref());
    let Some(wanted) = wanted else { return Outcome::DoesNotApply("no file names a CNI") };
    let Cni::Other(name) = &wanted.value else { return Outcome::Judged(Vec::new()) };
    let file = wanted.file.as_deref().unwrap_or_default();
    // Other systems' configuration files name plugins of any kind.
    if !file.contains("/etc/rancher/rke2/") {
        return Outcome::DoesNotApply("RKE2's configuration names no CNI");
    }
    let place = source(&Origin::File { file: file.to_owned(), line: wanted.line });
    Outcome::Judged(vec![
        Finding::new(Fail, SubjectKind::File, file, format!("RKE2 has no CNI called {}.", shown(name)))
            .seen("cni", shown(name), place.clone())
            .fix(format!(
                "Write one of canal, calico, cilium, flannel or none into {place}, as a list after multus where Multus \
                 is wanted; then restart rke2-server on each server."
            )),
    ])
}
