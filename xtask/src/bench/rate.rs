//! Small UDP packets through the lab as fast as they go, with and without the probe, in ABBA rounds.

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use overlay_probe::{lab::send, netns};

use super::{
    Row,
    spread::Spread,
    world::{Running, World},
};
use crate::{command, ui};

/// One measurement.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// Payload of a datagram: the packet is all headers, so the probe's share is largest.
const PAYLOAD: usize = 16;
/// Datagrams between looks at the clock.
const BURST: u32 = 256;

pub(super) fn measure(rounds: u32, binary: &Path) -> Result<Vec<Row>> {
    let world = World::up(2, 1)?;
    let (sender, _receiver) = sockets(&world)?;
    let mut ratios = Vec::new();
    burst(&sender, SLICE);
    for round in 0..rounds {
        ui::note(&format!("rate of small packets, round {} of {rounds}", round + 1));
        let a = burst(&sender, SLICE);
        let (b, c) = with_probe(binary, &world.node(1), || (burst(&sender, SLICE), burst(&sender, SLICE)))?;
        let d = burst(&sender, SLICE);
        ratios.push((b + c) / (a + d));
    }
    Ok(vec![Row {
        what: "small-packet UDP rate with the probe".to_owned(),
        found: Spread::of(ratios).context("no round")?,
        unit: "of without",
        target: "at least 0.97",
    }])
}

/// A sender in the first node's pod and the socket in the second's that it sends to. Nothing reads while it is measured: a full
/// socket buffer drops without waking anyone.
pub(super) fn sockets(world: &World) -> Result<(UdpSocket, UdpSocket)> {
    let from = netns::open(&world.lab.options.pod(1, 1))?;
    let to = netns::open(&world.lab.options.pod(2, 1))?;
    let address = world
        .lab
        .nodes
        .get(1)
        .and_then(|node| node.pods.first())
        .and_then(|pod| pod.addresses.first())
        .copied()
        .context("the lab has no pod")?;
    let receiver = send::udp_socket(&to, false, 0)?;
    let sender = send::udp_socket(&from, false, 0)?;
    sender.connect(SocketAddr::new(address, receiver.local_addr()?.port()))?;
    Ok((sender, receiver))
}

/// Packets per second over a slice; sending waits for nothing, so the sender's CPU is the limit and every nanosecond on
/// the packet's way counts.
pub(super) fn burst(sender: &UdpSocket, slice: Duration) -> f64 {
    let payload = [0; PAYLOAD];
    let start = Instant::now();
    let mut sent = 0_u64;
    while start.elapsed() < slice {
        for _ in 0..BURST {
            // A refusal costs as much as a packet and is rare; it is not counted.
            sent += u64::from(sender.send(&payload).is_ok());
        }
    }
    sent as f64 / start.elapsed().as_secs_f64()
}

/// Does `work` while the tool watches a node.
pub(super) fn with_probe<T>(binary: &Path, node: &str, work: impl FnOnce() -> T) -> Result<T> {
    let directory = tempfile::tempdir()?;
    let ready = directory.path().join("ready");
    let child = command::program(binary)
        .args(["--netns", node, "watch", "--format", "jsonl", "--ready-file"])
        .arg(&ready)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the tool")?;
    let mut running = Running(child);
    running.wait_for(&ready)?;
    // Past the work of starting.
    thread::sleep(Duration::from_millis(200));
    Ok(work())
}
