//! `show mtu --format json`.

use std::net::IpAddr;

use serde::Serialize;

use super::words;
use crate::model::{Fit, LearnedMtu, Model, MtuDevice, MtuPath, PodMtu, learned_mtus};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Mtu<'a> {
    schema_version: u32,
    paths: Vec<Path<'a>>,
    notes: &'a [String],
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
}

/// A path MTU that the kernel has learned.
#[derive(Serialize)]
struct Learned {
    destination: IpAddr,
    peer: Option<String>,
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

impl<'a> From<&'a Model> for Mtu<'a> {
    fn from(model: &'a Model) -> Self {
        let with_learned = |path: &'a MtuPath| Path {
            learned: learned_mtus(model, path).into_iter().map(Learned::from).collect(),
            ..Path::from(path)
        };
        let paths = model.setup.mtu.iter().map(with_learned).collect();
        Self { schema_version: 2, paths, notes: &model.inventory.table_notes }
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
        }
    }
}
