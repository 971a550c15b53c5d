//! Words and numbers that all formats share.

use super::Gate;
use crate::{
    bench::{
        explain::{Change, Cost, Count, Place, Weight, What},
        gate::{Comparison, Difference, FEWEST_RUNS, Growth, Outcome, Relation, Row, Summary, Verdict, Why},
        instruments::{Hook, Hooked},
        margin::Margins,
        metric::Metric,
        result::MOST_ROUNDS,
        rounds::Unstable,
    },
    text,
};

/// A share in percent, with a sign.
fn signed(share: f64) -> String {
    if share.is_finite() { format!("{:+.1}%", share * 100.0) } else { "?".to_owned() }
}

/// `0.741 ±1.1%`, or `-` where nothing is known.
pub(super) fn side(summary: Option<&Summary>) -> String {
    match summary {
        Some(summary) if summary.error.is_finite() => {
            format!("{:.3} ±{:.1}%", summary.ratio, summary.error * 100.0)
        }
        Some(summary) => format!("{:.3} ±?", summary.ratio),
        None => "-".to_owned(),
    }
}

/// The ends of the interval as shares of the metric, the smaller one first.
pub(super) fn interval(metric: Metric, growth: &Growth) -> [f64; 2] {
    let mut ends = [metric.change(growth.low), metric.change(growth.high)];
    ends.sort_by(f64::total_cmp);
    // A rate cannot fall by more than all of it, and a time may grow without bound.
    if growth.high.is_infinite() { [f64::NEG_INFINITY, f64::INFINITY] } else { ends }
}

/// `-5.3% [-7.4,-3.1]`; `~` where it may be nothing.
pub(super) fn change(row: &Row) -> String {
    let Some(growth) = &row.growth else { return String::new() };
    let [low, high] = interval(row.metric, growth);
    let estimate = match row.verdict {
        Verdict::Worse | Verdict::Better => signed(row.metric.change(growth.estimate)),
        Verdict::Same | Verdict::Inconclusive => "~".to_owned(),
    };
    let end = |share: f64| signed(share).trim_end_matches('%').to_owned();
    format!("{estimate} [{},{}]", end(low), end(high))
}

/// In a table: what is worse catches the eye.
pub(super) fn verdict(row: &Row) -> &'static str {
    match row.verdict {
        Verdict::Same => "same",
        Verdict::Better => "better",
        Verdict::Worse => "WORSE",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// Why a row decides nothing; of what is worse, what its interval has room for.
pub(super) fn why(row: &Row) -> Option<String> {
    let why = row.why?;
    if let (Verdict::Worse, Why::Unstable(what) | Why::BaseUnstable(what)) = (row.verdict, why) {
        return Some(format!("{}; the interval has room for that", unstable(what)));
    }
    Some(match why {
        Why::Missing => "not measured in both runs".to_owned(),
        Why::Few(rounds) => format!("needs at least {rounds} rounds in each run"),
        Why::Rounds(Some(rounds)) => {
            format!("about {rounds} rounds in each run would settle it{}", passing(row))
        }
        Why::Rounds(None) => {
            format!("too noisy: even {MOST_ROUNDS} rounds in each run would not settle it{}", passing(row))
        }
        Why::Stolen(most) => format!("{}; measure again", stolen(most)),
        Why::Runs(runs) => {
            format!("the {runs} runs of the base differ too much from each other{}", passing(row))
        }
        Why::Unstable(what) => unstable(what),
        Why::BaseUnstable(what) => {
            format!("the base is of an unstable machine, measure it again: {}", unrest(what))
        }
    })
}

/// Behind why a row is not decided: the margin with which it would be the same.
fn passing(row: &Row) -> String {
    let Some(growth) = &row.growth else { return String::new() };
    let share = row.metric.change(growth.high).abs();
    // The next whole percent: what is just as large is not less.
    let percent = (share * 100.0).floor() + 1.0;
    if percent > Margins::MOST * 100.0 {
        return String::new();
    }
    format!("; with --max-regression {}={percent}% it is the same", row.metric.name())
}

/// The same in a word or two.
fn briefly(why: Option<Why>) -> &'static str {
    match why {
        None | Some(Why::Missing) => "not measured in both runs",
        Some(Why::Few(_)) => "too few rounds",
        Some(Why::Rounds(_)) => "too noisy",
        Some(Why::Runs(_)) => "the base's runs differ too much",
        Some(Why::Unstable(_)) => "machine unstable",
        Some(Why::BaseUnstable(_)) => "base of an unstable machine",
        Some(Why::Stolen(_)) => "time taken by the hypervisor",
    }
}

/// `vxlan-v4 TCP throughput and CPU per Gbit (too noisy)`: what is not decided, and why, what has one reason together.
fn undecided(open: &[&Row]) -> String {
    let named = |row: &&Row| (briefly(row.why), format!("{} {}", row.scenario, row.metric.title()));
    let groups = text::by_sentence(open.iter().map(named));
    let groups: Vec<String> =
        groups.into_iter().map(|(why, names)| format!("{} ({why})", names.join(", "))).collect();
    groups.join("; ")
}

/// Why what the rounds say is not believed.
fn stolen(most: f64) -> String {
    format!("the hypervisor took time that may make a difference of {:.1} % by itself", most.exp_m1() * 100.0)
}

/// What is wrong with the machine.
fn unstable(what: Unstable) -> String {
    format!("machine unstable: {}", unrest(what))
}

/// In what that shows.
fn unrest(what: Unstable) -> String {
    let changed =
        |when: &str, ratio: f64| format!("{when} the host's own figure changed by {}", signed(ratio - 1.0));
    match what {
        Unstable::Thrown { thrown, rounds } => {
            format!("{thrown} of {rounds} rounds do not count (time stolen, or the host's own speed off)")
        }
        Unstable::Drift(ratio) => changed("within a run", ratio),
        Unstable::Moved(ratio) => changed("between the runs", ratio),
    }
}

/// Why a run says nothing of a metric.
pub fn why_unknown(why: Why) -> String {
    match why {
        Why::Missing | Why::Rounds(_) | Why::Runs(_) => "not measured".to_owned(),
        Why::Stolen(most) => stolen(most),
        Why::Few(rounds) => format!("fewer than {rounds} rounds"),
        Why::Unstable(what) | Why::BaseUnstable(what) => unstable(what),
    }
}

/// What happened to a row, in a sentence: "TCP throughput 6.1 % lower [3.0, 9.4]".
pub(super) fn sentence(row: &Row, comparison: &Comparison) -> String {
    let name = format!("{} {}", row.scenario, row.metric.title());
    let Some(growth) = &row.growth else {
        return format!("{name}: {}", why(row).unwrap_or_default());
    };
    let change = row.metric.change(growth.estimate);
    let mut ends = interval(row.metric, growth).map(f64::abs);
    ends.sort_by(f64::total_cmp);
    let word = if change < 0.0 { "lower" } else { "higher" };
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    match row.verdict {
        Verdict::Worse => {
            format!("{name} {} % {word} [{}, {}]", percent(change.abs()), percent(ends[0]), percent(ends[1]))
        }
        Verdict::Better => format!("{name} {} % {word}, which is better", percent(change.abs())),
        Verdict::Same => {
            format!("{name}: not worse by {} %", percent(comparison.margins.of(row.metric)))
        }
        Verdict::Inconclusive => format!("{name}: inconclusive; {}", why(row).unwrap_or_default()),
    }
}

/// The name of a metric in tables: of datagrams with the size that they had in the base and in the new run, which the MTU of the path may
/// decide.
pub(super) fn title(metric: Metric, sizes: [Option<u32>; 2]) -> String {
    let size = match sizes {
        [Some(base), Some(new)] if base != new => format!("{base}/{new}"),
        [Some(size), _] | [None, Some(size)] => size.to_string(),
        [None, None] => return metric.title().to_owned(),
    };
    let full = if metric == Metric::PacketRateFull { "full " } else { "" };
    format!("{full}{size}-byte packet rate")
}

/// That of a row.
pub(super) fn row_title(row: &Row) -> String {
    title(row.metric, [&row.base, &row.new].map(|side| side.as_ref().and_then(|side| side.datagram_bytes)))
}

/// `TCP throughput, CPU per Gbit`.
pub(super) fn titles(metrics: &[Metric]) -> String {
    let titles: Vec<&str> = metrics.iter().map(|metric| metric.title()).collect();
    titles.join(", ")
}

/// `flannel.1 of node 1`.
fn place(device: &Place) -> String {
    format!("{} of {}", text::escape(&device.name), text::escape(&device.place))
}

/// The kernel's names of offloads as people call them, with that of the kernel.
fn offload(feature: &str) -> String {
    let name = match feature {
        "tx-checksum-ip-generic" | "tx-checksum-ipv4" | "tx-checksum-ipv6" => "TX checksum offload",
        "rx-checksum" => "RX checksum offload",
        "tx-generic-segmentation" => "GSO",
        "tx-tcp-segmentation" | "tx-tcp6-segmentation" => "TSO",
        "rx-gro" => "GRO",
        "tx-udp_tnl-segmentation" | "tx-udp_tnl-csum-segmentation" => "tunnel segmentation",
        "tx-scatter-gather" => "scatter-gather",
        _ => return text::escape(feature),
    };
    format!("{name} ({})", text::escape(feature))
}

/// `burn on egress of flannel.1 of node 1`.
pub(super) fn program(device: Option<&Hooked>, name: &str) -> String {
    let name = if name.is_empty() { "without a name".to_owned() } else { text::escape(name) };
    let Some(Hooked { place, name: device, hook }) = device else {
        return format!("eBPF program {name}, which is on no device of the path");
    };
    let hook = match hook {
        Hook::Xdp => "XDP",
        Hook::Ingress => "ingress",
        Hook::Egress => "egress",
    };
    format!("eBPF program {name} on {hook} of {} of {}", text::escape(device), text::escape(place))
}

/// What a program costs from one run to the other.
fn costs(costs: (Cost, Cost)) -> String {
    let cost = |cost| match cost {
        Cost::Absent => "absent".to_owned(),
        Cost::Idle => "did not run".to_owned(),
        Cost::Ns(ns) => format!("{ns:.0} ns per run"),
    };
    match costs {
        (Cost::Absent, new) => format!("new: {}", cost(new)),
        (base, Cost::Absent) => format!("gone: {} before", cost(base)),
        (base, new) => format!("{} -> {}", cost(base), cost(new)),
    }
}

/// What changed, in words.
pub(super) fn fact(change: &Change) -> String {
    match &change.what {
        What::Offload { device, feature, is_on } => {
            format!(
                "{} {} on {}",
                offload(feature),
                if *is_on { "switched on" } else { "off" },
                place(device)
            )
        }
        What::Mtu { device, values: (base, new) } => format!("MTU {base} -> {new} on {}", place(device)),
        What::Qdisc { device, values: (base, new) } => {
            format!("qdisc {} -> {} on {}", text::escape(base), text::escape(new), place(device))
        }
        What::Device { device, is_there: true } => format!("new on the path: {}", place(device)),
        What::Device { device, is_there: false } => format!("no longer on the path: {}", place(device)),
        What::Program { device, name, costs: pair } => {
            format!("{} ({})", program(device.as_ref(), name), costs(*pair))
        }
        What::Dropped { reason, values: (base, new) } => {
            format!("packets dropped per 1,000 buffers ({}) {base:.1} -> {new:.1}", text::escape(reason))
        }
        What::Count { count, values: (base, new) } => {
            let number = |value: f64| {
                if *count == Count::Fragments || *count == Count::ChecksumErrors {
                    format!("{value:.0}")
                } else {
                    format!("{value:.1}")
                }
            };
            let what = match count {
                Count::Fragments => "fragments",
                Count::ChecksumErrors => "packets with a wrong checksum",
                Count::Drops => "packets dropped per 1,000 buffers",
                Count::SegmentsPerBuffer => "segments per buffer",
                Count::SegmentsPerReceivedBuffer => "segments per received buffer",
                Count::Overhead => "bytes that the tunnel adds to a packet",
                Count::Encapsulation => "encapsulation of a buffer (p50)",
                Count::PayloadPerSegment => "payload bytes per segment",
                Count::Retransmitted => "segments retransmitted per 1,000",
                Count::User => "processors: time in processes",
                Count::System => "processors: time in the kernel for processes",
                Count::Softirq => "processors: time in soft interrupts",
                Count::Steal => "processors: time taken by the hypervisor",
                Count::FullCore => "soft interrupts of the processor with most of them",
            };
            let unit = match count {
                Count::User | Count::System | Count::Softirq | Count::Steal | Count::FullCore => " %",
                Count::Encapsulation => " us",
                Count::Fragments
                | Count::ChecksumErrors
                | Count::Drops
                | Count::SegmentsPerBuffer
                | Count::SegmentsPerReceivedBuffer
                | Count::Overhead
                | Count::PayloadPerSegment
                | Count::Retransmitted => "",
            };
            format!("{what} {}{unit} -> {}{unit}", number(*base), number(*new))
        }
    }
}

/// What a changed fact leads to by itself.
pub(super) fn weight(change: &Change) -> &'static str {
    match change.weight() {
        Weight::Informs => "info",
        Weight::Warns => "warn",
        Weight::Fails => "fail",
    }
}

/// The first cause of what got slower in its scenario.
pub(super) fn is_first_cause(comparison: &Comparison, change: &Change) -> bool {
    comparison.is_slower(change.scenario)
        && change.is_cause()
        && comparison.changes.iter().find(|one| one.scenario == change.scenario) == Some(change)
}

/// What to know about the whole.
pub(super) fn notes(gate: &Gate<'_>) -> Vec<String> {
    let comparison = gate.comparison;
    let mut notes = Vec::new();
    for one in &comparison.forced {
        notes.push(format!("compared by force; {}", difference(one)));
    }
    for (metrics, reason) in &comparison.levels {
        notes.push(format!(
            "{} compared with the level that was accepted by itself: {}",
            titles(metrics),
            text::escape(reason)
        ));
    }
    match comparison.relation {
        Relation::OneSession => {}
        Relation::History(runs) => notes.push(format!(
            "compared with {runs} runs of other days: BASE is their level, and the interval is that of the next run"
        )),
        Relation::Advisory => notes.push(format!(
            "advisory: the runs are of another day or another boot, and how much days differ is not known; measure both in one \
             session, or accept {FEWEST_RUNS} runs into the baseline"
        )),
    }
    let is_worse = |row: &&Row| row.metric.gates() && row.verdict == Verdict::Worse;
    let worse: Vec<&Row> = comparison.rows.iter().filter(is_worse).collect();
    match &comparison.confirmed {
        None if !worse.is_empty() && gate.decides => notes.push(
            "not confirmed: only two sessions that both say so fail; give a second --new FILE, or let gate measure itself"
                .to_owned(),
        ),
        Some(keys) => {
            for row in worse.iter().filter(|row| !keys.contains(&row.key())) {
                notes.push(format!(
                    "not confirmed: the first session did not find {} {} worse",
                    row.scenario,
                    row.metric.title()
                ));
            }
        }
        None => {}
    }
    notes
}

/// `5.0 %`, and which metrics have a margin of their own: only of those that were compared.
fn margins(comparison: &Comparison) -> String {
    let is_there = |(metric, _): &(Metric, f64)| comparison.rows.iter().any(|row| row.metric == *metric);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let own: Vec<String> = comparison
        .margins
        .own()
        .filter(is_there)
        .map(|(metric, share)| format!("{} by {}", metric.title(), percent(share)))
        .collect();
    let all = percent(comparison.margins.all());
    if own.is_empty() { all } else { format!("{all} ({})", own.join(", ")) }
}

/// The last line, with how bad it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLine {
    /// "PASS".
    pub word: &'static str,
    /// The rest.
    pub text: String,
}

/// What it all comes to.
pub fn last_line(gate: &Gate<'_>) -> LastLine {
    let comparison = gate.comparison;
    let of = |verdict| {
        let gating = comparison.rows.iter().filter(|row| row.metric.gates());
        gating.filter(move |row| row.verdict == verdict).collect::<Vec<&Row>>()
    };
    let worse = of(Verdict::Worse);
    let is_confirmed =
        |row: &Row| comparison.confirmed.as_ref().is_some_and(|keys| keys.contains(&row.key()));
    let told = |row: &&Row| {
        let confirmed = if is_confirmed(row) { ", confirmed" } else { "" };
        format!("{}{confirmed}", sentence(row, comparison))
    };
    let sentences: Vec<String> = worse.iter().map(told).collect();
    let cause = comparison.changes.iter().find(|change| is_first_cause(comparison, change));
    let because = cause.map(|change| format!("; likely cause: {}", fact(change))).unwrap_or_default();
    // The first says most: others often follow from it.
    let heavy = || comparison.changes.iter().filter(|change| change.weight() != Weight::Informs);
    let facts = heavy().next().map(|first| {
        let more = match heavy().count() - 1 {
            0 => String::new(),
            more => format!(" and {}", text::counted(more, "more fact")),
        };
        format!("changed: {} ({}){more}", fact(first), first.scenario)
    });
    let facts = facts.unwrap_or_default();
    let (word, text) = match gate.outcome() {
        Outcome::Pass => {
            let better = of(Verdict::Better).len();
            let more = if better > 0 { format!(", {better} better") } else { String::new() };
            ("PASS", format!("nothing is slower by {}{more}", margins(comparison)))
        }
        Outcome::Unknown => {
            let open = of(Verdict::Inconclusive);
            let names = if open.is_empty() { "nothing was measured".to_owned() } else { undecided(&open) };
            let facts = if facts.is_empty() { facts } else { format!("; {facts}") };
            ("UNKNOWN", format!("cannot be decided: {names}{facts}"))
        }
        Outcome::Warn if worse.is_empty() => ("WARN", facts),
        Outcome::Warn => ("WARN", format!("{}{because}", sentences.join("; "))),
        Outcome::Fail if worse.is_empty() => ("FAIL", facts),
        Outcome::Fail => ("FAIL", format!("{}{because}", sentences.join("; "))),
    };
    LastLine { word, text }
}

/// `kernel: 6.1 in the base, 6.12 in the new run`.
pub fn difference(Difference { what, base, new }: &Difference) -> String {
    format!("{what}: {} in the base, {} in the new run", text::escape(base), text::escape(new))
}

/// Why two runs are not compared.
pub fn refusal(differences: &[Difference]) -> String {
    let rows: Vec<String> = differences.iter().map(difference).collect();
    format!(
        "the runs cannot be compared: {}; measure both on one machine in the same way, or use --force",
        rows.join("; ")
    )
}
