//! Values of RKE2's charts: of a chart's own manifest, and of the `HelmChartConfig` that goes with it by name and namespace.

use crate::facts::files::{Chart, ChartKind, HostFiles, Sourced};

/// Where RKE2 and k3s install their charts.
const NAMESPACE: &str = "kube-system";

/// True on a server of RKE2, whose charts are there to be looked at: what they do not say is their default.
pub(super) fn of_rke2(files: &HostFiles) -> bool {
    files.charts.value().is_some() && files.rke2_directory.value().is_some()
}

/// The manifests that are applied.
fn charts(files: &HostFiles) -> impl DoubleEndedIterator<Item = &Chart> {
    files.charts.value().into_iter().flatten().filter(|chart| chart.ignored().is_none())
}

/// Name of the chart that a manifest's values are for: a `HelmChartConfig`'s are for that of the `HelmChart` of its name.
fn installs<'a>(files: &'a HostFiles, chart: &'a Chart) -> &'a str {
    let is_its = |other: &&Chart| {
        other.kind == ChartKind::HelmChart
            && other.name.value == chart.name.value
            && other.namespace() == chart.namespace()
    };
    charts(files).find(is_its).unwrap_or(chart).installs()
}

/// The values of a key of a chart: a `HelmChartConfig`'s count more than the chart's own, and of several the last one's.
pub(super) fn values<'a>(files: &'a HostFiles, chart: &str, key: &str) -> &'a [Sourced<String>] {
    let of = |kind: ChartKind| {
        charts(files)
            .rev()
            .filter(move |found| found.kind == kind && found.namespace() == NAMESPACE)
            .filter(|found| installs(files, found) == chart)
            .find_map(|found| found.values.get(key))
    };
    of(ChartKind::HelmChartConfig).or_else(|| of(ChartKind::HelmChart)).map(Vec::as_slice).unwrap_or_default()
}

/// The one value of a key, where it is not empty.
pub(super) fn value<'a>(files: &'a HostFiles, chart: &str, key: &str) -> Option<&'a Sourced<String>> {
    values(files, chart, key).last().filter(|value| !value.value.is_empty())
}

/// A key's value where it is not 0, which charts take for "not set".
pub(super) fn number<'a>(files: &'a HostFiles, chart: &str, key: &str) -> Option<&'a Sourced<String>> {
    value(files, chart, key).filter(|value| value.value != "0")
}
