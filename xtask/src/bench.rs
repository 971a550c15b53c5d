//! `cargo xtask bench`: what the probe costs, as ratios within one interleaved run. It holds no limits and is no test:
//! machines differ, so it prints targets beside what it found. With `--against` it compares two versions, and holds what is exact.

pub(crate) mod against;
mod check;
mod cost;
mod gate;
mod packets;
mod programs;
mod rate;
mod screen;
mod show;
mod spread;
mod start;
mod watch;
mod wire;
mod world;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};

use crate::{
    command, test,
    ui::{self, Align},
};

/// Measure what the probe costs: the programs, the traffic beside them, the tool itself.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; each measures everything once, in turn, and then once in reverse. Of `gate`: gates of identical code.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(3..))]
    rounds: u32,
    /// Peers of the node that is shown, checked and watched.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=40_000))]
    peers: u32,
    /// Only one of these.
    #[arg(long)]
    only: Option<Part>,
    /// Of `gate`: length of a slice.
    #[arg(long, default_value = "300ms", value_name = "TIME")]
    slice: String,
    /// Of `gate`: put the log into this document as well, such as docs/bench-log.md.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// This binary instead of one that is built.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Compare with this commit, in turns; fail when something exact got worse (object size, verified instructions, map bytes,
    /// CPU of `watch` beyond its bound).
    #[arg(long, value_name = "REV")]
    against: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Nanoseconds per packet of each program beside an empty one and one that bumps a counter.
    Programs,
    /// Nanoseconds of a small packet beside the probe, empty programs and tcpdump.
    Rate,
    /// Nanoseconds of the programs for each packet on the wire, of small, large and bulk traffic.
    Wire,
    /// CPU and memory of `show node` with 250 pods and `--peers`, beside `ip` and `bridge`.
    Show,
    /// CPU and memory of `check` with 250 pods and `--peers`, beside `show node`.
    Check,
    /// CPU and memory of `watch` with 250 pods and `--peers`.
    Watch,
    /// CPU of `top` on a terminal of 200 by 60 with 250 pods and `--peers`, and of each frame that a key makes it draw.
    Screen,
    /// Time from the start of `watch` to its first line, confined and not.
    Start,
    /// `bench gate` with identical code and with paths that were made slower; only where it is asked for.
    Gate,
}

/// One line of the result.
struct Row {
    what: String,
    /// Median, spread.
    found: spread::Spread,
    unit: &'static str,
    target: &'static str,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !command::is_root() {
        bail!("the benchmark loads programs and makes namespaces: run it as root");
    }
    if let Some(revision) = &args.against {
        if matches!(args.only, Some(Part::Wire | Part::Screen | Part::Start | Part::Gate)) {
            bail!("wire, screen, start and gate are not compared: leave out --only, or name another part");
        }
        world::own_mounts()?;
        return against::run(args, revision);
    }
    let binary = args.binary.as_ref();
    let binary = binary.map_or_else(test::build, |binary| Ok(std::path::absolute(binary)?))?;
    if args.only == Some(Part::Gate) {
        world::own_mounts()?;
        let plan = gate::Plan { gates: args.rounds, slice: &args.slice, log: args.log.as_deref() };
        gate::run(&plan, &binary)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = |part: Part| args.only.is_none_or(|only| only == part);
    world::own_mounts()?;
    let mut rows = Vec::new();
    if wanted(Part::Programs) {
        rows.extend(programs::measure(args.rounds)?);
    }
    if wanted(Part::Rate) {
        rows.extend(rate::measure(args.rounds, &binary)?);
    }
    if wanted(Part::Wire) {
        rows.extend(wire::measure(args.rounds, &binary)?);
    }
    if wanted(Part::Show) {
        rows.extend(show::measure(args.rounds, &binary, args.peers)?);
    }
    if wanted(Part::Check) {
        rows.extend(check::measure(args.rounds, &binary, args.peers)?);
    }
    if wanted(Part::Watch) {
        rows.extend(watch::measure(args.rounds, &binary, args.peers)?);
    }
    if wanted(Part::Screen) {
        rows.extend(screen::measure(args.rounds, &binary, args.peers)?);
    }
    if wanted(Part::Start) {
        rows.extend(start::measure(args.rounds, &binary, args.peers)?);
    }
    print(&rows);
    Ok(ExitCode::SUCCESS)
}

fn print(rows: &[Row]) {
    let heading = ["what", "median", "p10", "p90", "unit", "target"].map(str::to_owned).to_vec();
    let number = |value: f64| format!("{value:.3}");
    let lines = rows.iter().map(|row| {
        vec![
            row.what.clone(),
            number(row.found.median),
            number(row.found.low),
            number(row.found.high),
            row.unit.to_owned(),
            row.target.to_owned(),
        ]
    });
    let lines: Vec<Vec<String>> = [heading].into_iter().chain(lines).collect();
    ui::table(&[Align::Left, Align::Right, Align::Right, Align::Right, Align::Left, Align::Left], &lines);
}
