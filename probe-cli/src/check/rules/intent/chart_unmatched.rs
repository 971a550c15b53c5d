//! Values for a chart that nobody installs.

use super::super::prelude::*;
use crate::model::{Chart, ChartKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-chart-unmatched",
    family: Family::Intent,
    title: "a HelmChartConfig is for no chart",
    symptom: "Settings of the network in a HelmChartConfig have no effect, and nothing is logged.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "Name and namespace of each HelmChartConfig with values for the network, against the HelmCharts among the server's \
              manifests.",
        why: "The helm-controller takes a HelmChartConfig for the HelmChart of its name and namespace: a spelling mistake, or no \
              `namespace: kube-system`, and it is for none.",
        fix: "Correct the name and the namespace.",
        not_if: "The CNI was changed, and the values are of the one before: then delete the manifest.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let charts: Vec<&Chart> = model.setup.charts.iter().filter(|chart| chart.ignored().is_none()).collect();
    let of_kind = |kind| charts.iter().copied().filter(move |chart| chart.kind == kind);
    // Without any chart among the manifests nothing can be said of which there are.
    if of_kind(ChartKind::HelmChart).next().is_none() {
        return Outcome::DoesNotApply("no HelmChart is among the manifests");
    }
    let with_values = of_kind(ChartKind::HelmChartConfig).filter(|config| !config.values.is_empty());
    let findings = with_values.filter_map(|config| {
        let named: Vec<&Chart> =
            of_kind(ChartKind::HelmChart).filter(|chart| chart.name.value == config.name.value).collect();
        if named.iter().any(|chart| chart.namespace() == config.namespace()) {
            return None;
        }
        // Charts of others may have been made in the API, and in no file: RKE2 has its own in files.
        if named.is_empty() && !config.name.value.starts_with("rke2-") {
            return None;
        }
        let name = shown(&config.name.value);
        let (there, fix) = match named.first() {
            Some(chart) => {
                let namespace = shown(chart.namespace());
                (
                    format!("in namespace {namespace}"),
                    format!(
                        "Write `namespace: {namespace}` below `metadata:` in {}",
                        escape(&config.name.file)
                    ),
                )
            }
            None => (
                "none of this name".to_owned(),
                format!(
                    "Correct the name in {}, or delete the file when its chart is not used any more",
                    escape(&config.name.file)
                ),
            ),
        };
        Some(
            Finding::new(
                Warn,
                SubjectKind::File,
                &config.name.file,
                format!(
                    "HelmChartConfig {name} in namespace {} has no effect: it is for no chart.",
                    shown(config.namespace())
                ),
            )
            .seen("HelmChartConfig", name, escape(&config.name.place()))
            .seen("HelmChart", there, "the server's manifests")
            .fix(format!("{fix}; RKE2 applies it within seconds. Canal takes new values over when its DaemonSet is restarted.")),
        )
    });
    Outcome::Judged(findings.collect())
}
