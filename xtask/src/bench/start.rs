//! How long `watch` takes from its start to its first line, on a node with 250 pods and many peers, with what confines it and
//! without. The interval is in both alike.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Row, spread::Spread, world::World};
use crate::{command, ui};

/// As short as it can be.
const INTERVAL: &str = "100ms";

pub(super) fn measure(rounds: u32, binary: &Path, peers: u32) -> Result<Vec<Row>> {
    let world = World::busy(peers)?;
    let node = world.node(1);
    ui::note(&format!("starting to watch it {} times", 4 * (rounds + 1)));
    let start = |is_confined: bool| start(binary, &node, is_confined);
    let (mut took, mut added, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // Once before, to warm up; it is not counted.
    for round in 0..=rounds {
        // Forward and back, so that a machine that slows down slows both alike.
        let (a, b, c, d) = (start(true)?, start(false)?, start(false)?, start(true)?);
        if round > 0 {
            took.extend([a, d].map(milliseconds));
            added.push((milliseconds(a + d) - milliseconds(b + c)) / 2.0);
            ratios.push((a + d).as_secs_f64() / (b + c).as_secs_f64());
        }
    }
    let row = |what: &str, values: Vec<f64>, unit, target| -> Result<Row> {
        let found = Spread::of(values).context("no round")?;
        Ok(Row { what: format!("watch: {what}"), found, unit, target })
    };
    Ok(vec![
        row("from start to first line", took, "ms", "")?,
        row("beside an unconfined one", ratios, "times", "")?,
        row("added by what confines it", added, "ms", "at most 50")?,
    ])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// From the start of the process to its end, which comes right after its first line.
fn start(binary: &Path, node: &str, is_confined: bool) -> Result<Duration> {
    let mut watch = command::program(binary);
    watch
        .args(["--netns", node, "watch", "--format", "jsonl", "--count", "1", "--interval", INTERVAL])
        .env("OVERLAY_PROBE_CONFINE", if is_confined { "on" } else { "off" })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let status = watch.status().context("cannot start the tool")?;
    if !status.success() {
        bail!("{watch:?} failed: {status}");
    }
    Ok(began.elapsed())
}
