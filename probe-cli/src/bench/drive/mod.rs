//! Runs slices: on a lab of its own, or on one that is there. Which slice runs when is not decided here.

mod send;

use std::{io, net::IpAddr, sync::atomic::AtomicBool, time::Duration};

use thiserror::Error;

use self::send::{Ends, Timing};
use super::{
    meter::{MeterError, Path, Point},
    metric::{Load, Scenario, Side},
    plan::Planned,
    result::{Counts, Facts, ScenarioRun, Slice},
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

/// Why something could not be measured.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
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
    /// MTU of the nodes' NICs.
    pub underlay_mtu: u32,
}

/// A data plane with its two ways.
#[derive(Debug)]
struct Lane {
    scenario: Scenario,
    host: Ends,
    overlay: Ends,
    path: Path,
    counts: Counts,
}

impl Bench {
    /// Builds a lab for each of these data planes; those that this kernel does not have are listed as such. `told` is called with what
    /// is being built.
    pub fn build(scenarios: &[Scenario], told: &mut dyn FnMut(Scenario)) -> Result<Self, DriveError> {
        let mut bench =
            Self { lanes: Vec::new(), unsupported: Vec::new(), own: Vec::new(), underlay_mtu: UNDERLAY_MTU };
        for scenario in scenarios {
            told(*scenario);
            let options = options(*scenario);
            match lab::up(&options, &mut |_| {}) {
                Ok(lab) => {
                    bench.own.push(options.prefix);
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
        let mut bench = Self {
            lanes: Vec::new(),
            unsupported: Vec::new(),
            own: Vec::new(),
            underlay_mtu: lab.options.underlay_mtu,
        };
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
        let ends = if side == Side::Host { &lane.host } else { &lane.overlay };
        let is_counted = (load, side) == (Load::Stream, Side::Overlay);
        let before = is_counted.then(|| lane.path.read()).transpose().map_err(unread)?;
        let timing = Timing::new(length, stop);
        let sent = send::run(load, ends, &timing);
        let sent = sent.map_err(|source| DriveError::Send { scenario, load, side, source })?;
        let Some(sent) = sent else { return Ok(None) };
        if let Some(before) = before {
            let after = lane.path.read().map_err(unread)?;
            let counts = lane.path.between(&before, &after);
            lane.counts.add(&Counts { payload_bytes: sent.payload_bytes, ..counts });
        }
        Ok(Some(Slice {
            scenario,
            load,
            side,
            seconds: sent.seconds,
            bits_per_s: sent.bits_per_s,
            packets_per_s: sent.packets_per_s,
            mean_packets_per_s: sent.mean_packets_per_s,
            p50_s: sent.p50_s,
            p99_s: sent.p99_s,
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
            let facts = Facts { devices, counts: lane.counts };
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

/// A lab of two nodes with a pod each, and one tunnel.
fn options(scenario: Scenario) -> LabOptions {
    let (family, dataplane) = match scenario {
        Scenario::VxlanV4 => (Family::V4, Dataplane::Vxlan),
        Scenario::VxlanV6 => (Family::V6, Dataplane::Vxlan),
        Scenario::Wireguard => (Family::V4, Dataplane::Wireguard),
    };
    let prefix = format!("bench-{scenario}");
    LabOptions { prefix, nodes: 2, pods: 1, family, underlay_mtu: UNDERLAY_MTU, dataplane }
}

/// Its first two nodes have such a tunnel between them, and pods.
fn has(lab: &Lab, scenario: Scenario) -> bool {
    let (family, dataplane) = (lab.options.family, lab.options.dataplane);
    let is_there = match scenario {
        Scenario::VxlanV4 => family.v4() && dataplane.vxlan(),
        Scenario::VxlanV6 => family.v6() && dataplane.vxlan(),
        Scenario::Wireguard => family.v4() && dataplane == Dataplane::Wireguard,
    };
    is_there && lab.nodes.len() >= 2 && lab.nodes.iter().take(2).all(|node| !node.pods.is_empty())
}

/// Name of the tunnel device.
fn tunnel(lab: &Lab, scenario: Scenario) -> Option<String> {
    let is_v6 = scenario == Scenario::VxlanV6;
    match scenario {
        Scenario::Wireguard => lab.options.wireguard_names().next().map(str::to_owned),
        Scenario::VxlanV4 | Scenario::VxlanV6 => {
            tunnels(&lab.options, 1).into_iter().find(|one| one.local.is_ipv6() == is_v6).map(|one| one.name)
        }
    }
}

impl Lane {
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
            Ok(Ends { from: netns::open(from)?, to: netns::open(to)?, address })
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
        let path = Path([
            pod(first.number, &a.netns)?,
            node(first, &a.host_ifname, true)?,
            node(second, &b.host_ifname, false)?,
            pod(second.number, &b.netns)?,
        ]);
        Ok(Self {
            scenario,
            host: ends(&first.netns, &second.netns, &second.addresses)?,
            overlay: ends(&a.netns, &b.netns, &b.addresses)?,
            path,
            counts: Counts::zero(),
        })
    }
}
