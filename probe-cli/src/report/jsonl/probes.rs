//! Probes to a peer, of one path each.

use std::net::IpAddr;

use serde::Serialize;

use crate::{model::PeerPath, report::json::Probed};

/// One path.
#[derive(Serialize)]
pub(super) struct Probes<'a> {
    address: IpAddr,
    way: &'static str,
    #[serde(flatten)]
    probed: Probed<'a>,
}

impl<'a> From<&'a PeerPath> for Probes<'a> {
    fn from(path: &'a PeerPath) -> Self {
        let probes = &path.probes;
        Self {
            address: probes.address,
            way: if path.is_inside { "overlay" } else { "underlay" },
            probed: probes.into(),
        }
    }
}
