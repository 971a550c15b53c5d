//! The table of `mtu`: the worst first, and below it what is wrong and what to do.

use std::fmt::Write as _;

use super::words;
use crate::{
    mtu::{Ignored, Judged, MOST_PROBES, Path, Row, SMALL, Severity},
    report::align::{aligned, heading, wrapped},
    text,
};

/// Paths that are named in one sentence.
const NAMED: usize = 3;

/// What the table consists of, for who breaks lines by itself. Safe to print.
#[derive(Debug)]
pub struct Lines {
    /// Its heading and a row for each path, aligned.
    pub rows: Vec<String>,
    /// What is wrong and what to do, a sentence or some each.
    pub advice: Vec<String>,
    /// How many there are of each severity.
    pub sum: String,
}

/// See [`Lines`].
pub fn lines(judged: &Judged) -> Lines {
    let mut rows = vec![heading(&["PEER", "WAY", "IP", "EXPECTED", "MEASURED", "VERDICT"])];
    rows.extend(judged.rows.iter().map(cells));
    let mut out = String::new();
    aligned(&mut out, &rows);
    let of_rows = grouped(&judged.rows).into_iter();
    let advice = of_rows.map(|(advice, subjects)| format!("{}: {advice}", named(&subjects)));
    Lines {
        rows: out.lines().map(str::to_owned).collect(),
        advice: advice.chain(notes(judged)).collect(),
        sum: last_line(judged),
    }
}

/// See the module.
pub fn table(judged: &Judged) -> String {
    let Lines { rows, advice, sum } = lines(judged);
    let mut out = rows.join("\n") + "\n\n";
    for words in &advice {
        wrapped(&mut out, "! ", words);
    }
    let _ = writeln!(out, "{sum}");
    out
}

fn cells(row: &Row) -> Vec<String> {
    let Path { peer, way, address, expected, .. } = &row.path;
    vec![
        text::escape(peer),
        words::way(*way).to_owned(),
        family(address.is_ipv6()),
        expected.to_string(),
        row.outcome.size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
        words::verdict(row),
    ]
}

fn family(is_v6: bool) -> String {
    if is_v6 { "6".to_owned() } else { "4".to_owned() }
}

/// A path as it is named in a sentence: peer and way, and whether it is the one over IPv6.
type Subject = (String, bool);

/// What there is to say, each once, with the paths that it is said of.
fn grouped(rows: &[Row]) -> Vec<(String, Vec<Subject>)> {
    let mut all = Vec::new();
    let mut say = |advice: String, of: &[&Row]| {
        all.extend(of.iter().map(|row| (advice.clone(), subject(row))));
    };
    for row in rows {
        let mut said = words::advice(row).into_iter();
        if words::follows(row) {
            // What the hole leaves in each tunnel to a peer is one matter, since pods have one MTU: it is said at the first of these paths,
            // in place of what begins the advice of each.
            said.next();
            let alike = |other: &&Row| words::follows(other) && other.path.peer == row.path.peer;
            let of: Vec<&Row> = rows.iter().filter(alike).collect();
            if of.first().is_some_and(|first| std::ptr::eq(*first, row)) {
                say(words::left(&of), &of);
            }
        }
        for advice in said {
            say(advice, &[row]);
        }
    }
    text::by_sentence(all)
}

fn subject(row: &Row) -> Subject {
    let path = &row.path;
    (format!("{} {}", text::escape(&path.peer), words::way(path.way)), path.address.is_ipv6())
}

/// `node2 underlay IPv4 and IPv6, node3 underlay IPv4 and 2 more`.
fn named(subjects: &[Subject]) -> String {
    let mut places: Vec<&str> = subjects.iter().map(|(place, _)| place.as_str()).collect();
    let mut seen = Vec::new();
    places.retain(|place| {
        let is_new = !seen.contains(place);
        seen.push(*place);
        is_new
    });
    let families = |place: &str| {
        let has = |is_v6: bool| subjects.iter().any(|(other, of)| other == place && *of == is_v6);
        match (has(false), has(true)) {
            (true, true) => "IPv4 and IPv6",
            (false, true) => "IPv6",
            (_, false) => "IPv4",
        }
    };
    let shown = places.iter().take(NAMED).map(|place| format!("{place} {}", families(place)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match places.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What is of no path alone.
pub(super) fn notes(judged: &Judged) -> Vec<String> {
    let mut notes = Vec::new();
    let Ignored { too_small, too_large, refuted, foreign, repeated } = judged.ignored();
    let kinds: Vec<String> = [
        (too_small, "with an MTU of 0 or below what every link takes"),
        (too_large, "with an MTU that the packet does not exceed"),
        (refuted, "with an MTU below what got there"),
        (foreign, "about a packet that was not sent, or from elsewhere"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, why)| format!("{count} {why}"))
    .collect();
    if !kinds.is_empty() {
        notes.push(format!("messages that cannot be true were ignored: {}.", kinds.join(", ")));
    }
    if repeated > 0 {
        notes.push(format!("{} came more than once.", text::counted(count(repeated), "answer")));
    }
    let is_alone = |row: &&Row| row.outcome.size.is_some() && row.outcome.flows <= 1;
    let alone = judged.rows.iter().filter(is_alone).count();
    if judged.flows > 1 && alone > 0 {
        notes.push(format!(
            "one flow only was measured on {}: TCP segments to a port that nobody listens on are not answered there.",
            text::counted(alone, "path")
        ));
    }
    if let Some(first) = judged.learned.first() {
        let more = match judged.learned.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let expires = first.expires_s.map_or_else(String::new, |seconds| format!(" for {seconds} s"));
        notes.push(format!(
            "this node's kernel was told a path MTU meanwhile, and keeps to it{expires}: {} to {}{more}. Any packet as large \
             would have taught it the same.",
            first.mtu, first.destination
        ));
    }
    notes
}

fn last_line(judged: &Judged) -> String {
    let of = |severity: Severity| judged.rows.iter().filter(|row| row.severity == severity).count();
    let named = |severity: Severity| match (severity, of(severity)) {
        (_, 0) => None,
        (Severity::Failure, count) => Some(text::counted(count, "failure")),
        (Severity::Warning, count) => Some(text::counted(count, "warning")),
        (Severity::Unknown, count) => Some(format!("{count} not judged")),
        (Severity::Good, count) => Some(format!("{count} good")),
    };
    let all = [Severity::Failure, Severity::Warning, Severity::Unknown, Severity::Good];
    let counts: Vec<String> = all.into_iter().filter_map(named).collect();
    let probes = text::counted(usize::try_from(judged.sent()).unwrap_or(usize::MAX), "probe");
    let took = judged.took.as_secs_f64();
    format!("{}: {}; {probes} in {took:.1} s", text::counted(judged.rows.len(), "path"), counts.join(", "))
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What would be sent.
pub fn planned(paths: &[Path], flows: u16) -> String {
    let mut out = String::new();
    let mut rows = vec![heading(&["PEER", "WAY", "IP", "SIZES", "ADDRESS"])];
    rows.extend(paths.iter().map(|path| {
        vec![
            text::escape(&path.peer),
            words::way(path.way).to_owned(),
            family(path.address.is_ipv6()),
            format!("{}-{}", SMALL.min(path.expected), path.expected),
            path.address.to_string(),
        ]
    }));
    aligned(&mut out, &rows);
    out.push('\n');
    let of_flows = match flows {
        0 | 1 => String::new(),
        flows => format!(
            " Beside them, for each of {} more flows to an address, TCP segments that ask for a connection to a port that nobody \
             listens on, as many and of the same sizes.",
            flows - 1
        ),
    };
    wrapped(
        &mut out,
        "",
        &format!(
            "Nothing was sent. It would be ICMP echo requests that may not be cut, of these sizes in bytes of the IP packet, \
             and where larger ones are lost, up to five UDP datagrams to a port that nobody listens on: about 20 packets to \
             an address where the largest fits, {MOST_PROBES} at most; 500 a second over all, 6 Mbit/s of 1500 bytes.{of_flows}"
        ),
    );
    out
}
