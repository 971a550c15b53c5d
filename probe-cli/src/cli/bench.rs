//! `bench`: measures, compares, decides.

mod file;
mod observe;
mod serve;
mod session;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use thiserror::Error;

use self::{
    file::Output,
    session::{Session, Setup, Told},
};
use super::{
    args::{
        BenchAcceptArgs, BenchAlso, BenchCommand, BenchCompareArgs, BenchFacts, BenchFormat, BenchGateArgs,
        BenchMetric, BenchOnly, BenchRunArgs, BenchScenario, BenchTrendArgs, JudgeArgs, LoadArgs,
        TrendFormat,
    },
    exit,
};
use crate::{
    bench::{
        basis::Basis,
        drive::UNDERLAY_MTU,
        gate::{self, Comparison, Difference, FactsPolicy, Options, Outcome},
        history,
        margin::Margins,
        meter,
        metric::{Load, Metric, Scenario},
        plan::{Looks, Next},
        result::{Accepted, Document, Outside, Parameters, Run},
        stats::Tails,
        trend::Trend,
    },
    procfs,
    report::bench::{self as report, Gate},
    text,
};

/// Two results that must not be compared.
#[derive(Debug, Error)]
#[error("{0}")]
struct Incomparable(String);

/// Codes 0 to 2 are verdicts. What goes wrong is none of them.
pub(super) fn run(command: &BenchCommand) -> ExitCode {
    let result = match command {
        BenchCommand::Run(args) => measure(args),
        BenchCommand::Serve(args) => serve::run(args),
        BenchCommand::Compare(args) => compare(args),
        BenchCommand::Accept(args) => accept(args),
        BenchCommand::Trend(args) => trend(args),
        BenchCommand::Gate(args) if args.new.is_empty() => gate_now(args),
        BenchCommand::Gate(args) => gate_files(args),
    };
    result.unwrap_or_else(|error| exit::no_verdict(&error))
}

fn measure(args: &BenchRunArgs) -> anyhow::Result<ExitCode> {
    let scenarios = if args.scenario.is_empty() {
        Scenario::USUAL.to_vec()
    } else {
        Scenario::ALL
            .into_iter()
            .filter(|one| args.scenario.iter().any(|name| scenario(*name) == *one))
            .collect()
    };
    let to = serve::to(&args.to, &args.load, args.slice)?;
    let (only, also) = (only(&args.only), also(&args.also));
    let load = outside(&args.load);
    let setup = Setup { scenarios, only, also, load, slice: args.slice, prefix: args.prefix.clone(), to };
    let output = Output::prepare("--output", &args.output)?;
    let rounds = usize::from(args.rounds);
    let path = args.output.display().to_string();
    let measured = session::run(setup.builds(), move |stop| {
        let mut session = Session::begin(&setup)?;
        while session.run.rounds.len() < rounds {
            let finished = session.run.rounds.len();
            // What was finished is in the file, whatever happened then.
            let kept = |error: anyhow::Error| {
                if finished == 0 { error } else { error.context(kept(finished, rounds, &path)) }
            };
            if session.round(rounds, stop).map_err(kept)? == Told::Stopped {
                break;
            }
            output.write(&Document::of(session.run.clone())).map_err(kept)?;
        }
        Ok(session.run.clone())
    })?;
    let finished = measured.rounds.len();
    if finished == 0 {
        tell("interrupted before the first round was finished: nothing was written");
        return Ok(ExitCode::from(exit::UNKNOWN));
    }
    print(&report::run(&measured))?;
    if finished < rounds {
        tell(&format!("interrupted: {}", kept(finished, rounds, &args.output.display().to_string())));
        return Ok(ExitCode::from(exit::UNKNOWN));
    }
    Ok(ExitCode::SUCCESS)
}

fn kept(finished: usize, rounds: usize, path: &str) -> String {
    format!("{finished} of {rounds} rounds are in {path}")
}

fn scenario(name: BenchScenario) -> Scenario {
    match name {
        BenchScenario::VxlanV4 => Scenario::VxlanV4,
        BenchScenario::VxlanV4Jumbo => Scenario::VxlanV4Jumbo,
        BenchScenario::VxlanV6 => Scenario::VxlanV6,
        BenchScenario::Wireguard => Scenario::Wireguard,
    }
}

/// Who sends in place of the usual.
fn outside(args: &LoadArgs) -> Option<Outside> {
    args.load.as_ref().map(|client| Outside { client: client.clone(), server: args.load_server.clone() })
}

/// In the order in which they are shown, each once.
fn metrics(names: &[BenchMetric]) -> Vec<Metric> {
    let of = |name: BenchMetric| match name {
        BenchMetric::Throughput => Metric::Throughput,
        BenchMetric::PacketRate => Metric::PacketRate,
        BenchMetric::PacketRate512 => Metric::PacketRate512,
        BenchMetric::PacketRateFull => Metric::PacketRateFull,
        BenchMetric::CpuPerGbit => Metric::CpuPerGbit,
        BenchMetric::LatencyP50 => Metric::LatencyP50,
        BenchMetric::LatencyP99 => Metric::LatencyP99,
        BenchMetric::ThroughputN => Metric::ThroughputN,
        BenchMetric::LoadedLatencyP50 => Metric::LoadedP50,
        BenchMetric::LoadedLatencyP99 => Metric::LoadedP99,
        BenchMetric::ConnectionRate => Metric::ConnectionRate,
        BenchMetric::CommandThroughput => Metric::CommandThroughput,
        BenchMetric::CommandCpuPerGbit => Metric::CommandCpuPerGbit,
    };
    let mut metrics: Vec<Metric> = names.iter().copied().map(of).collect();
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

fn only(names: &[BenchOnly]) -> Vec<Load> {
    sorted(names.iter().map(|name| match name {
        BenchOnly::Tcp => Load::Stream,
        BenchOnly::Udp => Load::Datagrams,
        BenchOnly::Latency => Load::Requests,
    }))
}

fn also(names: &[BenchAlso]) -> Vec<Load> {
    sorted(names.iter().map(|name| match name {
        BenchAlso::Udp512 => Load::Datagrams512,
        BenchAlso::UdpFull => Load::DatagramsFull,
        BenchAlso::TcpN => Load::Streams,
        BenchAlso::LatencyUnderLoad => Load::LoadedRequests,
        BenchAlso::ConnectionRate => Load::Connections,
    }))
}

/// In the order in which they are shown, each once.
fn sorted(loads: impl Iterator<Item = Load>) -> Vec<Load> {
    let mut loads: Vec<Load> = loads.collect();
    loads.sort_unstable();
    loads.dedup();
    loads
}

fn options(judge: &JudgeArgs, facts: FactsPolicy) -> Options {
    Options { margins: Margins::new(judge.max_regression.iter().copied()), force: judge.force, facts }
}

fn compare(args: &BenchCompareArgs) -> anyhow::Result<ExitCode> {
    let base = file::read("BASE", &args.base)?;
    let new = file::read("NEW", &args.new)?;
    let options = options(&args.judge, FactsPolicy::Default);
    let found = gate::compare(&base.runs, new.last()?, &options, &mut Tails::default())
        .map_err(|differences| refused(&differences))?;
    show(&Gate { comparison: &found, facts: FactsPolicy::Default, decides: false }, args.judge.format)?;
    Ok(ExitCode::SUCCESS)
}

fn refused(differences: &[Difference]) -> Incomparable {
    Incomparable(report::refusal(differences))
}

fn gate_files(args: &BenchGateArgs) -> anyhow::Result<ExitCode> {
    let base = file::read("--baseline", &args.baseline)?;
    let mut news: Vec<Run> = Vec::new();
    for path in &args.new {
        news.extend(file::read("--new", path)?.runs);
    }
    // A session confirms another one, and not itself.
    news.dedup();
    let options = options(&args.judge, policy(args));
    let mut tails = Tails::default();
    // What says so twice may be one that fails: the first two sessions are taken, as if the gate had measured them itself.
    let mut compared = news.iter().take(2).map(|new| {
        gate::compare(&base.runs, new, &options, &mut tails)
            .map_err(|differences| anyhow::Error::from(refused(&differences)))
    });
    let first = compared.next().context("no result to judge")??;
    let found = match compared.next() {
        Some(second) => first.confirm(second?),
        None => first,
    };
    decide(args, &found)
}

/// Measures as the baseline was measured, until it can be decided; what looks worse is measured again with everything new.
fn gate_now(args: &BenchGateArgs) -> anyhow::Result<ExitCode> {
    let base = file::read("--baseline", &args.baseline)?;
    let options = options(&args.judge, policy(args));
    let newest = base.last()?;
    let slice = Duration::from_millis(newest.parameters.slice_ms);
    let to = serve::to(&args.to, &args.load, slice)?;
    let differences = gate::differences(newest, &expected(newest, args, to.is_some()));
    if !differences.is_empty() && !options.force {
        return Err(refused(&differences).into());
    }
    let setup = Setup {
        scenarios: newest.measured().collect(),
        only: newest.parameters.only.clone(),
        also: newest.parameters.also.clone(),
        // That of the command line: what a file says is never run.
        load: outside(&args.load),
        slice,
        prefix: args.prefix.clone(),
        to,
    };
    let output = args.output.as_deref().map(|path| Output::prepare("--output", path)).transpose()?;
    let found = session::run(setup.builds(), move |stop| {
        let mut tails = Tails::default();
        let mut session = Session::begin(&setup)?;
        let first = session.run.clone();
        let basis = Basis::of(&base.runs, &first).context("the baseline has no run")?;
        let differences = basis.differences(&first);
        if !differences.is_empty() && !options.force {
            return Err(refused(&differences).into());
        }
        let mut looks = Looks::new(basis.looks());
        let (mut finished, mut rows) = (Vec::new(), Vec::new());
        let mut next = looks.first();
        loop {
            let rounds = match next {
                Next::Done => break,
                Next::Measure(rounds) => rounds,
                Next::Confirm(rounds) => {
                    tell("something looks slower: measuring again, to confirm it");
                    finished.push(session.run.clone());
                    // Its lab goes before there is another one of that name.
                    drop(session);
                    session = Session::begin(&setup)?;
                    rounds
                }
            };
            while session.run.rounds.len() < rounds {
                let told = session.round(rounds, stop).map_err(|error| match &output {
                    Some(output) => error.context(format!("rounds that were finished are in {output}")),
                    None => error,
                });
                if told? == Told::Stopped {
                    return Ok(None);
                }
                if let Some(output) = &output {
                    let runs = finished.iter().chain([&session.run]).cloned().collect();
                    output.write(&Document { runs, ..Document::of(session.run.clone()) })?;
                }
            }
            rows = basis.verdicts(&session.run, &options.margins, &mut tails);
            next = looks.look(&mut rows);
        }
        let mut found = Comparison::of(rows, &basis, &session.run, &options, looks.to_confirm());
        found.summarize(&basis, &session.run, &mut tails);
        Ok(Some(found))
    })?;
    let Some(found) = found else {
        tell("interrupted: nothing was decided");
        return Ok(ExitCode::from(exit::UNKNOWN));
    };
    decide(args, &found)
}

/// What a run of now would be, as far as it decides whether it can be compared.
fn expected(base: &Run, args: &BenchGateArgs, is_remote: bool) -> Run {
    let is_given_lab = args.prefix.is_some();
    let parameters = Parameters {
        // What is there already has the MTU that it has, which is seen once it is looked at.
        underlay_mtu: if is_given_lab || is_remote { base.parameters.underlay_mtu } else { UNDERLAY_MTU },
        load: outside(&args.load),
        ..base.parameters.clone()
    };
    Run {
        tool_version: session::VERSION.to_owned(),
        started_at_s: procfs::wall_clock().as_secs(),
        since_boot_s: procfs::since_boot().map(|time| time.as_secs()),
        machine: meter::machine(),
        parameters,
        remote: is_remote.then(|| base.remote.clone().unwrap_or_default()),
        scenarios: Vec::new(),
        rounds: Vec::new(),
        accepted: None,
    }
}

/// Takes a result into a baseline.
fn accept(args: &BenchAcceptArgs) -> anyhow::Result<ExitCode> {
    let new = file::read("NEW", &args.new)?.last()?.clone();
    let earlier = if args.replace || !args.baseline.exists() {
        None
    } else {
        Some(file::read("--baseline", &args.baseline)?)
    };
    let mut baseline = earlier.unwrap_or_else(|| Document { runs: Vec::new(), ..Document::of(new.clone()) });
    if let Some(last) = baseline.runs.last() {
        let differences = gate::differences(last, &new);
        if !differences.is_empty() {
            return Err(refused_into(&differences).into());
        }
    }
    let metrics = metrics(&args.metric);
    if !metrics.is_empty() {
        anyhow::ensure!(
            !baseline.runs.is_empty(),
            "--metric: {} is not there, and has no level of the other metrics: accept a whole result first",
            args.baseline.display()
        );
        has_levels(&new, &metrics).with_context(|| format!("NEW {}", args.new.display()))?;
    }
    let accepted = Accepted { reason: args.reason.clone(), at_s: procfs::wall_clock().as_secs(), metrics };
    anyhow::ensure!(
        baseline.accept(new, accepted),
        "{} is in {} already",
        args.new.display(),
        args.baseline.display()
    );
    Output::prepare("--baseline", &args.baseline)?.write(&baseline)?;
    print(&format!("{}: {} accepted\n", args.baseline.display(), text::counted(baseline.runs.len(), "run")))?;
    Ok(ExitCode::SUCCESS)
}

/// Of each metric that is accepted by itself the result must say something: nothing could be decided by the baseline otherwise.
fn has_levels(new: &Run, metrics: &[Metric]) -> anyhow::Result<()> {
    for metric in metrics {
        for scenario in new.measured() {
            history::whole(new, scenario, *metric, &mut Tails::default()).map_err(|why| {
                anyhow::anyhow!(
                    "it has no level of {} {}: {}",
                    scenario,
                    metric.title(),
                    report::why_unknown(why)
                )
            })?;
        }
    }
    Ok(())
}

fn trend(args: &BenchTrendArgs) -> anyhow::Result<ExitCode> {
    let mut runs: Vec<Run> = Vec::new();
    for path in &args.files {
        runs.extend(file::read("FILE", path)?.runs);
    }
    let trend = Trend::of(&runs);
    print(&match args.format {
        TrendFormat::Table => report::trend::table(&trend),
        TrendFormat::Csv => report::trend::csv(&trend),
        TrendFormat::Svg => report::trend::svg(&trend),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn refused_into(differences: &[Difference]) -> Incomparable {
    let words: Vec<String> = differences.iter().map(report::difference).collect();
    Incomparable(format!(
        "the result does not fit the baseline: {}; use another baseline, or --replace",
        words.join("; ")
    ))
}

fn policy(args: &BenchGateArgs) -> FactsPolicy {
    match args.facts {
        None => FactsPolicy::Default,
        Some(BenchFacts::Fail) => FactsPolicy::Fail,
        Some(BenchFacts::Warn) => FactsPolicy::Warn,
    }
}

fn decide(args: &BenchGateArgs, found: &Comparison) -> anyhow::Result<ExitCode> {
    let facts = policy(args);
    let shown = show(&Gate { comparison: found, facts, decides: true }, args.judge.format);
    // The verdict stands, whether anybody reads it or not.
    match shown {
        Err(error) if !exit::is_closed_pipe(&error) => Err(error),
        Err(_) | Ok(()) => Ok(ExitCode::from(code(found.outcome(facts)))),
    }
}

fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Warn => 1,
        Outcome::Fail => exit::FAILURE,
        Outcome::Unknown => exit::UNKNOWN,
    }
}

fn show(gate: &Gate<'_>, format: BenchFormat) -> anyhow::Result<()> {
    print(&match format {
        BenchFormat::Table => report::table(gate),
        BenchFormat::Json => report::json(gate).context("cannot write JSON")?,
        BenchFormat::Junit => report::junit(gate),
        BenchFormat::Markdown => report::markdown(gate),
        BenchFormat::Csv => report::csv(gate),
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

fn tell(text: &str) {
    // Nobody to tell when the terminal is gone.
    let _ = writeln!(io::stderr(), "{text}");
}
