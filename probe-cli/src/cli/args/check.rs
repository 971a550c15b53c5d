//! What `check` takes.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};

use super::{OUTPUT, OfRecording, duration};

/// Which checks, how long, and how to print it.
#[derive(Clone, Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(in crate::cli) struct CheckArgs {
    /// Run only these checks or families (may be repeated, or separated by commas)
    #[arg(long, value_name = "ID|FAMILY", value_delimiter = ',', help_heading = CHECKS)]
    pub(in crate::cli) only: Vec<String>,

    /// Leave these checks or families out
    #[arg(long, value_name = "ID|FAMILY", value_delimiter = ',', help_heading = CHECKS)]
    pub(in crate::cli) skip: Vec<String>,

    /// Time over which counters must not grow
    #[arg(long, default_value = "2s", value_parser = duration::parse, value_name = "TIME", help_heading = CHECKS)]
    pub(in crate::cli) window: Duration,

    /// Attach eBPF programs for that time, and judge by the packets as well; needs the privileges of `watch`
    #[arg(long, help_heading = CHECKS, conflicts_with = "replay")]
    pub(in crate::cli) with_traffic: bool,

    /// Send probes to every other node, as `mtu` does, and judge by what gets there; needs `CAP_NET_RAW`
    #[arg(long, help_heading = CHECKS, conflicts_with = "replay")]
    pub(in crate::cli) probe: bool,

    /// With --probe: measure so many flows to each address, as `mtu --flows` does; 16 find one bad member of a LAG or of equal routes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), requires = "probe",
        help_heading = CHECKS)]
    pub(in crate::cli) flows: u16,

    /// Check as well what a switch to this backend needs: the kernel, UDP ports, firewalls, pods' MTU. Nothing is changed
    #[arg(long = "for", value_enum, value_name = "BACKEND", help_heading = CHECKS)]
    pub(in crate::cli) planned: Option<ForBackend>,

    /// Leave out findings that somebody has accepted: a file with lines of `id subject reason until-date`
    #[arg(long, value_name = "FILE", help_heading = CHECKS)]
    pub(in crate::cli) accept: Option<PathBuf>,

    /// Check again and again at this interval, until interrupted; print only what is new (+), changed (~) or resolved (-)
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = CHECKS,
        conflicts_with_all = ["format", "since", "support_bundle", "quiet", "with_traffic", "probe", "planned", "replay"])]
    pub(in crate::cli) watch: Option<Duration>,

    /// List all checks
    #[arg(long, exclusive = true, help_heading = CHECKS)]
    pub(in crate::cli) list: bool,

    /// Explain a check: how it is found, why it happens, how to fix it; needs no privilege
    #[arg(long, value_name = "ID", exclusive = true, help_heading = CHECKS)]
    pub(in crate::cli) explain: Option<String>,

    /// Exit code 3 when any check could not be judged, not only those that the verdict rests on
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::cli) strict: bool,

    /// Exit with 0 when nothing is worse than this
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL", help_heading = OUTPUT)]
    pub(in crate::cli) fail_on: FailOn,

    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: CheckFormat,

    /// Print what is new, worse or resolved since this document of `check --format json`
    #[arg(long, value_name = "OLD.json", help_heading = OUTPUT, conflicts_with = "quiet")]
    pub(in crate::cli) since: Option<PathBuf>,

    /// Write what was looked at and what was found into an archive as well, for somebody who cannot look; without secrets
    #[arg(long, value_name = "FILE.tar.gz", help_heading = OUTPUT)]
    pub(in crate::cli) support_bundle: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) recording: OfRecording,

    /// Print the verdict only
    #[arg(short, long, help_heading = OUTPUT)]
    pub(in crate::cli) quiet: bool,
}

const CHECKS: &str = "Checks";

/// Backends that a switch to can be checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ForBackend {
    /// flannel's WireGuard
    Wireguard,
}

/// What ends with another exit code than 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOn {
    /// Warnings and failures
    #[default]
    Warn,
    /// Failures only
    Fail,
    /// Nothing
    Never,
}

/// What `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CheckFormat {
    /// Text
    #[default]
    Table,
    /// One JSON document
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// SARIF 2.1.0, for code scanning services
    Sarif,
    /// Markdown, for tickets
    Markdown,
    /// One line for Nagios and Icinga
    Nagios,
    /// One line for node-problem-detector; exit codes 0, 1 and 2 as it wants them
    Npd,
}
