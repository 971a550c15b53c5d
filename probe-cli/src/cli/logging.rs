//! Words about the work, to stderr, for `-v`.

use tracing_subscriber::EnvFilter;

/// Warnings by default; `-v` adds what is done, `-vv` everything.
pub(super) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("OVERLAY_PROBE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .try_init();
}
