//! The health check for people: areas that are well, what was not judged, findings with the worst last, and the verdict.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{Health, subjects, word, worst};
use crate::{
    check::{Family, Finding, Outcome, Row, Severity, Verdict},
    model::{Encapsulation, Model},
    report::align::{WIDTH, wrapped},
    text,
};

/// Lines of evidence that a finding shows; JSON has all.
const EVIDENCE: usize = 4;

/// Everything. With `all` each finding names all that it is about.
pub fn table(health: &Health<'_>, all: bool) -> String {
    let mut out = String::new();
    heading(&mut out, health.model);
    areas(&mut out, health);
    not_judged(&mut out, health);
    for row in health.judgement.findings() {
        out.push('\n');
        finding(&mut out, health, row, all);
    }
    if !health.judgement.findings().is_empty() {
        out.push('\n');
    }
    out + &last_line(health)
}

/// The verdict, and what to do first.
pub fn last_line(health: &Health<'_>) -> String {
    let mut out = String::new();
    let verdict = word(health.verdict);
    wrapped(&mut out, &format!("{verdict}: "), &format!("{}, in {:.1} s", health.counts(), health.took_s));
    let first = health.judgement.findings().into_iter().rev().find_map(|row| match &row.outcome {
        Outcome::Judged(findings) => Some((row.check.id, worst(findings)?)),
        Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => None,
    });
    if let Some((id, finding)) = first {
        wrapped(&mut out, "      ", &format!("First: {} ({id})", first_sentence(&finding.fix.text)));
    } else if health.verdict == Verdict::Unknown {
        wrapped(
            &mut out,
            "      ",
            "Nothing is known to be wrong, but the checks above could not be judged.",
        );
    }
    out
}

/// `node-2  Canal VXLAN  flannel.1 over eth0  3 peers  41 pods`.
fn heading(out: &mut String, model: &Model) {
    let inventory = &model.inventory;
    let mut parts =
        vec![inventory.node.hostname.as_deref().map_or_else(|| "this node".to_owned(), text::escape)];
    for plane in inventory.data_planes.iter().filter(|plane| !plane.is_left_over()) {
        parts.push(format!("{} {}", plane.system, plane.encapsulation));
        if plane.encapsulation != Encapsulation::None {
            let names: Vec<String> = plane.devices.iter().map(|device| text::escape(&device.name)).collect();
            parts.push(names.join(", "));
        }
    }
    let peers = inventory.peers.len() + inventory.routed_peers.len();
    parts.push(text::counted(peers, "peer"));
    parts.push(text::counted(inventory.pods.len(), "pod"));
    wrapped(out, "", &parts.join("  "));
}

/// A line for each family in which all that was judged is well.
fn areas(out: &mut String, health: &Health<'_>) {
    for family in Family::ALL {
        let rows: Vec<&Row> = health.judgement.rows.iter().filter(|row| row.check.family == family).collect();
        let passed = rows
            .iter()
            .filter(|row| row.severity().is_none() && matches!(row.outcome, Outcome::Judged(_)))
            .count();
        let not_judged = rows.iter().filter(|row| matches!(row.outcome, Outcome::NotJudged(_))).count();
        if rows.is_empty() || rows.iter().any(|row| row.severity().is_some()) {
            continue;
        }
        let name = area(family);
        if passed == 0 && not_judged == 0 {
            wrapped(out, &format!("  --    {name:<12} "), "does not apply here");
        } else if passed > 0 {
            let judged = if not_judged == 0 { String::new() } else { format!(" ({not_judged} not judged)") };
            wrapped(
                out,
                &format!("  ok    {name:<12} "),
                &format!("{}{judged}", detail(family, health.model, passed)),
            );
        }
    }
}

fn area(family: Family) -> &'static str {
    match family {
        Family::Intent => "intended",
        Family::Dataplane => "data plane",
        Family::Mtu => "MTU",
        Family::Peers => "peers",
        Family::Wireguard => "WireGuard",
        Family::Host => "host",
        Family::Pods => "pods",
    }
}

/// What was looked at.
fn detail(family: Family, model: &Model, passed: usize) -> String {
    let inventory = &model.inventory;
    let checks = text::counted(passed, "check");
    match family {
        Family::Intent => format!("files and kernel agree in what {checks} compared"),
        Family::Dataplane => {
            let names: Vec<String> =
                inventory.all_tunnels().map(|tunnel| text::escape(&tunnel.name)).collect();
            if names.is_empty() { checks } else { format!("{} up, none stale", names.join(", ")) }
        }
        Family::Mtu => {
            let paths = model.setup.mtu.iter().filter(|path| !path.left_over);
            let chains: Vec<String> = paths
                .map(|path| {
                    let below = path.underlays.iter().map(|below| below.mtu).min();
                    let below = below.map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
                    let pods: Vec<String> = path.pods.iter().map(|pods| pods.mtu.to_string()).collect();
                    let pods = if pods.is_empty() { "-".to_owned() } else { pods.join("/") };
                    let name = text::escape(&path.device);
                    if path.encapsulation == Encapsulation::None {
                        format!("{name} {} >= pods {pods}", path.usable)
                    } else {
                        format!("{name} {below} > {} >= pods {pods}", path.usable)
                    }
                })
                .collect();
            if chains.is_empty() { checks } else { chains.join("; ") }
        }
        Family::Peers => match inventory.peers.len() + inventory.routed_peers.len() {
            0 => "no other node is known".to_owned(),
            peers => format!("{}: tables agree", text::counted(peers, "peer")),
        },
        Family::Wireguard => checks,
        Family::Host => match &model.window {
            Some(window) => format!("{checks}, counters over {:.1} s", window.length.as_secs_f64()),
            None => checks,
        },
        Family::Pods => format!("{}, no address twice", text::counted(inventory.pods.len(), "pod")),
    }
}

/// What was not judged, one line for each reason.
fn not_judged(out: &mut String, health: &Health<'_>) {
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in &health.judgement.rows {
        let Outcome::NotJudged(why) = &row.outcome else { continue };
        match by_reason.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, ids)) => ids.push(row.check.id),
            None => by_reason.push((why, vec![row.check.id])),
        }
    }
    for (why, ids) in by_reason {
        let which = match ids.as_slice() {
            [one] => (*one).to_owned(),
            [one, more @ ..] => format!("{one} and {} more", more.len()),
            [] => continue,
        };
        wrapped(out, "  ??    ", &format!("not judged: {which}: {}", text::escape(why)));
    }
}

fn finding(out: &mut String, health: &Health<'_>, row: &Row, all: bool) {
    let Outcome::Judged(findings) = &row.outcome else { return };
    let Some(worst) = worst(findings) else { return };
    let mark = match worst.severity {
        Severity::Warn => "warn",
        Severity::Fail => "FAIL",
    };
    let title = format!("{mark}  {}", row.check.id);
    let names = subjects(findings);
    let room = WIDTH.saturating_sub(title.width() + 2);
    let _ = writeln!(out, "{title}  {}", text::fit(&names, room));
    wrapped(out, "      ", &worst.summary);
    wrapped(out, "      ", row.check.symptom);
    seen(out, worst);
    for other in
        findings.iter().filter(|other| !std::ptr::eq(*other, worst)).take(if all { usize::MAX } else { 2 })
    {
        wrapped(out, "      also   ", &other.summary);
    }
    let more = findings.len().saturating_sub(3);
    if !all && more > 0 {
        wrapped(out, "      also   ", &format!("{more} more; -v names all"));
    }
    let symptoms = health.judgement.symptoms_of(row.check.id);
    if !symptoms.is_empty() {
        wrapped(out, "      causes ", &symptoms.join(", "));
    }
    let elsewhere = if worst.fix.elsewhere { "cannot be fixed on this node: " } else { "" };
    wrapped(out, "      fix    ", &format!("{elsewhere}{}", worst.fix.text));
    for command in &worst.fix.commands {
        // A command is one line, whatever its length: it is there to be pasted.
        let _ = writeln!(out, "             {command}");
    }
    let _ = writeln!(out, "      more   overlay-probe check --explain {}", row.check.id);
}

/// `seen   what   value   source`, in columns.
fn seen(out: &mut String, finding: &Finding) {
    let shown: Vec<[&str; 3]> = finding
        .evidence
        .iter()
        .take(EVIDENCE)
        .map(|evidence| [evidence.what.as_str(), evidence.value.as_str(), evidence.source.as_str()])
        .collect();
    let width =
        |column: usize, most: usize| shown.iter().map(|row| row[column].width()).max().unwrap_or(0).min(most);
    let (what, value) = (width(0, 26), width(1, 22));
    for (number, row) in shown.iter().enumerate() {
        let mark = if number == 0 { "seen" } else { "" };
        let front = format!("      {mark:<6} {}  {}", padded(row[0], what), padded(row[1], value));
        let line = format!("{front}  {}", row[2]);
        if line.width() <= WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
        } else {
            // The source is what is to be read: it gets a line of its own and is never cut.
            let _ = writeln!(out, "{}", front.trim_end());
            wrapped(out, "               ", row[2]);
        }
    }
}

fn padded(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

/// Up to the first mark that ends a clause: what to do, without reasons and ways.
fn first_sentence(text: &str) -> &str {
    let end = [". ", "; ", ": ", " ("].iter().filter_map(|mark| text.find(mark)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim_end_matches('.')
}
