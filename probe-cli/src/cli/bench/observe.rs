//! The facts round: one stream through each overlay while our own programs count and time, and the kernel takes the time of all programs. It is
//! in no round that decides, since both cost time. What cannot be seen is named in the result, and is no error.

use std::{
    collections::BTreeMap,
    sync::{atomic::AtomicBool, mpsc},
    thread,
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use tokio::sync::oneshot;

use crate::{
    bench::{
        drive::{Bench, Sender},
        encapsulation::{Encapsulation, TimeClass},
        instruments::TunnelCounts,
        metric::Scenario,
    },
    cli::{exit, live},
    ebpf::{EncapTimes, EncapWatch, ProbeOptions},
    engine::{Counting, CountingOptions, HostOptions, look_during},
    inventory::Joined,
    leftovers::RunDirectory,
    netns,
    observed::Observed,
    sample::{Frame, Sample},
};

/// What our programs counted of a tunnel, and what was dropped by reason; why not.
type Counted = Result<(TunnelCounts, Option<BTreeMap<String, u64>>), String>;

/// Looks at one data plane; false when it was asked to stop meanwhile.
pub(super) fn observe(
    bench: &mut Bench,
    scenario: Scenario,
    length: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<bool> {
    let others = bench.programs(scenario);
    // On a node that others use nothing is attached for this.
    let Some(sender) = bench.sender(scenario) else {
        return Ok(bench.observe(scenario, others, length, stop)?.is_some());
    };
    thread::scope(|scope| {
        let (ready, is_ready) = mpsc::channel();
        let (over, is_over) = oneshot::channel();
        let sender = &sender;
        let counter = scope.spawn(move || count(sender, scenario, &ready, is_over));
        // It is ready, or has ended with an error.
        let _ = is_ready.recv();
        let payload = bench.observe(scenario, others, length, stop);
        // Whoever does not wait any more has ended with an error.
        let _ = over.send(());
        let looked = counter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let Some(payload) = payload? else { return Ok(false) };
        match looked {
            Ok((looked, times)) => {
                bench.counted(scenario, counted(&sender.tunnel, payload, &looked));
                bench.timed(scenario, times);
            }
            Err(error) => bench.counted(scenario, Err(exit::words(&error))),
        }
        Ok(true)
    })
}

/// What was counted, and how long encapsulation took or why that is not known.
type Looked = ((Sample, Frame), Result<Encapsulation, String>);

/// Counts on a node from when it says so until the stream is over.
fn count(
    sender: &Sender,
    scenario: Scenario,
    ready: &mpsc::Sender<()>,
    over: oneshot::Receiver<()>,
) -> anyhow::Result<Looked> {
    // The machine's files are no node's of the lab.
    let host = HostOptions { is_node: false, ..HostOptions::default() };
    let options = CountingOptions { probe: ProbeOptions::default(), notes: RunDirectory::new(None) };
    netns::run_in(&netns::open(&sender.netns)?, || {
        live::block_on(async {
            let mut counting = Counting::new(Observed::Value(options));
            let mut times = Err("nothing was sent".to_owned());
            let looked = look_during(&host, &mut counting, async |_| {
                // After the programs that count, so that these are not in the time.
                let watch = time(sender, scenario);
                // Who is told is there as long as this is.
                let _ = ready.send(());
                let _ = over.await;
                times = watch.and_then(|mut watch| watch.read().map_err(|error| error.to_string()));
            })
            .await;
            counting.stop().await;
            Ok((looked?, times.map(encapsulation)))
        })
    })?
}

/// Begins to time encapsulation, in the calling thread's network namespace.
fn time(sender: &Sender, scenario: Scenario) -> Result<EncapWatch, String> {
    if scenario == Scenario::Wireguard {
        return Err("WireGuard encrypts on other processors than the one that sends".to_owned());
    }
    let index = |name: &str| if_nametoindex(name).map_err(|error| format!("{name}: {error}"));
    EncapWatch::start(index(&sender.tunnel)?, index(&sender.underlay)?)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "it needs TCX (Linux 6.6)".to_owned())
}

fn encapsulation(times: EncapTimes) -> Encapsulation {
    let class = |(range, buffers): (std::ops::Range<u64>, u64)| TimeClass {
        from_ns: range.start,
        to_ns: range.end,
        buffers,
    };
    Encapsulation { times: times.classes.into_iter().map(class).collect(), unmatched: times.unmatched }
}

fn counted(tunnel: &str, payload: u64, (before, after): &(Sample, Frame)) -> Counted {
    let Frame { snapshot, sample } = after;
    if let Some(why) = sample.counted.trouble() {
        return Err(why);
    }
    let joined = Joined::new(std::sync::Arc::clone(snapshot));
    let missing = || format!("the tunnel {tunnel} was not counted");
    let device = joined.inventory().tunnels.iter().find(|one| one.name == tunnel).ok_or_else(missing)?;
    let counts = |sample: &Sample| sample.tunnels.get(&device.ifindex).map(|tunnel| tunnel.counts.tx);
    let (first, last) = counts(before).zip(counts(sample)).ok_or_else(missing)?;
    let drops = sample.drops.value().map(|drops| {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for row in &drops.rows {
            let sum = reasons.entry(row.reason.clone()).or_default();
            *sum = sum.saturating_add(row.packets);
        }
        reasons
    });
    let tunnel = TunnelCounts {
        buffers: last.skbs.saturating_sub(first.skbs),
        packets: last.packets.saturating_sub(first.packets),
        inner_bytes: last.inner_bytes.saturating_sub(first.inner_bytes),
        outer_bytes: last.outer_bytes.saturating_sub(first.outer_bytes),
        payload_bytes: Some(payload),
        mtu: device.mtu,
    };
    Ok((tunnel, drops))
}
