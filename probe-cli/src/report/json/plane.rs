//! Data planes in the document of `show node`.

use serde::Serialize;

use super::words;
use crate::model::{Bypass, DataPlane, PlaneDevice, Stale};

/// A data plane.
#[derive(Serialize)]
pub(super) struct Plane<'a> {
    system: &'static str,
    encapsulation: &'static str,
    certainty: Option<&'static str>,
    families: Vec<u8>,
    stale: bool,
    evidence: &'a [String],
    devices: Vec<Device<'a>>,
}

#[derive(Serialize)]
struct Device<'a> {
    ifindex: u32,
    name: &'a str,
    families: &'a [u8],
    peers: Option<usize>,
    routes: usize,
    idle: bool,
    unconfigured: bool,
    stale: Option<Why<'a>>,
    bypassed: Option<BypassedBy<'a>>,
}

/// Why a device is probably stale.
#[derive(Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
enum Why<'a> {
    Idle { carried_by: &'a str },
    Unused,
    MoreSpecific { than: &'a str, routes: usize, with_peer: usize },
}

#[derive(Serialize)]
struct BypassedBy<'a> {
    by: &'a str,
    routes: usize,
    with_peer: usize,
}

impl<'a> From<&'a DataPlane> for Plane<'a> {
    fn from(plane: &'a DataPlane) -> Self {
        let DataPlane { system, encapsulation, certainty, evidence, devices } = plane;
        Self {
            system: words::system(*system),
            encapsulation: words::encapsulation(*encapsulation),
            certainty: certainty.map(words::certainty),
            families: plane.families(),
            stale: plane.is_stale(),
            evidence,
            devices: devices.iter().map(Device::from).collect(),
        }
    }
}

impl<'a> From<&'a PlaneDevice> for Device<'a> {
    fn from(device: &'a PlaneDevice) -> Self {
        let PlaneDevice { ifindex, name, families, peers, routes, idle, unconfigured, stale, bypassed } =
            device;
        Self {
            ifindex: *ifindex,
            name,
            families,
            peers: *peers,
            routes: *routes,
            idle: *idle,
            unconfigured: *unconfigured,
            stale: stale.as_ref().map(Why::from),
            bypassed: bypassed.as_ref().map(BypassedBy::from),
        }
    }
}

impl<'a> From<&'a Stale> for Why<'a> {
    fn from(why: &'a Stale) -> Self {
        match why {
            Stale::Idle { carried_by } => Self::Idle { carried_by },
            Stale::Unused => Self::Unused,
            Stale::MoreSpecific { than, routes, with_peer } => {
                Self::MoreSpecific { than, routes: *routes, with_peer: *with_peer }
            }
        }
    }
}

impl<'a> From<&'a Bypass> for BypassedBy<'a> {
    fn from(bypass: &'a Bypass) -> Self {
        let Bypass { by, routes, with_peer } = bypass;
        Self { by, routes: *routes, with_peer: *with_peer }
    }
}
