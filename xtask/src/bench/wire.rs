//! What the programs take for each packet on the wire, as the tool itself says it (`ns_per_packet`, the Cost tab): a socket buffer of
//! many packets pays once.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use overlay_probe::{
    ebpf::{self, LoadedProgram},
    lab::{Dataplane, Family, send},
    netns,
};
use serde_json::Value;
use xtask::burn::{Burn, Hook};

use super::{Row, spread::Spread, watch, world::World};
use crate::ui;

/// What is sent, as fast as it goes.
#[derive(Clone, Copy)]
enum Traffic {
    /// UDP, so many bytes an inner packet.
    Udp(usize),
    /// Bulk TCP.
    Tcp,
}

const ALL: [(Traffic, &str, &str); 3] = [
    (Traffic::Udp(64), "64-byte UDP", ""),
    (Traffic::Udp(1400), "1,400-byte UDP", ""),
    (Traffic::Tcp, "bulk TCP", "at most 10"),
];

pub(super) fn measure(rounds: u32, binary: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (dataplane, name, tunnels) in [
        (Dataplane::Vxlan, "VXLAN", ["flannel.1", "flannel-v6.1"]),
        (Dataplane::Wireguard, "WireGuard", ["flannel-wg", "flannel-wg-v6"]),
    ] {
        let world = match World::with(2, 1, Family::Dual, dataplane) {
            Ok(world) => world,
            Err(error) => {
                ui::note(&format!("left out: {name}: {error:#}"));
                continue;
            }
        };
        for (is_v6, family, tunnel) in [(false, "IPv4", tunnels[0]), (true, "IPv6", tunnels[1])] {
            for (traffic, traffic_name, target) in ALL {
                ui::note(&format!("{traffic_name} over {name}, {family}"));
                let found = beside(&world, traffic, is_v6, || watched(binary, &world, tunnel, rounds))??;
                let rows_of = |(what, found, unit, target): (&str, _, _, _)| Row {
                    what: format!("{name}, {family}, {traffic_name}: {what}"),
                    found,
                    unit,
                    target,
                };
                rows.extend(
                    [
                        ("packets in a buffer", found.buffer, "", ""),
                        ("a packet on the wire", found.gross, "ns", ""),
                        ("  more than empty programs", found.net, "ns", target),
                    ]
                    .map(rows_of),
                );
            }
        }
    }
    Ok(rows)
}

/// Of each interval in which the programs were timed.
struct Watched {
    /// Packets in a socket buffer.
    buffer: Spread,
    /// Nanoseconds of the programs for each packet on the wire.
    gross: Spread,
    /// The same without what empty programs take in their place.
    net: Spread,
}

fn watched(binary: &Path, world: &World, tunnel: &str, rounds: u32) -> Result<Watched> {
    /// One of so many intervals is timed, and the figure stays until the next.
    const TIMED: u32 = 10;
    let node = world.node(1);
    let empty = [tunnel, "eth0"]
        .into_iter()
        .map(|device| Burn::empty(&node, device, Hook::Tcx))
        .collect::<Result<Vec<_>>>()?;
    let lines = watch::lines(binary, &node, &["--interval", "100ms"], rounds * TIMED)?;
    let empty_ns = ns_per_run(&empty)?;
    let mut timed: Vec<(f64, f64)> =
        lines.iter().filter_map(|line| per_packet(&line["self"], empty_ns)).collect();
    timed.dedup();
    let count = |line: &Value, what: &str| -> u64 {
        let tunnels = line["tunnels"].as_array().map_or(&[][..], Vec::as_slice);
        tunnels.iter().filter_map(|tunnel| tunnel["tx"][what].as_u64()).sum()
    };
    let per_buffer = lines.iter().zip(lines.iter().skip(1)).filter_map(|(before, now)| {
        let more = |what| count(now, what).saturating_sub(count(before, what)) as f64;
        let skbs = more("skbs");
        (skbs > 0.0).then(|| more("packets") / skbs)
    });
    let (gross, net): (Vec<f64>, Vec<f64>) = timed.into_iter().unzip();
    Ok(Watched {
        buffer: Spread::of(per_buffer).context("nothing was sent")?,
        gross: Spread::of(gross).context("nothing was timed")?,
        net: Spread::of(net).context("nothing was timed")?,
    })
}

/// Nanoseconds that a run of an empty program takes, the kernel's reading of the clock included.
fn ns_per_run(programs: &[Burn]) -> Result<f64> {
    let loaded = ebpf::loaded().context("listing eBPF programs")?;
    let of_these = |loaded: &&LoadedProgram| programs.iter().any(|program| program.id == loaded.id);
    let add = |(runs, ns), program: &LoadedProgram| (runs + program.runs, ns + program.run_time_ns);
    let (runs, ns) = loaded.iter().filter(of_these).fold((0, 0), add);
    ensure!(runs > 0, "no run of an empty program was timed");
    Ok(ns as f64 / runs as f64)
}

/// Nanoseconds of the tool's programs for each packet on the wire, and without what as many runs of an empty one take.
fn per_packet(observer: &Value, empty_ns: f64) -> Option<(f64, f64)> {
    let gross = observer["ns_per_packet"].as_f64()?;
    let (mut all, mut more) = (0.0, 0.0);
    for program in observer["programs"].as_array()? {
        let (Some(runs), Some(ns)) = (program["runs_per_s"].as_f64(), program["ns_per_run"].as_f64()) else {
            continue;
        };
        all += runs * ns;
        more += runs * (ns - empty_ns);
    }
    (all > 0.0).then_some((gross, gross * more / all))
}

/// Does `work` while the first node's pod sends to the second's.
fn beside<T>(world: &World, traffic: Traffic, is_v6: bool, work: impl FnOnce() -> T) -> Result<T> {
    let address = world.pod_address(is_v6)?;
    let from = netns::open(&world.lab.options.pod(1, 1))?;
    let to = netns::open(&world.lab.options.pod(2, 1))?;
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = match traffic {
            Traffic::Udp(bytes) => {
                let headers = if is_v6 { 48 } else { 28 };
                let receiver = send::udp_socket(&to, is_v6, 0)?;
                let sender = send::udp_socket(&from, is_v6, 0)?;
                sender.connect(SocketAddr::new(address, receiver.local_addr()?.port()))?;
                let payload = vec![0x5a; bytes - headers];
                scope.spawn(move || {
                    // What nobody reads is dropped without waking anyone.
                    let _receiver = receiver;
                    while !stop.load(Ordering::Relaxed) {
                        sender.send(&payload)?;
                    }
                    Ok(())
                })
            }
            Traffic::Tcp => {
                let listener = send::tcp_listener(&to, is_v6)?;
                let mut sender =
                    send::tcp_connect(&from, SocketAddr::new(address, listener.local_addr()?.port()))?;
                let (mut receiver, _) = listener.accept()?;
                scope.spawn(move || {
                    let mut bytes = vec![0; 1 << 18];
                    while receiver.read(&mut bytes).is_ok_and(|read| read > 0) {}
                });
                scope.spawn(move || {
                    let bytes = vec![0x5a; 1 << 18];
                    while !stop.load(Ordering::Relaxed) {
                        sender.write_all(&bytes)?;
                    }
                    Ok(())
                })
            }
        };
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let sent: std::io::Result<()> = sender.join().ok().context("the sender panicked")?;
        ensure!(sent.is_ok(), "sending ended: {sent:?}");
        Ok(done)
    })
}
