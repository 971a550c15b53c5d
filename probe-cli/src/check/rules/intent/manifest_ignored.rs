//! A manifest of a chart that no controller takes for one.

use super::super::prelude::*;
use crate::model::{Chart, ChartKind};

/// The only version that there is of these objects.
const API_VERSION: &str = "helm.cattle.io/v1";

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-manifest-ignored",
    family: Family::Intent,
    title: "a chart's manifest is ignored",
    symptom: "Settings in a HelmChartConfig have no effect; RKE2's log has an error about the file.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`apiVersion` of each HelmChart and HelmChartConfig among the server's manifests.",
        why: "An object without `apiVersion: helm.cattle.io/v1` is refused by the API server, and nothing but the log says so.",
        fix: "Write `apiVersion: helm.cattle.io/v1` as the object's first line.",
        not_if: "",
        seen_in: "rke2#2977",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.setup.charts.is_empty() {
        return Outcome::DoesNotApply("no manifest of a chart is here");
    }
    let is_taken =
        |chart: &&Chart| chart.api_version.as_ref().is_some_and(|version| version.value == API_VERSION);
    Outcome::Judged(model.setup.charts.iter().filter(|chart| !is_taken(chart)).map(finding).collect())
}

fn finding(chart: &Chart) -> Finding {
    let kind = match chart.kind {
        ChartKind::HelmChart => "HelmChart",
        ChartKind::HelmChartConfig => "HelmChartConfig",
    };
    let name = shown(&chart.name.value);
    let (version, place) = match &chart.api_version {
        Some(version) => (shown(&version.value), version.place()),
        None => ("missing".to_owned(), chart.name.place()),
    };
    Finding::new(
        Fail,
        SubjectKind::File,
        &chart.name.file,
        format!("{kind} {name} is not applied: its apiVersion is {version}, not {API_VERSION}."),
    )
    .seen("apiVersion", version, escape(&place))
    .fix(format!(
        "Write `apiVersion: {API_VERSION}` into {}; RKE2 applies it within seconds. Canal takes new values over when its DaemonSet is \
         restarted.",
        escape(&chart.name.file)
    ))
}
