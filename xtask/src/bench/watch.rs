//! CPU and memory of `watch` at one interval a second, on a node with 250 pods and 1,000 peers that carries traffic.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result};
use overlay_probe::lab::load::{Load, LoadOptions};
use serde_json::Value;

use super::{
    Row,
    spread::Spread,
    world::{Running, World, inside},
};
use crate::{command, ui};

/// Of the target.
const PODS: u16 = 250;
const PEERS: u32 = 1000;

pub(super) fn measure(rounds: u32, binary: &Path) -> Result<Vec<Row>> {
    ui::note(&format!("building a node with {PODS} pods and {PEERS} peers"));
    let world = World::up(2, PODS)?;
    let node = world.node(1);
    add_peers(&node)?;
    let load = Load::start(&LoadOptions {
        prefix: world.lab.options.prefix.clone(),
        tcp_mbit: 50,
        udp_pps: 500,
        flows: 8,
    })?;
    ui::note(&format!("watching it for {} s", rounds + 2));
    let child = command::program(binary)
        .args(["--netns", &node, "watch", "--format", "jsonl", "--interval", "1s", "--count"])
        .arg((rounds + 2).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the tool")?;
    let mut running = Running(child);
    let stdout = running.0.stdout.take().context("no stdout")?;
    let mut cpu = Vec::new();
    let mut memory = Vec::new();
    let mut maps = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let value: Value = serde_json::from_str(&line?)?;
        check(&value)?;
        let observer = &value["self"];
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
        row("CPU", cpu, "% of a core", "at most 2")?,
        row("memory", memory, "MiB", "at most 38 (40 MB)")?,
        row("kernel maps", maps, "MiB", "")?,
    ])
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What is measured is what was promised.
fn check(value: &Value) -> Result<()> {
    let count = |list: &str| value[list].as_array().map_or(0, Vec::len);
    anyhow::ensure!(count("pods") > usize::from(PODS), "only {} pods", count("pods"));
    anyhow::ensure!(count("peers") > usize::try_from(PEERS)?, "only {} peers", count("peers"));
    Ok(())
}

/// Peers as flannel makes them: a route, a neighbour and an FDB entry each.
fn add_peers(node: &str) -> Result<()> {
    let mut ip = String::new();
    let mut bridge = String::new();
    for peer in 0..PEERS {
        let (high, low) = (peer / 250, peer % 250);
        let mac = format!("02:aa:00:00:{high:02x}:{low:02x}");
        // Writing to a String cannot fail.
        let _ = writeln!(ip, "neigh add 10.{}.{low}.0 lladdr {mac} dev flannel.1 nud permanent", 60 + high);
        let _ =
            writeln!(ip, "route add 10.{0}.{low}.0/24 via 10.{0}.{low}.0 dev flannel.1 onlink", 60 + high);
        let _ = writeln!(bridge, "fdb add {mac} dev flannel.1 dst 172.30.{high}.{}", low + 1);
    }
    let directory = tempfile::tempdir()?;
    for (program, batch) in [("ip", ip), ("bridge", bridge)] {
        let file = directory.path().join(program);
        fs::write(&file, batch)?;
        inside(node, &format!("{program} -batch {}", file.display()))?;
    }
    Ok(())
}
