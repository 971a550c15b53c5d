//! Runs as a machine with a known speed and known noise would leave them.

use std::collections::BTreeMap;

use super::{
    encapsulation::{Encapsulation, TimeClass},
    facts::{Counts, Device, Facts},
    instruments::TunnelCounts,
    metric::{Load, Scenario, Side},
    plan::Order,
    random::Random,
    result::{Cpu, Machine, Parameters, Round, Run, ScenarioRun, Slice},
};

/// What a machine is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct World {
    /// Standard deviation of the logarithm of overlay over host, from round to round.
    pub(crate) noise: f64,
    /// What else goes on.
    pub(crate) trouble: Trouble,
    /// The overlay's datagrams are slower by this share.
    pub(crate) slower: f64,
}

/// What else goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// The machine gets slower by a tenth during a run.
    Drift,
    /// One round in five has something else running in one of its slices.
    Poison,
    /// Noise with far more wild values than a normal distribution has (Student's with three degrees of freedom).
    Tails,
}

impl World {
    pub(crate) fn quiet(noise: f64) -> Self {
        Self { noise, trouble: Trouble::None, slower: 0.0 }
    }
}

/// Evenly between 0 and 1, both excluded.
fn unit(random: &mut Random) -> f64 {
    ((random.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Normal (Box and Muller).
fn normal(random: &mut Random) -> f64 {
    (-2.0 * unit(random).ln()).sqrt() * (2.0 * std::f64::consts::PI * unit(random)).cos()
}

fn noise(random: &mut Random, world: &World) -> f64 {
    // Each of the two sides has half of the variance.
    let one = world.noise / 2.0_f64.sqrt();
    let value = normal(random);
    if world.trouble != Trouble::Tails {
        return one * value;
    }
    let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
    // A Student's whose quartiles are those of a normal distribution with this deviation.
    one * 0.882 * value / (squares / 3.0).sqrt()
}

/// A run of one scenario with both loads that gate.
pub(crate) fn run(random: &mut Random, rounds: usize, world: &World) -> Run {
    let mut run = empty();
    grow(&mut run, random, rounds, world);
    run
}

/// More rounds of the same session.
pub(crate) fn grow(run: &mut Run, random: &mut Random, rounds: usize, world: &World) {
    while run.rounds.len() < rounds {
        let number = run.rounds.len();
        run.rounds.push(round(random, number, world));
    }
}

fn round(random: &mut Random, number: usize, world: &World) -> Round {
    let is_poisoned = world.trouble == Trouble::Poison && number % 5 == 2;
    let loads = Load::USUAL.to_vec();
    let planned = Order::new(random.bits(), vec![Scenario::VxlanV4], loads).round();
    let planned: Vec<_> = planned.into_iter().filter(|slice| slice.load != Load::Requests).collect();
    let victim = usize::try_from(random.bits()).unwrap_or(0) % planned.len();
    let mut slices = Vec::new();
    for (at, planned) in planned.into_iter().enumerate() {
        let progress = (number as f64 + at as f64 / 4.0) / 80.0;
        let mut speed = if world.trouble == Trouble::Drift { 1.0 - 0.1 * progress } else { 1.0 };
        let mut steal = 0.0;
        if is_poisoned && at == victim {
            speed *= 1.0 - 0.1 - 0.5 * unit(random);
            steal = if random.coin() { 0.1 } else { 0.0 };
        }
        if planned.side == Side::Overlay {
            speed *= if planned.load == Load::Datagrams { 0.6 * (1.0 - world.slower) } else { 0.7 };
        }
        speed *= noise(random, world).exp();
        let cpu = Cpu { steal: Some(steal), ..Cpu::default() };
        let slice = Slice { cpu, ..slice(planned.load, planned.side) };
        slices.push(if planned.load == Load::Stream {
            let busy_cores = Some((1800.0 * (0.01 * normal(random)).exp()).round() / 1000.0);
            Slice { bits_per_s: Some((1e10 * speed).round()), cpu: Cpu { busy_cores, ..slice.cpu }, ..slice }
        } else {
            Slice { packets_per_s: Some((5e5 * speed).round()), ..slice }
        });
    }
    Round { slices }
}

/// A slice without a value.
pub(crate) fn slice(load: Load, side: Side) -> Slice {
    Slice {
        scenario: Scenario::VxlanV4,
        load,
        side,
        seconds: 1.0,
        bits_per_s: None,
        packets_per_s: None,
        mean_packets_per_s: None,
        datagram_bytes: None,
        connections_per_s: None,
        p50_s: None,
        p90_s: None,
        p99_s: None,
        p999_s: None,
        cpu: Cpu::default(),
    }
}

/// A run without rounds.
pub(crate) fn empty() -> Run {
    Run {
        tool_version: "0.1.0".to_owned(),
        started_at_s: 1_800_000_000,
        since_boot_s: None,
        machine: Machine {
            kernel: Some("6.12.9".to_owned()),
            architecture: "x86_64".to_owned(),
            cpu: Some("Example 9000".to_owned()),
            cores: 2,
            governor: None,
            boot_id: Some("b00t".to_owned()),
        },
        parameters: Parameters { slice_ms: 1000, underlay_mtu: 1500, seed: 7, ..Parameters::default() },
        remote: None,
        scenarios: vec![ScenarioRun {
            scenario: Scenario::VxlanV4,
            unsupported: None,
            facts: Some(facts(&["tx-checksum-ip-generic", "tx-generic-segmentation"])),
        }],
        rounds: Vec::new(),
        accepted: None,
    }
}

/// The same on a machine that carries less from round to round.
pub(crate) fn drifting(mut run: Run) -> Run {
    let mut speed = 1.0;
    for round in &mut run.rounds {
        for slice in &mut round.slices {
            slice.bits_per_s = slice.bits_per_s.map(|rate| rate * speed);
        }
        speed -= 0.012;
    }
    run
}

/// What a tunnel of VXLAN over IPv4 counts of so many full packets, forty in a buffer.
pub(crate) fn full_packets(packets: u64) -> TunnelCounts {
    TunnelCounts {
        buffers: packets / 40,
        packets,
        inner_bytes: packets * 1450,
        outer_bytes: packets * 1500,
        payload_bytes: Some(packets * 1398),
        mtu: 1450,
    }
}

/// Times of encapsulation of which half take so many nanoseconds or a little more.
pub(crate) fn encapsulation(ns: u64) -> Encapsulation {
    let class = |from_ns: u64, buffers| TimeClass { from_ns, to_ns: from_ns + from_ns / 8, buffers };
    Encapsulation { times: vec![class(ns - ns / 8, 20), class(ns, 50), class(ns * 2, 10)], unmatched: 1 }
}

/// A path of which these offloads are on.
pub(crate) fn facts(on: &[&str]) -> Facts {
    let features = ["tx-checksum-ip-generic", "tx-generic-segmentation", "tx-scatter-gather"];
    let features: BTreeMap<String, bool> =
        features.iter().map(|name| ((*name).to_owned(), on.contains(name))).collect();
    let device = |place: &str, name: &str, mtu| Device {
        place: place.to_owned(),
        name: name.to_owned(),
        mtu,
        qdisc: Some("noqueue".to_owned()),
        features: Some(features.clone()),
    };
    Facts {
        devices: vec![
            device("pod 1", "eth0", 1450),
            device("node 1", "flannel.1", 1450),
            device("node 1", "eth0", 1500),
        ],
        counts: Counts {
            payload_bytes: Some(41_200 * 1398),
            segments: Some(41_200),
            tunnel_buffers: Some(1000),
            received_buffers: Some(2000),
            ..Counts::zero()
        },
        cores: None,
        instruments: None,
    }
}
