//! Values of the per-CPU counter maps. All counters only grow; all are of one CPU and are summed by user space.

use crate::sizes::BUCKETS;

/// What one direction of a tunnel, a peer or a pod carried, measured on the tunnel device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Socket buffers: what the kernel handled at once. With GSO and GRO one holds many packets.
    pub skbs: u64,
    /// Packets as the wire carries them: a GSO buffer counts its segments.
    pub packets: u64,
    /// Bytes of the inner IP packets, every segment with its own headers. Link headers are not included.
    pub inner_bytes: u64,
    /// Bytes of the outer IP packets that carry them. Link headers are not included.
    pub outer_bytes: u64,
    /// Packets larger than the tunnel's budget.
    pub oversize: u64,
    /// Inner packets that are IP fragments.
    pub fragments: u64,
}

/// What one direction of a peer carried, measured on the tunnel device and below it. The programs of both run one after the other for a
/// packet, on one CPU: what they write lies together, so that the second finds it in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PeerCounters {
    /// On the underlay device.
    pub outer: OuterCounters,
    /// On the tunnel device.
    pub inner: Counters,
}

/// What one direction of a tunnel carried, together as [`PeerCounters`] are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TunnelCounters {
    /// On the underlay device; of [`crate::limits::DIRECT`] nothing else counts.
    pub outer: OuterCounters,
    /// The totals on the tunnel device, as everything below.
    pub all: Counters,
    /// IPv4 packets.
    pub ipv4: u64,
    /// IPv6 packets.
    pub ipv6: u64,
    /// Packets that are neither, or whose IP header is broken.
    pub not_ip: u64,
    /// TCP packets.
    pub tcp: u64,
    /// UDP packets.
    pub udp: u64,
    /// IP packets of any other protocol, later fragments and packets whose protocol cannot be read.
    pub other_protocol: u64,
    /// Packets that the device has no destination for and drops, in no other counter: frames to a group address on VXLAN,
    /// packets that no peer's allowed IPs cover on WireGuard.
    pub unsent: u64,
    /// Packets by size, see [`crate::sizes`].
    pub sizes: [u64; BUCKETS],
}

/// What one direction of an underlay device carried for a tunnel or for one remote node, measured there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OuterCounters {
    /// Packets of pods that are in no tunnel, and in none of the counts below: to a pod of another node, or from one.
    pub in_clear: u64,
    /// The bytes of those, IP headers included.
    pub in_clear_bytes: u64,
    /// Those of the packets below that are fragments.
    pub fragments: u64,
    /// Those of them that are WireGuard keepalives: data messages without data.
    pub keepalives: u64,
    /// The bytes of those.
    pub keepalive_bytes: u64,
    /// Those of them that are WireGuard handshake messages: initiation, response, cookie reply.
    pub handshakes: u64,
    /// The bytes of those.
    pub handshake_bytes: u64,
    /// Outer IP packets on the wire; each fragment is one. Last, beside what the tunnel device's program counts for each packet.
    pub packets: u64,
    /// Their bytes, IP headers included, link headers not.
    pub bytes: u64,
}

/// SYN segments of TCP, SYN-ACKs included, that one direction of a pod carried through tunnels: how large the segments are that the
/// far end may send back. Those with data (RFC 7413) are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Syns {
    /// How many.
    pub segments: u64,
    /// Those of them that allow segments which are, with plain headers, larger than the tunnel's budget.
    pub over_budget: u64,
    /// The largest segment size that one announced, in bytes of payload; 0 when none did. The largest of all CPUs is the pod's.
    pub largest_mss: u64,
}

/// What the programs could not tell the user side otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Losses {
    /// Events that found the ring buffer full.
    pub ring_full: u64,
    /// Events over [`crate::limits::EVENTS_PER_SECOND`].
    pub rate_limited: u64,
    /// Later fragments of UDP datagrams whose first fragment was not seen.
    pub unknown_fragments: u64,
}

/// State of the event rate limiter of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RateLimit {
    /// Start of the running second, `bpf_ktime_get_ns`.
    pub since: u64,
    /// Events sent in it.
    pub sent: u64,
}

/// Implements `aya::Pod` for the types of this crate.
#[cfg(feature = "user")]
mod user {
    use super::{Counters, Losses, PeerCounters, RateLimit, Syns, TunnelCounters};
    use crate::{event::PmtuEvent, heartbeat::Heartbeat, keys};

    macro_rules! pod {
        ($($t:ty),*) => { $(
            // SAFETY: repr(C), made of integers and arrays of them, no padding (asserted below), any bit pattern valid.
            unsafe impl aya::Pod for $t {}
        )* };
    }
    pod!(Counters, PeerCounters, TunnelCounters, Syns, Losses, RateLimit, PmtuEvent, Heartbeat);
    pod!(
        keys::AllowedIp,
        keys::AllowedPeer,
        keys::IfaceConfig,
        keys::FragmentKey,
        keys::FragmentOwner,
        keys::PodNetwork,
        keys::PodRanges,
        crate::table::Entry
    );
}

// No padding: the size is the sum of the fields.
const _: () = assert!(size_of::<Counters>() == 6 * 8);
const _: () = assert!(size_of::<PeerCounters>() == (9 + 6) * 8);
const _: () = assert!(size_of::<TunnelCounters>() == (9 + 6 + 7 + BUCKETS) * 8);
const _: () = assert!(size_of::<OuterCounters>() == 9 * 8);
const _: () = assert!(size_of::<crate::keys::IfaceConfig>() == 32);
const _: () = assert!(size_of::<crate::keys::AllowedIp>() == 20);
const _: () = assert!(size_of::<crate::keys::AllowedPeer>() == 8);
const _: () = assert!(size_of::<crate::keys::PodNetwork>() == 8);
const _: () = assert!(size_of::<crate::keys::PodRanges>() == 64);
const _: () = assert!(size_of::<crate::keys::FragmentKey>() == 40);
const _: () = assert!(size_of::<crate::event::PmtuEvent>() == 64);
