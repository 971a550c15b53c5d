//! What `top` and `watch` take: how to count, and how to print it.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};

use super::{COUNTING, OUTPUT, PROBING, duration};
use crate::{
    cli::live::Context,
    ebpf::{self, AttachMode},
    engine,
    leftovers::RunDirectory,
};

/// How to count.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ProbeArgs {
    /// Time between samples, such as 1s or 500ms; a number alone is seconds [default: 1s]
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = COUNTING)]
    interval: Option<Duration>,

    /// Maximum number of pods tracked individually; the rest is summed as "other"
    #[arg(long, default_value_t = ebpf::Limits::default().pods, value_parser = clap::value_parser!(u32).range(1..=65_536), value_name = "N", help_heading = COUNTING)]
    pub(in crate::cli) pod_slots: u32,

    /// Maximum number of peers tracked individually, over all tunnels; the rest is summed as "other"
    #[arg(long, default_value_t = ebpf::Limits::default().peers, value_parser = clap::value_parser!(u32).range(1..=65_536), value_name = "N", help_heading = COUNTING)]
    pub(in crate::cli) peer_slots: u32,

    /// Force the attach mode [default: the best that the kernel has]
    #[arg(long, value_enum, value_name = "MODE", help_heading = COUNTING)]
    pub(in crate::cli) attach: Option<Attach>,

    /// Count what the kernel drops on the overlay's devices as well, by reason (Linux 5.17 with BTF); costs every drop on the
    /// machine a little
    #[arg(long, help_heading = COUNTING)]
    pub(in crate::cli) drops: bool,
}

impl Default for ProbeArgs {
    fn default() -> Self {
        let limits = ebpf::Limits::default();
        Self { interval: None, pod_slots: limits.pods, peer_slots: limits.peers, attach: None, drops: false }
    }
}

impl ProbeArgs {
    /// Time between samples.
    pub(in crate::cli) fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_secs(1))
    }

    /// The same with another interval, if none is given.
    pub(in crate::cli) fn with_interval(&self, interval: Option<Duration>) -> Self {
        Self { interval: self.interval.or(interval), ..self.clone() }
    }

    /// What these arguments mean to the engine.
    pub(in crate::cli) fn engine(&self, context: &Context) -> engine::EngineOptions {
        engine::EngineOptions {
            notes: RunDirectory::new(context.host_root.as_deref()),
            host: context.host(),
            interval: self.interval(),
            drops: self.drops,
            probe: ebpf::ProbeOptions {
                limits: ebpf::Limits { pods: self.pod_slots, peers: self.peer_slots },
                mode: self.attach.map(|attach| match attach {
                    Attach::Tcx => AttachMode::Tcx,
                    Attach::Clsact => AttachMode::Clsact,
                }),
                interval: self.interval(),
            },
        }
    }
}

/// See [`AttachMode`].
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Attach {
    /// TCX links, Linux 6.6 and later
    Tcx,
    /// Filters on the clsact qdisc
    Clsact,
}

/// What is sent beside counting.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub(in crate::cli) struct SendArgs {
    /// Send probes to every peer meanwhile: a small one a second on each path, and one as large as the tunnel's MTU every ten. Shows
    /// what is lost and how long answers take
    #[arg(long, help_heading = PROBING)]
    pub(in crate::cli) probe_peers: bool,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct TopArgs {
    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,

    #[command(flatten)]
    pub(in crate::cli) send: SendArgs,

    #[command(flatten)]
    pub(in crate::cli) screen: ScreenArgs,

    /// Print the configuration that is in use, with all options, and end: ~/.config/overlay-probe/config.toml, with sudo that of
    /// the user who called it
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::cli) print_config: bool,
}

/// How screens are drawn.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct ScreenArgs {
    /// Draw with ASCII characters only, as on a serial console
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::cli) ascii: bool,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct WatchArgs {
    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,

    #[command(flatten)]
    pub(in crate::cli) send: SendArgs,

    /// Stop after this many intervals
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", help_heading = COUNTING)]
    pub(in crate::cli) count: Option<u64>,

    /// Say why packets are counted as "other", not parsed, not sent or too big, for the first N of them; attaches further
    /// programs until then
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000), value_name = "N", help_heading = COUNTING)]
    pub(in crate::cli) explain_other: Option<u64>,

    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: Format,

    /// Create this file when counting has begun: how it counts and on which interfaces, as JSON
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(in crate::cli) ready_file: Option<PathBuf>,
}

/// Output of `watch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// Aligned text
    #[default]
    Table,
    /// One JSON object a line
    Jsonl,
}
