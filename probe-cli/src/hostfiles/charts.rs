//! `HelmChart` and `HelmChartConfig` objects among the manifests that servers apply, and what their values say of the network.
//! The directory also holds whole charts in base64, which are passed over.

use std::collections::BTreeMap;

use super::{
    notes::FileNotes,
    parse::{documents, ends, note_rest, note_trouble},
    root::Root,
    tree::At,
    yaml,
};
use crate::{
    facts::files::{Chart, ChartKind, Settings, Sourced},
    observed::Observed,
};

/// Endings of manifests.
const MANIFESTS: [&str; 3] = [".yaml", ".yml", ".json"];
/// Ending of what says that a manifest is not to be applied.
const SKIP: &str = ".skip";
/// Most manifests of one directory, and of all.
const FILES: usize = 512;
/// Most charts.
const CHARTS: usize = 512;
/// Directories below each other.
const DEPTH: usize = 4;
/// Values kept of one chart.
const VALUES: usize = 512;
/// Levels of a chart's values.
const LEVELS: usize = 12;

/// Values that are kept of each chart, whatever its manifest is called, by dotted path: all that begin with one of these.
/// Charts that no entry is for keep none: values of others hold passwords.
const KEPT: [(&str, &[&str]); 6] = [
    ("rke2-canal", &["calico.", "flannel.", "global.", "podCidr"]),
    ("rke2-flannel", &["flannel.", "global.", "podCidr"]),
    ("rke2-calico", &["felixConfiguration.", "global.", "installation.", "ipamConfig."]),
    (
        "rke2-cilium",
        &[
            "MTU",
            "autoDirectNodeRoutes",
            "bpf.",
            "cni.",
            "devices",
            "enableIPv4Masquerade",
            "enableIPv6Masquerade",
            "encryption.",
            "global.",
            "ipam.",
            "ipv4.",
            "ipv4NativeRoutingCIDR",
            "ipv6.",
            "ipv6NativeRoutingCIDR",
            "kubeProxyReplacement",
            "routingMode",
            "tunnel",
        ],
    ),
    (
        "rke2-multus",
        &[
            "config.",
            "dynamicNetworksController.",
            "global.",
            "manifests.",
            "rke2-whereabouts.",
            "thickPlugin.",
        ],
    ),
    ("rke2-whereabouts", &["cniConf.", "config.", "global."]),
];

/// Parts of a path that are kept of no chart: what is secret, and what is bulky and says nothing of the network.
const DROPPED: [&str; 12] = [
    "affinity",
    "image",
    "key",
    "keys",
    "livenessProbe",
    "nodeSelector",
    "password",
    "psk",
    "readinessProbe",
    "resources",
    "secret",
    "tolerations",
];

/// Manifests below `directory`. Absent where there is no such directory: on agents.
pub(super) fn read(root: &Root, directory: &str, notes: &mut FileNotes) -> Observed<Vec<Chart>> {
    let mut manifests = Vec::new();
    let mut files = FILES;
    let answer = walk(root, directory, DEPTH, &mut files, &mut manifests, notes);
    answer.map(|()| {
        // Which values count depends on the chart, and of a HelmChartConfig's another manifest says which that is.
        let of_key = |chart: &Chart| (chart.name.value.clone(), chart.namespace().to_owned());
        let mut installed: BTreeMap<(String, String), String> = BTreeMap::new();
        for Manifest { chart, .. } in &manifests {
            if chart.kind == ChartKind::HelmChart {
                installed.entry(of_key(chart)).or_insert_with(|| chart.installs().to_owned());
            }
        }
        let charts = manifests.into_iter().map(|Manifest { mut chart, notes: of_values }| {
            let name = installed.get(&of_key(&chart)).map_or(chart.name.value.as_str(), String::as_str);
            match KEPT.iter().find(|(known, _)| *known == name) {
                Some((_, kept)) => {
                    chart.values.retain(|path, _| is_kept(path, kept));
                    notes.extend(of_values);
                }
                None => chart.values.clear(),
            }
            chart
        });
        charts.collect()
    })
}

/// A chart with all values that may have to be kept, and what is to be said of them when they are.
pub(super) struct Manifest {
    pub(super) chart: Chart,
    pub(super) notes: FileNotes,
}

fn walk(
    root: &Root,
    directory: &str,
    depth: usize,
    files: &mut usize,
    manifests: &mut Vec<Manifest>,
    notes: &mut FileNotes,
) -> Observed<()> {
    let found = root
        .names(directory, FILES, |name, kind| kind.is_dir() || ends(name, &MANIFESTS) || ends(name, &[SKIP]));
    let Observed::Value(found) = found else { return found.map(|_| ()) };
    note_rest(&found, directory, notes);
    for name in &found.first {
        // k3s applies nothing that has a file with this ending beside it (pkg/deploy/controller.go, `shouldSkipFile`).
        let is_skipped = found.first.binary_search(&format!("{name}{SKIP}")).is_ok();
        if is_skipped || ends(name, &[SKIP]) {
            continue;
        }
        let path = format!("{directory}/{name}");
        if ends(name, &MANIFESTS) {
            if *files == 0 {
                notes.add(directory, None, format!("more than {FILES} manifests: the others are left out"));
                break;
            }
            *files -= 1;
            let answer = documents(root, &path, notes);
            note_trouble(&answer, &path, notes);
            for document in answer.value().into_iter().flatten() {
                let found = manifest(&At::root(&path, document), notes);
                if found.is_some() && manifests.len() >= CHARTS {
                    notes.add(&path, None, format!("more than {CHARTS} charts: the others are left out"));
                    break;
                }
                manifests.extend(found);
            }
        } else if depth > 0 {
            let below = walk(root, &path, depth - 1, files, manifests, notes);
            note_trouble(&below, &path, notes);
        }
    }
    Observed::Value(())
}

/// The chart of a document; none of another kind of object.
pub(super) fn manifest(document: &At<'_>, notes: &mut FileNotes) -> Option<Manifest> {
    let kind = match document.string("kind")?.value.as_str() {
        "HelmChart" => ChartKind::HelmChart,
        "HelmChartConfig" => ChartKind::HelmChartConfig,
        _ => return None,
    };
    let metadata = document.get("metadata");
    let Some(name) = metadata.and_then(|metadata| metadata.string("name")) else {
        notes.at(document, format!("a {kind:?} without a name"));
        return None;
    };
    let spec = document.get("spec");
    let is_chart = kind == ChartKind::HelmChart;
    let mut of_values = FileNotes::default();
    let content = spec.and_then(|spec| spec.get("valuesContent"));
    let mut values = content.map(|content| content_values(&content, &mut of_values)).unwrap_or_default();
    if let Some(set) = spec.and_then(|spec| spec.get("set")).filter(|_| is_chart) {
        // `helm --set`: its keys are dotted paths already, and it counts more than values do.
        flatten(set, &mut values);
    }
    let chart = Chart {
        kind,
        api_version: document.string("apiVersion"),
        name,
        namespace: metadata.and_then(|metadata| metadata.string("namespace")),
        chart: spec.and_then(|spec| spec.string("chart")).filter(|_| is_chart).map(without_credentials),
        values,
    };
    Some(Manifest { chart, notes: of_values })
}

/// The values in `valuesContent`: YAML inside of a text.
fn content_values(content: &At<'_>, notes: &mut FileNotes) -> Settings {
    let Some(text) = content.text() else { return Settings::new() };
    let (documents, broken) = yaml::documents(text);
    let mut values = Settings::new();
    let document = documents.first().map(|document| At::inside(content, document));
    if let Some(broken) = broken {
        let place = content.sourced(());
        let line = match (&document, broken.line) {
            (Some(document), line) => document.line_of(line),
            (None, _) => content.line(),
        };
        let text =
            format!("valuesContent is not valid YAML, so the chart cannot be applied: {}", broken.cause);
        notes.add(&place.file, Some(line), text);
    }
    match document {
        Some(document) if document.is_map() => flatten(document, &mut values),
        Some(document) => notes.at(&document, "valuesContent is not a map of values".to_owned()),
        None => {}
    }
    values
}

/// Scalars and lists of scalars by dotted path, as far as one of the charts keeps them. Of equal keys the last one counts.
fn flatten(map: At<'_>, values: &mut Settings) {
    let mut found: BTreeMap<String, Vec<Sourced<String>>> = BTreeMap::new();
    let mut rest = vec![(String::new(), map, 0)];
    while let Some((path, at, level)) = rest.pop() {
        if found.len() >= VALUES {
            break;
        }
        if let Some(text) = at.text() {
            found.insert(path, vec![at.sourced(text.to_owned())]);
            continue;
        }
        if level >= LEVELS || at.is_null() {
            continue;
        }
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if at.is_list() {
            let texts: Vec<_> =
                at.texts().map(|(at, text)| at.sourced(text.to_owned())).take(VALUES).collect();
            if !texts.is_empty() {
                found.insert(path.clone(), texts);
            }
            let maps = at.items().enumerate().take(VALUES).filter(|(_, item)| item.is_map());
            rest.extend(maps.map(|(index, item)| (below(&index.to_string()), item, level + 1)));
        }
        let entries: BTreeMap<&str, At<'_>> = at.entries().collect();
        for (name, value) in entries.into_iter().take(VALUES) {
            let path = below(name);
            if KEPT.iter().any(|(_, kept)| is_kept(&path, kept)) {
                rest.push((path, value, level + 1));
            }
        }
    }
    values.append(&mut found);
}

/// True for what is kept, and for what leads to it.
fn is_kept(path: &str, kept: &[&str]) -> bool {
    let is_wanted =
        kept.iter().any(|wanted| path.starts_with(wanted) || wanted.starts_with(&format!("{path}.")));
    is_wanted && !path.split('.').any(|part| DROPPED.contains(&part))
}

/// A chart's address without a user and password in it: `scheme://user:password@host/chart.tgz`.
fn without_credentials(mut chart: Sourced<String>) -> Sourced<String> {
    if let Some((scheme, rest)) = chart.value.split_once("://") {
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if let Some(at) = rest.get(..authority).and_then(|authority| authority.rfind('@')) {
            chart.value = format!("{scheme}://{}", rest.get(at + 1..).unwrap_or_default());
        }
    }
    chart
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_makes_a_manifest_count() {
        let root = tempfile::tempdir().unwrap();
        fs::write(
            root.path().join("charts.yaml"),
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata:\n  name: a\nspec:\n  chart: oci://me:secret@charts.example/a\n\
             ---\nkind: HelmChartConfig\nmetadata:\n  name: rke2-canal\n  namespace: kube-system\n\
             ---\napiVersion: v1\nkind: HelmChart\nmetadata: {name: b}\nspec: {chart: stable/b@1}\n",
        )
        .unwrap();
        let found = read(&Root::open(root.path()).unwrap(), "/", &mut FileNotes::default());
        let found = found.value().unwrap();
        let text =
            |value: &Option<Sourced<String>>| value.as_ref().map(|value| (value.value.clone(), value.line));
        let said = |text: &str, line| Some((text.to_owned(), Some(line)));
        let rows: Vec<_> = found.iter().map(|chart| (text(&chart.api_version), text(&chart.chart))).collect();
        assert_eq!(
            rows,
            [
                (said("helm.cattle.io/v1", 1), said("oci://charts.example/a", 6)),
                (None, None),
                (said("v1", 13), said("stable/b@1", 16)),
            ]
        );
    }

    /// Whose values count is said by `spec.chart`, be the manifest called what it may; those of another chart are passed over.
    #[test]
    fn values_are_of_the_chart_that_is_installed() {
        let root = tempfile::tempdir().unwrap();
        let config = |name: &str| {
            format!(
                "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: {name}, namespace: kube-system}}\n\
                 spec:\n  valuesContent: |\n    flannel: {{iface: eth1}}\n    config: {{cni_conf: {{confDir: /nets}}}}\n---\n"
            )
        };
        let chart = |name: &str, chart: &str| {
            format!(
                "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {{name: {name}, namespace: kube-system}}\n\
                 spec: {{chart: {chart}, valuesContent: 'thickPlugin: {{enabled: true}}'}}\n---\n"
            )
        };
        let manifests = [
            config("multus"),
            chart("multus", "oci://charts.example/assets/rke2-multus-v4.2.1-build2.tgz"),
            config("rke2-canal"),
            chart("rke2-flannel", "traefik"),
            config("rke2-flannel"),
            // A chart of the same name in another namespace is another one.
            config("other"),
            chart("other", "rke2-canal").replace("kube-system", "default"),
        ];
        fs::write(root.path().join("all.yaml"), manifests.concat()).unwrap();
        let mut notes = FileNotes::default();
        let found = read(&Root::open(root.path()).unwrap(), "/", &mut notes);
        let rows: Vec<_> = found
            .value()
            .unwrap()
            .iter()
            .map(|chart| {
                let keys: Vec<&str> = chart.values.keys().map(String::as_str).collect();
                format!("{:?} {}: {}", chart.kind, chart.name.value, keys.join(" "))
            })
            .collect();
        assert_eq!(
            rows,
            [
                "HelmChartConfig multus: config.cni_conf.confDir",
                "HelmChart multus: thickPlugin.enabled",
                "HelmChartConfig rke2-canal: flannel.iface",
                "HelmChart rke2-flannel: ",
                "HelmChartConfig rke2-flannel: ",
                "HelmChartConfig other: ",
                "HelmChart other: ",
            ]
        );
        assert_eq!(notes.into_list(), []);
    }
}
