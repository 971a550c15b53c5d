//! Counters at one instant, as plain data, named by what they count and not by kernel map slots.
//!
//! Here belong raw, ever-growing values. Rates and differences live in [`crate::model`] only.

mod drops;
mod explained;
mod hooks;
mod path_probes;
mod rows;
mod told_once;

use std::{collections::BTreeMap, net::IpAddr, ops::AddAssign, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    drops::{DropRow, DroppedPacket, Drops, OuterKind},
    explained::{Direction, Explained, ExplainedPacket, Reason, ReasonTotal, Seen},
    hooks::{Hook, HookPlace, Hooks},
    path_probes::{PathProbes, PeerProbes, ProbeCounts, RoundTrips, Signal},
    told_once::ToldOnce,
};
use crate::{
    facts::{PeerKey, PodKey, Snapshot, counters::NodeCounters, netlink::LinkCounters, sriov::VfStats},
    observed::Observed,
};

/// Everything that was counted, at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Wall clock, since the Unix epoch.
    pub time: Duration,
    /// Monotonic clock since boot; differences of samples are taken here.
    pub monotonic: Duration,
    /// By tunnel interface index.
    pub tunnels: BTreeMap<u32, TunnelSample>,
    /// By tunnel interface index and peer.
    #[serde(with = "rows")]
    pub peers: BTreeMap<(u32, PeerKey), PeerSample>,
    /// By tunnel interface index and peer: what WireGuard itself counted.
    #[serde(with = "rows")]
    pub wireguard: BTreeMap<(u32, PeerKey), WireguardSample>,
    /// What was counted on the interfaces of virtual functions, by PCI address.
    pub vfs: Vec<VfSample>,
    /// Monotonic clock when that was read: later than the rest, since they are in many namespaces.
    pub vfs_at: Duration,
    /// What the PFs' drivers counted for them, which they are not asked for every sample.
    pub vf_drivers: VfDrivers,
    /// What of virtual functions is counted otherwise than it could be, and why.
    pub vf_notes: Vec<String>,
    /// By tunnel interface index: what no peer slot counts.
    pub other_peers: BTreeMap<u32, PeerSample>,
    /// By tunnel interface index: what peers carried that are gone.
    pub gone_peers: BTreeMap<u32, GonePeers>,
    /// By pod.
    #[serde(with = "rows")]
    pub pods: BTreeMap<PodKey, PerDirection<Counts>>,
    /// Interfaces of pods that have several, as the kernel counts them.
    pub pod_interfaces: Vec<PodInterfaceSample>,
    /// Packets to and from other nodes' pods that are routed without a tunnel, as it is meant; none where no device that outer
    /// packets leave by is watched.
    #[serde(default)]
    pub direct: Option<PerDirection<OuterPart>>,
    /// What no pod slot counts: host traffic, unknown addresses, pods beyond the slots.
    pub other_pods: PerDirection<Counts>,
    /// What pods carried that are gone.
    pub gone_pods: GonePods,
    /// TCP SYN segments that pods sent and received through tunnels; those without any are left out.
    #[serde(default, with = "rows")]
    pub pod_syns: BTreeMap<PodKey, PerDirection<Syns>>,
    /// Those that no pod slot counts.
    #[serde(default)]
    pub other_syns: PerDirection<Syns>,
    /// Messages about packets that were too big, since the previous sample.
    pub pmtu_events: Vec<PmtuEvent>,
    /// Why packets are "other", while somebody asks.
    #[serde(default)]
    pub explained: Option<Box<Explained>>,
    /// What could not be attached, in words.
    pub problems: Vec<String>,
    /// Not everything since the previous sample was counted: no rate can be made of the two.
    #[serde(default)]
    pub is_interrupted: bool,
    /// Where programs of others run before ours.
    pub behind: Vec<Behind>,
    /// What the kernel counted of the node's network by itself.
    pub node: Box<NodeCounters>,
    /// What the observer itself cost and lost.
    pub observer: Observer,
    /// Whether our programs counted tunnels, peers and pods; absent where nobody asked them to.
    #[serde(default)]
    pub counted: Observed<()>,
    /// What the kernel dropped; absent where nobody asked.
    #[serde(default)]
    pub drops: Observed<Box<Drops>>,
    /// Which eBPF programs are on the overlay's devices; absent where nobody looked.
    #[serde(default)]
    pub hooks: Observed<Box<Hooks>>,
    /// What probes to other nodes come to; absent where nobody asked for any.
    #[serde(default)]
    pub peer_probes: Observed<Box<PeerProbes>>,
}

impl Sample {
    /// Time since another sample; none when that is not earlier.
    pub fn time_after(&self, other: &Self) -> Option<Duration> {
        self.monotonic.checked_sub(other.monotonic).filter(|time| !time.is_zero())
    }
}

/// What an interval gives: the node and its counters at one instant. A recording is a list of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// What the sources said; the same one while nothing changes.
    pub snapshot: Arc<Snapshot>,
    /// What was counted.
    pub sample: Sample,
}

/// A place where a filter of somebody else may decide on packets before ours sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Interface index.
    pub ifindex: u32,
    /// Packets that leave by it, and not those that arrive.
    pub egress: bool,
}

/// What was counted on the interface of one virtual function, seen from its user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfSample {
    /// PCI address.
    pub pci: String,
    /// Name of the network namespace that the interface is in; none for the node's own.
    pub netns: Option<String>,
    /// Interface index there.
    pub ifindex: u32,
    /// What the interface itself counted; none when it is not there any more.
    pub interface: Option<LinkCounters>,
    /// What our programs counted on it; none where they are not.
    pub programs: Option<VfCounts>,
}

/// What the PFs' drivers counted, the last two times that they were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfDrivers {
    /// The last time, on the monotonic clock.
    pub at: Duration,
    /// What they told then.
    pub told: Vec<VfDriver>,
    /// The time before, and what they told then; none when there was none.
    pub before: Option<(Duration, Vec<VfDriver>)>,
}

/// What a PF's driver counted for one of its virtual functions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfDriver {
    /// PCI address of the PF.
    pub pf: String,
    /// PCI address of the VF.
    pub pci: String,
    /// What it answers by netlink; none when it does not.
    pub told: Option<LinkCounters>,
    /// What it has in files; none without them.
    pub files: Option<VfStats>,
}

/// Counters of one interface in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodInterfaceSample {
    /// Path of the pod's network namespace.
    pub netns: String,
    /// Interface index there.
    pub ifindex: u32,
    /// What it counted, seen from the pod.
    pub counters: LinkCounters,
}

/// What our programs counted on the interface of one VF. "Outer" bytes are those of the Ethernet frames, without the
/// checksum behind them and without what the NIC pads a short frame with; the budget is the interface's MTU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfCounts {
    /// When counting began, on the monotonic clock: counts of another beginning are other counts.
    pub since: Duration,
    /// Totals.
    pub counts: PerDirection<Counts>,
    /// The same packets by kind and size.
    pub kinds: PerDirection<Kinds>,
}

/// A value per direction; transmit is what leaves the node through the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerDirection<T> {
    /// Leaving the node.
    pub tx: T,
    /// Arriving.
    pub rx: T,
}

/// One direction of a tunnel, peer or pod; meanings as in `probe_common::counters::Counters`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Socket buffers handled.
    pub skbs: u64,
    /// Packets on the wire.
    pub packets: u64,
    /// Bytes of the inner IP packets.
    pub inner_bytes: u64,
    /// Bytes of the outer IP packets.
    pub outer_bytes: u64,
    /// Packets larger than the tunnel's budget.
    pub oversize: u64,
    /// Inner IP fragments.
    pub fragments: u64,
}

/// TCP SYN segments of one direction of a pod; meanings as in `probe_common::counters::Syns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syns {
    /// Segments.
    pub segments: u64,
    /// Those of them that allow segments larger than the tunnel's budget.
    pub over_budget: u64,
    /// The largest segment size that was announced, in bytes of payload; 0 when none was.
    pub largest_mss: u64,
}

/// What kinds of packets one direction of a tunnel carried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// IPv4 packets.
    pub ipv4: u64,
    /// IPv6 packets.
    pub ipv6: u64,
    /// Packets that are neither.
    pub not_ip: u64,
    /// TCP packets.
    pub tcp: u64,
    /// UDP packets.
    pub udp: u64,
    /// IP packets of other protocols.
    pub other_protocol: u64,
    /// Packets the device had no destination for, and dropped.
    pub unsent: u64,
    /// Packets by size bucket, see `probe_common::sizes`.
    pub sizes: Vec<u64>,
}

/// Outer packets as the underlay device carried them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuterCounts {
    /// Outer IP packets, each fragment one.
    pub packets: u64,
    /// Their bytes, IP headers included.
    pub bytes: u64,
    /// Those of them that are fragments.
    pub fragments: u64,
    /// Those of them that are WireGuard keepalives.
    pub keepalives: OuterPart,
    /// Those of them that are WireGuard handshake messages.
    pub handshakes: OuterPart,
    /// Packets of pods that the device carried in no tunnel. None of them is in the other counts.
    #[serde(default)]
    pub in_clear: OuterPart,
}

/// Outer packets of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuterPart {
    /// How many.
    pub packets: u64,
    /// Their bytes, IP headers included.
    pub bytes: u64,
}

/// What the kernel's WireGuard itself counted for a peer; all of it begins with the peer, not with us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardSample {
    /// When the last handshake was completed, wall clock since the Unix epoch; none when there was none.
    pub last_handshake: Option<Duration>,
    /// UDP payload bytes: data, keepalives, handshake messages.
    pub bytes: PerDirection<u64>,
}

/// Counters of one tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelSample {
    /// Totals, measured on the tunnel device.
    pub counts: PerDirection<Counts>,
    /// The same packets by kind and size.
    pub kinds: PerDirection<Kinds>,
    /// The same packets by the number of the CPU that handled them on the tunnel device; a CPU that had none is left out.
    #[serde(default)]
    pub cores: PerDirection<BTreeMap<u32, u64>>,
    /// Outer packets, measured on the underlay device; none when it is not watched.
    pub outer: Option<PerDirection<OuterCounts>>,
}

/// Counters of one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSample {
    /// Totals, measured on the tunnel device.
    pub counts: PerDirection<Counts>,
    /// Outer packets, measured on the underlay device; none when it is not watched.
    pub outer: Option<PerDirection<OuterCounts>>,
}

/// What the peers of a tunnel carried that had counters of their own and are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GonePeers {
    /// How many. One that came back and went again counts twice.
    pub peers: u64,
    /// What they carried.
    pub carried: PeerSample,
}

/// What pods carried that had counters of their own and are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GonePods {
    /// How many. One that came back and went again counts twice.
    pub pods: u64,
    /// What they carried.
    pub counts: PerDirection<Counts>,
}

/// An ICMP "fragmentation needed" or "packet too big" that quoted a packet of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PmtuEvent {
    /// Monotonic clock at reception.
    pub at: Duration,
    /// Interface index of the tunnel.
    pub tunnel: u32,
    /// Who sent the message.
    pub reporter: IpAddr,
    /// The remote node that the packet was going to.
    pub destination: IpAddr,
    /// The MTU it asks for, in bytes of the outer IP packet; none when an old router names none.
    pub mtu: Option<u32>,
    /// Length of the quoted outer packet in bytes.
    pub quoted_bytes: u32,
}

/// What the observer itself cost and lost so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observer {
    /// Our eBPF programs.
    pub programs: Vec<ProgramCost>,
    /// For how long they were timed so far.
    pub timed: Duration,
    /// CPU time of our process, user and system; none when the kernel does not say.
    pub cpu: Option<Duration>,
    /// Resident memory of our process in bytes; none when the kernel does not say.
    pub rss_bytes: Option<u64>,
    /// Memory of our kernel maps in bytes, as the kernel accounts it.
    pub map_bytes: u64,
    /// Events that found the ring buffer full.
    pub events_ring_full: u64,
    /// Events over the rate limit.
    pub events_rate_limited: u64,
    /// Later fragments whose first fragment was not seen.
    pub unknown_fragments: u64,
    /// Pods that exist but found no slot.
    pub pods_without_slot: u64,
    /// Peers that exist but found no slot.
    pub peers_without_slot: u64,
    /// Addresses of pods and peers that found no place in the lookup table; what they name counts as "other".
    pub keys_without_place: u64,
}

/// Cost of a program, as `BPF_ENABLE_STATS` measures it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramCost {
    /// The program's name. Hostile input: of another's program it is what that chose.
    pub name: String,
    /// The kernel's number of it; none of several that are summed up.
    #[serde(default)]
    pub id: Option<u32>,
    /// How often it ran while run-time statistics were on. They cost every program on the machine some
    /// nanoseconds, so they are on for a part of the time only.
    pub runs: u64,
    /// The nanoseconds those runs took.
    pub run_time_ns: u64,
}

impl Counts {
    /// Each with its counterpart: what is made of two is made of each counter here.
    fn zip(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            skbs: of(self.skbs, other.skbs),
            packets: of(self.packets, other.packets),
            inner_bytes: of(self.inner_bytes, other.inner_bytes),
            outer_bytes: of(self.outer_bytes, other.outer_bytes),
            oversize: of(self.oversize, other.oversize),
            fragments: of(self.fragments, other.fragments),
        }
    }

    /// These without those that were there before.
    #[must_use]
    pub fn less(&self, before: &Self) -> Self {
        self.zip(*before, u64::saturating_sub)
    }
}

impl Syns {
    /// These without those that were there before; the largest segment size is of all.
    #[must_use]
    pub fn less(self, before: Self) -> Self {
        Self {
            segments: self.segments.saturating_sub(before.segments),
            over_budget: self.over_budget.saturating_sub(before.over_budget),
            largest_mss: self.largest_mss,
        }
    }
}

impl Kinds {
    /// These without those that were there before.
    #[must_use]
    pub fn less(&self, before: &Self) -> Self {
        let earlier = before.sizes.iter().copied().chain(std::iter::repeat(0));
        Self {
            ipv4: self.ipv4.saturating_sub(before.ipv4),
            ipv6: self.ipv6.saturating_sub(before.ipv6),
            not_ip: self.not_ip.saturating_sub(before.not_ip),
            tcp: self.tcp.saturating_sub(before.tcp),
            udp: self.udp.saturating_sub(before.udp),
            other_protocol: self.other_protocol.saturating_sub(before.other_protocol),
            unsent: self.unsent.saturating_sub(before.unsent),
            sizes: self.sizes.iter().zip(earlier).map(|(now, before)| now.saturating_sub(before)).collect(),
        }
    }
}

impl OuterPart {
    /// These without those that were there before.
    #[must_use]
    pub fn less(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

impl OuterCounts {
    /// Each with its counterpart, as of [`Counts`].
    fn zip(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        let part = |one: OuterPart, other: OuterPart| OuterPart {
            packets: of(one.packets, other.packets),
            bytes: of(one.bytes, other.bytes),
        };
        Self {
            packets: of(self.packets, other.packets),
            bytes: of(self.bytes, other.bytes),
            fragments: of(self.fragments, other.fragments),
            keepalives: part(self.keepalives, other.keepalives),
            handshakes: part(self.handshakes, other.handshakes),
            in_clear: part(self.in_clear, other.in_clear),
        }
    }

    /// These without those that were there before.
    #[must_use]
    pub fn less(&self, before: &Self) -> Self {
        self.zip(*before, u64::saturating_sub)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = self.zip(other, |one, other| one + other);
    }
}

impl AddAssign for OuterPart {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl AddAssign for OuterCounts {
    fn add_assign(&mut self, other: Self) {
        *self = self.zip(other, |one, other| one + other);
    }
}

impl<T: AddAssign> AddAssign for PerDirection<T> {
    fn add_assign(&mut self, other: Self) {
        self.tx += other.tx;
        self.rx += other.rx;
    }
}

impl AddAssign for PeerSample {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        if let Some(other) = other.outer {
            *self.outer.get_or_insert_default() += other;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::testdata::any;

    proptest! {
        #[test]
        fn a_frame_that_is_recorded_is_read_back(seed: u64) {
            let frame = any::<Frame>(seed);
            let text = serde_json::to_string(&frame).unwrap();
            prop_assert_eq!(serde_json::from_str::<Frame>(&text).unwrap(), frame);
        }
    }

    #[test]
    fn keys_of_several_parts_are_rows() {
        let key = (3, PeerKey::Mac(crate::mac::Mac([2, 0, 0, 0, 0, 1])));
        let sample = Sample { peers: [(key, PeerSample::default())].into(), ..Sample::default() };
        let value = serde_json::to_value(&sample).unwrap();
        assert_eq!(value["peers"][0][0], serde_json::json!([3, { "mac": "02:00:00:00:00:01" }]));
    }
}
