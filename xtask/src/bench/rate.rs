//! What a small UDP packet takes through the lab beside several observers: the tool, empty programs on the same hooks, tcpdump.
//!
//! Mean rates of a busy machine differ by more than the tool costs. So the sender is this program's own, the figure is the best tenth
//! of many short batches, and in each round every observer has its turn, in random order.

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use overlay_probe::{
    bench::{drive::random, random::Random, stats},
    lab::send,
    netns,
};
use xtask::burn::{Burn, Hook};

use super::{
    Row,
    spread::Spread,
    world::{Running, World},
};
use crate::{command, ui};

/// One measurement.
pub(super) const SLICE: Duration = Duration::from_millis(500);
/// Payload of a datagram: the packet is all headers, so the probe's share is largest.
const PAYLOAD: usize = 16;
/// Datagrams of a batch: few, so that many batches are not interrupted.
const BATCH: u32 = 200;
/// The devices that the packet leaves by.
const DEVICES: [&str; 2] = ["flannel.1", "eth0"];

/// An observer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// An empty program on each device.
    Empty(Hook),
    /// The tool, its programs attached so.
    Tool(&'static str),
    /// Headers of everything on the lower device, to nowhere.
    Tcpdump,
}

/// In the order of the table, each with what it is compared with.
const OBSERVERS: [(Beside, &str, Option<Beside>, &str); 6] = [
    (Beside::Nothing, "no observer", None, ""),
    (Beside::Empty(Hook::Tcx), "empty programs, TCX", Some(Beside::Nothing), ""),
    (Beside::Tool("tcx"), "the tool, TCX", Some(Beside::Empty(Hook::Tcx)), "at most 130"),
    (Beside::Empty(Hook::Egress), "empty programs, clsact", Some(Beside::Nothing), ""),
    (Beside::Tool("clsact"), "the tool, clsact", Some(Beside::Empty(Hook::Egress)), "at most 130"),
    (Beside::Tcpdump, "tcpdump -s 96", Some(Beside::Nothing), ""),
];

/// Observes until it is ended; dropped without that it is killed.
enum Guard {
    Nothing,
    Programs { _programs: Vec<Burn> },
    Process(Running),
}

impl Beside {
    fn start(self, world: &World, binary: &Path) -> Result<Guard> {
        let node = world.node(1);
        Ok(match self {
            Self::Nothing => Guard::Nothing,
            Self::Empty(hook) => {
                let programs = DEVICES.iter().map(|device| Burn::empty(&node, device, hook));
                Guard::Programs { _programs: programs.collect::<Result<_>>()? }
            }
            Self::Tool(attach) => Guard::Process(tool(binary, &node, &["--attach", attach])?),
            Self::Tcpdump => Guard::Process(tcpdump(&node)?),
        })
    }
}

impl Guard {
    fn end(self) -> Result<()> {
        match self {
            Self::Nothing | Self::Programs { .. } => Ok(()),
            // Filters on a clsact qdisc outlive a tool that is killed.
            Self::Process(running) => running.end(),
        }
    }
}

pub(super) fn measure(rounds: u32, binary: &Path) -> Result<Vec<Row>> {
    let world = World::up(2, 1)?;
    let (sender, _receiver) = sockets(&world)?;
    let mut possible = Vec::new();
    for (at, (observer, name, ..)) in OBSERVERS.iter().enumerate() {
        match observer.start(&world, binary) {
            Ok(guard) => guard.end().map(|()| possible.push(at))?,
            Err(error) => ui::note(&format!("left out: {name}: {error:#}")),
        }
    }
    best_tenth(&sender, SLICE)?;
    let mut random = Random::new(u64::from_ne_bytes(random()?));
    let mut found = [const { Vec::new() }; OBSERVERS.len()];
    for round in 1..=rounds {
        ui::note(&format!("small packets, round {round} of {rounds}"));
        random.shuffle(&mut possible);
        for &at in &possible {
            let guard = OBSERVERS[at].0.start(&world, binary)?;
            found[at].push(best_tenth(&sender, SLICE)?);
            guard.end()?;
        }
    }
    Ok(rows(&found))
}

/// Each observer's figure, and what is more than its yardstick's in the same round.
fn rows(found: &[Vec<f64>]) -> Vec<Row> {
    let mut rows = Vec::new();
    let row =
        |what, values: Vec<f64>, target| Some(Row { what, found: Spread::of(values)?, unit: "ns", target });
    for ((_, name, yardstick, target), values) in OBSERVERS.iter().zip(found) {
        rows.extend(row(format!("small packet, {name}"), values.clone(), ""));
        let beside = OBSERVERS.iter().zip(found).find(|((observer, ..), _)| Some(*observer) == *yardstick);
        if let Some(((_, other, ..), others)) = beside {
            let more = values.iter().zip(others).map(|(value, other)| value - other).collect();
            rows.extend(row(format!("  more than {other}"), more, target));
        }
    }
    rows
}

/// A sender in the first node's pod and the socket in the second's that it sends to. Nothing reads while it is measured: a full
/// socket buffer drops without waking anyone.
pub(super) fn sockets(world: &World) -> Result<(UdpSocket, UdpSocket)> {
    let address = world.pod_address(false)?;
    let [from, to] = [world.lab.options.pod(1, 1), world.lab.options.pod(2, 1)];
    let receiver = send::udp_socket(&netns::open(&to)?, false, 0)?;
    let sender = send::udp_socket(&netns::open(&from)?, false, 0)?;
    sender.connect(SocketAddr::new(address, receiver.local_addr()?.port()))?;
    Ok((sender, receiver))
}

/// Nanoseconds per packet: of all batches of a slice, a tenth took no longer. Sending waits for nothing, so the sender's CPU is the
/// limit and every nanosecond on the packet's way counts.
pub(super) fn best_tenth(sender: &UdpSocket, slice: Duration) -> Result<f64> {
    let payload = [0; PAYLOAD];
    let mut batches = Vec::new();
    let start = Instant::now();
    while start.elapsed() < slice {
        let start = Instant::now();
        for _ in 0..BATCH {
            sender.send(&payload)?;
        }
        batches.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
    }
    stats::quantile(&batches, 100).context("no batch")
}

/// The tool, once it counts on a node.
pub(super) fn tool(binary: &Path, node: &str, arguments: &[&str]) -> Result<Running> {
    let directory = tempfile::tempdir()?;
    let ready = directory.path().join("ready");
    let mut watch = command::program(binary);
    // Its programs are timed in one of ten intervals, which costs time: most of a slice has to be without that.
    watch
        .args(["--netns", node, "watch", "--format", "jsonl", "--interval", "100ms", "--ready-file"])
        .arg(&ready);
    let mut running = started(watch.args(arguments))?;
    running.wait_for(&ready)?;
    // Past the work of starting.
    thread::sleep(Duration::from_millis(200));
    Ok(running)
}

fn tcpdump(node: &str) -> Result<Running> {
    let mut tcpdump = command::program("ip");
    tcpdump.args(["netns", "exec", node, "tcpdump", "-i", DEVICES[1], "-s", "96", "-w", "/dev/null"]);
    let mut running = started(&mut tcpdump)?;
    // It does not say when it has begun.
    thread::sleep(Duration::from_millis(500));
    running.is_running()?;
    Ok(running)
}

fn started(command: &mut Command) -> Result<Running> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Running(child.with_context(|| format!("cannot start {command:?}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_is_compared_with_its_yardstick_in_the_same_round() {
        let found =
            [vec![1000.0, 2000.0, 3000.0], vec![1300.0, 2310.0, 3320.0], vec![1400.0, 2410.0, 3425.0]];
        let rows = rows(&found);
        let said: Vec<_> = rows.iter().map(|row| (row.what.as_str(), row.found.median, row.target)).collect();
        let expected = [
            ("small packet, no observer", 2000.0, ""),
            ("small packet, empty programs, TCX", 2310.0, ""),
            ("  more than no observer", 310.0, ""),
            ("small packet, the tool, TCX", 2410.0, ""),
            ("  more than empty programs, TCX", 100.0, "at most 130"),
        ];
        assert_eq!(said, expected);
    }
}
