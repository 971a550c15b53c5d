//! The health check for people: areas that are well, what was not judged, findings with the worst last, and the verdict.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{Health, subjects, word};
use crate::{
    check::{self, Family, Finding, Outcome, Row, Severity, Verdict},
    model::{Encapsulation, Model, MtuPath},
    report::align::{WIDTH, wrapped},
    text,
};

/// Lines of evidence that a finding shows; JSON has all.
const EVIDENCE: usize = 4;

/// Commands of a fix that are shown: two for a device of each family, and one for the agent.
const COMMANDS: usize = 5;

/// Accepted findings that are named.
const ACCEPTED: usize = 3;

/// Columns before evidence: `      seen   `.
const MARKED: usize = 13;

/// Lines of a finding.
const MOST_LINES: usize = 10;

/// Everything. With `all` each finding names all that it is about.
pub fn table(health: &Health<'_>, all: bool) -> String {
    let mut out = String::new();
    heading(&mut out, health.model);
    areas(&mut out, health);
    not_judged(&mut out, health);
    accepted(&mut out, health);
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
        Outcome::Judged(findings) => Some((row.check.id, check::worst(findings)?)),
        Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => None,
    });
    if let Some((id, finding)) = first {
        wrapped(&mut out, "      ", &format!("First: {} ({id})", first_clause(&finding.fix.text)));
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
    for plane in inventory.data_planes.iter().filter(|plane| !plane.is_stale()) {
        parts.push(format!("{} {}", plane.system, plane.encapsulation));
        if plane.encapsulation != Encapsulation::None {
            let names: Vec<String> = plane.devices.iter().map(|device| text::escape(&device.name)).collect();
            parts.push(names.join(", "));
        }
    }
    let peers = inventory.peers.len() + inventory.routed_peers.len();
    parts.push(match (inventory.knows_all_peers(), peers) {
        (true, _) => text::counted(peers, "peer"),
        (false, 0) => "peers unknown".to_owned(),
        (false, _) => format!("{} and others", text::counted(peers, "peer")),
    });
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
        if rows.is_empty() || rows.iter().any(|row| row.severity().is_some() || !row.accepted.is_empty()) {
            continue;
        }
        let name = area(family);
        if passed == 0 && not_judged == 0 {
            let why = if family == Family::Peers && !health.model.inventory.knows_all_peers() {
                "not seen: they are in eBPF maps of the data plane, not in the kernel's tables"
            } else {
                "does not apply here"
            };
            wrapped(out, &format!("  --    {name:<12} "), why);
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
        Family::Vfs => "VFs",
        Family::Cni => "CNI files",
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
            let chains: Vec<String> = model.setup.mtu.iter().filter(|path| !path.stale).map(chain).collect();
            if chains.is_empty() { checks } else { chains.join("; ") }
        }
        Family::Peers => match inventory.peers.len() + inventory.routed_peers.len() {
            0 => "no other node is known".to_owned(),
            peers => format!("{}: tables agree", text::counted(peers, "peer")),
        },
        Family::Wireguard | Family::Cni => checks,
        Family::Host => match &model.window {
            Some(window) => format!("{checks}, counters over {:.1} s", window.length.as_secs_f64()),
            None => checks,
        },
        Family::Pods => format!("{}, no address twice", text::counted(inventory.pods.len(), "pod")),
        Family::Vfs => {
            let of_pods = model.vfs.iter().filter(|row| row.vf.pod.is_some()).count();
            format!("{}, {of_pods} of pods", text::counted(model.vfs.len(), "VF"))
        }
    }
}

/// `flannel.1 1500 > 1450 >= pods 1430`: from the NIC to the pods.
fn chain(path: &MtuPath) -> String {
    let name = text::escape(&path.device);
    let way = if path.encapsulation == Encapsulation::None {
        format!("{name} {}", path.usable)
    } else {
        let below = path.underlays.iter().map(|below| below.mtu).min();
        let below = below.map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
        format!("{name} {below} > {}", path.usable)
    };
    if path.route_limits_pods {
        // Their interfaces may have more.
        return format!("{way} of pods' routes");
    }
    let pods: Vec<String> = path.pods.iter().map(|pods| pods.mtu.to_string()).collect();
    format!("{way} >= pods {}", if pods.is_empty() { "-".to_owned() } else { pods.join("/") })
}

/// What was not judged, one line for each reason.
fn not_judged(out: &mut String, health: &Health<'_>) {
    for (why, ids) in health.judgement.not_judged() {
        wrapped(out, "  ??    ", &format!("not judged: {}: {}", check::named(&ids), text::escape(&why)));
    }
}

/// What somebody has accepted, in one line.
fn accepted(out: &mut String, health: &Health<'_>) {
    let all =
        health.judgement.rows.iter().flat_map(|row| row.accepted.iter().map(move |one| (row.check.id, one)));
    let findings: Vec<String> = all
        .map(|(id, one)| {
            format!("{id} ({}) until {}", text::escape(&one.finding.subject.name), one.acceptance.until)
        })
        .collect();
    let shown = match findings.as_slice() {
        [] => return,
        few if few.len() <= ACCEPTED => few.join(", "),
        many => format!("{} and {} more", many[..ACCEPTED].join(", "), many.len() - ACCEPTED),
    };
    wrapped(out, "  --    accepted     ", &format!("{}: {shown}", text::counted(findings.len(), "finding")));
}

/// One finding. Without `all` it takes at most [`MOST_LINES`] lines, if its fix leaves room for a line of evidence: what is
/// found first in 3 lines is worth more than what is complete in 30.
fn finding(out: &mut String, health: &Health<'_>, row: &Row, all: bool) {
    let Outcome::Judged(findings) = &row.outcome else { return };
    let Some(worst) = check::worst(findings) else { return };
    let mut before = title(row, findings, worst.severity);
    wrapped(&mut before, "      ", &worst.summary);
    wrapped(&mut before, "      ", row.check.symptom);
    let after = causes_and_fix(health, row, findings, worst, all);
    let taken = before.lines().count() + after.lines().count();
    let room = if all { usize::MAX } else { MOST_LINES.saturating_sub(taken) };

    let others: Vec<&Finding> = findings.iter().filter(|other| !std::ptr::eq(*other, worst)).collect();
    let for_others = usize::from(!others.is_empty());
    let seen = seen(worst, room.saturating_sub(for_others));
    let also = also(&others, room.saturating_sub(seen.lines().count()));
    out.push_str(&before);
    out.push_str(&seen);
    out.push_str(&also);
    out.push_str(&after);
}

fn title(row: &Row, findings: &[Finding], severity: Severity) -> String {
    let title = format!("{}  {}", severity.mark(), row.check.id);
    let room = WIDTH.saturating_sub(title.width() + 2);
    // Plain ASCII: this is read in mail, in logs and on serial consoles.
    let names = text::fit(&subjects(findings), room).replace('…', "~");
    format!("{title}  {names}\n")
}

fn causes_and_fix(
    health: &Health<'_>,
    row: &Row,
    findings: &[Finding],
    worst: &Finding,
    all: bool,
) -> String {
    let mut out = String::new();
    let symptoms = health.judgement.symptoms_of(row.check.id);
    if !symptoms.is_empty() {
        wrapped(&mut out, "      causes ", &symptoms.join(", "));
    }
    let elsewhere = if worst.fix.elsewhere { "cannot be fixed on this node: " } else { "" };
    wrapped(&mut out, "      fix    ", &format!("{elsewhere}{}", worst.fix.text));
    let commands = check::commands(findings);
    let most = if all { usize::MAX } else { COMMANDS };
    for command in commands.iter().take(most) {
        // A command is one line, whatever its length: it is there to be pasted.
        let _ = writeln!(out, "             {command}");
    }
    if let Some(more) = commands.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(out, "             # {} more; -v has all", text::counted(more, "command"));
    }
    let _ = writeln!(out, "      more   overlay-probe check --explain {}", row.check.id);
    out
}

/// The other findings of a check, in at most `room` lines, but never fewer than one that counts them.
fn also(others: &[&Finding], room: usize) -> String {
    const MARK: &str = "      also   ";
    let mut lines: Vec<String> = Vec::new();
    for other in others {
        let mut line = String::new();
        wrapped(&mut line, MARK, &other.summary);
        lines.push(line);
    }
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let left: usize = lines.iter().skip(at).map(|line| line.lines().count()).sum();
        let taken = out.lines().count();
        // A line is kept for the count of those that have no room.
        if taken + left > room && taken + line.lines().count() + 1 > room {
            wrapped(&mut out, MARK, &format!("{} more; -v names all", lines.len() - at));
            break;
        }
        out.push_str(line);
    }
    out
}

/// `seen   what   value   source`, in columns: the first, and as many more as fit `room` lines.
fn seen(finding: &Finding, room: usize) -> String {
    let all: Vec<[&str; 3]> = finding
        .evidence
        .iter()
        .take(EVIDENCE)
        .map(|evidence| [evidence.what.as_str(), evidence.value.as_str(), evidence.source.as_str()])
        .collect();
    // Columns are as wide as what is shown needs, which depends on how much is shown.
    let fewer = (1..=all.len()).rev().map(|shown| columns(&all[..shown]));
    let mut sizes =
        fewer.skip_while(|lines| lines.lines().count() > room).chain([columns(&all[..all.len().min(1)])]);
    sizes.next().unwrap_or_default()
}

fn columns(rows: &[[&str; 3]]) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let fits = rows.iter().all(|row| MARKED + widest(0) + 2 + widest(1) + 2 + row[2].width() <= WIDTH);
    // One long cell is not to push the others' columns off the screen.
    let most = |column: usize, most: usize| if fits { widest(column) } else { widest(column).min(most) };
    let (what, value) = (most(0, 26), most(1, 22));
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mark = if number == 0 { "seen" } else { "" };
        let front = format!("      {mark:<6} {}  {}", padded(row[0], what), padded(row[1], value));
        let one_line = format!("{front}  {}", row[2]);
        if one_line.width() <= WIDTH {
            let _ = writeln!(out, "{}", one_line.trim_end());
            continue;
        }
        // The source is what is to be read: it gets a line of its own and is never cut.
        wrapped(&mut out, &format!("      {mark:<6} {}  ", padded(row[0], what)), row[1]);
        wrapped(&mut out, "               ", row[2]);
    }
    out
}

fn padded(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

/// What to do, without reasons and ways: up to the first mark that ends a clause. What stands in parentheses is left out; what is
/// quoted in backticks is one word.
fn first_clause(text: &str) -> String {
    let mut out = String::new();
    let (mut is_quoted, mut depth) = (false, 0_usize);
    let mut rest = text.chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            '`' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => {
                depth = depth.saturating_sub(1);
                continue;
            }
            '.' | ';' | ':' if !is_quoted && depth == 0 && rest.peek().is_none_or(|next| *next == ' ') => {
                break;
            }
            _ => {}
        }
        if depth == 0 {
            let is_second_blank = one == ' ' && out.ends_with(' ');
            let is_mark = matches!(one, ',' | '.' | ';' | ':') && out.ends_with(' ');
            if is_mark {
                out.pop();
            }
            if !is_second_blank {
                out.push(one);
            }
        }
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_first_is_a_whole_clause() {
        for (fix, first) in [
            (
                "Write `apiVersion: v1; x. y` into FILE; RKE2 applies it.",
                "Write `apiVersion: v1; x. y` into FILE",
            ),
            (
                "Bring it up, and let the manager (nmcli, ifup) start it: why.",
                "Bring it up, and let the manager start it",
            ),
            ("Restart the agent (pods: keep running). Then wait.", "Restart the agent"),
            ("Set it (a `)`), then go on", "Set it, then go on"),
            (
                "Put it back into /etc/rancher/rke2/config.yaml:3 on 10.0.0.1.",
                "Put it back into /etc/rancher/rke2/config.yaml:3 on 10.0.0.1",
            ),
            ("", ""),
        ] {
            assert_eq!(first_clause(fix), first);
        }
    }
}
