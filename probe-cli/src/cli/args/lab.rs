//! What `lab` and `demo` take.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::{LAB, ProbeArgs, ScreenArgs, TRAFFIC, duration};
use crate::lab;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LabCommand {
    /// Create the lab
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe lab up --nodes 3 --pods 2\n  \
        sudo overlay-probe lab up --dataplane wireguard\n  \
        sudo overlay-probe lab up --host-files lab-files\n  \
        sudo overlay-probe --netns ovp-node1 --host-root lab-files/ovp-node1 show pods\n  \
        sudo overlay-probe --netns ovp-node1 watch")]
    Up(LabUpArgs),
    /// Remove the lab, including what a crashed run left of it
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe lab down\n  \
        sudo overlay-probe lab down --prefix mine")]
    Down(LabDownArgs),
    /// Show which parts of the lab exist
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe lab status")]
    Status(LabArgs),
    /// Send real TCP and UDP traffic between the pods
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe lab load --duration 30s\n  \
        sudo overlay-probe lab load --tcp-mbit 0 --udp-pps 100")]
    Load(LabLoadArgs),
    /// Break one thing of a node, as something does in clusters, or mend it again
    #[command(after_help = "Examples:\n  \
        overlay-probe lab fault --list\n  \
        sudo overlay-probe lab fault fdb-entry-missing\n  \
        sudo overlay-probe --netns ovp-node1 --host-root lab-files/ovp-node1 check\n  \
        sudo overlay-probe lab fault --undo")]
    Fault(LabFaultArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LabArgs {
    /// Prefix of the namespaces' names
    #[arg(long, default_value = lab::DEFAULT_PREFIX, value_name = "NAME", help_heading = LAB)]
    pub(in crate::cli) prefix: String,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LabDownArgs {
    #[command(flatten)]
    pub(in crate::cli) lab: LabArgs,

    /// Remove all network namespaces with names like the lab's, whoever made them
    #[arg(long, help_heading = LAB)]
    pub(in crate::cli) force: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LabFaultArgs {
    #[command(flatten)]
    pub(in crate::cli) lab: LabArgs,

    /// The fault; with --undo all faults where none is named
    #[arg(value_name = "FAULT", required_unless_present_any = ["list", "undo"])]
    pub(in crate::cli) name: Option<String>,

    /// Number of the node that gets it
    #[arg(long, default_value_t = 1, value_name = "N", conflicts_with = "undo", help_heading = LAB)]
    pub(in crate::cli) node: u16,

    /// List all faults, each with the check that finds it; needs no lab
    #[arg(long, exclusive = true, help_heading = LAB)]
    pub(in crate::cli) list: bool,

    /// Undo faults
    #[arg(long, help_heading = LAB)]
    pub(in crate::cli) undo: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LabUpArgs {
    #[command(flatten)]
    pub(in crate::cli) lab: LabArgs,

    #[command(flatten)]
    pub(in crate::cli) shape: LabShapeArgs,

    /// Write each node's configuration files below DIR, for --host-root; `lab down` leaves them. DIR must be new or empty, or of an
    /// earlier lab, and nobody else's to write
    #[arg(long, value_name = "DIR", help_heading = LAB)]
    pub(in crate::cli) host_files: Option<PathBuf>,
}

/// What a lab looks like.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LabShapeArgs {
    /// Number of nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=16), value_name = "N", help_heading = LAB)]
    pub(in crate::cli) nodes: u16,

    /// Pods on each node
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=300), value_name = "N", help_heading = LAB)]
    pub(in crate::cli) pods: u16,

    /// Address families of pods and tunnels
    #[arg(long, value_enum, default_value_t, help_heading = LAB)]
    pub(in crate::cli) family: Family,

    /// MTU of the nodes' NICs in bytes
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1370..=65_000), value_name = "BYTES", help_heading = LAB)]
    pub(in crate::cli) underlay_mtu: u32,

    /// Data plane between the nodes
    #[arg(long, value_enum, default_value_t, help_heading = LAB)]
    pub(in crate::cli) dataplane: Dataplane,
}

/// What carries packets between the nodes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(in crate::cli) enum Dataplane {
    /// flannel's VXLAN backend
    #[default]
    Vxlan,
    /// flannel's WireGuard backend, with keys of the lab's own
    Wireguard,
    /// A migration half done: some pairs of nodes use WireGuard, others VXLAN
    Both,
}

/// Address families.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(in crate::cli) enum Family {
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
pub(in crate::cli) struct LabLoadArgs {
    #[command(flatten)]
    pub(in crate::cli) lab: LabArgs,

    /// Stop after this time, such as 30s [default: run until Ctrl-C]
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = TRAFFIC)]
    pub(in crate::cli) duration: Option<Duration>,

    /// Rate limit of each TCP flow in Mbit/s (0 = unlimited)
    #[arg(long, default_value_t = 50, value_name = "MBIT", help_heading = TRAFFIC)]
    pub(in crate::cli) tcp_mbit: u32,

    /// Packets per second of each UDP flow (0 = unlimited)
    #[arg(long, default_value_t = 500, value_name = "N", help_heading = TRAFFIC)]
    pub(in crate::cli) udp_pps: u32,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DemoArgs {
    #[command(flatten)]
    pub(in crate::cli) shape: LabShapeArgs,

    /// When the MTU of the shown node's NIC is lowered, for the checks to find; R repairs it
    #[arg(long, default_value = "30s", value_parser = duration::parse, value_name = "TIME", help_heading = TRAFFIC)]
    pub(in crate::cli) incident_after: Duration,

    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,

    #[command(flatten)]
    pub(in crate::cli) screen: ScreenArgs,
}
