//! CPU and memory of `show node` on a node with 250 pods and many peers, beside `ip` and `bridge` that dump the same tables.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Row,
    cost::cost,
    spread::Spread,
    world::{PODS, World, mebibytes},
};
use crate::{command, ui};

/// What prints the tables that `show node` reads.
const DUMPS: [(&str, &str); 6] = [
    ("ip", "-j -d link show"),
    ("ip", "-j addr show"),
    ("ip", "-4 -j route show"),
    ("ip", "-6 -j route show"),
    ("ip", "-j neigh show dev flannel.1"),
    ("bridge", "-j fdb show dev flannel.1"),
];

pub(super) fn measure(rounds: u32, binary: &Path, peers: u32) -> Result<Vec<Row>> {
    let world = World::busy(peers)?;
    let node = world.node(1);
    check(binary, &node, peers)?;
    ui::note(&format!("showing it {rounds} times"));
    let ours = || cost(show(binary, &node));
    let (mut cpu, mut memory, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // Once before, to warm up; it is not counted.
    for round in 0..=rounds {
        // Forward and back, so that a machine that slows down slows both alike.
        let (a, b, c, d) = (ours()?, dumps(&node)?, dumps(&node)?, ours()?);
        if round > 0 {
            cpu.extend([a, d].map(|cost| cost.cpu.as_secs_f64() * 1000.0));
            memory.extend([a, d].map(|cost| mebibytes(cost.memory)));
            ratios.push((a.cpu + d.cpu).as_secs_f64() / (b + c).as_secs_f64());
        }
    }
    let row = |what: &str, values: Vec<f64>, unit, target| -> Result<Row> {
        let found = Spread::of(values).context("no round")?;
        Ok(Row { what: format!("show node: {what}"), found, unit, target })
    };
    Ok(vec![
        row("CPU", cpu, "ms", "at most 60")?,
        row("memory", memory, "MiB", "at most 57 (60 MB)")?,
        row("CPU beside ip and bridge", ratios, "times", "")?,
    ])
}

/// The command that is measured.
pub(super) fn show(binary: &Path, node: &str) -> Command {
    let mut show = command::program(binary);
    show.args(["--netns", node, "show", "node", "--format", "json"]);
    show
}

fn dumps(node: &str) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for (name, words) in DUMPS {
        let mut dump = command::program(name);
        dump.args(["-n", node]).args(words.split(' '));
        sum += cost(dump)?.cpu;
    }
    Ok(sum)
}

/// What is measured is what was promised.
fn check(binary: &Path, node: &str, peers: u32) -> Result<()> {
    let text = command::capture(&mut show(binary, node))?;
    let value: Value = serde_json::from_str(&text)?;
    let count = |name: &str| value["actual"][name].as_u64().unwrap_or(0);
    anyhow::ensure!(count("pod_interfaces") >= u64::from(PODS), "only {} pods", count("pod_interfaces"));
    anyhow::ensure!(count("peers") > u64::from(peers), "only {} peers", count("peers"));
    Ok(())
}
