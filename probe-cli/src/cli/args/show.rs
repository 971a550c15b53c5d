//! What `show` takes.

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::{OUTPUT, OfRecording, duration};
use crate::model::Change;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ShowCommand {
    /// Detected data planes and the evidence, intended and actual settings, pod CIDRs, addresses, tunnels
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show node\n  \
        sudo overlay-probe show node --format json | jq '.actual.data_planes[] | [.system, .encapsulation]'\n\n\
        Exit code 3: no data plane found")]
    Node(ShowArgs),
    /// Interfaces used by the overlay and pods, with their role
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show links\n  \
        sudo overlay-probe show links --format json | jq '.links[] | select(.state != \"up\")'\n\n\
        Exit code 3: no such interface")]
    Links(ShowArgs),
    /// Remote nodes: addresses, pod networks, last transmission or handshake, missing table entries
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show peers\n  \
        overlay-probe show peers --replay night.ovp --at 03:12:30\n  \
        sudo overlay-probe show peers --format json | jq '.holes'\n\n\
        Exit code 3: no data plane found, or the peers could not be read")]
    Peers(ShowArgs),
    /// MTU budget from the NIC to the pods: too big, exact, to spare
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe show mtu\n  \
        sudo overlay-probe show mtu --if backend=wireguard    what breaks, and the values to set with it\n  \
        sudo overlay-probe show mtu --if underlay=9000 --if family=dual\n  \
        sudo overlay-probe show mtu --window 5s               packets that do not fit, since boot and in 5 s\n  \
        sudo overlay-probe show mtu --format json | jq '.paths[] | [.device, .fit]'\n\n\
        Exit code 3: no data plane found, or nothing can be said about the change")]
    Mtu(ShowMtuArgs),
    /// SR-IOV virtual functions: driver, pod, settings, and counters since creation
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

/// What of the budget to show.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ShowMtuArgs {
    /// The budget after a planned change, what breaks, and the values to set in the same change: `backend=vxlan`, `wireguard`,
    /// `host-gw` or `ipip`; `underlay=BYTES`, the MTU of the devices below the tunnel; `family=ipv4`, `ipv6` or `dual`. Can be
    /// given more than once; nothing is changed
    #[arg(long = "if", value_name = "KEY=VALUE")]
    pub(in crate::cli) changes: Vec<Change>,

    /// Count for this long, too, how many packets do not fit now
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "changes")]
    pub(in crate::cli) window: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// How to show it.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ShowArgs {
    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: ShowFormat,

    #[command(flatten)]
    pub(in crate::cli) recording: OfRecording,
}

impl ShowCommand {
    /// How to show it.
    pub(in crate::cli) fn args(&self) -> &ShowArgs {
        match self {
            Self::Node(args) | Self::Links(args) | Self::Peers(args) | Self::Vfs(args) | Self::Pods(args) => {
                args
            }
            Self::Mtu(args) => &args.show,
        }
    }
}

/// What `show` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ShowFormat {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON document
    Json,
}
