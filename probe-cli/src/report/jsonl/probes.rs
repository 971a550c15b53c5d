//! Probes to a peer, of one path each.

use std::net::IpAddr;

use serde::Serialize;

use super::{Metrics, words};
use crate::model::{PathProbes, PeerPath, fields};

/// One path.
#[derive(Serialize)]
pub(super) struct Probes<'a> {
    address: IpAddr,
    way: &'static str,
    size: u32,
    signal: &'static str,
    said_by: Option<IpAddr>,
    said_mtu: Option<u32>,
    #[serde(flatten)]
    metrics: Metrics<'a, PathProbes>,
}

impl<'a> From<&'a PeerPath> for Probes<'a> {
    fn from(path: &'a PeerPath) -> Self {
        let probes = &path.probes;
        let (said_by, said_mtu) = words::said(probes.signal).unzip();
        Self {
            address: probes.address,
            way: if path.is_inside { "overlay" } else { "underlay" },
            size: probes.size,
            signal: words::signal(probes.signal),
            said_by,
            said_mtu,
            metrics: Metrics::new(&fields::PROBES, probes),
        }
    }
}
