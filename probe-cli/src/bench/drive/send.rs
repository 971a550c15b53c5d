//! Sends for the length of a slice: streams, datagrams, requests or connections, to a far end wherever that is. The sender and
//! the receiver have a processor each where there are two; what comes before the slice warms up and does not count.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    far::{Counter, Far, GLANCE, patient, until_done},
    pins::{Pins, settle},
};
use crate::{
    bench::{
        facts::Counts,
        meter::CpuReading,
        metric::{FLOWS, Load},
        result::Cpu,
        stats,
        wire::{Arrived, KNOCK},
    },
    lab::send::close_by_reset,
    netns,
};

/// What comes before each slice, as a share of it.
const WARM_UP: f64 = 0.2;
/// Payload of a datagram, but for loads of others.
const DATAGRAM: usize = 64;
const LARGER_DATAGRAM: usize = 512;
/// Datagrams whose time is taken together.
const BATCH: u32 = 200;
/// Batches by their time: the fastest tenth is the machine without what else it does.
const FASTEST: usize = 100;

/// A slice moves at least so much: bytes of a stream, batches of datagrams, requests, connections.
pub(super) const LEAST_BYTES: u64 = 1 << 16;
const LEAST_BATCHES: u64 = 20;
const LEAST_DATAGRAMS: u64 = 200;
const LEAST_REQUESTS: u64 = 100;
const LEAST_CONNECTIONS: u64 = 20;
/// How long a connection may take to be opened.
const CONNECT: Duration = Duration::from_secs(10);
/// After so long a path on which that has not moved is taken for dead.
const DEAD: Duration = Duration::from_secs(60);

/// When a slice begins and ends.
pub(super) struct Timing<'a> {
    length: Duration,
    stop: &'a AtomicBool,
}

/// What a slice came to.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) seconds: f64,
    pub(super) bits_per_s: Option<f64>,
    pub(super) packets_per_s: Option<f64>,
    pub(super) mean_packets_per_s: Option<f64>,
    /// Payload of each datagram.
    pub(super) datagram_bytes: Option<u32>,
    pub(super) connections_per_s: Option<f64>,
    /// Quantiles 0.5, 0.9, 0.99 and 0.999 of requests.
    pub(super) quantiles_s: [Option<f64>; 4],
    pub(super) cpu: Cpu,
    /// What the far end counted of all that was sent, before and after the slice as well.
    pub(super) counts: Counts,
}

/// What must be moved for a slice to be one, by the count of each end.
#[derive(Clone, Copy, Default)]
pub(super) struct Least {
    pub(super) near: u64,
    pub(super) far: u64,
}

/// The slice itself, as the thread that only looks sees it.
pub(super) struct Window {
    pub(super) seconds: f64,
    pub(super) cpu: Cpu,
    /// What was sent or asked in it, in whatever the load counts.
    moved: u64,
    /// What arrived in it, and in what time by the far end's clock.
    pub(super) arrived: u64,
    pub(super) far_seconds: f64,
}

impl<'a> Timing<'a> {
    pub(super) fn new(length: Duration, stop: &'a AtomicBool) -> Self {
        Self { length, stop }
    }

    /// With what comes before it.
    pub(super) fn whole(&self) -> Duration {
        self.length.mul_f64(1.0 + WARM_UP)
    }

    /// Sleeps; false when it is to stop.
    pub(super) fn nap(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            match end.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(GLANCE)),
                Some(_) | None => return true,
            }
        }
    }

    /// Lets the load warm up, and reads at both ends of the slice, which lasts until at least so much was moved; none when it is to
    /// stop. The load is over after it.
    fn window(&self, near: &Counter, far: &mut dyn Far, least: Least) -> io::Result<Option<Window>> {
        let window = self.look(near, &mut || far.mark(), least);
        near.done.store(true, Ordering::Relaxed);
        window
    }

    /// The same of a load that does not end with it; `mark` says what has arrived.
    pub(super) fn look(
        &self,
        near: &Counter,
        mark: &mut dyn FnMut() -> io::Result<Arrived>,
        least: Least,
    ) -> io::Result<Option<Window>> {
        if !self.nap(self.length.mul_f64(WARM_UP)) {
            return Ok(None);
        }
        near.measuring.store(true, Ordering::Relaxed);
        let first = mark()?;
        let (cpu, before, start) = (CpuReading::now(), near.moved(), Instant::now());
        if !self.nap(self.length) {
            return Ok(None);
        }
        // A machine that has little time for this takes longer, and a path on which nothing moves is none.
        let (last, moved) = loop {
            let last = mark()?;
            let moved = near.moved().saturating_sub(before);
            let arrived = last.amount.saturating_sub(first.amount);
            if moved >= least.near && arrived >= least.far {
                break (last, moved);
            }
            if start.elapsed() > DEAD {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moves"));
            }
            if !self.nap(GLANCE) {
                return Ok(None);
            }
        };
        let took = start.elapsed();
        near.measuring.store(false, Ordering::Relaxed);
        let own = cpu.until(&CpuReading::now());
        Ok(Some(Window {
            seconds: (took.as_secs_f64() * 1e6).round() / 1e6,
            cpu: last.cpu.map_or(own, |far| own.and(far)),
            moved,
            arrived: last.amount.saturating_sub(first.amount),
            far_seconds: seconds_between(&first, &last),
        }))
    }
}

/// By the clock of the far end.
fn seconds_between(first: &Arrived, last: &Arrived) -> f64 {
    last.at_us.saturating_sub(first.at_us) as f64 / 1e6
}

/// Sends one load, datagrams of `full` bytes at most; none when it is to stop.
pub(super) fn run(
    load: Load,
    full: usize,
    far: &mut dyn Far,
    timing: &Timing<'_>,
    pins: &Pins,
) -> io::Result<Option<Sent>> {
    let sent = match load {
        Load::Stream => streams(far, timing, pins.sender, 1),
        // There are more of them than processors.
        Load::Streams => streams(far, timing, None, FLOWS),
        Load::Datagrams => datagrams(far, timing, pins, DATAGRAM),
        Load::Datagrams512 => datagrams(far, timing, pins, LARGER_DATAGRAM.min(full)),
        Load::DatagramsFull => datagrams(far, timing, pins, full),
        Load::Requests => requests(far, timing, pins, false),
        Load::LoadedRequests => requests(far, timing, pins, true),
        Load::Connections => connections(far, timing, pins),
        // Its own module has it started.
        Load::Command => Err(io::Error::other("nobody has said which command sends")),
    };
    sent.map_err(|error| {
        let closed =
            [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
        if !closed.contains(&error.kind()) {
            return error;
        }
        // No pipe of ours: whoever looks for one that its reader has closed means stdout.
        let closed = || io::Error::other("the other end closed the connection");
        far.last_word().unwrap_or_else(closed)
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// None where nothing moved: that is no rate.
pub(super) fn rate(amount: f64, seconds: f64) -> Option<f64> {
    Some((amount / seconds).round()).filter(|rate| rate.is_finite() && *rate > 0.0)
}

/// The far end's account, once the load is over; of a slice that was given up nobody asks for it.
fn ended(window: Option<Window>, far: &mut dyn Far) -> io::Result<Option<(Window, u64, Counts)>> {
    let Some(window) = window else { return Ok(None) };
    let (amount, counts) = far.end()?;
    Ok(Some((window, amount, counts)))
}

/// Sends as fast as it can.
fn pour(mut to: &TcpStream, near: &Counter) -> io::Result<()> {
    let buffer = vec![0x5a; 1 << 17];
    until_done(near, || patient(to.write(&buffer)).map(drop))
}

fn streams(
    far: &mut dyn Far,
    timing: &Timing<'_>,
    cpu: Option<usize>,
    flows: usize,
) -> io::Result<Option<Sent>> {
    far.begin(false, false)?;
    let clients = (0..flows).map(|_| far.sink()).collect::<io::Result<Vec<TcpStream>>>()?;
    let near = Counter::default();
    let window = thread::scope(|scope| -> io::Result<_> {
        let start = |client| {
            let near = &near;
            scope.spawn(move || {
                settle(cpu)?;
                pour(client, near)
            })
        };
        let writers: Vec<_> = clients.iter().map(start).collect();
        let window = timing.window(&near, far, Least { far: LEAST_BYTES, ..Least::default() });
        let written = writers.into_iter().try_for_each(joined);
        // What the far end says explains what happened to the connections.
        window.and_then(|window| written.map(|()| window))
    })?;
    for client in &clients {
        // The rest arrives, so that what is counted on the way and what arrived are the same bytes.
        let _ = client.shutdown(Shutdown::Write);
    }
    let Some((window, amount, counts)) = ended(window, far)? else { return Ok(None) };
    Ok(Some(Sent {
        seconds: window.seconds,
        bits_per_s: rate(window.arrived as f64 * 8.0, window.far_seconds),
        cpu: window.cpu,
        counts: Counts { payload_bytes: Some(amount), ..counts },
        ..Sent::default()
    }))
}

fn datagrams(far: &mut dyn Far, timing: &Timing<'_>, pins: &Pins, bytes: usize) -> io::Result<Option<Sent>> {
    far.begin(true, false)?;
    let (sender, mark) = far.datagrams()?;
    let mut payload = vec![0x5a; bytes];
    if let Some((start, _)) = payload.split_first_chunk_mut() {
        *start = mark.to_be_bytes();
    }
    let near = Counter::default();
    // Somebody who counts them has to have counted some.
    let far_least = if far.counts_datagrams() { LEAST_DATAGRAMS } else { 0 };
    let least = Least { near: LEAST_BATCHES, far: far_least };
    let (window, mut batches) = thread::scope(|scope| -> io::Result<_> {
        let writer = scope.spawn(|| {
            settle(pins.sender)?;
            let mut batches: Vec<Duration> = Vec::with_capacity(1 << 14);
            until_done(&near, || {
                let (start, counts) = (Instant::now(), near.measuring.load(Ordering::Relaxed));
                for _ in 0..BATCH {
                    sender.send(&payload)?;
                }
                if counts {
                    batches.push(start.elapsed());
                    near.add(1);
                }
                Ok(())
            })?;
            Ok(batches)
        });
        let window = timing.window(&near, far, least);
        let batches = joined(writer);
        Ok((window?, batches?))
    })?;
    let Some((window, amount, counts)) = ended(window, far)? else { return Ok(None) };
    batches.sort_unstable();
    let fastest = stats::quantile_of_sorted(&batches, FASTEST);
    let counts_arrived = far.counts_datagrams();
    if counts_arrived && amount == 0 {
        return Err(io::Error::other("no datagram arrived"));
    }
    Ok(Some(Sent {
        seconds: window.seconds,
        packets_per_s: if counts_arrived {
            rate(window.arrived as f64, window.far_seconds)
        } else {
            fastest.and_then(|time| rate(f64::from(BATCH), time.as_secs_f64()))
        },
        mean_packets_per_s: rate(window.moved as f64 * f64::from(BATCH), window.seconds),
        datagram_bytes: u32::try_from(bytes).ok(),
        cpu: window.cpu,
        counts,
        ..Sent::default()
    }))
}

/// Asks, waits for the answer, and asks again; the times of those that began in the slice.
fn ask(client: &TcpStream, near: &Counter) -> io::Result<Vec<Duration>> {
    let (mut to, mut from) = (client, client);
    let mut byte = [0x5a];
    let mut times: Vec<Duration> = Vec::with_capacity(1 << 16);
    until_done(near, || {
        let (start, counts) = (Instant::now(), near.measuring.load(Ordering::Relaxed));
        to.write_all(&byte)?;
        loop {
            match patient(from.read(&mut byte))? {
                Some(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed"));
                }
                Some(_) => break,
                None if near.is_done() => return Ok(()),
                None => {}
            }
        }
        if counts {
            times.push(start.elapsed());
            near.add(1);
        }
        Ok(())
    })?;
    times.sort_unstable();
    Ok(times)
}

fn requests(
    far: &mut dyn Far,
    timing: &Timing<'_>,
    pins: &Pins,
    is_loaded: bool,
) -> io::Result<Option<Sent>> {
    far.begin(false, false)?;
    let client = far.echo()?;
    let load = is_loaded.then(|| far.sink()).transpose()?;
    let near = Counter::default();
    // It has a counter of its own: what it sends is no request.
    let loading = Counter::default();
    let (window, times) = thread::scope(|scope| -> io::Result<_> {
        let writer = load.as_ref().map(|stream| {
            scope.spawn(|| {
                settle(None)?;
                pour(stream, &loading)
            })
        });
        let requester = scope.spawn(|| {
            settle(pins.sender)?;
            ask(&client, &near)
        });
        let window = timing.window(&near, far, Least { near: LEAST_REQUESTS, ..Least::default() });
        loading.done.store(true, Ordering::Relaxed);
        let (times, written) = (joined(requester), writer.map(joined).transpose());
        let window = window?;
        written?;
        Ok((window, times?))
    })?;
    for stream in load.iter().chain([&client]) {
        // Closed already.
        let _ = stream.shutdown(Shutdown::Write);
    }
    let Some((window, _, counts)) = ended(window, far)? else { return Ok(None) };
    let seconds =
        |per_mille| stats::quantile_of_sorted(&times, per_mille).map(|time: Duration| time.as_secs_f64());
    Ok(Some(Sent {
        seconds: window.seconds,
        quantiles_s: [500, 900, 990, 999].map(seconds),
        cpu: window.cpu,
        counts,
        ..Sent::default()
    }))
}

/// Opens connections one after the other, each for a byte there and one back.
fn connections(far: &mut dyn Far, timing: &Timing<'_>, pins: &Pins) -> io::Result<Option<Sent>> {
    far.begin(false, true)?;
    let near = Counter::default();
    let door = far.door()?;
    let window = thread::scope(|scope| -> io::Result<_> {
        let opener = scope.spawn(|| {
            if let Some(namespace) = &door.namespace {
                netns::enter(namespace).map_err(io::Error::other)?;
            }
            settle(pins.sender)?;
            until_done(&near, || {
                let counts = near.measuring.load(Ordering::Relaxed);
                near.add(u64::from(knock(door.address)? && counts));
                Ok(())
            })
        });
        let window = timing.window(&near, far, Least { near: LEAST_CONNECTIONS, ..Least::default() });
        let opened = joined(opener);
        let window = window?;
        opened.map(|()| window)
    })?;
    let Some((window, _, counts)) = ended(window, far)? else { return Ok(None) };
    Ok(Some(Sent {
        seconds: window.seconds,
        connections_per_s: rate(window.moved as f64, window.seconds),
        cpu: window.cpu,
        counts,
        ..Sent::default()
    }))
}

/// One connection; false when it got no answer in time.
fn knock(address: SocketAddr) -> io::Result<bool> {
    let stream = TcpStream::connect_timeout(&address, CONNECT)?;
    let (mut to, mut from) = (&stream, &stream);
    // Closed by a reset: a port that waits after its connection (TIME_WAIT) cannot be used again, and there are only so many.
    close_by_reset(&stream)?;
    stream.set_read_timeout(Some(GLANCE))?;
    to.write_all(&[KNOCK])?;
    Ok(patient(from.read(&mut [0]))?.is_some_and(|read| read > 0))
}
