//! Sends for the length of a slice: a stream, small datagrams, or requests. The sender and the receiver have a processor each where
//! there are two; what comes before the slice warms up and does not count.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    bench::{meter::CpuReading, metric::Load, result::Cpu, stats},
    lab::send::{tcp_connect, tcp_listener},
    netns::{self, Namespace},
    privilege,
};

/// What comes before each slice, as a share of it.
const WARM_UP: f64 = 0.2;
/// How often a blocked thread looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(100);
/// Payload of a datagram.
const DATAGRAM: usize = 64;
/// Datagrams whose time is taken together.
const BATCH: u32 = 200;
/// Batches by their time: the fastest tenth is the machine without what else it does.
const FASTEST: usize = 100;

/// A slice moves at least so much: bytes of a stream, batches of datagrams, requests.
const LEAST_BYTES: u64 = 1 << 16;
const LEAST_BATCHES: u64 = 20;
const LEAST_REQUESTS: u64 = 100;
/// After so long a path on which that has not moved is taken for dead.
const DEAD: Duration = Duration::from_secs(60);

/// From where to where.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) from: Namespace,
    pub(super) to: Namespace,
    pub(super) address: IpAddr,
}

/// When a slice begins and ends.
pub(super) struct Timing<'a> {
    length: Duration,
    stop: &'a AtomicBool,
}

/// What a slice came to.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) seconds: f64,
    pub(super) payload_bytes: Option<u64>,
    pub(super) bits_per_s: Option<f64>,
    pub(super) packets_per_s: Option<f64>,
    pub(super) mean_packets_per_s: Option<f64>,
    pub(super) p50_s: Option<f64>,
    pub(super) p99_s: Option<f64>,
    pub(super) cpu: Cpu,
}

/// The slice itself, as the thread that only looks sees it.
struct Window {
    seconds: f64,
    cpu: Cpu,
    /// What was moved in it, in whatever the load counts.
    moved: u64,
}

/// What a load counts, and how long it has to count.
#[derive(Default)]
struct Counter {
    moved: AtomicU64,
    /// What begins now is part of the slice.
    measuring: AtomicBool,
    /// The slice is over.
    done: AtomicBool,
}

impl Counter {
    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    fn add(&self, amount: u64) {
        self.moved.fetch_add(amount, Ordering::Relaxed);
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl<'a> Timing<'a> {
    pub(super) fn new(length: Duration, stop: &'a AtomicBool) -> Self {
        Self { length, stop }
    }

    /// Sleeps; false when it is to stop.
    fn nap(&self, time: Duration) -> bool {
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
    fn window(&self, counter: &Counter, least: u64) -> io::Result<Option<Window>> {
        let window = self.look(counter, least);
        counter.done.store(true, Ordering::Relaxed);
        window
    }

    fn look(&self, counter: &Counter, least: u64) -> io::Result<Option<Window>> {
        if !self.nap(self.length.mul_f64(WARM_UP)) {
            return Ok(None);
        }
        counter.measuring.store(true, Ordering::Relaxed);
        let (cpu, before, start) = (CpuReading::now(), counter.moved(), Instant::now());
        if !self.nap(self.length) {
            return Ok(None);
        }
        // A machine that has little time for this takes longer, and a path on which nothing moves is none.
        while counter.moved().saturating_sub(before) < least {
            if start.elapsed() > DEAD {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moves"));
            }
            if !self.nap(GLANCE) {
                return Ok(None);
            }
        }
        let (moved, took) = (counter.moved().saturating_sub(before), start.elapsed());
        counter.measuring.store(false, Ordering::Relaxed);
        let seconds = (took.as_secs_f64() * 1e6).round() / 1e6;
        Ok(Some(Window { seconds, cpu: cpu.until(&CpuReading::now()), moved }))
    }
}

/// Sends one load; none when it is to stop.
pub(super) fn run(load: Load, ends: &Ends, timing: &Timing<'_>) -> io::Result<Option<Sent>> {
    let pins = Pins::of_this_process();
    match load {
        Load::Stream => stream(ends, timing, &pins),
        Load::Datagrams => datagrams(ends, timing, &pins),
        Load::Requests => requests(ends, timing, &pins),
    }
}

/// Processors of the two ends.
struct Pins {
    sender: Option<usize>,
    receiver: Option<usize>,
}

impl Pins {
    /// The first two that this process may use.
    fn of_this_process() -> Self {
        let allowed = sched_getaffinity(Pid::from_raw(0)).ok();
        let is_allowed = |cpu: &usize| allowed.as_ref().is_some_and(|set| set.is_set(*cpu).unwrap_or(false));
        let mut cpus = (0..CpuSet::count()).filter(is_allowed);
        let sender = cpus.next();
        Self { sender, receiver: cpus.next().or(sender) }
    }
}

/// Keeps the calling thread on a processor, and gives up what it does not need to send.
fn settle(cpu: Option<usize>) -> io::Result<()> {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        // A processor that has just been taken away: it runs where there is one.
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
    privilege::give_up_all().map_err(io::Error::other)
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Not yet is no error: the thread looks whether it is to stop.
fn patient(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed")),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(0),
        other => other,
    }
}

fn connected(ends: &Ends) -> io::Result<(TcpStream, TcpStream)> {
    let listener = tcp_listener(&ends.to, ends.address.is_ipv6())?;
    let client = tcp_connect(&ends.from, SocketAddr::new(ends.address, listener.local_addr()?.port()))?;
    let (server, _) = listener.accept()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(GLANCE))?;
    }
    Ok((client, server))
}

/// Ends both directions, so that nobody waits for the other.
fn close(ends: [&TcpStream; 2]) {
    for end in ends {
        // Closed already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

/// Runs until the slice is over; what fails after that is the end.
fn until_done(counter: &Counter, mut step: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    while !counter.is_done() {
        match step() {
            Err(error) if !counter.is_done() => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

fn stream(ends: &Ends, timing: &Timing<'_>, pins: &Pins) -> io::Result<Option<Sent>> {
    let (client, server) = connected(ends)?;
    let counter = Counter::default();
    let window = thread::scope(|scope| -> io::Result<_> {
        let reader = scope.spawn(|| {
            settle(pins.receiver)?;
            read_to_end(&server, &counter)
        });
        let writer = scope.spawn(|| {
            settle(pins.sender)?;
            let buffer = vec![0x5a; 1 << 17];
            until_done(&counter, || patient((&client).write(&buffer)).map(drop))
        });
        let window = timing.window(&counter, LEAST_BYTES);
        let written = joined(writer);
        // The rest arrives, so that what is counted on the way and what arrived are the same bytes.
        let _ = client.shutdown(Shutdown::Write);
        let read = joined(reader);
        written.and(read).and(window)
    })?;
    Ok(window.map(|window| Sent {
        seconds: window.seconds,
        payload_bytes: Some(counter.moved()),
        bits_per_s: rate(window.moved as f64 * 8.0, window.seconds),
        cpu: window.cpu,
        ..Sent::default()
    }))
}

/// Counts what arrives, until the other end closes; once all is sent, until nothing more comes.
fn read_to_end(mut from: &TcpStream, counter: &Counter) -> io::Result<()> {
    /// Glances in vain after everything was sent: on a path that loses packets it may take a while.
    const IN_VAIN: u32 = 20;
    let mut buffer = vec![0; 1 << 18];
    let mut in_vain = 0;
    while in_vain < IN_VAIN {
        match from.read(&mut buffer) {
            Ok(0) if counter.is_done() => break,
            result => {
                let read = patient(result)?;
                counter.add(read as u64);
                in_vain = if read == 0 && counter.is_done() { in_vain + 1 } else { 0 };
            }
        }
    }
    Ok(())
}

/// None where nothing moved: that is no rate.
fn rate(amount: f64, seconds: f64) -> Option<f64> {
    Some((amount / seconds).round()).filter(|rate| rate.is_finite() && *rate > 0.0)
}

fn datagrams(ends: &Ends, timing: &Timing<'_>, pins: &Pins) -> io::Result<Option<Sent>> {
    let bind = |namespace| {
        let any: IpAddr =
            if ends.address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        netns::run_in(namespace, || UdpSocket::bind((any, 0))).map_err(io::Error::other)?
    };
    // Nobody reads: a socket whose buffer is full drops without waking anybody, so that only the way there is measured.
    let (sender, receiver) = (bind(&ends.from)?, bind(&ends.to)?);
    sender.connect(SocketAddr::new(ends.address, receiver.local_addr()?.port()))?;
    let counter = Counter::default();
    let (window, mut batches) = thread::scope(|scope| -> io::Result<_> {
        let writer = scope.spawn(|| {
            settle(pins.sender)?;
            let payload = [0x5a; DATAGRAM];
            let mut batches: Vec<Duration> = Vec::with_capacity(1 << 14);
            until_done(&counter, || {
                let (start, counts) = (Instant::now(), counter.measuring.load(Ordering::Relaxed));
                for _ in 0..BATCH {
                    sender.send(&payload)?;
                }
                if counts {
                    batches.push(start.elapsed());
                    counter.add(1);
                }
                Ok(())
            })?;
            Ok(batches)
        });
        let window = timing.window(&counter, LEAST_BATCHES);
        let batches = joined(writer)?;
        Ok((window?, batches))
    })?;
    let Some(window) = window else { return Ok(None) };
    receiver.set_nonblocking(true)?;
    if receiver.recv(&mut [0; DATAGRAM]).is_err() {
        return Err(io::Error::other("no datagram arrived"));
    }
    batches.sort_unstable();
    let fastest = stats::quantile_of_sorted(&batches, FASTEST);
    Ok(Some(Sent {
        seconds: window.seconds,
        packets_per_s: fastest.and_then(|time| rate(f64::from(BATCH), time.as_secs_f64())),
        mean_packets_per_s: rate(window.moved as f64 * f64::from(BATCH), window.seconds),
        cpu: window.cpu,
        ..Sent::default()
    }))
}

fn requests(ends: &Ends, timing: &Timing<'_>, pins: &Pins) -> io::Result<Option<Sent>> {
    let (client, server) = connected(ends)?;
    let counter = Counter::default();
    let (window, mut times) = thread::scope(|scope| -> io::Result<_> {
        let responder = scope.spawn(|| {
            settle(pins.receiver)?;
            let mut byte = [0];
            until_done(&counter, || {
                if patient((&server).read(&mut byte))? > 0 {
                    (&server).write_all(&byte)?;
                }
                Ok(())
            })
        });
        let requester = scope.spawn(|| {
            settle(pins.sender)?;
            let mut byte = [0x5a];
            let mut times: Vec<Duration> = Vec::with_capacity(1 << 16);
            until_done(&counter, || {
                let (start, counts) = (Instant::now(), counter.measuring.load(Ordering::Relaxed));
                (&client).write_all(&byte)?;
                while patient((&client).read(&mut byte))? == 0 {}
                if counts {
                    times.push(start.elapsed());
                    counter.add(1);
                }
                Ok(())
            })?;
            Ok(times)
        });
        let window = timing.window(&counter, LEAST_REQUESTS);
        close([&client, &server]);
        let times = joined(requester);
        let answered = joined(responder);
        let times = times?;
        Ok((answered.and(window)?, times))
    })?;
    times.sort_unstable();
    let seconds =
        |per_mille| stats::quantile_of_sorted(&times, per_mille).map(|time: Duration| time.as_secs_f64());
    Ok(window.map(|window| Sent {
        seconds: window.seconds,
        p50_s: seconds(500),
        p99_s: seconds(990),
        cpu: window.cpu,
        ..Sent::default()
    }))
}
