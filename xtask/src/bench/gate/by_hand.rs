//! The ratio of a result beside that of iperf3, run as one would by hand: from pod to pod and from node to node, in turns.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use overlay_probe::bench::{
    history,
    metric::{Metric, Scenario},
    result::Document,
    stats::Tails,
};
use serde_json::Value;

use super::super::{
    spread::Spread,
    world::{Running, World},
};
use crate::{command, ui};

/// Pairs of runs, a second each.
const PAIRS: u32 = 10;
/// One side of an interval of 95 %.
const SIDE: f64 = 0.025;

/// A sentence with both.
pub(super) fn compare(world: &World, base: &Path) -> Result<String> {
    if !command::succeeds(command::program("iperf3").arg("--version")) {
        return Ok("iperf3 is not here: its ratio was not compared.".to_owned());
    }
    let address = |of: Option<&std::net::IpAddr>| of.map(ToString::to_string).context("no address");
    let node = world.lab.nodes.get(1).context("no second node")?;
    let pod = node.pods.first().context("no pod")?;
    let options = &world.lab.options;
    let overlay = (options.pod(1, 1), options.pod(2, 1), address(pod.addresses.first())?);
    let host = (options.node(1), options.node(2), address(node.addresses.first())?);
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        ui::note(&format!("iperf3 by hand, {} of {PAIRS}", pair + 1));
        // Neither is always first.
        let [first, second] = if pair % 2 == 0 { [&overlay, &host] } else { [&host, &overlay] };
        let (first, second) = (iperf(first)?, iperf(second)?);
        ratios.push(if pair % 2 == 0 { first / second } else { second / first });
    }
    let found = Spread::of(ratios).context("no ratio")?;
    let document = Document::read(&std::fs::read(base)?)?;
    let run = document.last()?;
    let rounds = run.rounds.len();
    let level = history::whole(run, Scenario::VxlanV4, Metric::Throughput, &mut Tails::default());
    let own = match level {
        Ok(level) => {
            let [high, low] = [level.low(SIDE), level.high(SIDE)].map(|cost| Metric::Throughput.ratio(cost));
            let (agrees, middle) =
                (low <= found.high && found.low <= high, Metric::Throughput.ratio(level.estimate()));
            let agrees = if agrees { "they overlap" } else { "they do NOT overlap" };
            format!("{middle:.3} with an interval of 95 % from {low:.3} to {high:.3}; {agrees}")
        }
        Err(_) => "nothing, since the machine was unstable".to_owned(),
    };
    Ok(format!(
        "Overlay over host of one TCP stream by iperf3, {PAIRS} pairs of a second each: {:.3} in the middle, 80 % from {:.3} to {:.3}. \
         By `bench run`, {rounds} rounds: {own}.",
        found.median, found.low, found.high
    ))
}

/// Bits per second that arrived.
fn iperf((from, to, address): &(String, String, String)) -> Result<f64> {
    let inside = |netns: &str| -> Command {
        let mut iperf = command::program("ip");
        iperf.args(["netns", "exec", netns, "iperf3"]);
        iperf
    };
    let server = inside(to).args(["-s", "-1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let _server = Running(server);
    // With JSON it succeeds also when nobody listens yet.
    let arrived = || -> Result<f64> {
        let said = command::capture(inside(from).args(["-J", "-t", "1", "-c", address]))?;
        let told: Value = serde_json::from_str(&said)?;
        let bits = told.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
        let why = || told.get("error").map_or("it does not say what arrived".to_owned(), Value::to_string);
        bits.with_context(why)
    };
    let mut tries = 0;
    loop {
        let found = arrived();
        tries += 1;
        if found.is_ok() || tries == 50 {
            return found.context("iperf3");
        }
        thread::sleep(Duration::from_millis(100));
    }
}
