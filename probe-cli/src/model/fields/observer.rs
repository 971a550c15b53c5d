//! Metrics of the observer itself: what it costs, and what it could not count; and what other programs beside ours cost.

use super::{Field, Number, Period, Unit};
use crate::model::{HookRow, ObserverRow, ProgramRow};

/// The observer as a whole, in the order of documents.
pub static OBSERVER: [Field<ObserverRow>; 9] = [
    Field::rate("cpu_percent", Unit::Percent, "CPU of the process, in percent of one core", |row| {
        row.cpu_percent.map(Number::Amount)
    }),
    Field::rate(
        "kernel_percent",
        Unit::Percent,
        "CPU of the programs in the kernel, over the last interval in which they were timed, one of ten; `null`: not yet, or \
         not allowed",
        |row| row.kernel_percent.map(Number::Amount),
    ),
    Field::rate("ns_per_packet", Unit::Nanoseconds, "their time for each packet of the wire, then", |row| {
        row.ns_per_packet.map(Number::Amount)
    }),
    Field::gauge("rss_bytes", Unit::Bytes, Period::Now, "resident memory of the process", |row| {
        row.rss_bytes.map(Number::Count)
    }),
    Field::gauge("map_bytes", Unit::Bytes, Period::Now, "memory of the maps in the kernel", |row| {
        Some(Number::Count(row.map_bytes))
    }),
    Field::counter("events_lost", Unit::Events, "messages about packets too big that were lost", |row| {
        Some(Number::Count(row.events_lost))
    }),
    Field::counter(
        "unknown_fragments",
        Unit::Packets,
        "later outer fragments whose first one was not seen",
        |row| Some(Number::Count(row.unknown_fragments)),
    ),
    Field::gauge(
        "pods_without_slot",
        Unit::Entries,
        Period::Now,
        "pods beyond the limit, whose traffic counts as \"other\"",
        |row| Some(Number::Count(row.pods_without_slot)),
    ),
    Field::gauge("peers_without_slot", Unit::Entries, Period::Now, "the same of peers", |row| {
        Some(Number::Count(row.peers_without_slot))
    }),
];

/// One program in the kernel.
pub static PROGRAM: [Field<ProgramRow>; 3] = [
    Field::counter("runs", Unit::Runs, "runs while timing was on", |row| Some(Number::Count(row.runs))),
    Field::rate("runs_per_s", Unit::RunsPerSecond, "runs, the last time that it was timed", |row| {
        row.runs_per_s.map(Number::Amount)
    }),
    Field::rate("ns_per_run", Unit::Nanoseconds, "time of a run, then", |row| {
        row.ns_per_run.map(Number::Amount)
    }),
];

/// One program on a hook of the overlay's devices.
pub static HOOK: [Field<HookRow>; 2] = [
    Field::rate(
        "runs_per_s",
        Unit::RunsPerSecond,
        "runs, wherever it is, over the last interval in which programs were timed, one of ten; `null`: not yet, or not allowed",
        |row| row.runs_per_s.map(Number::Amount),
    ),
    Field::rate("ns_per_run", Unit::Nanoseconds, "time of a run, then, or when it ran last", |row| {
        row.ns_per_run.map(Number::Amount)
    }),
];
