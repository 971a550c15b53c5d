//! Runs slices: on a lab of its own, on one that is there, or to another machine. Which slice runs when is not decided here.

mod command;
mod far;
mod lines;
mod observe;
mod pins;
mod remote;
mod send;
mod serve;
mod tcp_info;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use thiserror::Error;

use self::{
    far::{Ends, Local},
    pins::Pins,
    remote::Remote,
    send::{Sent, Timing},
};
pub use self::{
    observe::Sender,
    remote::RemoteError,
    serve::{Event, Limits, ServeError, Server, random},
};
use super::{
    facts::{Core, Counts, Device, Facts},
    instruments::Instruments,
    meter::{self, CoresReading, MeterError, Path, Point},
    metric::{Load, Scenario, Side},
    plan::Planned,
    result::{self, Outside, ScenarioRun, Slice},
    wire::Token,
};
use crate::{
    lab::{
        self, Dataplane, Family, LabError, LabOptions,
        plan::tunnels,
        registry::{self, Lab, Node},
    },
    netns::{self, NetnsError},
};

/// MTU of the NICs of a lab of our own.
pub const UNDERLAY_MTU: u32 = 1500;
/// That of those with jumbo frames, and the least by which a lab that is there counts as such.
const JUMBO_MTU: u32 = 9000;
const LEAST_JUMBO_MTU: u32 = 8000;

/// Why something could not be measured.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The other machine.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// No random number.
    #[error("cannot get a random number: {0}")]
    Random(#[source] io::Error),
    /// The path could not be read.
    #[error("cannot read the path of {scenario}: {source}")]
    Meter {
        /// The data plane.
        scenario: Scenario,
        /// The cause.
        #[source]
        source: MeterError,
    },
    /// Something could not be sent.
    #[error("cannot measure {scenario} ({load:?}, {side:?}): {source}")]
    Send {
        /// The data plane.
        scenario: Scenario,
        /// What was sent.
        load: Load,
        /// Which way.
        side: Side,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// What is measured, ready to send.
#[derive(Debug)]
pub struct Bench {
    lanes: Vec<Lane>,
    unsupported: Vec<(Scenario, String)>,
    own: Vec<String>,
    /// Who sends in place of us, where somebody does.
    pub outside: Option<Outside>,
    /// MTU of the nodes' NICs; 0 where it is not known.
    pub underlay_mtu: u32,
    /// The other machine, where there is one.
    pub remote: Option<result::Remote>,
}

/// A data plane with its two ways.
#[derive(Debug)]
struct Lane {
    scenario: Scenario,
    /// None is not measured.
    host: Option<Way>,
    overlay: Way,
    path: Path,
    /// What the far end says of its part of the path.
    far_devices: Vec<Device>,
    counts: Counts,
    /// None where it cannot be read.
    cores: Option<Vec<Core>>,
    /// None until somebody looked.
    instruments: Option<Instruments>,
}

/// A way from where is sent to where is received.
#[derive(Debug)]
enum Way {
    /// Both ends are here.
    Lab(Ends),
    /// The far end is another machine, or another namespace of this one.
    Remote(Box<Remote>),
}

impl Way {
    /// Sends for so long, datagrams of `full` bytes at most; none when it was asked to stop meanwhile.
    fn send(
        &mut self,
        load: Load,
        full: usize,
        length: Duration,
        stop: &AtomicBool,
    ) -> io::Result<Option<Sent>> {
        let (timing, pins) = (Timing::new(length, stop), Pins::of_this_process());
        match self {
            Self::Lab(ends) => send::run(load, full, &mut Local::new(ends, &pins), &timing, &pins),
            Self::Remote(remote) => send::run(load, full, remote.as_mut(), &timing, &pins),
        }
    }

    fn is_v6(&self) -> bool {
        match self {
            Self::Lab(ends) => ends.address.is_ipv6(),
            Self::Remote(remote) => {
                remote.local_address().is_ok_and(|address| address.to_canonical().is_ipv6())
            }
        }
    }
}

/// Where another machine is, and by what it knows us.
#[derive(Clone, Debug)]
pub struct To {
    /// Through the overlay.
    pub overlay: SocketAddr,
    /// Beside it.
    pub underlay: Option<SocketAddr>,
    /// What both know.
    pub token: Token,
}

impl Bench {
    fn empty(underlay_mtu: u32) -> Self {
        Self {
            lanes: Vec::new(),
            unsupported: Vec::new(),
            own: Vec::new(),
            outside: None,
            underlay_mtu,
            remote: None,
        }
    }

    /// Begins sessions with a server on another machine.
    pub fn to(to: &To) -> Result<Self, DriveError> {
        let unread = |source| DriveError::Meter { scenario: Scenario::Remote, source };
        let here = meter::machine();
        let client = random().map(u64::from_ne_bytes).map_err(DriveError::Random)?;
        let connect = |address| Remote::connect(address, &to.token, (client, &here));
        let (overlay, underlay) = (connect(to.overlay)?, to.underlay.map(connect).transpose()?);
        // The NIC first, then what is on it.
        let sessions = underlay.iter().chain([&overlay]);
        let addresses: Vec<IpAddr> = sessions.filter_map(|session| session.local_address().ok()).collect();
        let point = Point::here("client", &addresses).map_err(unread)?;
        let mtu = point.devices().map_err(unread)?.first().map_or(0, |device| device.mtu);
        let mut far_devices: Vec<Device> = Vec::new();
        for session in underlay.iter().chain([&overlay]) {
            let new: Vec<Device> =
                session.devices.iter().filter(|device| !far_devices.contains(device)).cloned().collect();
            far_devices.extend(new);
        }
        let mut bench = Self::empty(mtu);
        bench.remote = Some(result::Remote {
            to: to.overlay.to_string(),
            underlay: to.underlay.map(|address| address.to_string()),
            machine: overlay.machine.clone(),
        });
        bench.lanes.push(Lane {
            scenario: Scenario::Remote,
            host: underlay.map(|session| Way::Remote(Box::new(session))),
            overlay: Way::Remote(Box::new(overlay)),
            path: Path { sending: vec![point], receiving: Vec::new() },
            far_devices,
            counts: Counts::zero(),
            cores: Some(Vec::new()),
            instruments: None,
        });
        Ok(bench)
    }

    /// It can be run: there is such a way.
    pub fn has(&self, planned: Planned) -> bool {
        let lane = self.lanes.iter().find(|lane| lane.scenario == planned.scenario);
        lane.is_some_and(|lane| planned.side == Side::Overlay || lane.host.is_some())
    }

    /// Builds a lab for each of these data planes; those that this kernel does not have are listed as such. `told` is called with what
    /// is being built.
    pub fn build(scenarios: &[Scenario], told: &mut dyn FnMut(Scenario)) -> Result<Self, DriveError> {
        let mut bench = Self::empty(UNDERLAY_MTU);
        for scenario in scenarios {
            told(*scenario);
            let Some(options) = options(*scenario) else {
                bench.unsupported.push((*scenario, "there is no lab of it: give --to".to_owned()));
                continue;
            };
            match lab::up(&options, &mut |_| {}) {
                Ok(lab) => {
                    bench.own.push(options.prefix);
                    if *scenario == Scenario::VxlanV4Jumbo {
                        lab::raise_pod_mtu(&lab)?;
                    }
                    bench.lanes.push(Lane::new(*scenario, &lab)?);
                }
                Err(error @ LabError::NoWireguard) => {
                    let why = error.to_string();
                    // The way out that it names is one of `lab up`.
                    let why = why.split(';').next().unwrap_or_default().to_owned();
                    bench.unsupported.push((*scenario, why));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bench)
    }

    /// Takes a lab that is there, as it is. Of these data planes those that it does not have are listed as such.
    pub fn of_lab(prefix: &str, scenarios: &[Scenario]) -> Result<Self, DriveError> {
        lab::plan::check_prefix(prefix)?;
        let lab = registry::read(prefix).ok_or_else(|| LabError::NoLab { prefix: prefix.to_owned() })?;
        let mut bench = Self::empty(lab.options.underlay_mtu);
        for scenario in scenarios {
            if has(&lab, *scenario) {
                bench.lanes.push(Lane::new(*scenario, &lab)?);
            } else {
                bench.unsupported.push((*scenario, format!("the lab {prefix} has no such tunnel")));
            }
        }
        Ok(bench)
    }

    /// What can be measured.
    pub fn scenarios(&self) -> Vec<Scenario> {
        self.lanes.iter().map(|lane| lane.scenario).collect()
    }

    /// Runs a slice; none when it was asked to stop meanwhile.
    pub fn slice(
        &mut self,
        planned: Planned,
        length: Duration,
        stop: &AtomicBool,
    ) -> Result<Option<Slice>, DriveError> {
        let Planned { scenario, load, side } = planned;
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.scenario == scenario) else {
            return Ok(None);
        };
        let unread = |source| DriveError::Meter { scenario, source };
        let full = if matches!(load, Load::Datagrams512 | Load::DatagramsFull) {
            lane.full_datagram().map_err(unread)?
        } else {
            usize::MAX
        };
        let way = match side {
            Side::Host => lane.host.as_mut(),
            Side::Overlay => Some(&mut lane.overlay),
        };
        let Some(way) = way else { return Ok(None) };
        let is_counted = matches!((load, side), (Load::Stream | Load::Command, Side::Overlay));
        let before = is_counted.then(|| lane.path.read()).transpose().map_err(unread)?;
        let cores = CoresReading::now();
        let timing = Timing::new(length, stop);
        let sent = match (load, &self.outside, &mut *way) {
            (Load::Command, Some(outside), Way::Lab(ends)) => {
                let path = &lane.path;
                let received = || {
                    let bytes = path.received(side).map_err(io::Error::other)?;
                    bytes.ok_or_else(|| io::Error::other("the receiving device is gone"))
                };
                command::in_lab(outside, ends, &timing, &received)
            }
            (Load::Command, Some(outside), Way::Remote(remote)) => {
                command::to_machine(outside, remote, &timing)
            }
            _ => way.send(load, full, length, stop),
        };
        let sent = sent.map_err(|source| DriveError::Send { scenario, load, side, source })?;
        let Some(sent) = sent else { return Ok(None) };
        if let Some(before) = before {
            cores.add_until(&CoresReading::now(), &mut lane.cores);
            let after = lane.path.read().map_err(unread)?;
            lane.counts.add(&lane.path.between(&before, &after).seen_by(&sent.counts));
        }
        let [p50_s, p90_s, p99_s, p999_s] = sent.quantiles_s;
        Ok(Some(Slice {
            scenario,
            load,
            side,
            seconds: sent.seconds,
            bits_per_s: sent.bits_per_s,
            packets_per_s: sent.packets_per_s,
            mean_packets_per_s: sent.mean_packets_per_s,
            datagram_bytes: sent.datagram_bytes,
            connections_per_s: sent.connections_per_s,
            p50_s,
            p90_s,
            p99_s,
            p999_s,
            cpu: sent.cpu,
        }))
    }

    /// The data planes with what their paths are like now.
    pub fn facts(&self) -> Result<Vec<ScenarioRun>, DriveError> {
        let mut rows: Vec<ScenarioRun> = self
            .unsupported
            .iter()
            .map(|(scenario, why)| ScenarioRun {
                scenario: *scenario,
                unsupported: Some(why.clone()),
                facts: None,
            })
            .collect();
        for lane in &self.lanes {
            let devices = lane.path.devices();
            let devices = devices.map_err(|source| DriveError::Meter { scenario: lane.scenario, source })?;
            let devices = devices.into_iter().chain(lane.far_devices.clone()).collect();
            // Without a stream nothing was counted, and no packet lost is not known.
            let is_counted = lane.counts != Counts::zero();
            let facts = Facts {
                devices,
                counts: if is_counted { lane.counts } else { Counts::default() },
                cores: lane.cores.clone().filter(|cores| !cores.is_empty()),
                instruments: lane.instruments.clone(),
            };
            rows.push(ScenarioRun { scenario: lane.scenario, unsupported: None, facts: Some(facts) });
        }
        rows.sort_by_key(|row| row.scenario);
        Ok(rows)
    }
}

impl Drop for Bench {
    /// Takes down what it has built.
    fn drop(&mut self) {
        self.lanes.clear();
        for prefix in &self.own {
            // What cannot be removed goes with this process' own /run.
            let _ = lab::down(prefix);
        }
    }
}

/// A lab of two nodes with a pod each, and one tunnel; none of what is no lab's.
fn options(scenario: Scenario) -> Option<LabOptions> {
    let (family, dataplane, underlay_mtu) = match scenario {
        Scenario::VxlanV4 => (Family::V4, Dataplane::Vxlan, UNDERLAY_MTU),
        Scenario::VxlanV4Jumbo => (Family::V4, Dataplane::Vxlan, JUMBO_MTU),
        Scenario::VxlanV6 => (Family::V6, Dataplane::Vxlan, UNDERLAY_MTU),
        Scenario::Wireguard => (Family::V4, Dataplane::Wireguard, UNDERLAY_MTU),
        Scenario::Remote => return None,
    };
    let prefix = format!("bench-{scenario}");
    Some(LabOptions { prefix, nodes: 2, pods: 1, family, underlay_mtu, dataplane })
}

/// Its first two nodes have such a tunnel between them, and pods.
fn has(lab: &Lab, scenario: Scenario) -> bool {
    let (family, dataplane) = (lab.options.family, lab.options.dataplane);
    let is_there = match scenario {
        Scenario::VxlanV4 => family.v4() && dataplane.vxlan(),
        Scenario::VxlanV4Jumbo => {
            family.v4() && dataplane.vxlan() && lab.options.underlay_mtu >= LEAST_JUMBO_MTU
        }
        Scenario::VxlanV6 => family.v6() && dataplane.vxlan(),
        Scenario::Wireguard => family.v4() && dataplane == Dataplane::Wireguard,
        Scenario::Remote => false,
    };
    is_there && lab.nodes.len() >= 2 && lab.nodes.iter().take(2).all(|node| !node.pods.is_empty())
}

/// Name of the tunnel device.
fn tunnel(lab: &Lab, scenario: Scenario) -> Option<String> {
    let is_v6 = scenario == Scenario::VxlanV6;
    match scenario {
        Scenario::Wireguard => lab.options.wireguard_names().next().map(str::to_owned),
        Scenario::VxlanV4 | Scenario::VxlanV4Jumbo | Scenario::VxlanV6 => {
            tunnels(&lab.options, 1).into_iter().find(|one| one.local.is_ipv6() == is_v6).map(|one| one.name)
        }
        Scenario::Remote => None,
    }
}

/// Payload bytes of a datagram that fills this MTU.
fn payload(mtu: u32, is_v6: bool) -> usize {
    /// UDP's header, and the longest datagram of IPv4.
    const UDP: u32 = 8;
    const LONGEST: u32 = 65_507;
    /// The session's number, which datagrams begin with.
    const LEAST: u32 = 8;
    let headers = UDP + if is_v6 { 40 } else { 20 };
    usize::try_from(mtu.saturating_sub(headers).clamp(LEAST, LONGEST)).unwrap_or(usize::MAX)
}

impl Lane {
    /// Payload bytes of the largest datagram that fits all devices of the path, the same from node to node.
    fn full_datagram(&self) -> Result<usize, MeterError> {
        let devices = self.path.devices()?;
        let smallest = devices.iter().chain(&self.far_devices).map(|device| device.mtu).min();
        Ok(payload(smallest.unwrap_or_default(), self.overlay.is_v6()))
    }

    fn new(scenario: Scenario, lab: &Lab) -> Result<Self, DriveError> {
        let missing = |what: &str| LabError::NoPart { what: format!("{what} for {scenario}") };
        let is_v6 = scenario == Scenario::VxlanV6;
        let tunnel = tunnel(lab, scenario).ok_or_else(|| missing("tunnel"))?;
        let ([first, second, ..], Some(a), Some(b)) = (
            lab.nodes.as_slice(),
            lab.nodes.first().and_then(|node| node.pods.first()),
            lab.nodes.get(1).and_then(|node| node.pods.first()),
        ) else {
            return Err(missing("pods on two nodes").into());
        };
        let address = |of: &[IpAddr]| of.iter().copied().find(|address| address.is_ipv6() == is_v6);
        let ends = |from: &str, to: &str, addresses: &[IpAddr]| -> Result<Ends, DriveError> {
            let address = address(addresses).ok_or_else(|| missing("address"))?;
            Ok(Ends { from: Arc::new(netns::open(from)?), to: Arc::new(netns::open(to)?), address })
        };
        let pod = |number: u16, netns: &str| -> Result<Point, DriveError> {
            Ok(Point::new(format!("pod {number}"), netns::open(netns)?, vec!["eth0".to_owned()], None))
        };
        let node = |node: &Node, veth: &str, is_first: bool| -> Result<Point, DriveError> {
            let mut names = vec![veth.to_owned(), tunnel.clone(), "eth0".to_owned()];
            if !is_first {
                names.reverse();
            }
            let place = format!("node {}", node.number);
            Ok(Point::new(place, netns::open(&node.netns)?, names, Some(tunnel.clone())))
        };
        let path = Path {
            sending: vec![pod(first.number, &a.netns)?, node(first, &a.host_ifname, true)?],
            receiving: vec![node(second, &b.host_ifname, false)?, pod(second.number, &b.netns)?],
        };
        Ok(Self {
            scenario,
            host: Some(Way::Lab(ends(&first.netns, &second.netns, &second.addresses)?)),
            overlay: Way::Lab(ends(&a.netns, &b.netns, &b.addresses)?),
            path,
            far_devices: Vec::new(),
            counts: Counts::zero(),
            cores: Some(Vec::new()),
            instruments: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_datagram_fills_the_mtu() {
        let of = [(1450, false), (1430, true), (8950, false), (0, false), (u32::MAX, true)];
        assert_eq!(of.map(|(mtu, is_v6)| payload(mtu, is_v6)), [1422, 1382, 8922, 8, 65_507]);
    }
}
