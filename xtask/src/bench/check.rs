//! CPU and memory of `check` on a node with 250 pods and many peers, and its CPU beside that of `show node`, which reads the same
//! once. The window passes without CPU.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Row,
    cost::cost,
    spread::Spread,
    world::{World, mebibytes},
};
use crate::{command, ui};

pub(super) fn measure(rounds: u32, binary: &Path, peers: u32) -> Result<Vec<Row>> {
    let world = World::busy(peers)?;
    let node = world.node(1);
    let checks = judged(binary, &node)?;
    ui::note(&format!("checking it {rounds} times; {checks} checks are judged there"));
    let checked = || cost(check(binary, &node));
    let shown = || cost(show(binary, &node));
    let (mut cpu, mut memory, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // Once before, to warm up; it is not counted.
    for round in 0..=rounds {
        // Forward and back, so that a machine that slows down slows both alike.
        let (a, b, c, d) = (checked()?, shown()?, shown()?, checked()?);
        if round > 0 {
            cpu.extend([a, d].map(|cost| cost.cpu.as_secs_f64() * 1000.0));
            memory.extend([a, d].map(|cost| mebibytes(cost.memory)));
            ratios.push((a.cpu + d.cpu).as_secs_f64() / (b.cpu + c.cpu).as_secs_f64());
        }
    }
    let row = |what: &str, values: Vec<f64>, unit, target| -> Result<Row> {
        let found = Spread::of(values).context("no round")?;
        Ok(Row { what: format!("check: {what}"), found, unit, target })
    };
    Ok(vec![
        row("CPU", cpu, "ms", "at most 1000")?,
        row("memory", memory, "MiB", "at most 60")?,
        row("CPU beside show node", ratios, "times", "")?,
    ])
}

/// Made-up peers answer nothing, so that there are findings: they are no failure here.
pub(super) fn check(binary: &Path, node: &str) -> Command {
    let mut check = command::program(binary);
    check.args(["--netns", node, "check", "--window", "100ms", "--fail-on", "never", "--format", "json"]);
    check
}

fn show(binary: &Path, node: &str) -> Command {
    let mut show = command::program(binary);
    show.args(["--netns", node, "show", "node", "--format", "json"]);
    show
}

/// How many checks say something of this node: what is measured is what was promised.
fn judged(binary: &Path, node: &str) -> Result<u64> {
    let text = command::capture(&mut check(binary, node))?;
    let value: Value = serde_json::from_str(&text)?;
    let count = |name: &str| value["counts"][name].as_u64().unwrap_or(0);
    let judged = count("passed") + count("warned") + count("failed") + count("explained");
    anyhow::ensure!(judged >= 20, "only {judged} checks could be judged: {text}");
    Ok(judged)
}
