//! What `mtu` takes.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::{OUTPUT, PROBING, duration, show::ShowFormat};

/// What to measure, and how.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct MtuArgs {
    /// Nodes by name (of /etc/hosts) or address, pods by address, or any other address [default: every node that is known]
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,

    /// How long one path is measured at most, while it waits for no other path's probes; what is not decided by then is shown as
    /// undecided
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s", help_heading = PROBING)]
    pub(in crate::cli) deadline: Duration,

    /// Measure so many flows to each address, 64 at most: 16 find one bad member of a LAG or of equal routes. All but the first are TCP
    /// segments to a port that nobody listens on, each from another port; each flow takes as many probes as one alone
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = PROBING)]
    pub(in crate::cli) flows: u16,

    /// Go on until interrupted: a small probe every second on each path, and one of the expected size every ten. Prints what is lost
    /// and how long answers take
    #[arg(long, conflicts_with_all = ["flows", "deadline"], help_heading = PROBING)]
    pub(in crate::cli) watch: bool,

    /// With --watch: time between two tables
    #[arg(long, default_value = "10s", value_parser = duration::parse, value_name = "TIME", requires = "watch", help_heading = PROBING)]
    pub(in crate::cli) interval: Duration,

    /// With --watch: stop after this many tables
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", requires = "watch", help_heading = PROBING)]
    pub(in crate::cli) count: Option<u64>,

    /// Print what would be sent, and send nothing
    #[arg(long, help_heading = PROBING)]
    pub(in crate::cli) dry_run: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: ShowFormat,
}
