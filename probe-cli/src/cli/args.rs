//! What can be typed. The doc comments here are the help text.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::live::Context;
use crate::{
    ebpf::{self, AttachMode},
    engine, lab,
    leftovers::Notes,
};

/// Shows what this node's overlay network carries and costs, live and correct.
///
/// Attaches eBPF programs to VXLAN and WireGuard devices and their underlay, and counts packets as the wire carries them:
/// per tunnel, per peer node, per pod. Nothing is dropped, changed or delayed; everything is gone when it ends.
#[derive(Debug, Parser)]
#[command(
    name = "overlay-probe",
    version,
    after_help = "Examples:\n  \
        sudo overlay-probe demo                     see it work on a private three-node network\n  \
        sudo overlay-probe                          watch this node in the terminal\n  \
        sudo overlay-probe watch --format jsonl     one JSON object a second, for scripts\n  \
        sudo overlay-probe --netns ovp-node1 watch  look at a lab node\n\n\
        Exit codes: 0 good, 2 failure, 3 could not judge (usage, missing privilege, nothing to look at)"
)]
pub(super) struct Args {
    /// Look at the node that lives in this network namespace: a name below /run/netns or a path
    #[arg(long, global = true, value_name = "NAME|PATH")]
    pub(super) netns: Option<String>,

    /// Where the node's files are: in a container, where the node's root directory is mounted
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) host_root: Option<PathBuf>,

    /// Where the container runtime listens, as a path here and not below --host-root; without it the sockets of RKE2, k3s,
    /// containerd and CRI-O are tried
    #[arg(long, global = true, value_name = "SOCKET")]
    pub(super) cri_socket: Option<PathBuf>,

    /// No colour; the environment variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub(super) no_color: bool,

    /// More diagnostics on stderr (-vv for debug); the variable OVERLAY_PROBE_LOG sets a filter instead, such as debug or
    /// overlay_probe::ebpf=debug
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Live terminal UI (the default when stdout is a terminal)
    Top(TopArgs),
    /// Headless rates: a table or one JSON object per interval
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe watch --count 1\n  \
        sudo overlay-probe watch --format jsonl | jq '.tunnels[] | [.name, .tx.outer_bits_per_s]'")]
    Watch(WatchArgs),
    /// What there is on this node: a table or JSON
    #[command(subcommand)]
    Show(ShowCommand),
    /// A private multi-node data plane in network namespaces
    #[command(subcommand)]
    Lab(LabCommand),
    /// Lab, load and terminal UI in one: what to run first
    Demo(DemoArgs),
    /// Remove what a killed run left behind
    Cleanup,
}

/// How to count.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ProbeArgs {
    /// Time between samples, such as 1s or 500ms
    #[arg(long, default_value = "1s", value_parser = interval)]
    pub(super) interval: Duration,

    /// Pods counted one by one; the others count as "other"
    #[arg(long, default_value_t = ebpf::Limits::default().pods, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) pod_slots: u32,

    /// Peers counted one by one, over all tunnels; the others count as "other"
    #[arg(long, default_value_t = ebpf::Limits::default().peers, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) peer_slots: u32,

    /// Attach this way instead of the best way that the kernel has
    #[arg(long, value_enum, value_name = "WAY")]
    pub(super) attach: Option<Attach>,
}

impl Default for ProbeArgs {
    fn default() -> Self {
        let limits = ebpf::Limits::default();
        Self {
            interval: Duration::from_secs(1),
            pod_slots: limits.pods,
            peer_slots: limits.peers,
            attach: None,
        }
    }
}

impl ProbeArgs {
    /// What these arguments mean to the engine.
    pub(super) fn engine(&self, context: &Context) -> engine::EngineOptions {
        engine::EngineOptions {
            notes: Notes::new(context.host_root.as_deref()),
            host: context.host(),
            interval: self.interval,
            probe: ebpf::ProbeOptions {
                limits: ebpf::Limits { pods: self.pod_slots, peers: self.peer_slots },
                mode: self.attach.map(|attach| match attach {
                    Attach::Tcx => AttachMode::Tcx,
                    Attach::Clsact => AttachMode::Clsact,
                }),
                interval: self.interval,
            },
        }
    }
}

/// See [`AttachMode`].
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Attach {
    /// TCX links, Linux 6.6 and later
    Tcx,
    /// Filters on the clsact qdisc
    Clsact,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct TopArgs {
    #[command(flatten)]
    pub(super) probe: ProbeArgs,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) probe: ProbeArgs,

    /// Stop after this many intervals
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,

    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,

    /// Write this file when counting has begun
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
}

/// Output of `watch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned text
    #[default]
    Table,
    /// One JSON object a line
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(super) enum ShowCommand {
    /// What runs here: data planes and how they were known, pod networks, addresses, tunnels
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show node\n  \
        sudo overlay-probe show node --format json | jq '.actual.data_planes[] | [.system, .encapsulation]'\n\n\
        Exit code 3: nothing leads to other nodes' pods")]
    Node(ShowArgs),
    /// Links that concern the overlay or pods, and what each is there for
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show links\n  \
        sudo overlay-probe show links --format json | jq '.links[] | select(.state != \"up\")'\n\n\
        Exit code 3: there are none")]
    Links(ShowArgs),
    /// Remote nodes: their addresses, pod networks, last transmission or handshake, and what is missing
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show peers\n  \
        sudo overlay-probe show peers --format json | jq '.holes'\n\n\
        Exit code 3: nothing leads to other nodes' pods, or peers may not be read")]
    Peers(ShowArgs),
    /// From the NIC's MTU to that of the pods: what fits, what does not, what is unused
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show mtu\n  \
        sudo overlay-probe show mtu --format json | jq '.paths[] | [.device, .fit]'\n\n\
        Exit code 3: nothing leads to other nodes' pods")]
    Mtu(ShowArgs),
    /// Virtual functions of SR-IOV NICs: driver, pod, settings, and what they carried since they were made
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show vfs\n  \
        sudo overlay-probe show vfs --format json | jq '.vfs[] | [.pci_address, .pod.name]'\n\n\
        Exit code 3: this node has no virtual functions")]
    Vfs(ShowArgs),
    /// Pods of this node: name, addresses, interfaces, and how each was found
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show pods\n  \
        sudo overlay-probe show pods --format json | jq '.pods[] | [.namespace, .name, .host_ifname]'\n\n\
        Exit code 3: this node has no pods")]
    Pods(ShowArgs),
}

/// How to show it.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ShowArgs {
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ShowFormat,
}

/// What `show` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON document
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum LabCommand {
    /// Build it
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe lab up --nodes 3 --pods 2\n  \
        sudo overlay-probe lab up --dataplane wireguard\n  \
        sudo overlay-probe lab up --host-files lab-files\n  \
        sudo overlay-probe --netns ovp-node1 --host-root lab-files/ovp-node1 show pods\n  \
        sudo overlay-probe --netns ovp-node1 watch")]
    Up(LabUpArgs),
    /// Remove all of it, also what a crash left
    Down(LabDownArgs),
    /// What of it exists
    Status(LabArgs),
    /// Send real TCP and UDP traffic between its pods
    Load(LabLoadArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LabArgs {
    /// What the names of its namespaces start with
    #[arg(long, default_value = lab::DEFAULT_PREFIX)]
    pub(super) prefix: String,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LabDownArgs {
    #[command(flatten)]
    pub(super) lab: LabArgs,

    /// Remove all network namespaces that are named like the lab's, whoever made them
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LabUpArgs {
    #[command(flatten)]
    pub(super) lab: LabArgs,

    #[command(flatten)]
    pub(super) shape: LabShapeArgs,

    /// Write the files that each node would have below DIR, to be given with --host-root; `lab down` leaves them. DIR must be
    /// new or empty, or of an earlier lab, and nobody else's to write
    #[arg(long, value_name = "DIR")]
    pub(super) host_files: Option<PathBuf>,
}

/// What a lab looks like.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LabShapeArgs {
    /// Nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=16))]
    pub(super) nodes: u16,

    /// Pods on each node
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=300))]
    pub(super) pods: u16,

    /// Address families of pods and tunnels
    #[arg(long, value_enum, default_value_t)]
    pub(super) family: Family,

    /// MTU of the nodes' NICs in bytes
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1370..=65_000))]
    pub(super) underlay_mtu: u32,

    /// What carries packets between the nodes
    #[arg(long, value_enum, default_value_t)]
    pub(super) dataplane: Dataplane,
}

/// What carries packets between the nodes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Dataplane {
    /// flannel's VXLAN backend
    #[default]
    Vxlan,
    /// flannel's WireGuard backend, with keys of the lab's own
    Wireguard,
    /// Halfway from one to the other: some pairs of nodes use WireGuard, others VXLAN
    Both,
}

/// Address families.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Family {
    /// IPv4 only
    #[value(name = "4")]
    V4,
    /// IPv6 only
    #[value(name = "6")]
    V6,
    /// Both
    #[default]
    Dual,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LabLoadArgs {
    #[command(flatten)]
    pub(super) lab: LabArgs,

    /// Stop after this time, such as 30s; until Ctrl-C without it
    #[arg(long, value_parser = interval)]
    pub(super) duration: Option<Duration>,

    /// Cap of each TCP flow in Mbit/s; 0 for none
    #[arg(long, default_value_t = 50)]
    pub(super) tcp_mbit: u32,

    /// Packets per second of each UDP flow; 0 for as many as go
    #[arg(long, default_value_t = 500)]
    pub(super) udp_pps: u32,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    pub(super) shape: LabShapeArgs,

    #[command(flatten)]
    pub(super) probe: ProbeArgs,
}

/// A duration with its unit: 1s, 500ms, 2m.
fn interval(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {unit:?}: use ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_bad| "give a number and a unit, such as 1s or 500ms".to_owned())?;
    let duration = Duration::try_from_secs_f64(number * scale)
        .map_err(|_bad| "give a positive time, such as 1s or 500ms".to_owned())?;
    if duration < Duration::from_millis(50) {
        return Err("at least 50ms".to_owned());
    }
    if duration > Duration::from_secs(24 * 3600) {
        return Err("at most 24h".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_have_units_and_bounds() {
        for (text, expected) in [
            ("1s", Some(1000)),
            ("500ms", Some(500)),
            ("0.5s", Some(500)),
            ("2m", Some(120_000)),
            ("1", Some(1000)),
            ("10ms", None),
            ("-1s", None),
            ("NaNs", None),
            ("infs", None),
            ("1e300h", None),
            ("25h", None),
            ("1x", None),
            ("", None),
        ] {
            assert_eq!(interval(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }
}
