//! The log on stderr, for `-v`.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Warnings by default; `-v` adds what is done, `-vv` everything. `OVERLAY_PROBE_LOG` names levels instead, for all or for
/// single modules: `info`, `overlay_probe::ebpf=debug`.
pub(super) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let asked = std::env::var("OVERLAY_PROBE_LOG").ok().filter(|levels| !levels.is_empty());
    let (levels, refused) = match asked.map(|levels| levels.parse::<Targets>()) {
        Some(Ok(levels)) => (levels, false),
        Some(Err(_)) => (Targets::new().with_default(level), true),
        None => (Targets::new().with_default(level), false),
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(log).with(levels).try_init();
    if refused {
        tracing::warn!("OVERLAY_PROBE_LOG names no levels: use, for example, overlay_probe::ebpf=debug");
    }
}
