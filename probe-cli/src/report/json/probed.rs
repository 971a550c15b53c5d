//! What probes to one address that go on tell, in `mtu --watch` and in `watch`.

use std::net::IpAddr;

use serde::Serialize;

use super::{Metrics, words};
use crate::model::{PathProbes, fields};

/// Of one path, without its name.
#[derive(Serialize)]
pub(in crate::report) struct Probed<'a> {
    size: u32,
    signal: &'static str,
    said_by: Option<IpAddr>,
    said_mtu: Option<u32>,
    #[serde(flatten)]
    metrics: Metrics<'a, PathProbes>,
}

impl<'a> From<&'a PathProbes> for Probed<'a> {
    fn from(probes: &'a PathProbes) -> Self {
        let (said_by, said_mtu) = words::said(probes.signal).unzip();
        Self {
            size: probes.size,
            signal: words::signal(probes.signal),
            said_by,
            said_mtu,
            metrics: Metrics::new(&fields::PROBES, probes),
        }
    }
}
