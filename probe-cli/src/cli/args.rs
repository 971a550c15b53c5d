//! What can be typed: the options of every command, and the list of commands. The doc comments here are the help text. What
//! single commands take is in the files below.

mod bench;
mod check;
mod count;
mod duration;
mod lab;
mod mtu;
mod record;
mod show;

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(super) use self::{
    bench::{
        BenchAcceptArgs, BenchAlso, BenchCommand, BenchCompareArgs, BenchFacts, BenchFormat, BenchGateArgs,
        BenchMetric, BenchOnly, BenchRunArgs, BenchScenario, BenchServeArgs, BenchTrendArgs, JudgeArgs,
        LoadArgs, ToArgs, TrendFormat, Where,
    },
    check::{CheckArgs, CheckFormat, FailOn, ForBackend},
    count::{Format, ProbeArgs, ScreenArgs, TopArgs, WatchArgs},
    duration::parse as parse_duration,
    lab::{
        Dataplane, DemoArgs, Family, LabArgs, LabCommand, LabDownArgs, LabFaultArgs, LabLoadArgs,
        LabShapeArgs,
    },
    mtu::MtuArgs,
    record::{OfRecording, RecordArgs, ReplayArgs, ReplayFormat},
    show::{ShowArgs, ShowCommand, ShowFormat, ShowMtuArgs},
};

/// Headings that group options in `--help`.
const TARGET: &str = "Target";
const OUTPUT: &str = "Output";
const COUNTING: &str = "Counting";
const LAB: &str = "Lab";
const TRAFFIC: &str = "Traffic";
const PROBING: &str = "Probing";

/// Live view of a node's overlay network: throughput, encapsulation overhead, MTU health
///
/// Attaches eBPF programs to VXLAN and WireGuard devices and to the NICs below them, and counts packets as the wire carries
/// them: per tunnel, per peer node, per pod. The programs only count. Nothing is left behind on exit.
#[derive(Debug, Parser)]
#[command(
    name = "overlay-probe",
    version,
    after_help = "Examples:\n  \
        sudo overlay-probe demo                     a private three-node network with traffic, shown live\n  \
        sudo overlay-probe                          this node, in the terminal\n  \
        sudo overlay-probe check                    is this node's overlay healthy?\n  \
        sudo overlay-probe mtu                      how large packets really get to each other node\n  \
        sudo overlay-probe show node                detected data planes, intended and actual settings\n  \
        sudo overlay-probe watch --format jsonl     one JSON object per second, for scripts\n  \
        sudo overlay-probe record night.ovp         what happens meanwhile, for `replay`\n  \
        sudo overlay-probe --netns ovp-node1 watch  a node of the lab\n\n\
        Exit codes: 0 good, 1 warning (check, mtu, bench gate), 2 failure, 3 unknown (usage error, missing privilege, no overlay here)"
)]
pub(super) struct Args {
    /// Look at the node in this network namespace: a name below /run/netns, or a path
    #[arg(long, global = true, value_name = "NAME|PATH", help_heading = TARGET)]
    pub(super) netns: Option<String>,

    /// Read the node's files below this directory: in a container, where the node's root is mounted
    #[arg(long, global = true, value_name = "DIR", help_heading = TARGET)]
    pub(super) host_root: Option<PathBuf>,

    /// Socket of the container runtime; the path is not prefixed with --host-root [default: the sockets of RKE2, k3s,
    /// containerd and CRI-O are tried]
    #[arg(long, global = true, value_name = "SOCKET", help_heading = TARGET)]
    pub(super) cri_socket: Option<PathBuf>,

    /// Disable colours (same as NO_COLOR=1)
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(super) no_color: bool,

    /// Verbose log on stderr (-vv: debug); the variable OVERLAY_PROBE_LOG sets levels by module instead, such as
    /// overlay_probe::ebpf=debug
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub(super) verbose: u8,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Live terminal UI (the default when stdout is a terminal)
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe top\n  \
        sudo overlay-probe top --interval 5s\n  \
        overlay-probe top --print-config > ~/.config/overlay-probe/config.toml\n  \
        sudo overlay-probe --netns ovp-node1 top")]
    Top(TopArgs),
    /// Health check: what is wrong on this node, the evidence, the fix
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe check\n  \
        sudo overlay-probe check --only mtu,peer\n  \
        sudo overlay-probe check --with-traffic --window 10s\n  \
        sudo overlay-probe check --probe --only mtu\n  \
        sudo overlay-probe check --format json | jq '.findings[] | [.severity, .id, .summary]'\n  \
        sudo overlay-probe check --format nagios --fail-on fail\n  \
        overlay-probe check --replay night.ovp --at 03:12:30\n  \
        overlay-probe check --explain mtu-pod-exceeds-tunnel\n\n\
        Exit codes: 0 good, 1 warning, 2 failure, 3 could not judge")]
    Check(CheckArgs),
    /// The largest packet that really gets to each other node, below and through the tunnel, and who limits it
    ///
    /// Sends ICMP echo requests that may not be cut, of many sizes, and judges by what comes back: fits, "too big" and who says
    /// so, lost silently (a black hole, on which way is found out by a few UDP datagrams), lost by chance, no answer. Nothing is
    /// needed on the other nodes but that they answer a ping. At most 500 packets a second are sent.
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe mtu\n  \
        sudo overlay-probe mtu node2 10.42.3.7\n  \
        sudo overlay-probe mtu --dry-run\n  \
        sudo overlay-probe mtu --format json | jq '.paths[] | [.peer, .way, .measured, .verdict]'\n\n\
        Exit codes: 0 all fits, 1 warning, 2 failure (a black hole, no answer), 3 could not judge")]
    Mtu(MtuArgs),
    /// Rates without a terminal UI: a table or one JSON object per interval
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe watch --count 1\n  \
        sudo overlay-probe watch --explain-other 20\n  \
        sudo overlay-probe watch --format jsonl | jq '.tunnels[] | [.name, .tx.outer_bits_per_s]'")]
    Watch(WatchArgs),
    /// Write what there is and what is counted to a file, for `replay`, `check --replay` and `show --replay`
    ///
    /// Each frame is everything that the other commands look at: tables of the kernel, files, pods, counters. Passwords, tokens and keys
    /// are not read. A recording that is killed in the middle is good up to there.
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe record night.ovp\n  \
        sudo overlay-probe record /var/lib/overlay-probe --rotate-age 1h --keep 24\n  \
        sudo overlay-probe record incident.ovp --interval 250ms --count 1200 --drops")]
    Record(RecordArgs),
    /// Show a recording in the terminal UI, or print it
    ///
    /// Keys: p plays or pauses, comma and dot go back and on by a frame, < > by a minute, { } by ten, T to a time; + and - change the
    /// speed. Needs no privilege.
    #[command(after_help = "Examples:\n  \
        overlay-probe replay night.ovp\n  \
        overlay-probe replay night.ovp -t 03:12:30\n  \
        overlay-probe replay night.ovp -t '3m ago'\n  \
        overlay-probe replay night.ovp --format jsonl | jq '.tunnels[] | [.name, .tx.outer_bits_per_s]'\n\n\
        Exit code 3: nothing of the file can be used")]
    Replay(ReplayArgs),
    /// Inspect this node (table or JSON)
    #[command(subcommand, arg_required_else_help = true)]
    Show(ShowCommand),
    /// A private multi-node data plane in network namespaces
    #[command(subcommand, arg_required_else_help = true)]
    Lab(LabCommand),
    /// Start here: a private three-node network with traffic, shown live
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe demo\n  \
        sudo overlay-probe demo --nodes 4 --pods 6 --family 4\n  \
        sudo overlay-probe demo --dataplane wireguard")]
    Demo(DemoArgs),
    /// What does the overlay cost here, and did it get slower?
    ///
    /// Measures pod to pod beside node to node, in turn, in a private network of two nodes, and decides by the ratio of the two: the
    /// machine's own speed cancels out. docs/bench.md says how it decides.
    #[command(subcommand, arg_required_else_help = true)]
    Bench(BenchCommand),
    /// Remove what a killed run left behind
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe cleanup\n  \
        sudo overlay-probe --netns ovp-node1 cleanup\n\n\
        Filters of a run that lives are left alone. Exit code 3: a run record cannot be read, and nothing was removed")]
    Cleanup,
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  \
        overlay-probe completions bash > /etc/bash_completion.d/overlay-probe\n  \
        overlay-probe completions zsh > \"${fpath[1]}/_overlay-probe\"\n  \
        overlay-probe completions fish > ~/.config/fish/completions/overlay-probe.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory, one for each command
    #[command(hide = true)]
    Man {
        /// The directory, which must exist
        directory: PathBuf,
    },
}

/// Options that say which node is looked at.
const OF_NODE: &[&str] = &["netns", "host_root", "cri_socket"];

/// Options of every command that mean nothing to these.
const VOID: &[(&str, &[&str])] = &[
    ("lab", &["netns", "host_root", "cri_socket"]),
    ("demo", &["netns", "host_root", "cri_socket"]),
    ("bench", &["netns", "host_root", "cri_socket", "no_color"]),
    ("cleanup", &["cri_socket", "no_color"]),
    ("replay", OF_NODE),
    ("completions", &["netns", "host_root", "cri_socket", "no_color", "verbose"]),
    ("man", &["netns", "host_root", "cri_socket", "no_color", "verbose"]),
];

/// The definition of the command line: what parses, and what completions and manual pages are made of. Options that mean
/// nothing to a command are not in its help.
pub(super) fn command() -> clap::Command {
    let mut command = Args::command();
    for (name, void) in VOID {
        // An option of the same name keeps clap from handing the global one down.
        let is_void = |arg: &&Arg| void.contains(&arg.get_id().as_str());
        let hidden: Vec<Arg> =
            command.get_arguments().filter(is_void).map(|arg| arg.clone().hide(true)).collect();
        command = command.mut_subcommand(name, |command| command.args(hidden));
    }
    command
}

/// Reads the command line of this process.
pub(super) fn parse() -> Result<Args, clap::Error> {
    parse_from(std::env::args_os())
}

/// Reads a command line.
pub(super) fn parse_from(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Args, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    let args = Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    match args.void() {
        Some((option, name)) => Err(command.error(
            clap::error::ErrorKind::ArgumentConflict,
            format!("--{option} has no meaning for `overlay-probe {name}`"),
        )),
        None => Ok(args),
    }
}

impl Args {
    /// An option that was given and means nothing to the command, with the command. Those of output do no harm.
    fn void(&self) -> Option<(&'static str, &'static str)> {
        let name = match self.command.as_ref()? {
            // The node is the recording's.
            Command::Check(check) if check.recording.replay.is_some() => "check --replay",
            Command::Show(show) if show.args().recording.replay.is_some() => "show --replay",
            Command::Top(_)
            | Command::Check(_)
            | Command::Watch(_)
            | Command::Record(_)
            | Command::Show(_)
            | Command::Mtu(_) => return None,
            Command::Replay(_) => "replay",
            Command::Lab(_) => "lab",
            Command::Demo(_) => "demo",
            Command::Bench(_) => "bench",
            Command::Cleanup => "cleanup",
            Command::Completions { .. } => "completions",
            Command::Man { .. } => "man",
        };
        let void = VOID.iter().find(|(command, _)| *command == name).map_or(OF_NODE, |(_, void)| void);
        let given = [
            ("netns", "netns", self.netns.is_some()),
            ("host_root", "host-root", self.host_root.is_some()),
            ("cri_socket", "cri-socket", self.cri_socket.is_some()),
        ];
        let found = given.iter().find(|(id, _, is_given)| *is_given && void.contains(id));
        found.map(|(_, option, _)| (*option, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Args {
        let words = std::iter::once("overlay-probe").chain(line.split_whitespace());
        Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn what_means_nothing_is_hidden_and_refused() {
        for (line, void) in [
            ("--netns x lab up", Some(("netns", "lab"))),
            ("lab down --host-root /x", Some(("host-root", "lab"))),
            ("demo --cri-socket /x", Some(("cri-socket", "demo"))),
            ("cleanup --cri-socket /x", Some(("cri-socket", "cleanup"))),
            ("--netns x bench compare a b", Some(("netns", "bench"))),
            ("--netns x cleanup", None),
            ("replay x --netns x", Some(("netns", "replay"))),
            ("check --host-root /x --replay x", Some(("host-root", "check --replay"))),
            ("--netns x show pods --replay x --at -3m", Some(("netns", "show --replay"))),
            ("--netns x record x", None),
            ("cleanup --host-root /x", None),
            ("--netns x --host-root /x --cri-socket /x show node", None),
            ("show node --netns x", None),
            ("--no-color lab status", None),
            ("", None),
        ] {
            assert_eq!(parsed(line).void(), void, "{line}");
        }
        let help = |path: &[&str]| {
            let mut command = command();
            command.build();
            let leaf =
                path.iter().fold(&mut command, |command, name| command.find_subcommand_mut(name).unwrap());
            leaf.render_long_help().to_string()
        };
        assert!(!help(&["lab", "up"]).contains("--netns <"));
        assert!(help(&["show", "node"]).contains("--netns <"));
        assert!(!help(&["completions"]).contains("--verbose"));
    }

    /// Each page of help fits in 80 columns, names an example, and groups its options.
    #[test]
    fn help_teaches() {
        let mut command = command().term_width(80);
        command.build();
        check(&mut command, "overlay-probe");
    }

    fn check(command: &mut clap::Command, path: &str) {
        let help = command.render_long_help().to_string();
        let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 100, "{path}: {widest}");
        if !command.is_arg_required_else_help_set() && path != "overlay-probe man" {
            assert!(help.contains("Examples:"), "{path} has no example");
        }
        let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in names.iter().filter(|name| *name != "help") {
            let sub = command.find_subcommand_mut(name).unwrap();
            check(sub, &format!("{path} {name}"));
        }
    }
}
