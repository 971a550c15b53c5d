//! Numbers in documents.

use serde::Serialize;

use crate::model::{LinkCounters, fields::Number};

/// The value of a metric.
#[derive(Serialize)]
#[serde(untagged)]
pub(in crate::report) enum Metric {
    Count(u64),
    Amount(f64),
}

impl From<Number> for Metric {
    fn from(number: Number) -> Self {
        match number {
            Number::Count(count) => Self::Count(count),
            Number::Amount(amount) => Self::Amount(amount),
        }
    }
}

/// What an interface or a VF counted, seen from its user.
#[derive(Serialize)]
pub(in crate::report) struct Counters {
    rx_packets: u64,
    tx_packets: u64,
    rx_bytes: u64,
    tx_bytes: u64,
    rx_dropped: u64,
    tx_dropped: u64,
}

impl From<LinkCounters> for Counters {
    fn from(counters: LinkCounters) -> Self {
        let LinkCounters { rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped } = counters;
        Self { rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped }
    }
}
