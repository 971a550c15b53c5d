//! The maps. User space writes the lookups and reads the counters; the programs do the opposite.

use aya_ebpf::{
    macros::map,
    maps::{Array, LpmTrie, LruHashMap, PerCpuArray, RingBuf, lpm_trie},
};
use probe_common::{
    counters::{Counters, Losses, PeerCounters, RateLimit, Syns, TunnelCounters},
    heartbeat::Heartbeat,
    keys::{
        ALLOWED_TUNNEL_BITS, Address, AllowedIp, AllowedPeer, FragmentKey, FragmentOwner, IfaceConfig,
        PodNetwork, PodRanges,
    },
    limits::{
        DIRECT, EVENT_RING_BYTES, FRAGMENT_TRACKS, IFACE_PROBES, IFACES, PEER_SLOTS, POD_SLOTS, TUNNELS,
        allowed_ips, pod_networks, table_keys,
    },
    table::{self, Entry, Key, PORT_WORDS},
};

use crate::{datagram::Datagram, frame::Frame, skb::Scratch};

/// Tunnel devices, at their interface index modulo the size, or the next free place.
#[map(name = "TUNNEL_IFACES")]
pub(crate) static TUNNEL_IFACES: Array<IfaceConfig> = Array::with_max_entries(IFACES, 0);

/// Underlay devices, likewise.
#[map(name = "UNDER_IFACES")]
pub(crate) static UNDER_IFACES: Array<IfaceConfig> = Array::with_max_entries(IFACES, 0);

/// Slots of pods, peers and tunnels by what names them in a packet, see [`probe_common::table`].
#[map(name = "LOOKUP")]
pub(crate) static LOOKUP: Array<Entry> =
    Array::with_max_entries(table::size(table_keys(POD_SLOTS, PEER_SLOTS)), 0);

/// Entries of [`LOOKUP`] minus one; user space sets it with the map's size.
#[unsafe(no_mangle)]
static LOOKUP_MASK: u32 = table::size(table_keys(POD_SLOTS, PEER_SLOTS)) - 1;

/// One bit per UDP port that some tunnel uses: spares all other UDP traffic the lookups below. First the destination
/// ports of VXLAN, then the ports that WireGuard listens on and sends from.
#[map(name = "OUTER_PORTS")]
pub(crate) static OUTER_PORTS: Array<u64> = Array::with_max_entries(2 * PORT_WORDS, 0);

/// Allowed IPs of WireGuard peers by longest match.
#[map(name = "ALLOWED_IPS")]
pub(crate) static ALLOWED_IPS: LpmTrie<AllowedIp, AllowedPeer> =
    LpmTrie::with_max_entries(allowed_ips(PEER_SLOTS), 0);

/// Networks of pods on other nodes by longest match, for packets that are in no tunnel.
#[map(name = "POD_NETWORKS")]
pub(crate) static POD_NETWORKS: LpmTrie<[u8; 16], PodNetwork> =
    LpmTrie::with_max_entries(pod_networks(PEER_SLOTS), 0);

/// Where all of these are.
#[map(name = "POD_RANGES")]
pub(crate) static POD_RANGES: Array<PodRanges> = Array::with_max_entries(1, 0);

/// Counters by tunnel slot and direction, and last those of [`DIRECT`].
#[map(name = "TUNNEL_COUNTS")]
pub(crate) static TUNNEL_COUNTS: PerCpuArray<TunnelCounters> =
    PerCpuArray::with_max_entries((DIRECT + 1) * 2, 0);

/// Counters by peer slot and direction. The first [`TUNNELS`] slots are each tunnel's "other".
#[map(name = "PEER_COUNTS")]
pub(crate) static PEER_COUNTS: PerCpuArray<PeerCounters> =
    PerCpuArray::with_max_entries((TUNNELS + PEER_SLOTS) * 2, 0);

/// Counters by pod slot and direction. The first slot is "other".
#[map(name = "POD_COUNTS")]
pub(crate) static POD_COUNTS: PerCpuArray<Counters> = PerCpuArray::with_max_entries((1 + POD_SLOTS) * 2, 0);

/// SYN segments by pod slot and direction, slots as in [`POD_COUNTS`].
#[map(name = "POD_SYNS")]
pub(crate) static POD_SYNS: PerCpuArray<Syns> = PerCpuArray::with_max_entries((1 + POD_SLOTS) * 2, 0);

/// Whose the later fragments of a datagram are.
#[map(name = "FRAGMENTS")]
pub(crate) static FRAGMENTS: LruHashMap<FragmentKey, FragmentOwner> =
    LruHashMap::with_max_entries(FRAGMENT_TRACKS, 0);

/// Rare events.
#[map(name = "EVENTS")]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_RING_BYTES, 0);

/// What was lost.
#[map(name = "LOSSES")]
pub(crate) static LOSSES: PerCpuArray<Losses> = PerCpuArray::with_max_entries(1, 0);

/// State of the event rate limiter.
#[map(name = "RATE_LIMIT")]
pub(crate) static RATE_LIMIT: PerCpuArray<RateLimit> = PerCpuArray::with_max_entries(1, 0);

/// What the parsing of one packet passes on, by direction, see [`crate::frame`].
#[map(name = "FRAME")]
pub(crate) static FRAME: PerCpuArray<Frame> = PerCpuArray::with_max_entries(2, 0);

/// The same on an underlay device, see [`crate::datagram`].
#[map(name = "DATAGRAM")]
pub(crate) static DATAGRAM: PerCpuArray<Datagram> = PerCpuArray::with_max_entries(2, 0);

/// What a function keeps where the verifier does not follow it, see [`crate::skb`].
#[map(name = "SCRATCH")]
pub(crate) static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// When the run last read its counters. No program uses it: user space binds it to the programs (`BPF_PROG_BIND_MAP`), so
/// that whoever finds a filter finds it, and no packet pays for that.
#[map(name = "OVP_HEARTBEAT")]
pub(crate) static HEARTBEAT: Array<Heartbeat> = Array::with_max_entries(1, 0);

/// The counter of [`crate::reference`].
#[map(name = "REF_COUNT")]
pub(crate) static REFERENCE_COUNT: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// True when a bit of [`OUTER_PORTS`] is set.
#[inline(always)]
pub(crate) fn is_port(half: u32, port: u16) -> bool {
    match OUTER_PORTS.get(half * PORT_WORDS + (u32::from(port) >> 6)) {
        Some(bits) => bits >> (port & 63) & 1 != 0,
        None => false,
    }
}

/// The peer of a WireGuard tunnel that an address belongs to: the longest match, as `wg_allowedips_lookup_dst` and
/// `_src` in drivers/net/wireguard/allowedips.c find it.
#[inline(always)]
pub(crate) fn allowed(tunnel: u32, address: &Address) -> Option<AllowedPeer> {
    let ip = AllowedIp { tunnel, octets: address.octets };
    ALLOWED_IPS.get(lpm_trie::Key::new(ALLOWED_TUNNEL_BITS + 128, ip)).copied()
}

/// False for an address that is in no pod network: of nearly all packets that are not a tunnel's, this is all that is asked.
#[inline(always)]
pub(crate) fn may_be_pod(address: &Address) -> bool {
    let Some(PodRanges { ranges: [v4, v6] }) = POD_RANGES.get(0) else { return false };
    let words = address.words();
    v4.contains(words) || v6.contains(words)
}

/// The pod network that an address is in.
#[inline(always)]
pub(crate) fn pod_network(address: &Address) -> Option<PodNetwork> {
    POD_NETWORKS.get(lpm_trie::Key::new(128, address.octets)).copied()
}

/// The configuration of an interface; none when it is not, or no longer, ours.
#[inline(always)]
pub(crate) fn iface(table: &Array<IfaceConfig>, ifindex: u32) -> Option<&IfaceConfig> {
    for probe in 0..IFACE_PROBES {
        let config = table.get((ifindex + probe) & (IFACES - 1))?;
        if config.ifindex == ifindex {
            return Some(config);
        }
    }
    None
}

/// The slot of a key.
#[inline(always)]
pub(crate) fn slot(key: &Key) -> Option<u32> {
    u32::try_from(find_slot(key)).ok()
}

/// A function of its own with one kind of answer, so that the verifier does not walk what follows once for each place
/// in the table.
#[inline(never)]
fn find_slot(key: *const Key) -> u64 {
    // SAFETY: the caller's, who waits.
    let key = unsafe { &*key };
    probe(key).map_or(NO_SLOT, u64::from)
}

/// No slot is that large.
const NO_SLOT: u64 = u64::MAX;

#[inline(always)]
fn probe(key: &Key) -> Option<u32> {
    // SAFETY: a constant of the loaded object; volatile, so that the compiler does not take the value built in.
    let mask = unsafe { (&raw const LOOKUP_MASK).read_volatile() };
    let home = key.hash();
    for probe in 0..table::PROBES {
        let entry = LOOKUP.get(home.wrapping_add(probe) & mask)?;
        if key.is(entry) {
            return entry.slot_plus_one.checked_sub(1);
        }
        if entry.kind == 0 {
            return None;
        }
    }
    None
}

/// The same number by way of a map value: the verifier forgets what it knew of it. Before Linux 6.4 it compares every known
/// number exactly (`__mark_reg_unknown` with subprograms), and walks all that follows once for each.
#[inline(always)]
pub(crate) fn forget(number: u64) -> Option<u64> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: a live per-CPU map value, only this CPU uses it; volatile, so that it is really read back.
    Some(unsafe {
        (&raw mut (*scratch).word).write_volatile(number);
        (&raw const (*scratch).word).read_volatile()
    })
}

/// Adds to a counter of this CPU. Plain arithmetic: programs do not interrupt each other on a CPU here, egress runs
/// with bottom halves off (`__dev_queue_xmit` in net/core/dev.c) and ingress in softirq.
macro_rules! add {
    ($($counter:expr => $value:expr),* $(,)?) => {{ $(
        $counter = $counter.wrapping_add($value);
    )* }};
}
pub(crate) use add;
