//! The model's data types: what screens and reports show. No logic beyond ratios of their own fields.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    Condition, CoreRow, Dropped, Drops, ExplainedRows, Fault, Flow, HookRow, OuterFlow, Oversize, PeerPath,
    PlannedBackend, Probed, Probing, Rates, Room, Setup, VfTraffic, Window,
};

use crate::{
    facts::{Snapshot, netlink::LinkCounters},
    inventory::{Inventory, Peer, Pod, PodInterface, Tunnel, VirtualFunction},
    observed::Observed,
    sample::{Counts, Kinds, OuterPart, PerDirection, Syns},
};

/// The node between two samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Wall clock of the newer sample, since the Unix epoch.
    pub time: Duration,
    /// Wall clock of the first sample: totals are since then. Later for what appeared later.
    pub since: Duration,
    /// Time between the samples; none for the first sample, which has no rates.
    pub interval: Option<Duration>,
    /// What the sources said: for checks, which name the table and the file that something stands in.
    pub snapshot: Arc<Snapshot>,
    /// What exists on the node.
    pub inventory: Arc<Inventory>,
    /// What its files want, and what fits.
    pub setup: Arc<Setup>,
    /// Tunnels in the inventory's order.
    pub tunnels: Vec<TunnelRow>,
    /// Peers, by tunnel, then key; last in each tunnel a row for "other", and one for peers that are gone where there are
    /// some.
    pub peers: Vec<PeerRow>,
    /// See [`Model::nodes`].
    pub(crate) nodes: OnceLock<Arc<Vec<PeerRow>>>,
    /// By address of a node that has several, the first of them.
    pub node_addresses: Arc<BTreeMap<IpAddr, IpAddr>>,
    /// Pods by namespace and name; last a row for "other", and one for pods that are gone where there are some.
    pub pods: Vec<PodRow>,
    /// What was there a moment ago, for screens: documents list what exists.
    pub gone: Gone,
    /// Virtual functions by PF and number.
    pub vfs: Vec<VfRow>,
    /// Packets to and from other nodes' pods that are routed without a tunnel, as it is meant, totals; none when they are not
    /// counted.
    pub direct: Option<PerDirection<OuterPart>>,
    /// Messages about packets that were too big, since the previous sample.
    pub pmtu_events: Vec<PmtuEventRow>,
    /// Whether our programs counted tunnels, peers and pods; absent where nobody asked them to, and all flows are zero.
    pub counted: Observed<()>,
    /// What the kernel dropped; absent where nobody asked, and where there is no tunnel.
    pub drops: Observed<Drops>,
    /// Which eBPF programs are on tunnels and on the devices below them; absent where nobody looked.
    pub hooks: Observed<Vec<HookRow>>,
    /// What probes came to; absent where nobody asked for any. Whoever sends them puts it here: it is in no sample.
    pub probed: Observed<Probed>,
    /// What is sent to other nodes meanwhile; absent where nobody asked. What that comes to is beside the peers.
    pub probing: Observed<Probing>,
    /// The backend that somebody plans to switch to; none where nobody does. Whoever is told puts it here.
    pub planned_backend: Option<PlannedBackend>,
    /// Why packets are "other"; none while nobody asks.
    pub explained: Option<ExplainedRows>,
    /// What the kernel counted meanwhile; none for the first sample.
    pub window: Option<Window>,
    /// What the kernel has counted of packets that do not fit, totals.
    pub oversize: Oversize,
    /// What the observer costs.
    pub observer: ObserverRow,
    /// What is broken. Rows have its word, notes its words, and the health check judges by it.
    pub faults: Vec<Fault>,
    /// What is wrong, could not be read or does not fit together: what is wrong first.
    pub notes: Vec<String>,
    /// Those of the notes that say which source failed when it was read last.
    pub unread: Vec<String>,
    /// What was looked at and is as it should be, in words.
    pub checked: Vec<String>,
}

/// What is not there any more, as it was last, with the state [`Condition::Gone`]. The last rows of peers and pods sum up those
/// that went longer ago, so that together with the rows of [`Model`] they are all that was carried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gone {
    /// Tunnels, until one of the same name is there.
    pub tunnels: Vec<TunnelRow>,
    /// Peers, for a minute, and a row that sums up the earlier ones of each tunnel.
    pub peers: Vec<PeerRow>,
    /// Pods, for a minute, and a row that sums up the earlier ones.
    pub pods: Vec<PodRow>,
}

/// A virtual function.
#[derive(Clone, Debug, PartialEq)]
pub struct VfRow {
    /// What it is.
    pub vf: VirtualFunction,
    /// What it carried since it was made, and who counted.
    pub traffic: VfTraffic,
    /// Rates over the interval; none when nobody counts, or when it was not the same who counted before.
    pub rate: Option<PerDirection<VfRates>>,
    /// What only eBPF tells; none when it is not who counts.
    pub wire: Option<VfWire>,
}

/// The packets of a VF as the wire has them, totals since programs were put on its interface. "Outer" bytes are those of the
/// Ethernet frames, and packets over the budget are larger than the interface's MTU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VfWire {
    /// Totals.
    pub counts: PerDirection<Counts>,
    /// Rates of these; none when there is no earlier sample of the same programs.
    pub rates: Option<PerDirection<Rates>>,
    /// The same packets by kind.
    pub kinds: PerDirection<Kinds>,
    /// The same packets by size, with their bounds.
    pub sizes: Vec<SizeBucket>,
    /// Wall clock from which on packets are in the buckets, as of a tunnel.
    pub sizes_since: Option<Duration>,
}

/// What a VF carries in one direction, seen from its pod. Where its interface or its NIC counts, GSO buffers are split below
/// the counter, so that packets may be fewer than on the wire; eBPF counts those of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VfRates {
    /// Packets per second.
    pub packets_per_s: f64,
    /// Bits per second, link headers included.
    pub bits_per_s: f64,
    /// Packets dropped per second.
    pub drops_per_s: f64,
}

/// A tunnel.
#[derive(Clone, Debug, PartialEq)]
pub struct TunnelRow {
    /// What it is.
    pub tunnel: Tunnel,
    /// What is the matter with it.
    pub condition: Condition,
    /// What fits in it.
    pub room: Room,
    /// What it carried.
    pub flow: PerDirection<Flow>,
    /// The same packets by kind and size, totals.
    pub kinds: PerDirection<Kinds>,
    /// The same packets by core, those that had some, in the order of their numbers.
    pub cores: PerDirection<Vec<CoreRow>>,
    /// Outer packets measured on the underlay; none when it is not watched.
    pub outer: Option<PerDirection<OuterFlow>>,
    /// What the kernel drops of it and should not; none where nobody asked, and where it cannot be had.
    pub dropped: Option<Dropped>,
    /// Size buckets with their bounds, both directions.
    pub sizes: Vec<SizeBucket>,
    /// Wall clock from which on packets are in the buckets, which is when the budget last changed; none while it is the one
    /// that counting began with.
    pub sizes_since: Option<Duration>,
}

/// One bucket of a packet-size histogram, of a tunnel or a VF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeBucket {
    /// Smallest size in bytes of the inner IP packet.
    pub from: u32,
    /// Largest size; none for the open end.
    pub to: Option<u32>,
    /// What the bucket says about the MTU.
    pub edge: Edge,
    /// Packets since the bounds are these.
    pub packets: PerDirection<u64>,
}

/// Where a size bucket lies against the tunnel's budget or the MTU of the VF's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Well below.
    Below,
    /// Within 64 bytes below the budget, the budget included: full-size segments land here.
    At,
    /// Larger than the budget: these are fragmented or dropped.
    Over,
}

/// A peer, what no peer slot counts, or the peers that are gone.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerRow {
    /// Name of its tunnel.
    pub tunnel_name: Arc<str>,
    /// Interface index of its tunnel.
    pub tunnel: u32,
    /// The peer; none for the rows "other" and "gone".
    pub peer: Option<Arc<Peer>>,
    /// The first address of a node, when the row is of all of its peers; none when it is of one peer.
    pub joined: Option<IpAddr>,
    /// These peers; empty when the row is of one.
    pub members: Vec<NodePeer>,
    /// How many peers that are gone the row sums up; 0 for every other row.
    pub gone: u64,
    /// What is the matter with it.
    pub condition: Condition,
    /// Name of the peer's node, where this node's files have it. Hostile input: escape before showing.
    pub node_name: Option<String>,
    /// What it carried.
    pub flow: PerDirection<Flow>,
    /// Outer packets measured on the underlay; none when it is not watched.
    pub outer: Option<PerDirection<OuterFlow>>,
    /// What WireGuard itself tells of the peer; none on another kind of tunnel, and when it could not be read.
    pub wireguard: Option<WireguardRow>,
    /// Paths to it that probes are sent on; empty where none are.
    pub paths: Vec<PeerPath>,
}

/// One of the peers of a node, as one tunnel knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePeer {
    /// Name of its tunnel.
    pub tunnel_name: Arc<str>,
    /// The peer.
    pub peer: Arc<Peer>,
    /// What is the matter with it.
    pub condition: Condition,
    /// What WireGuard itself tells of it.
    pub wireguard: Option<WireguardRow>,
}

impl ObserverRow {
    /// CPU of our process and of our programs together, in percent of one core; none when one of them is unknown.
    pub fn total_percent(&self) -> Option<f64> {
        Some(self.cpu_percent? + self.kernel_percent?)
    }
}

impl Model {
    /// What names the node with this address: the first of its addresses, as far as they are known to be one node's.
    pub fn node_of(&self, address: IpAddr) -> IpAddr {
        self.node_addresses.get(&address).copied().unwrap_or(address)
    }
}

impl PeerRow {
    /// The peer, or the peers of a node.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        let own = self.peer.iter().filter(|_| self.members.is_empty());
        own.chain(self.members.iter().map(|member| &member.peer)).map(AsRef::as_ref)
    }

    /// Name of the peer's node, else its address, else its key; none for the rows "other" and "gone". Escape before showing.
    pub fn label(&self) -> Option<String> {
        let peer = self.peer.as_ref()?;
        let address = || peer.node_address.map_or_else(|| peer.key.short(), |address| address.to_string());
        Some(self.node_name.clone().unwrap_or_else(address))
    }
}

/// What WireGuard itself tells of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireguardRow {
    /// The last handshake.
    pub handshake: Handshake,
    /// UDP payload bytes since the peer was made: data, keepalives, handshake messages.
    pub bytes: PerDirection<u64>,
    /// Of these, what came since the sample before; none without one, and of a peer that was made meanwhile.
    pub grown: Option<PerDirection<u64>>,
}

/// The last handshake of a WireGuard peer. WireGuard makes one only when there is something to send: an old one on an
/// idle peer is nothing unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// There was none.
    Never,
    /// So long before the model's time. Zero also when the wall clock was set back since.
    Ago(Duration),
}

/// A pod, what no pod slot counts, or the pods that are gone.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRow {
    /// The pod; none for the rows "other" and "gone".
    pub pod: Option<Arc<Pod>>,
    /// How many pods that are gone the row sums up; 0 for every other row.
    pub gone: u64,
    /// What is the matter with it.
    pub condition: Condition,
    /// What it carried through tunnels.
    pub flow: PerDirection<Flow>,
    /// TCP SYN segments among that; none of pods that are gone.
    pub syns: PerDirection<Syns>,
    /// Its interfaces with what they carry; without numbers where it has only the one to the cluster network.
    pub interfaces: Vec<InterfaceRow>,
}

/// An interface in a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceRow {
    /// What it is.
    pub interface: PodInterface,
    /// What it carried since it was made, seen from the pod; none when it is not counted.
    pub counters: Option<LinkCounters>,
    /// Rates over the interval; none also when it was not counted before.
    pub rate: Option<PerDirection<VfRates>>,
}

/// An ICMP message about a packet that was too big.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PmtuEventRow {
    /// Name of the tunnel.
    pub tunnel_name: String,
    /// How long before the model's time it arrived.
    pub age: Duration,
    /// Who sent it.
    pub reporter: IpAddr,
    /// The remote node that the packet was going to.
    pub destination: IpAddr,
    /// The MTU it asks for in bytes of the outer IP packet; none when an old router names none.
    pub mtu: Option<u32>,
}

/// What the observer costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObserverRow {
    /// Our programs.
    pub programs: Vec<ProgramRow>,
    /// CPU of our process over the interval in percent of one core, what our programs take of the kernel's not among it; none
    /// for the first sample.
    pub cpu_percent: Option<f64>,
    /// CPU that our programs took in the kernel, in percent of one core; none when they were not timed yet, or cannot be.
    /// Over the last time that they were timed.
    pub kernel_percent: Option<f64>,
    /// Nanoseconds that our programs took for each packet of the wire, all of them together, then; none also when there was
    /// no packet.
    pub ns_per_packet: Option<f64>,
    /// Our resident memory in bytes; none when the kernel does not say.
    pub rss_bytes: Option<u64>,
    /// Memory of our kernel maps in bytes.
    pub map_bytes: u64,
    /// Events lost so far, ring full and rate limit together.
    pub events_lost: u64,
    /// Later outer fragments that could not be assigned so far.
    pub unknown_fragments: u64,
    /// Pods that found no slot.
    pub pods_without_slot: u64,
    /// Peers that found no slot.
    pub peers_without_slot: u64,
}

/// Cost of one of our programs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgramRow {
    /// Its name.
    pub name: String,
    /// Runs measured so far, while programs were timed.
    pub runs: u64,
    /// Runs per second over the last time that programs were timed; none when they were not.
    pub runs_per_s: Option<f64>,
    /// Nanoseconds per run over the last measured window, or over all when there is no earlier one; none before
    /// the first run.
    pub ns_per_run: Option<f64>,
}

impl Handshake {
    /// How long ago; none for never.
    pub fn age(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Ago(age) => Some(age),
        }
    }
}
