//! Every format of the same comparison, as people and machines read it.

use std::collections::BTreeMap;

use super::*;
use crate::bench::{
    facts::Core,
    gate::{self, Options, Relation},
    instruments::{Hook, Hooked, Instruments, Program, TunnelCounts},
    margin::Margins,
    metric::{Load, Metric, Scenario, Side},
    random::Random,
    result::{Accepted, Run, ScenarioRun, Slice},
    stats::Tails,
    testdata::{self, World},
    trend::Trend,
};

fn measured(seed: u64, rounds: usize, slower: f64) -> Run {
    testdata::run(&mut Random::new(seed), rounds, &World { slower, ..World::quiet(0.01) })
}

/// Slower, with its cause.
fn slow(seed: u64) -> Run {
    let mut new = measured(seed, 20, 0.1);
    let facts = new.scenarios[0].facts.as_mut().unwrap();
    facts.devices[1].features.as_mut().unwrap().insert("tx-checksum-ip-generic".to_owned(), false);
    facts.counts.tunnel_buffers = facts.counts.segments;
    new
}

fn compare(new: &Run) -> Comparison {
    gate::compare(&[measured(1, 20, 0.0)], new, &Options::default(), &mut Tails::default()).unwrap()
}

fn of(comparison: &Comparison) -> Gate<'_> {
    Gate { comparison, facts: FactsPolicy::Default, decides: true }
}

#[test]
fn a_slowdown_names_how_much_how_sure_and_why() {
    let both = compare(&slow(2)).confirm(compare(&slow(3)));
    insta::assert_snapshot!("slower.table", table(&of(&both)));
    insta::assert_snapshot!("slower.markdown", markdown(&of(&both)));
    insta::assert_snapshot!("slower.junit", junit(&of(&both)));
    insta::assert_snapshot!("slower.csv", csv(&of(&both)));
    let document: serde_json::Value = serde_json::from_str(&json(&of(&both)).unwrap()).unwrap();
    assert_eq!((&document["outcome"], &document["advisory"]), (&"fail".into(), &false.into()));
    let row = document["rows"].as_array().unwrap().iter().find(|row| row["metric"] == "packet_rate").unwrap();
    assert_eq!((&row["verdict"], &row["confirmed"]), (&"worse".into(), &true.into()));
    assert!(
        row["change_low"].as_f64().unwrap() < -0.1 && row["change_high"].as_f64().unwrap() < 0.0,
        "{row}"
    );
    crate::report::documented(&document, "# The JSON of `bench compare` and `bench gate`");
}

/// Runs of five days: the third is slower, the fourth of another kernel, the last too short to say anything.
fn days() -> Vec<Run> {
    let mut runs: Vec<Run> = [(1, 0.0), (2, 0.0), (3, 0.1), (4, 0.0), (5, 0.0)]
        .into_iter()
        .map(|(day, slower)| Run { started_at_s: 1_764_000_000 + day * 86_400, ..measured(day, 20, slower) })
        .collect();
    runs[3].machine.kernel = Some("7.3,\u{1b}[31m<&\"".to_owned());
    runs[4].machine.kernel = runs[3].machine.kernel.clone();
    runs[4].rounds.truncate(4);
    runs[2].accepted =
        Some(Accepted { reason: "a filter in front\u{202e}".to_owned(), at_s: 1, metrics: Vec::new() });
    runs
}

#[test]
fn runs_over_time_are_a_chart_a_picture_and_rows_for_programs() {
    let runs = days();
    let trend = Trend::of(&runs);
    let table = trend::table(&trend);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    insta::assert_snapshot!("trend.table", table);
    let csv = trend::csv(&trend);
    let columns: Vec<usize> =
        csv.lines().map(|line| line.replace("\"7.3,", "\"7.3").split(',').count()).collect();
    assert_eq!(columns, [3 + trend.lines.len(); 6], "{csv}");
    insta::assert_snapshot!("trend.csv", csv);
    let svg = trend::svg(&trend);
    assert_eq!(svg.matches("<circle").count(), 4 * trend.lines.len());
    insta::assert_snapshot!("trend.svg", svg.lines().take(30).collect::<Vec<_>>().join("\n"));
    for text in [table, csv, svg] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.contains("NaN"), "{text}");
    }
    // Nothing to draw is no fault.
    let nothing = Trend::of(&[]);
    assert_eq!(trend::csv(&nothing), "time,kernel,tool_version\n");
    assert!(trend::svg(&nothing).ends_with("</svg>\n"));
}

#[test]
fn what_is_the_same_passes_and_what_is_not_decided_says_why() {
    insta::assert_snapshot!("same.table", table(&of(&compare(&measured(5, 20, 0.0)))));
    insta::assert_snapshot!("short.table", table(&of(&compare(&measured(6, 4, 0.0)))));
    let mut undecided = slow(6);
    undecided.rounds.truncate(4);
    let undecided = compare(&undecided);
    insta::assert_snapshot!("undecided.table", table(&of(&undecided)));
    // A reason has a comma, which ends no field; what is not known is empty.
    insta::assert_snapshot!("undecided.csv", csv(&of(&undecided)));
    let restless = testdata::drifting(measured(1, 20, 0.0));
    insta::assert_snapshot!("restless.table", run(&restless));
    let unusable =
        gate::compare(&[restless], &measured(5, 20, 0.0), &Options::default(), &mut Tails::default())
            .unwrap();
    insta::assert_snapshot!("restless_base.table", table(&of(&unusable)));
    let mut advisory = Comparison { relation: Relation::Advisory, ..compare(&slow(2)) };
    advisory.rows.iter_mut().for_each(|row| row.relation = Relation::Advisory);
    insta::assert_snapshot!("advisory.table", table(&of(&advisory)));
}

/// On a machine that measures badly: the run says with which margins a gate decides, the gate says why it does not, and with a margin of
/// its own a metric passes.
#[test]
fn noise_has_its_margin() {
    let noisy = |seed| testdata::run(&mut Random::new(seed), 20, &World::quiet(0.12));
    let base = noisy(1);
    insta::assert_snapshot!("noisy.run", run(&base));
    let new = noisy(2);
    let compared = |given: &[&str]| {
        let margins = Margins::new(given.iter().map(|text| text.parse().unwrap()));
        let options = Options { margins, ..Options::default() };
        gate::compare(std::slice::from_ref(&base), &new, &options, &mut Tails::default()).unwrap()
    };
    let undecided = compared(&[]);
    let text = table(&of(&undecided));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!("noisy.table", text);
    let passed = compared(&["throughput=40%", "packet_rate=40%", "cpu_per_gbit=50%"]);
    let last = words::last_line(&of(&passed));
    assert_eq!(
        (last.word, last.text.as_str()),
        (
            "PASS",
            "nothing is slower by 5.0 % (TCP throughput by 40.0 %, 64-byte packet rate by 40.0 %, CPU per Gbit by 50.0 %)"
        )
    );
    let document: serde_json::Value = serde_json::from_str(&json(&of(&passed)).unwrap()).unwrap();
    assert_eq!(
        (&document["max_regression"], &document["rows"][0]["max_regression"]),
        (&0.05.into(), &0.4.into())
    );
}

#[test]
fn a_run_by_itself_shows_its_noise_and_what_it_left_out() {
    let mut one = measured(1, 20, 0.0);
    let core = |cpu, softirq| Core { cpu, user: 20, system: 310, softirq, steal: 4, all: 1000 };
    let idle = Core { cpu: 3, all: 1000, ..Core::default() };
    one.scenarios[0].facts.as_mut().unwrap().cores = Some(vec![core(0, 96), core(1, 603), idle]);
    let why = Some("this kernel has no WireGuard".to_owned());
    one.scenarios.push(ScenarioRun { scenario: Scenario::Wireguard, unsupported: why, facts: None });
    insta::assert_snapshot!("run.table", run(&one));
    // What was asked for beside the usual has rows of its own, here and in a comparison.
    one.parameters.also =
        vec![Load::Datagrams512, Load::DatagramsFull, Load::Streams, Load::LoadedRequests, Load::Connections];
    for round in &mut one.rounds {
        for (load, side, times) in one
            .parameters
            .also
            .iter()
            .flat_map(|load| [(*load, Side::Host, 1.0), (*load, Side::Overlay, 1.25)])
        {
            let bare = testdata::slice(load, side);
            round.slices.push(match load {
                Load::Streams => Slice { bits_per_s: Some(2e10 / times), ..bare },
                Load::Datagrams512 | Load::DatagramsFull => Slice {
                    packets_per_s: Some(2e5 / times),
                    datagram_bytes: Some(if load == Load::DatagramsFull { 1422 } else { 512 }),
                    ..bare
                },
                Load::Connections => Slice { connections_per_s: Some(9000.0 / times), ..bare },
                Load::Command | Load::Stream | Load::Datagrams | Load::Requests | Load::LoadedRequests => {
                    Slice { p50_s: Some(5e-5 * times), p99_s: Some(2e-4 * times), ..bare }
                }
            });
        }
    }
    insta::assert_snapshot!("more.table", run(&one));
    let beside = gate::compare(&[one.clone()], &one, &Options::default(), &mut Tails::default()).unwrap();
    let shown = table(&of(&beside));
    for title in [
        "(512-byte packet rate)",
        "(full 1422-byte packet rate)",
        "(TCP throughput, 8 flows)",
        "(latency p99 under load)",
        "(TCP connection rate)",
    ] {
        assert!(shown.contains(title), "{shown}");
    }
    // Where 512 bytes do not fit, fewer were sent, and nothing says 512.
    let base = one.clone();
    for slice in one.rounds.iter_mut().flat_map(|round| &mut round.slices) {
        slice.datagram_bytes = slice.datagram_bytes.map(|_| 472);
    }
    let alone = run(&one);
    assert!(
        alone.contains("  472-byte packet rate") && alone.contains("  full 472-byte packet rate"),
        "{alone}"
    );
    assert!(!alone.contains("512"), "{alone}");
    let lowered = gate::compare(&[base], &one, &Options::default(), &mut Tails::default()).unwrap();
    let shown = table(&of(&lowered));
    assert!(shown.contains("(512/472-byte packet rate)"), "{shown}");
    let full = words::title(Metric::PacketRateFull, [Some(1422), Some(472)]);
    assert_eq!(full, "full 1422/472-byte packet rate");
}

/// A run of whose path eBPF shows one program of somebody else, one of ours, and drops.
fn looked_at(mut run: Run, burns: bool) -> Run {
    let device = |hook| Hooked { place: "node 1".to_owned(), name: "flannel.1".to_owned(), hook };
    let program = |name: &str, hook, ns: u64| Program {
        device: Some(device(hook)),
        name: name.to_owned(),
        runs: 4000,
        run_time_ns: 4000 * ns,
        ..Program::default()
    };
    let mut programs = vec![
        Program { is_own: true, ..program("ovp_tunnel_tx", Hook::Egress, 121) },
        Program { runs: 0, ..program("cil_from_overlay", Hook::Ingress, 0) },
        Program { device: None, ..program("trace_skb\u{1b}[2J", Hook::Xdp, 60) },
    ];
    if burns {
        programs.insert(0, program("burn", Hook::Egress, 2013));
    }
    let tunnel =
        TunnelCounts { buffers: 1000, payload_bytes: Some(41_200 * 1397), ..testdata::full_packets(41_200) };
    let drops = if burns { BTreeMap::from([("QDISC_DROP".to_owned(), 12)]) } else { BTreeMap::new() };
    run.scenarios[0].facts.as_mut().unwrap().instruments = Some(Instruments {
        programs: Some(programs),
        tunnel: Some(tunnel),
        drops: Some(drops),
        encapsulation: Some(testdata::encapsulation(if burns { 5000 } else { 3000 })),
        missing: vec!["something else".to_owned()],
    });
    run
}

#[test]
fn what_ebpf_shows_of_a_path_is_told_and_named_as_the_cause() {
    insta::assert_snapshot!("instruments.table", run(&looked_at(measured(1, 20, 0.0), true)));
    let base = looked_at(measured(1, 20, 0.0), false);
    let new = [2, 3].map(|seed| looked_at(measured(seed, 20, 0.1), true));
    let found = new.map(|new| {
        gate::compare(std::slice::from_ref(&base), &new, &Options::default(), &mut Tails::default())
    });
    let [first, second] = found.map(Result::unwrap);
    insta::assert_snapshot!("program.table", table(&of(&first.confirm(second))));
}

#[test]
fn names_from_a_file_reach_no_terminal_as_they_are() {
    let mut new = measured(2, 20, 0.0);
    let device = &mut new.scenarios[0].facts.as_mut().unwrap().devices[1];
    device.name = "fl\u{1b}[2Jannel|<b>".to_owned();
    new.machine.kernel = Some("6.\u{1b}1".to_owned());
    let options = Options { force: true, ..Options::default() };
    let found = gate::compare(&[measured(1, 20, 0.0)], &new, &options, &mut Tails::default()).unwrap();
    for text in [
        table(&of(&found)),
        markdown(&of(&found)),
        junit(&of(&found)),
        csv(&of(&found)),
        json(&of(&found)).unwrap(),
    ] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!refusal(&found.forced).contains('\u{1b}'));
    assert!(!markdown(&of(&found)).contains("<b>"));
}
