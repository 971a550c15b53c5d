//! The part of `show node` that has what is intended beside what there is.

use super::align::{aligned, heading, indented, wrapped};
use crate::{
    model::{Answer, Aspect, Basis, Chart, ChartKind, Claim, Comparison, Intent, InterfaceChoice, Origin},
    text,
};

/// Values of one answer that are shown; the others are in the JSON.
const VALUES: usize = 8;

/// A table, then what is odd about the files. Nothing where no file tells anything.
pub(super) fn table(out: &mut String, intent: &Intent, rows: &[Comparison], charts: &[Chart]) {
    let others = others(intent, charts);
    if rows.iter().all(|row| row.intended.is_empty()) {
        // What follows is of files, too.
        if others.is_empty() {
            out.push_str("No file below the host's root configures the data plane.\n\n");
        }
    } else {
        let mut cells = vec![heading(&["", "INTENDED", "", "ACTUAL", "SOURCE"])];
        cells.extend(rows.iter().map(|row| {
            vec![
                title(row.aspect).to_owned(),
                list(&row.intended),
                mark(row.agrees).to_owned(),
                list(&row.actual),
                said_by(row),
            ]
        }));
        aligned(out, &cells);
        out.push('\n');
    }
    if !others.is_empty() {
        indented(out, 0, &others);
        out.push('\n');
    }
    for note in &intent.notes {
        wrapped(out, "! ", &text::escape(note));
    }
    if !intent.notes.is_empty() {
        out.push('\n');
    }
}

/// What the kernel has no word for: networks by their names in CNI's files, and the charts' manifests.
fn others(intent: &Intent, charts: &[Chart]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if let Some(network) = &intent.default_network {
        add("default network", text::escape(&network.value));
    }
    if let Some(multus) = &intent.multus {
        let state = match (&multus.requested, &multus.installed) {
            (Some(_), Some(_)) => "requested, and first in CNI's directory",
            (Some(_), None) => "requested, but not first in CNI's directory",
            (None, Some(_)) => "first in CNI's directory",
            (None, None) => "mentioned",
        };
        let delegate =
            multus.delegate.as_ref().map(|delegate| format!("; behind it {}", text::escape(&delegate.value)));
        add("Multus", format!("{state}{}", delegate.unwrap_or_default()));
        if multus.chain.len() > 1 {
            let chain: Vec<String> = multus.chain.iter().map(|plugin| text::escape(&plugin.value)).collect();
            add("CNI plugins", chain.join(" > "));
        }
    }
    if intent.direct_routing.as_ref().is_some_and(|direct| direct.value) {
        add("direct routing", "between nodes of one network nothing is wrapped".to_owned());
    }
    if intent.whereabouts.is_some() {
        add("Whereabouts", "configured".to_owned());
    }
    for chart in charts {
        let kind = match chart.kind {
            ChartKind::HelmChart => "HelmChart",
            ChartKind::HelmChartConfig => "HelmChartConfig",
        };
        let ignored =
            chart.ignored().map_or_else(String::new, |why| format!(", ignored: {}", text::escape(&why)));
        let name = text::escape(&chart.name.value);
        add(kind, format!("{name} in namespace {}{ignored}", text::escape(chart.namespace())));
    }
    rows
}

fn title(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Cni => "CNI",
        Aspect::Backend => "backend",
        Aspect::Families => "families",
        Aspect::ClusterCidrs => "cluster CIDRs",
        Aspect::PodCidrs => "pod networks",
        Aspect::NodeAddresses => "node addresses",
        Aspect::Interface => "interface",
        Aspect::TunnelMtu => "tunnel MTU",
        Aspect::PodMtu => "pod MTU",
        Aspect::Vni => "VNI",
        Aspect::Port => "port",
    }
}

fn mark(agrees: Option<bool>) -> &'static str {
    match agrees {
        Some(true) => "=",
        Some(false) => "!=",
        None => "",
    }
}

fn list(claims: &[Claim]) -> String {
    if claims.is_empty() {
        return "-".to_owned();
    }
    // Families, MTUs and the like are short; networks and addresses of two families have a line each.
    let is_short = claims.iter().all(|claim| matches!(claim.value, Answer::Family(_) | Answer::Number(_)));
    let words: Vec<String> =
        claims.iter().take(VALUES).map(|claim| text::escape(&word(&claim.value))).collect();
    let more = claims.len().saturating_sub(VALUES);
    let more = (more > 0).then(|| format!("and {more} more"));
    let separator = if is_short { " " } else { "\n" };
    words.into_iter().chain(more).collect::<Vec<_>>().join(separator)
}

/// Each answer in words, as the file or the kernel has it.
pub(super) fn words(claims: &[Claim]) -> Vec<String> {
    claims.iter().map(|claim| word(&claim.value)).collect()
}

fn word(answer: &Answer) -> String {
    match answer {
        Answer::Cni(cni) => cni.to_string(),
        Answer::System(system) => system.to_string(),
        Answer::Backend(backend) => backend.to_string(),
        Answer::Encapsulation(encapsulation) => encapsulation.to_string(),
        Answer::Family(family) => family.to_string(),
        Answer::Network(network) => network.to_string(),
        Answer::Address(address) => address.to_string(),
        Answer::Interface(InterfaceChoice::Pattern(pattern)) => format!("matches {pattern}"),
        Answer::Interface(InterfaceChoice::Name(words) | InterfaceChoice::Rule(words))
        | Answer::Name(words) => words.clone(),
        Answer::Number(number) => number.to_string(),
    }
}

/// File and line that a row's intended values are from.
pub(super) fn place(row: &Comparison) -> (Option<&str>, Option<u32>) {
    match &row.said_by {
        Some(Origin::File { file, line }) => (Some(file), *line),
        Some(Origin::Default | Origin::Netlink { .. }) | None => (None, None),
    }
}

pub(super) fn said_by(row: &Comparison) -> String {
    // Whole paths are in the JSON: here the end of one says more than its beginning.
    let (file, line) = place(row);
    let name = file.map(|file| text::escape(file.rsplit('/').next().unwrap_or(file)));
    let place = match (name, line) {
        (Some(name), Some(line)) => format!("{name}:{line}"),
        (Some(name), None) => name,
        (None, _) => String::new(),
    };
    match (row.basis, place.is_empty()) {
        (None, _) => String::new(),
        (Some(Basis::Configured), _) => place,
        (Some(Basis::Inferred), _) => format!("follows from {place}"),
        (Some(Basis::Default), _) => "default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::{
        model::{Intended, MultusIntent, Sourced},
        report::align::WIDTH,
    };

    fn row(
        aspect: Aspect,
        intended: &[&str],
        actual: &[&str],
        agrees: Option<bool>,
        basis: Basis,
    ) -> Comparison {
        let file = "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml".to_owned();
        let origin = Origin::File { file, line: Some(9) };
        let claims = |values: &[&str]| {
            let claim =
                |value: &&str| Claim { value: Answer::Name((*value).to_owned()), origin: origin.clone() };
            values.iter().map(claim).collect()
        };
        Comparison {
            aspect,
            intended: claims(intended),
            actual: claims(actual),
            agrees,
            basis: (!intended.is_empty()).then_some(basis),
            said_by: Some(origin.clone()),
        }
    }

    #[test]
    fn it_fits_a_terminal() {
        let rows = [
            row(Aspect::Cni, &["canal"], &["Canal"], Some(true), Basis::Configured),
            row(Aspect::Backend, &["wireguard"], &["VXLAN"], Some(false), Basis::Configured),
            row(Aspect::ClusterCidrs, &["10.42.0.0/16", "fd00:42::/56"], &[], None, Basis::Configured),
            row(
                Aspect::NodeAddresses,
                &["192.0.2.18", "2001:db8:147::218"],
                &["192.0.2.18", "2001:db8:147:0:250:56ff:fe00:1418"],
                Some(false),
                Basis::Inferred,
            ),
            row(Aspect::PodMtu, &["1450"], &["1450", "1420"], Some(false), Basis::Default),
            row(Aspect::Interface, &["evil\u{1b}[2J"], &["eth0"], None, Basis::Inferred),
            row(Aspect::Port, &[], &["8472"], None, Basis::Configured),
        ];
        let said = |value: &str| Intended {
            value: value.to_owned(),
            basis: Basis::Configured,
            file: None,
            line: None,
        };
        let intent = Intent {
            notes: vec!["one file says this, another \u{1b} that".to_owned()],
            default_network: Some(said("multus-cni-network")),
            multus: Some(MultusIntent {
                delegate: Some(said("k8s-pod-network")),
                chain: vec![said("multus"), said("multus"), said("evil\u{1b}")],
                ..MultusIntent::default()
            }),
            direct_routing: Some(Intended { value: true, basis: Basis::Configured, file: None, line: None }),
            ..Intent::default()
        };
        let sourced = |value: &str| Sourced { value: value.to_owned(), file: "x".to_owned(), line: None };
        let chart = Chart {
            kind: ChartKind::HelmChartConfig,
            api_version: Some(sourced("helm.cattle.io/v1")),
            name: sourced("rke2-canal\u{1b}"),
            ..Chart::default()
        };
        let charts = [chart.clone(), Chart { api_version: None, name: sourced("rke2-calico"), ..chart }];
        let mut out = String::new();
        table(&mut out, &intent, &rows, &charts);
        insta::assert_snapshot!(out);
        for line in out.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
        let mut out = String::new();
        table(&mut out, &Intent::default(), &rows[6..], &[]);
        assert_eq!(out, "No file below the host's root configures the data plane.\n\n");
    }

    /// Rows below the sentence would come of a file, too.
    #[test]
    fn no_file_is_said_only_where_none_says_anything() {
        let said = Intended {
            value: "multus-cni-network".to_owned(),
            basis: Basis::Configured,
            file: Some("/etc/cni/net.d/00-multus.conf".to_owned()),
            line: Some(3),
        };
        let intent = Intent { default_network: Some(said), ..Intent::default() };
        let mut out = String::new();
        table(&mut out, &intent, &[], &[]);
        assert_eq!(out, "default network multus-cni-network\n\n");
    }
}
