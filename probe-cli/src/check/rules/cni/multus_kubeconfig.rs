//! Multus cannot ask the API server.

use super::{super::prelude::*, NO_MULTUS, access, multus, without_access};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-multus-kubeconfig",
    family: Family::Cni,
    title: "Multus cannot use its kubeconfig",
    symptom: "No pod starts: \"Unauthorized\", or \"no such file\".",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The file that Multus's configuration names, and `exp` of the token in it (RFC 7519).",
        why: "Multus's pod does not run and so does not write a new token; or Multus was removed, and its files were left: then \
              delete 00-multus.conf and multus.d.",
        fix: "Restart Multus's pod on this node, which writes it again.",
        not_if: "The thick plugin (multus-shim) has none on the node: it is not judged.",
        seen_in: "rke2#9313, multus#852, multus#1429",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some((_, plugin, multus)) = multus(model) else { return Outcome::DoesNotApply(NO_MULTUS) };
    let Some(path) = multus.kubeconfig.as_ref().filter(|_| plugin.kind.value == "multus") else {
        return Outcome::DoesNotApply("Multus has no kubeconfig on the node");
    };
    if let Some(why) = multus.kubeconfig_file.trouble() {
        return Outcome::NotJudged(why);
    }
    let found = access(model, &multus.kubeconfig_file);
    let finding = found.map(|found| without_access("Multus", path, &multus.kubeconfig_file, &found));
    let fixed = finding.map(|finding| {
        finding
            .fix("Restart Multus's pod on this node, which writes it again; if Multus was removed, delete its configuration, the first file.")
            .run("kubectl -n kube-system get pods -o wide | grep multus")
    });
    Outcome::Judged(fixed.into_iter().collect())
}
