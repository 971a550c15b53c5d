//! `show mtu --format json`.

use std::net::IpAddr;

use serde::Serialize;

use super::words;
use crate::model::{
    Fit, LearnedMtu, Model, MtuDevice, MtuPath, Oversize, OversizeCounts, PodLearnedMtu, PodMtu, PodsLearned,
    learned_mtus, pods_learned, pods_probing,
};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Mtu<'a> {
    schema_version: u32,
    paths: Vec<Path<'a>>,
    counted: Counted,
    tcp_mtu_probing: Option<Probing>,
    notes: &'a [String],
}

/// Pods whose TCP finds what fits by itself.
#[derive(Serialize)]
struct Probing {
    pods_on: usize,
    pods_read: usize,
}

/// What the kernel counts of packets that do not fit.
#[derive(Serialize)]
struct Counted {
    since: &'static str,
    totals: Sizes,
    window_s: Option<f64>,
    in_window: Option<Sizes>,
}

#[derive(Serialize)]
struct Sizes {
    ipv4: Counts,
    ipv6: Counts,
    tcp_probes_arrived: Option<u64>,
    tcp_probes_lost: Option<u64>,
}

#[derive(Serialize)]
struct Counts {
    too_big_dropped: Option<u64>,
    messages_sent: Option<u64>,
    messages_received: Option<u64>,
    fragments_made: Option<u64>,
    reassembly_failures: Option<u64>,
}

/// A path that pods' packets take to other nodes.
#[derive(Serialize)]
pub(super) struct Path<'a> {
    ifindex: Option<u32>,
    device: &'a str,
    encapsulation: &'static str,
    outer_family: Option<u8>,
    families: &'a [u8],
    underlays: Vec<Device<'a>>,
    underlay_route_mtu: Option<u32>,
    overhead: u32,
    most: Option<u32>,
    mtu: u32,
    route_mtu: Option<u32>,
    fit: Option<Verdict>,
    carries: u32,
    held_by_route: bool,
    pods: Vec<Pods>,
    stale: bool,
    idle: bool,
    learned: Vec<Learned>,
    pods_learned: OfPods,
}

/// A path MTU that the kernel has learned.
#[derive(Serialize)]
struct Learned {
    destination: IpAddr,
    peer: Option<String>,
    mtu: u32,
    expires_s: Option<u64>,
}

/// Path MTUs that pods were told.
#[derive(Default, Serialize)]
struct OfPods {
    rows: Vec<OfPod>,
    left_out: u64,
}

#[derive(Serialize)]
struct OfPod {
    pod: String,
    destination: IpAddr,
    mtu: u32,
    expires_s: Option<u64>,
}

#[derive(Serialize)]
struct Device<'a> {
    name: &'a str,
    mtu: u32,
}

#[derive(Serialize)]
struct Pods {
    mtu: u32,
    count: usize,
    fit: Option<Verdict>,
}

#[derive(Serialize)]
#[serde(tag = "verdict", content = "bytes", rename_all = "kebab-case")]
enum Verdict {
    Fits,
    TooBig(u32),
    Unused(u32),
}

impl From<Fit> for Verdict {
    fn from(fit: Fit) -> Self {
        match fit {
            Fit::Fits => Self::Fits,
            Fit::TooBig(over) => Self::TooBig(over),
            Fit::Unused(unused) => Self::Unused(unused),
        }
    }
}

impl From<LearnedMtu> for Learned {
    fn from(learned: LearnedMtu) -> Self {
        let LearnedMtu { destination, peer, mtu, expires_s } = learned;
        Self { destination, peer, mtu, expires_s }
    }
}

impl From<PodsLearned> for OfPods {
    fn from(PodsLearned { rows, left_out }: PodsLearned) -> Self {
        let row =
            |PodLearnedMtu { pod, destination, mtu, expires_s }| OfPod { pod, destination, mtu, expires_s };
        Self { rows: rows.into_iter().map(row).collect(), left_out }
    }
}

impl From<Oversize> for Sizes {
    fn from(oversize: Oversize) -> Self {
        let Oversize { ipv4, ipv6, tcp_probes_arrived, tcp_probes_lost } = oversize;
        Self { ipv4: ipv4.into(), ipv6: ipv6.into(), tcp_probes_arrived, tcp_probes_lost }
    }
}

impl From<OversizeCounts> for Counts {
    fn from(counts: OversizeCounts) -> Self {
        let OversizeCounts { too_big, fragments_made, reassembly_failures, messages_sent, messages_received } =
            counts;
        Self {
            too_big_dropped: too_big,
            messages_sent,
            messages_received,
            fragments_made,
            reassembly_failures,
        }
    }
}

impl From<&Model> for Counted {
    fn from(model: &Model) -> Self {
        let window = model.window.as_ref();
        Self {
            since: "namespace",
            totals: model.oversize.into(),
            window_s: window.map(|window| window.length.as_secs_f64()),
            in_window: window.map(|window| window.oversize.into()),
        }
    }
}

impl<'a> From<&'a Model> for Mtu<'a> {
    fn from(model: &'a Model) -> Self {
        let with_learned = |path: &'a MtuPath| Path {
            learned: learned_mtus(model, path).into_iter().map(Learned::from).collect(),
            pods_learned: pods_learned(model, path).into(),
            ..Path::from(path)
        };
        let paths = model.setup.mtu.iter().map(with_learned).collect();
        let tcp_mtu_probing =
            pods_probing(model).map(|found| Probing { pods_on: found.on, pods_read: found.read });
        let notes = &model.inventory.table_notes;
        Self { schema_version: 2, paths, counted: model.into(), tcp_mtu_probing, notes }
    }
}

impl<'a> From<&'a MtuPath> for Path<'a> {
    fn from(path: &'a MtuPath) -> Self {
        let MtuPath {
            ifindex,
            device,
            encapsulation,
            outer_family,
            families,
            underlays,
            underlay_route_mtu,
            overhead,
            max_inner,
            mtu,
            route_mtu,
            fit,
            usable,
            route_limits_pods,
            pods,
            stale,
            idle,
        } = path;
        let underlay = |MtuDevice { name, mtu }: &'a MtuDevice| Device { name, mtu: *mtu };
        let of_size = |PodMtu { mtu, count, fit }: &PodMtu| Pods {
            mtu: *mtu,
            count: *count,
            fit: fit.map(Verdict::from),
        };
        Self {
            // The kernel's are positive numbers of 32 bits with a sign; planned devices have others.
            ifindex: Some(*ifindex).filter(|ifindex| i32::try_from(*ifindex).is_ok()),
            device,
            encapsulation: words::encapsulation(*encapsulation),
            outer_family: *outer_family,
            families,
            underlays: underlays.iter().map(underlay).collect(),
            underlay_route_mtu: *underlay_route_mtu,
            overhead: *overhead,
            most: *max_inner,
            mtu: *mtu,
            route_mtu: *route_mtu,
            fit: fit.map(Verdict::from),
            carries: *usable,
            held_by_route: *route_limits_pods,
            pods: pods.iter().map(of_size).collect(),
            stale: *stale,
            idle: *idle,
            // Of what is planned nothing is learned yet.
            learned: Vec::new(),
            pods_learned: OfPods::default(),
        }
    }
}
