//! Measured paths, for the checks about them: those of one node together, and how they are shown.

use std::{collections::BTreeMap, net::IpAddr};

use super::super::prelude::*;
use crate::model::{Limit, ProbedPath};

/// Where it was measured, for evidence.
const SOURCE: &str = "probes that may not be cut";

/// What a check makes of the paths. Nothing that is wrong is no good news where paths of a node could not be measured, or not as
/// the check needs it.
pub(super) fn judged(
    model: &Model,
    is_enough: impl Fn(&ProbedPath) -> bool,
    finding: impl Fn(&[&ProbedPath]) -> Option<Finding>,
) -> Outcome {
    let Some(probed) = model.probed.value().filter(|probed| !probed.paths.is_empty()) else {
        return Outcome::DoesNotApply("no other node is known that probes could be sent to");
    };
    let is_unknown =
        |path: &&ProbedPath| path.measured.is_none() || path.limit == Limit::Unknown || !is_enough(path);
    let nodes = by_node(model, &probed.paths);
    let found: Vec<Finding> = nodes.values().filter_map(|paths| finding(paths)).collect();
    let unknown: Vec<&IpAddr> =
        nodes.iter().filter(|(_, paths)| paths.iter().all(is_unknown)).map(|(node, _)| node).collect();
    match unknown.as_slice() {
        [first, more @ ..] if found.is_empty() => Outcome::NotJudged(format!(
            "too few probes to {first}{} were answered: see `overlay-probe mtu`",
            if more.is_empty() {
                String::new()
            } else {
                format!(" and {}", counted(more.len(), "more node"))
            }
        )),
        _ => Outcome::Judged(found),
    }
}

/// Paths by the node that they lead to, those below the tunnel first.
fn by_node<'m>(model: &Model, paths: &'m [ProbedPath]) -> BTreeMap<IpAddr, Vec<&'m ProbedPath>> {
    let mut nodes: BTreeMap<IpAddr, Vec<&ProbedPath>> = BTreeMap::new();
    for path in paths {
        let node = path.node_address.map_or(path.address, |address| model.node_of(address));
        nodes.entry(node).or_default().push(path);
    }
    for paths in nodes.values_mut() {
        paths.sort_by_key(|path| (path.tunnel.is_some(), path.address.is_ipv6()));
    }
    nodes
}

/// `node2 (192.0.2.2)`, `node2 (10.42.2.0 through flannel.1)`.
pub(super) fn who(path: &ProbedPath) -> String {
    let through = path.tunnel.as_ref().map_or_else(String::new, |name| format!(" through {}", escape(name)));
    let name = escape(&path.peer);
    if name == path.address.to_string() && through.is_empty() {
        name
    } else {
        format!("{name} ({}{through})", path.address)
    }
}

/// With what was measured on each path.
pub(super) fn seen(mut finding: Finding, paths: &[&ProbedPath]) -> Finding {
    for path in paths {
        let what = match &path.tunnel {
            Some(tunnel) => format!("{} through {}", path.address, escape(tunnel)),
            None => path.address.to_string(),
        };
        let size = path.measured.map_or_else(|| "no answer".to_owned(), |size| size.to_string());
        let value = match path.limit {
            Limit::Said { by } => format!("{size} of {}, says {by}", path.expected),
            Limit::Silent => format!("{size} of {}, larger ones are lost", path.expected),
            Limit::SilentBack => format!("{size} of {}, larger answers are lost", path.expected),
            Limit::Here => format!("{size} of {}, refused by this node", path.expected),
            Limit::SomeFlows { limited, dead, most, .. } => {
                let less = match dead {
                    0 => size,
                    dead if dead == limited => "nothing".to_owned(),
                    _ => format!("{size} or nothing"),
                };
                format!("{most} of {}, {less} in {limited} of {} flows", path.expected, path.flows)
            }
            Limit::None if path.cut_at.is_some() => format!("{size} in outer fragments"),
            Limit::None | Limit::Unanswered | Limit::Unknown => size,
        };
        finding = finding.seen(what, value, SOURCE);
    }
    finding
}
