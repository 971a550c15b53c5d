//! What files want against what the kernel has: one check for each question whose answers differ.

pub(super) mod backend_differs;
pub(super) mod chart_unmatched;
pub(super) mod cluster_cidr_differs;
pub(super) mod cni_differs;
pub(super) mod cni_refused;
pub(super) mod cni_unknown;
pub(super) mod direct_routing_unused;
pub(super) mod families_differ;
pub(super) mod interface_differs;
pub(super) mod manifest_ignored;
pub(super) mod multus_missing;
pub(super) mod multus_nested;
pub(super) mod node_address_differs;
pub(super) mod pod_cidr_differs;
pub(super) mod port_differs;
pub(super) mod vni_differs;
pub(super) mod vxlan_impossible;
pub(super) mod wireguard_impossible;

use super::prelude::*;
use crate::{
    check::Severity,
    model::{Answer, Aspect, Claim, Comparison, InterfaceChoice, Origin},
};

/// The fix where the kernel keeps a setting of a device from when it was made, and nodes reach only those that have the same.
/// [`compared`] names the file.
const REMADE: &str = "Compare with other nodes first: nodes reach only those with the same value. If they have the kernel's, put it back into \
                      FILE. If they have the file's, restart the CNI's agent on this node, which makes the device again.";

/// The finding of a question whose answers differ. `summary` is made of what is intended and of what there is.
fn compared(
    model: &Model,
    aspect: Aspect,
    severity: Severity,
    summary: fn(&str, &str) -> String,
    fix: &str,
) -> Outcome {
    let row = model.setup.comparison.iter().find(|row| row.aspect == aspect);
    match row.and_then(|row| Some((row, row.agrees?))) {
        Some((_, true)) => Outcome::Judged(Vec::new()),
        Some((row, false)) => Outcome::Judged(vec![finding(row, severity, summary, fix)]),
        None => match unread(model) {
            Some(why) => Outcome::NotJudged(why),
            None => Outcome::DoesNotApply("no file, or no kernel table, has this setting"),
        },
    }
}

/// Why configuration that may be there could not be read; none when all was read.
pub(super) fn unread(model: &Model) -> Option<String> {
    let files = model.snapshot.files.value()?;
    let all = [
        files.rke2.trouble(),
        files.k3s.trouble(),
        files.charts.trouble(),
        files.flannel.trouble(),
        files.cni.trouble(),
    ];
    all.into_iter().flatten().next()
}

fn finding(row: &Comparison, severity: Severity, summary: fn(&str, &str) -> String, fix: &str) -> Finding {
    let place = row.intended.first().map_or_else(|| "files".to_owned(), |claim| source(&claim.origin));
    let summary = summary(&values(&row.intended), &values(&row.actual));
    let mut finding = Finding::new(severity, SubjectKind::Node, "data plane", summary);
    for claim in &row.intended {
        finding = finding.seen("intended", value(&claim.value), source(&claim.origin));
    }
    for claim in &row.actual {
        finding = finding.seen("actual", value(&claim.value), source(&claim.origin));
    }
    finding.fix(fix.replace("FILE", &place))
}

fn values(claims: &[Claim]) -> String {
    let all: Vec<String> = claims.iter().map(|claim| value(&claim.value)).collect();
    all.join(", ")
}

fn value(answer: &Answer) -> String {
    match answer {
        Answer::Cni(cni) => escape(&cni.to_string()),
        Answer::System(system) => system.to_string(),
        Answer::Backend(backend) => escape(&backend.to_string()),
        Answer::Encapsulation(encapsulation) => encapsulation.to_string(),
        Answer::Family(family) => format!("IPv{family}"),
        Answer::Network(network) => network.to_string(),
        Answer::Address(address) => address.to_string(),
        Answer::Interface(
            InterfaceChoice::Name(name) | InterfaceChoice::Pattern(name) | InterfaceChoice::Rule(name),
        )
        | Answer::Name(name) => escape(name),
        Answer::Number(number) => number.to_string(),
    }
}

fn source(origin: &Origin) -> String {
    match origin {
        Origin::File { file, line: Some(line) } => format!("{}:{line}", escape(file)),
        Origin::File { file, line: None } => escape(file),
        Origin::Default => "the chart's default".to_owned(),
        Origin::Netlink { table, key } => format!("ip {table} {}", escape(key)),
    }
}
