//! The meaning of frames: what exists, what fits, what is intended, and rates between two samples. Pure: no I/O, no clock, no async, no UI.
//!
//! Rates exist nowhere else. Every screen, report and verdict is made from a [`Model`] and nothing else.

mod build;
mod compare;
mod condition;
mod cores;
mod device_pools;
pub(crate) mod drops;
mod events;
pub(crate) mod explained;
mod fault;
pub mod fields;
mod flow;
mod health;
pub(crate) mod hooks;
mod interfaces;
mod learned;
pub mod mtu;
mod nodes;
mod observer;
mod oversize;
mod past;
pub(crate) mod peer_probes;
mod planned;
mod pods_learned;
pub(crate) mod pods_probing;
mod probed;
mod setup;
mod sizes;
#[cfg(test)]
pub(crate) mod testdata;
mod timeline;
mod types;
mod unread;
mod vf_traffic;
mod vfs;
mod window;
mod zero;

pub use compare::{Answer, Aspect, Claim, Comparison, Origin, side_by_side};
pub use condition::Condition;
pub use cores::{CoreRow, busiest, busiest_first, cores_together};
pub use device_pools::{PoolRow, Step, device_pools};
pub use drops::{DropDevice, DropRow, Dropped, Drops};
pub use events::{EventStream, EventSubject, Happened, ModelEvent, Silences, between};
pub use explained::{ExplainedRow, ExplainedRows, Owner, reason_title};
pub use fault::Fault;
pub use flow::{Flow, OuterFlow, OuterRates, Rates, both, both_rates, carried, outer_together, together};
pub use hooks::{HookRow, hooks_of};
pub use learned::{LearnedMtu, learned_mtus};
pub use mtu::{Fit, MtuDevice, MtuPath, PodMtu, Room, mtu_paths, paths_in_use};
pub use oversize::{Oversize, OversizeCounts};
pub use peer_probes::{PeerAnswers, PeerPath, Probing, wrong};
pub use planned::{
    Break, Change, Changes, NoChange, NotPlanned, Planned, PlannedBackend, Setting, Settings, Where, planned,
};
pub use pods_learned::{PodLearnedMtu, PodsLearned, pod_learned, pods_learned};
pub use pods_probing::{PodsProbing, pods_probing};
pub use probed::{Limit, Probed, ProbedPath};
pub use setup::Setup;
pub use timeline::{Timeline, once, over};
pub use types::*;
pub use vf_traffic::VfTraffic;
pub use window::{LinkWindow, SoftnetWindow, Window};
pub use zero::totals_since;

// What a model shows of what exists, of what files want and of counters. People and machines see a node through these.
pub use crate::{
    facts::{
        files::{Chart, ChartKind, Sourced},
        netlink::{LinkCounters, PublicKey, VfLinkState, VfVlan},
        pods::AttachmentIpam,
        sriov::PfFact,
    },
    intent::{Backend, Basis, Cni, Encryption, Intended, Intent, InterfaceChoice, MultusIntent},
    inventory::{
        Bypass, Certainty, DataPlane, DefaultRoute, Disagreement, Disputed, Encapsulation, Evidence, Hole,
        Inventory, LinkList, LinkRole, LinkRow, LinkState, Node, NodeAddress, OuterRoute, OwnPodCidr,
        PciInterface, Peer, PeerKey, PlaneDevice, Pod, PodCidrSource, PodInterface, PodKey, PodSource,
        RemoteNodes, RoutedPeer, Stale, System, Tunnel, TunnelAddress, TunnelKind, Underlay, VfPod,
        VfPodSource, VfSettings, VirtualFunction, WireguardPeer,
    },
    mac::Mac,
    sample::{
        Counts, Direction, DroppedPacket, ExplainedPacket, Hook, Kinds, OuterCounts, OuterPart, PathProbes,
        PeerProbes, PerDirection, ProbeCounts, Reason, ReasonTotal, RoundTrips, Sample, Seen, Signal, Syns,
    },
};
