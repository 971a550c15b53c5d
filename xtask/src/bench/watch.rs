//! CPU and memory of `watch` at one interval a second, on a node with 250 pods and many peers that carries traffic.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Row,
    spread::Spread,
    world::{PODS, Running, World, mebibytes},
};
use crate::{command, ui};

/// Slots for the lab's own peers.
const SPARE: u32 = 24;

pub(super) fn measure(rounds: u32, binary: &Path, peers: u32) -> Result<Vec<Row>> {
    let world = World::busy(peers)?;
    let node = world.node(1);
    let load = world.load()?;
    ui::note(&format!("watching it for {} s", rounds + 2));
    let lines = watched(binary, &node, peers, rounds + 2)?;
    let (mut cpu, mut memory, mut maps) = (Vec::new(), Vec::new(), Vec::new());
    for observer in lines {
        cpu.extend(observer["cpu_percent"].as_f64());
        memory.extend(observer["rss_bytes"].as_u64().map(mebibytes));
        maps.extend(observer["map_bytes"].as_u64().map(mebibytes));
    }
    drop(load.stop());
    let row = |what: &str, values: Vec<f64>, unit, target| -> Result<Row> {
        let found = Spread::of(values).with_context(|| format!("the tool did not say its {what}"))?;
        Ok(Row { what: format!("watch at 1 s: {what}"), found, unit, target })
    };
    Ok(vec![
        row("CPU", cpu, "% of a core", "at most 1")?,
        row("memory", memory, "MiB", "at most 20")?,
        row("kernel maps", maps, "MiB", "")?,
    ])
}

/// What the tool says of itself, of so many lines.
pub(super) fn watched(binary: &Path, node: &str, peers: u32, count: u32) -> Result<Vec<Value>> {
    let slots = slots(peers);
    let mut said = lines(binary, node, &["--interval", "1s", "--peer-slots", &slots], count)?;
    said.iter_mut().map(|value| check(value, peers).map(|()| value["self"].take())).collect()
}

/// `--peer-slots` of a node with so many.
pub(super) fn slots(peers: u32) -> String {
    (peers + SPARE).to_string()
}

/// So many lines of a `watch`.
pub(super) fn lines(binary: &Path, node: &str, arguments: &[&str], count: u32) -> Result<Vec<Value>> {
    let child = command::program(binary)
        .args(["--netns", node, "watch", "--format", "jsonl", "--count", &count.to_string()])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the tool")?;
    let mut running = Running(child);
    let stdout = running.0.stdout.take().context("no stdout")?;
    BufReader::new(stdout).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// What is measured is what was promised.
fn check(value: &Value, peers: u32) -> Result<()> {
    let count = |list: &str| value[list].as_array().map_or(0, Vec::len);
    anyhow::ensure!(count("pods") > usize::from(PODS), "only {} pods", count("pods"));
    anyhow::ensure!(count("peers") > usize::try_from(peers)?, "only {} peers", count("peers"));
    Ok(())
}
