//! Steady traffic through a lab: what a few services would send to each other.
//!
//! Every node's first pods talk to a pod of every other node, one flow of each kind in turn: bulk TCP, small UDP, UDP
//! with segmentation, request and response.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    error::LabError,
    registry::{self, Lab, Node, Pod},
    send,
};
use crate::{
    netns::{self, Namespace},
    privilege,
    procfs::ThreadClock,
};

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The lab.
    pub prefix: String,
    /// Cap of each TCP flow in Mbit/s; 0 for none.
    pub tcp_mbit: u32,
    /// Datagrams per second of each UDP flow; 0 for as many as go.
    pub udp_pps: u32,
    /// Flows at most: each is a thread or two.
    pub flows: usize,
    /// Rates go up and down, by up to two thirds, each flow's in its own time.
    pub waves: bool,
}

/// What a flow sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bulk,
    SmallUdp,
    SegmentedUdp,
    Requests,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bulk => "TCP stream",
            Self::SmallUdp => "UDP, small datagrams",
            Self::SegmentedUdp => "UDP, segmented by the kernel",
            Self::Requests => "TCP requests",
        })
    }
}

/// A running load. Dropping it stops it.
pub struct Load {
    stop: Arc<AtomicBool>,
    flows: Vec<Flow>,
}

struct Flow {
    name: String,
    received: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<io::Result<()>>>,
}

/// What a flow did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSummary {
    /// Kind and ends.
    pub name: String,
    /// Payload bytes that arrived.
    pub received: u64,
    /// Why it ended early, when it did.
    pub error: Option<String>,
}

impl Load {
    /// Starts the flows.
    pub fn start(options: &LoadOptions) -> Result<Self, LabError> {
        let lab = registry::read(&options.prefix)
            .ok_or_else(|| LabError::NoLab { prefix: options.prefix.clone() })?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Self { stop, flows: Vec::new() };
        for (kind, from, to, address) in pairs(&lab, options.flows) {
            let number = u32::try_from(load.flows.len()).unwrap_or(u32::MAX);
            let wave = options.waves.then(|| WAVE + LONGER.saturating_mul(number));
            let flow = start(kind, from, to, address, (options, wave), &load.stop)?;
            load.flows.push(flow);
        }
        Ok(load)
    }

    /// Names of the flows.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.flows.iter().map(|flow| flow.name.as_str())
    }

    /// What its threads spend, for who measures the process that they are of.
    pub fn cpu_clocks(&self) -> Vec<ThreadClock> {
        self.flows.iter().flat_map(|flow| &flow.threads).filter_map(ThreadClock::of).collect()
    }

    /// Stops the flows and says what they did.
    pub fn stop(mut self) -> Vec<FlowSummary> {
        let ended: Vec<bool> =
            self.flows.iter().map(|flow| flow.threads.iter().any(thread::JoinHandle::is_finished)).collect();
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.flows)
            .into_iter()
            .zip(ended)
            .map(|(flow, ended_before)| {
                // The end that stops first closes the other's connection: that is no early end.
                let errors = flow.threads.into_iter().filter_map(|thread| match thread.join() {
                    Ok(Err(error)) if ended_before => Some(error.to_string()),
                    Ok(_) => None,
                    Err(_) => Some("the flow's thread panicked".to_owned()),
                });
                FlowSummary {
                    error: errors.last(),
                    received: flow.received.load(Ordering::Relaxed),
                    name: flow.name,
                }
            })
            .collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Which pods talk: each node's pods in turn to the pods of every other node, families and kinds alternating.
fn pairs(lab: &Lab, limit: usize) -> Vec<(Kind, &Pod, &Pod, IpAddr)> {
    const KINDS: [Kind; 4] = [Kind::Bulk, Kind::SmallUdp, Kind::Requests, Kind::SegmentedUdp];
    let mut pairs = Vec::new();
    let pod = |node: &'_ Node, index: usize| -> Option<usize> {
        (!node.pods.is_empty()).then(|| index % node.pods.len())
    };
    for (a, from) in lab.nodes.iter().enumerate() {
        for (b, to) in lab.nodes.iter().enumerate() {
            if a == b {
                continue;
            }
            let turn = pairs.len();
            let (Some(from), Some(to)) = (
                pod(from, turn).and_then(|i| from.pods.get(i)),
                pod(to, turn / 2).and_then(|i| to.pods.get(i)),
            ) else {
                continue;
            };
            let Some(kind) = KINDS.get(turn % KINDS.len()) else { continue };
            let Some(address) = to.addresses.get((turn / KINDS.len()) % to.addresses.len().max(1)) else {
                continue;
            };
            pairs.push((*kind, from, to, *address));
        }
    }
    pairs.truncate(limit);
    pairs
}

fn start(
    kind: Kind,
    from: &Pod,
    to: &Pod,
    address: IpAddr,
    (options, wave): (&LoadOptions, Option<Duration>),
    stop: &Arc<AtomicBool>,
) -> Result<Flow, LabError> {
    let (sender, receiver) = (netns::open(&from.netns)?, netns::open(&to.netns)?);
    let failed = |source| LabError::Send {
        operation: "start a flow",
        from: from.netns.clone(),
        to: to.netns.clone(),
        source,
    };
    let received = Arc::new(AtomicU64::new(0));
    let threads = match kind {
        Kind::Bulk => {
            let pace = Pace::new(u64::from(options.tcp_mbit) * 125_000, wave);
            bulk(&sender, &receiver, address, pace, stop, &received)
        }
        Kind::Requests => requests(&sender, &receiver, address, stop, &received),
        Kind::SmallUdp => {
            let pace = Pace::new(u64::from(options.udp_pps), wave);
            datagrams(&sender, &receiver, address, (64, None), pace, stop, &received)
        }
        Kind::SegmentedUdp => {
            let pps = if options.udp_pps == 0 { 0 } else { (options.udp_pps / 10).max(1) };
            datagrams(
                &sender,
                &receiver,
                address,
                (12_000, Some(1200)),
                Pace::new(u64::from(pps), wave),
                stop,
                &received,
            )
        }
    }
    .map_err(failed)?;
    let name = format!("{kind} {}/{} -> {}/{} {address}", from.namespace, from.name, to.namespace, to.name);
    Ok(Flow { name, received, threads })
}

type Threads = io::Result<Vec<thread::JoinHandle<io::Result<()>>>>;

/// How often a blocked thread looks whether it should stop.
const GLANCE: Duration = Duration::from_millis(200);

fn connected(from: &Namespace, to: &Namespace, address: IpAddr) -> io::Result<(TcpStream, TcpStream)> {
    let listener = send::tcp_listener(to, address.is_ipv6())?;
    let client = send::tcp_connect(from, SocketAddr::new(address, listener.local_addr()?.port()))?;
    let (server, _) = listener.accept()?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(GLANCE))?;
    }
    Ok((client, server))
}

fn bulk(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    mut pace: Pace,
    stop: &Arc<AtomicBool>,
    received: &Arc<AtomicU64>,
) -> Threads {
    let (mut client, mut server) = connected(from, to, address)?;
    let reader = {
        let (stop, received) = (Arc::clone(stop), Arc::clone(received));
        thread::spawn(move || {
            without_capabilities()?;
            let mut buffer = vec![0; 1 << 16];
            while !stop.load(Ordering::Relaxed) {
                if let Some(n) = patient(server.read(&mut buffer))? {
                    received.fetch_add(n as u64, Ordering::Relaxed);
                }
            }
            Ok(())
        })
    };
    let stop = Arc::clone(stop);
    let writer = thread::spawn(move || {
        without_capabilities()?;
        let buffer = vec![0x5a; 1 << 16];
        while !stop.load(Ordering::Relaxed) {
            if let Some(n) = patient(client.write(&buffer))? {
                pace.spent(n as u64);
            }
        }
        Ok(())
    });
    Ok(vec![reader, writer])
}

/// Requests of 200 bytes and responses of 4,000, a hundred a second.
fn requests(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    stop: &Arc<AtomicBool>,
    received: &Arc<AtomicU64>,
) -> Threads {
    const REQUEST: usize = 200;
    const RESPONSE: usize = 4000;
    let (mut client, mut server) = connected(from, to, address)?;
    let responder = {
        let stop = Arc::clone(stop);
        thread::spawn(move || {
            without_capabilities()?;
            let (mut request, response) = (vec![0; REQUEST], vec![0x5a; RESPONSE]);
            while !stop.load(Ordering::Relaxed) {
                if patient(server.read(&mut request))?.is_some() {
                    server.write_all(&response)?;
                }
            }
            Ok(())
        })
    };
    let (stop, received) = (Arc::clone(stop), Arc::clone(received));
    let requester = thread::spawn(move || {
        without_capabilities()?;
        let (request, mut response) = (vec![0x5a; REQUEST], vec![0; RESPONSE]);
        let mut pace = Pace::new(100, None);
        while !stop.load(Ordering::Relaxed) {
            client.write_all(&request)?;
            if let Some(n) = patient(client.read(&mut response))? {
                received.fetch_add(n as u64, Ordering::Relaxed);
            }
            pace.spent(1);
        }
        Ok(())
    });
    Ok(vec![responder, requester])
}

fn datagrams(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    (payload, segment): (usize, Option<u16>),
    mut pace: Pace,
    stop: &Arc<AtomicBool>,
    received: &Arc<AtomicU64>,
) -> Threads {
    let receiver: UdpSocket = send::udp_socket(to, address.is_ipv6(), 0)?;
    receiver.set_read_timeout(Some(GLANCE))?;
    let sender = send::udp_socket(from, address.is_ipv6(), 0)?;
    sender.connect(SocketAddr::new(address, receiver.local_addr()?.port()))?;
    if let Some(segment) = segment {
        send::set_segment(&sender, segment)?;
    }
    let reader = {
        let (stop, received) = (Arc::clone(stop), Arc::clone(received));
        thread::spawn(move || {
            without_capabilities()?;
            let mut buffer = vec![0; 1 << 16];
            while !stop.load(Ordering::Relaxed) {
                if let Some(n) = patient(receiver.recv(&mut buffer))? {
                    received.fetch_add(n as u64, Ordering::Relaxed);
                }
            }
            Ok(())
        })
    };
    let stop = Arc::clone(stop);
    let writer = thread::spawn(move || {
        without_capabilities()?;
        let buffer = vec![0x5a; payload];
        while !stop.load(Ordering::Relaxed) {
            if patient(sender.send(&buffer))?.is_some() {
                pace.spent(1);
            }
        }
        Ok(())
    });
    Ok(vec![reader, writer])
}

/// Sending and receiving needs none once the sockets are open.
fn without_capabilities() -> io::Result<()> {
    privilege::give_up_all().map_err(io::Error::other)
}

/// Not yet is no error: the thread looks whether it should stop. Nor is a full queue.
fn patient(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed")),
        Ok(n) => Ok(Some(n)),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR | libc::ENOBUFS | libc::ECONNREFUSED) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Keeps a rate: sleeps when ahead of it.
struct Pace {
    per_second: u64,
    /// How long a wave of the rate lasts; none for one that stays.
    wave: Option<Duration>,
    started: Instant,
    /// When what was spent so far is due, from the start on.
    due: Duration,
}

/// The shortest wave, and by how much each flow's is longer than that of the flow before.
const WAVE: Duration = Duration::from_secs(13);
const LONGER: Duration = Duration::from_secs(5);
/// The least of the rate that a wave goes down to.
const LEAST: f64 = 1.0 / 3.0;

impl Pace {
    /// A rate of 0 is none.
    fn new(per_second: u64, wave: Option<Duration>) -> Self {
        Self { per_second, wave, started: Instant::now(), due: Duration::ZERO }
    }

    /// The rate so long after the start.
    fn rate(&self, at: Duration) -> f64 {
        let turn = |wave: Duration| at.as_secs_f64() / wave.as_secs_f64() * std::f64::consts::TAU;
        let share = self.wave.map_or(1.0, |wave| LEAST + (1.0 - LEAST) * (0.5 + turn(wave).cos() / 2.0));
        self.per_second as f64 * share
    }

    fn spent(&mut self, amount: u64) {
        if self.per_second == 0 {
            return;
        }
        let elapsed = self.started.elapsed();
        self.due += Duration::from_secs_f64(amount as f64 / self.rate(elapsed));
        let due = self.due;
        if due > elapsed {
            thread::sleep(due.saturating_sub(elapsed).min(GLANCE));
        } else if elapsed.saturating_sub(due) > Duration::from_secs(1) {
            // Held up: do not make up for it in a burst.
            self.due = elapsed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_goes_between_a_third_and_all_and_comes_round() {
        let pace = Pace::new(900, Some(WAVE));
        let rate = |share: f64| format!("{:.0}", pace.rate(WAVE.mul_f64(share)));
        assert_eq!([rate(0.0), rate(0.25), rate(0.5), rate(1.0)], ["900", "600", "300", "900"]);
        let steady = Pace::new(900, None);
        assert_eq!([Duration::ZERO, WAVE].map(|at| format!("{:.0}", steady.rate(at))), ["900"; 2]);
    }
}
