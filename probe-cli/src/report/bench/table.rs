//! `--format table`, after benchstat.

use std::fmt::Write as _;

use super::{Gate, words};
use crate::{
    bench::{
        facts::{Core, Facts},
        gate::{self, Row},
        history,
        instruments::Instruments,
        margin::Margins,
        metric::{Load, Metric, Scenario, Side},
        plan::LOOKS,
        result::Run,
        rounds::Series,
        stats::{self, Shift, Tails},
    },
    report::align,
    text,
};

/// Two runs beside each other: a row for each metric, what changed, and the verdict in the last line.
pub fn table(gate: &Gate<'_>) -> String {
    let mut out = String::from(
        "BASE and NEW: overlay / host, that is pod to pod over node to node; ± for 95 %\n\
         CHANGE: in percent [lowest,highest]; ~ is none that is certain\n\
         Metrics in parentheses inform and do not decide.\n\n",
    );
    let comparison = gate.comparison;
    for scenario in Scenario::ALL {
        let rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.scenario == scenario).collect();
        if rows.is_empty() {
            continue;
        }
        let mut cells = vec![align::heading(&[scenario.name(), "BASE", "NEW", "CHANGE", ""])];
        cells.extend(rows.iter().map(|row| {
            let title = words::row_title(row);
            vec![
                if row.metric.gates() { format!("  {title}") } else { format!("  ({title})") },
                words::side(row.base.as_ref()),
                words::side(row.new.as_ref()),
                words::change(row),
                words::verdict(row).to_owned(),
            ]
        }));
        align::aligned(&mut out, &cells);
        for row in rows.iter().filter(|row| row.metric.gates()) {
            if let Some(why) = words::why(row) {
                align::wrapped(&mut out, "  - ", &format!("{}: {why}", row.metric.title()));
            }
        }
        for change in comparison.changes.iter().filter(|change| change.scenario == scenario) {
            let mark = if words::is_first_cause(comparison, change) { " <- likely cause" } else { "" };
            align::wrapped(&mut out, "  fact: ", &format!("{}{mark}", words::fact(change)));
        }
        out.push('\n');
    }
    for note in words::notes(gate) {
        align::wrapped(&mut out, "! ", &note);
    }
    let last = words::last_line(gate);
    align::wrapped(&mut out, "", &format!("{}: {}", last.word, last.text));
    out
}

/// A run by itself: what was measured, how much it differs from round to round, and what that is good for.
pub fn run(run: &Run) -> String {
    let mut out = String::new();
    let mut tails = Tails::default();
    let (mut all_noisy, mut restless) = (Vec::new(), Vec::new());
    for scenario in &run.scenarios {
        let name = scenario.scenario;
        if let Some(why) = &scenario.unsupported {
            align::wrapped(&mut out, "", &format!("{name}: not measured: {}", text::escape(why)));
            continue;
        }
        let title = format!("{name}, {}", text::counted(run.rounds.len(), "round"));
        let mut cells = vec![align::heading(&[&title, "HOST", "OVERLAY", "RATIO", "SD", "COUNT"])];
        for metric in Metric::ALL {
            let series = Series::of(run, usize::MAX, name, metric);
            if !run.parameters.measures(metric) {
                continue;
            }
            let middle = Shift::middle(&series.costs, &mut tails);
            let percent = |share: f64| format!("{:.1}%", share * 100.0);
            cells.push(vec![
                format!("  {}", words::title(metric, [series.datagram_bytes, None])),
                value(run, name, metric, Side::Host),
                value(run, name, metric, Side::Overlay),
                middle.map_or("-".to_owned(), |middle| format!("{:.3}", metric.ratio(middle.estimate()))),
                stats::spread(&series.costs).map_or("-".to_owned(), percent),
                format!("{} of {}", series.rounds - series.thrown, series.rounds),
            ]);
        }
        align::aligned(&mut out, &cells);
        let (noisy, undecidable) = (noisy(run, name), undecidable(run, name, &mut tails));
        for (why, metrics) in &undecidable {
            let note = format!("no gate passes {} by this: {why}; measure again", words::titles(metrics));
            align::wrapped(&mut out, "  ! ", &note);
        }
        if let Some(note) = too_noisy(&noisy) {
            align::wrapped(&mut out, "  ! ", &note);
        }
        restless.extend(undecidable.into_iter().flat_map(|(_, metrics)| metrics));
        restless.extend(noisy.iter().map(|(metric, _)| *metric));
        all_noisy.extend(noisy);
        let counts = scenario.facts.as_ref().map(|facts| facts.counts).unwrap_or_default();
        let number = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.1}"));
        let count = |value: Option<u64>| value.map_or("unknown".to_owned(), |value| value.to_string());
        let facts = format!(
            "segments per buffer {}, per received buffer {}, payload bytes per segment {}, retransmitted per 1,000 {}, fragments {}, \
             wrong checksums {}, drops {}",
            number(counts.segments_per_buffer()),
            number(counts.segments_per_received_buffer()),
            number(counts.payload_per_segment()),
            number(counts.retransmitted_per_mille()),
            count(counts.fragments),
            count(counts.checksum_errors),
            count(counts.drops),
        );
        align::wrapped(&mut out, "  facts: ", &facts);
        for core in scenario.facts.iter().flat_map(|facts| busy_cores(facts)) {
            let percent = |part| number(core.share(part).map(|share| share * 100.0));
            let did = format!(
                "processes {}%, kernel for processes {}%, soft interrupts {}%, taken by the hypervisor {}%",
                percent(core.user),
                percent(core.system),
                percent(core.softirq),
                percent(core.steal),
            );
            align::wrapped(&mut out, &format!("  processor {}: ", core.cpu), &did);
        }
        if let Some(seen) = scenario.facts.as_ref().and_then(|facts| facts.instruments.as_ref()) {
            instruments(&mut out, name, seen);
        }
        out.push('\n');
    }
    let _ =
        writeln!(out, "SD: standard deviation of the ratio from round to round. COUNT: rounds that count.");
    if let Some(advice) = on_one_processor(run, &restless) {
        align::wrapped(&mut out, "", &advice);
    }
    if !all_noisy.is_empty() {
        decides_with(&mut out, &all_noisy);
    }
    out
}

/// The metrics of a run that decide.
fn gating(run: &Run) -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(|metric| metric.gates() && run.parameters.measures(*metric))
}

/// Why no gate decides some metrics by this run, whether it is the base or the new one.
fn undecidable(run: &Run, scenario: Scenario, tails: &mut Tails) -> Vec<(String, Vec<Metric>)> {
    let whys = gating(run).filter_map(|metric| {
        let why = history::whole(run, scenario, metric, tails).err()?;
        Some((words::why_unknown(why), metric))
    });
    text::by_sentence(whys)
}

/// What differs so much from round to round that a gate against this run would not decide it with the usual margin, and the margin with
/// which it would.
fn noisy(run: &Run, scenario: Scenario) -> Vec<(Metric, f64)> {
    let margin = |metric| {
        let series = Series::of(run, usize::MAX, scenario, metric);
        let is_known = series.unstable.is_none() && LOOKS.iter().any(|look| series.rounds >= *look);
        is_known.then(|| gate::passable(metric, &series.costs)).flatten()
    };
    gating(run)
        .filter_map(|metric| Some((metric, margin(metric)?)))
        .filter(|(_, share)| *share > Margins::USUAL)
        .collect()
}

/// Names what is noisy.
fn too_noisy(noisy: &[(Metric, f64)]) -> Option<String> {
    let metrics: Vec<Metric> = noisy.iter().map(|(metric, _)| *metric).collect();
    (!metrics.is_empty()).then(|| {
        let usual = Margins::USUAL * 100.0;
        format!(
            "too much noise from round to round for a margin of {usual:.0} %: {}",
            words::titles(&metrics)
        )
    })
}

/// What makes a gate decide what is noisy, in all data planes at once; the option stands on a line of its own, to be copied.
fn decides_with(out: &mut String, noisy: &[(Metric, f64)]) {
    let widest = |metric: Metric| {
        noisy.iter().filter(|(of, _)| *of == metric).map(|(_, share)| *share).reduce(f64::max)
    };
    let margins: Vec<String> = Metric::ALL
        .into_iter()
        .filter_map(|metric| Some((metric, widest(metric)?)))
        // Beyond the largest one that may be given none helps.
        .filter(|(_, share)| *share <= Margins::MOST)
        .map(|(metric, share)| format!("{}={}%", metric.name(), (share * 100.0).ceil()))
        .collect();
    let less_noise = "more rounds (--rounds), longer slices (--slice) or a quieter machine";
    if margins.is_empty() {
        return align::wrapped(out, "", &format!("A gate decides with {less_noise}."));
    }
    let decides =
        format!("A gate decides on this machine with the margins below; smaller ones take {less_noise}.");
    align::wrapped(out, "", &decides);
    let _ = writeln!(out, "  --max-regression {}", margins.join(","));
}

/// How a stream differs less from round to round: where both of its ends are in this run and have a processor each.
fn on_one_processor(run: &Run, restless: &[Metric]) -> Option<String> {
    let helps = |metric: &Metric| metric.load() == Load::Stream && restless.contains(metric);
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(helps).collect();
    (!metrics.is_empty() && run.machine.cores > 1 && run.remote.is_none()).then(|| {
        format!(
            "On one processor a TCP stream differs less from round to round ({}): `taskset -c 0 overlay-probe bench run`, and the same in \
             front of each gate.",
            words::titles(&metrics)
        )
    })
}

/// The processors that had most to do during the overlay's streams, in their order.
fn busy_cores(facts: &Facts) -> Vec<&Core> {
    const MOST: usize = 8;
    let busy = |core: &Core| core.user.saturating_add(core.system).saturating_add(core.softirq);
    let mut cores: Vec<&Core> = facts.cores.iter().flatten().filter(|core| busy(core) > 0).collect();
    cores.sort_by_key(|core| std::cmp::Reverse(busy(core)));
    cores.truncate(MOST);
    cores.sort_by_key(|core| core.cpu);
    cores
}

/// What eBPF showed of the path.
fn instruments(out: &mut String, scenario: Scenario, seen: &Instruments) {
    let number = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.1}"));
    let percent = |share: Option<f64>| number(share.map(|share| share * 100.0));
    if let Some(tunnel) = &seen.tunnel {
        let facts = format!(
            "bytes that the tunnel adds to a packet {}, packets per buffer {}, payload bytes per packet on the wire {}, payload in outer \
             bytes {}% (at most {}%)",
            number(tunnel.overhead()),
            number(tunnel.packets_per_buffer()),
            number(tunnel.payload_per_packet()),
            percent(tunnel.goodput()),
            percent(tunnel.ceiling(scenario)),
        );
        align::wrapped(out, "  eBPF: ", &facts);
    }
    if let Some(times) = &seen.encapsulation {
        let us = |share| number(times.within(share).map(|ns| ns / 1e3));
        let facts = format!(
            "encapsulation of a buffer p50 {} us, p99 {} us ({} timed, {} not seen again)",
            us(0.5),
            us(0.99),
            text::counted(usize::try_from(times.buffers()).unwrap_or(usize::MAX), "buffer"),
            times.unmatched,
        );
        align::wrapped(out, "  eBPF: ", &facts);
    }
    for (reason, packets) in seen.drops.iter().flatten() {
        let of = text::counted(usize::try_from(*packets).unwrap_or(usize::MAX), "packet");
        align::wrapped(out, "  eBPF: ", &format!("dropped {of} ({})", text::escape(reason)));
    }
    for program in seen.programs.iter().flatten() {
        let cost = match program.ns_per_run() {
            Some(ns) => format!("{ns:.0} ns per run, {} runs", program.runs),
            None => "did not run".to_owned(),
        };
        let own = if program.is_own { "; attached to count this" } else { "" };
        let what = words::program(program.device.as_ref(), &program.name);
        align::wrapped(out, "  ", &format!("{what}: {cost}{own}"));
    }
    for why in &seen.missing {
        align::wrapped(out, "  not known: ", &text::escape(why));
    }
}

/// The middle of what one side had.
fn value(run: &Run, scenario: Scenario, metric: Metric, side: Side) -> String {
    let slices = run.rounds.iter().flat_map(|round| &round.slices);
    let of = slices.filter(|slice| (slice.scenario, slice.side) == (scenario, side));
    let values: Vec<f64> =
        of.filter(|slice| slice.load == metric.load()).filter_map(|slice| slice.value(metric)).collect();
    let Some(value) = stats::median(&values) else { return "-".to_owned() };
    match (metric, metric.load()) {
        (Metric::CpuPerGbit | Metric::CommandCpuPerGbit, _) => format!("{:.0} ms", value * 1000.0),
        (_, Load::Stream | Load::Streams | Load::Command) => text::bits_per_s(value),
        (_, Load::Datagrams | Load::Datagrams512 | Load::DatagramsFull | Load::Connections) => {
            format!("{}/s", text::si(value))
        }
        (_, Load::Requests | Load::LoadedRequests) => format!("{:.1} us", value * 1e6),
    }
}
