//! Some flows to another node carry less than others, or nothing: probes took several ways, and one of them is bad.

use super::{super::prelude::*, probed};
use crate::{
    check::Severity,
    model::{Limit, ProbedPath},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-flows-differ",
    family: Family::Mtu,
    title: "some flows to another node carry less than others",
    symptom: "A share of the connections to one node hangs or cannot be opened, others are well; trying again helps.",
    core: false,
    needs: &[Need::Routes, Need::TunnelTables, Need::ProbedFlows],
    explained_by: &[],
    explain: Explain {
        how: "With --probe --flows 16: to each address 16 flows are measured, one of echo requests and 15 of TCP segments, each from a \
              port of its own. VXLAN's outer source port follows from the ports inside, so that they take all ways between the nodes. \
              Some carry less than others, or nothing.",
        why: "One member of a LAG, or one of several equal routes, has a smaller MTU or loses packets. What distributes packets looks at \
              their ports: each connection stays on its member.",
        fix: "Compare MTU and error counters of the members between the two nodes, and take the odd one out until it is mended. \
              `overlay-probe mtu --flows 16` shows each path.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    probed::judged(model, |path| path.flows > 1, finding)
}

fn finding(paths: &[&ProbedPath]) -> Option<Finding> {
    let (path, severity, what) =
        paths.iter().find_map(|path| differing(path).map(|(severity, what)| (path, severity, what)))?;
    let finding = Finding::new(severity, SubjectKind::Peer, &path.peer, what);
    Some(probed::seen(finding, paths).fix_elsewhere(
        "compare MTU and error counters of the members of each LAG, and of the equal routes, between the two nodes; take the one that \
         is not as the others out until it is mended. `overlay-probe mtu --flows 16` shows each path.",
    ))
}

/// How bad it is, and what; none where all flows fare alike.
fn differing(path: &ProbedPath) -> Option<(Severity, String)> {
    let Limit::SomeFlows { limited, dead, most, said_by } = path.limit else { return None };
    let (who, flows, less) = (probed::who(path), path.flows, limited.saturating_sub(dead));
    let size = path.measured.unwrap_or(0);
    let nothing = (dead > 0).then(|| format!("{dead} of {flows} flows to {who} carry nothing"));
    let less = (less > 0).then(|| match said_by {
        Some(by) => format!("{less} of {flows} flows to {who} carry {size} bytes at most, says {by}"),
        None => format!("{less} of {flows} flows to {who} lose packets of more than {size} bytes silently"),
    });
    let all: Vec<String> = less.into_iter().chain(nothing).collect();
    let severity = if dead == 0 && said_by.is_some() { Warn } else { Fail };
    Some((severity, format!("{}; the others carry {most}.", all.join(", and "))))
}
