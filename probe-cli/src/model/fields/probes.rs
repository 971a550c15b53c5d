//! Metrics of probes to other nodes, of one path each.

use super::{Field, Number, Period, Unit};
use crate::sample::PathProbes;

fn seconds(time: std::time::Duration) -> Number {
    Number::Amount(time.as_secs_f64())
}

/// What was sent on one path, and what it came to.
pub static PROBES: [Field<PathProbes>; 8] = [
    Field::counter("sent", Unit::Packets, "small probes sent", |probes| {
        Some(Number::Count(probes.small.sent))
    }),
    Field::counter("lost", Unit::Packets, "of these, not answered within two seconds", |probes| {
        Some(Number::Count(probes.small.lost))
    }),
    Field::counter("large_sent", Unit::Packets, "probes of `size` bytes sent", |probes| {
        Some(Number::Count(probes.large.sent))
    }),
    Field::counter(
        "large_lost",
        Unit::Packets,
        "of these, not answered within two seconds, and nobody said why",
        |probes| Some(Number::Count(probes.large.lost)),
    ),
    Field::gauge(
        "rtt_p50_s",
        Unit::Seconds,
        Period::Now,
        "median time to the answer, of the last 300 small probes that were answered",
        |probes| Some(seconds(probes.round_trips?.p50)),
    ),
    Field::gauge("rtt_p99_s", Unit::Seconds, Period::Now, "their 99th percentile", |probes| {
        Some(seconds(probes.round_trips?.p99))
    }),
    Field::gauge(
        "jitter_s",
        Unit::Seconds,
        Period::Now,
        "how much one differs from the next, smoothed as in RFC 3550",
        |probes| Some(seconds(probes.round_trips?.jitter)),
    ),
    Field::gauge(
        "answered_ago_s",
        Unit::Seconds,
        Period::Now,
        "since the last answer of any size",
        |probes| Some(seconds(probes.answered_ago?)),
    ),
];
