//! Metrics of what tunnels carry: of one direction of a tunnel, a peer or a pod, and of its outer packets on the underlay.

use super::{Field, Number, Period, Unit};
use crate::{
    model::{CoreRow, DropRow, Flow, OuterFlow, WireguardRow},
    sample::{Kinds, OuterPart, Syns},
};

/// Packets per second that are larger than the budget. Those that leave are an alarm: they are cut or dropped. Those that arrive
/// have made it.
pub(super) const OVERSIZE_RATE: Field<Flow> = Field::<Flow>::rate(
    "oversize_per_s",
    Unit::PacketsPerSecond,
    "packets too big: larger than the tunnel's `budget`; on screen those that leave, which are cut into fragments or dropped",
    |flow| Some(Number::Amount(flow.rate?.oversize_per_s)),
)
.titled("BIG/s");

/// Bytes of the outer packets.
pub(super) const OUTER_BYTES: Field<Flow> =
    Field::<Flow>::counter("outer_bytes", Unit::Bytes, "bytes of the outer IP packets", |flow| {
        Some(Number::Count(flow.total.outer_bytes))
    })
    .titled("TOTAL");

/// Outer over inner bytes of the interval; the column shows what of the outer bytes that is.
pub(super) const OVERHEAD: Field<Flow> = Field::<Flow>::rate(
    "interval_overhead_ratio",
    Unit::Ratio,
    "outer over inner bytes; on screen in percent of the outer bytes",
    |flow| flow.rate?.overhead_ratio().map(Number::Amount),
)
.titled("OVHEAD");

/// Mean bytes of the inner packet over the interval.
pub(super) const MEAN_SIZE: Field<Flow> = Field::<Flow>::rate(
    "interval_bytes_per_packet",
    Unit::Bytes,
    "mean bytes of the inner IP packet, as on the wire",
    |flow| flow.rate?.bytes_per_packet().map(Number::Amount),
)
.titled("B/PKT");

/// Wire packets per socket buffer over the interval.
pub(super) const SEGMENTS: Field<Flow> = Field::<Flow>::rate(
    "interval_packets_per_skb",
    Unit::Ratio,
    "mean packets of the wire per kernel buffer: what GSO and GRO save",
    |flow| flow.rate?.packets_per_skb().map(Number::Amount),
)
.titled("SEG/SKB");

/// Packets per second on the wire.
pub const PACKETS: Field<Flow> =
    Field::<Flow>::rate("packets_per_s", Unit::PacketsPerSecond, "packets on the wire", |flow| {
        Some(Number::Amount(flow.rate?.packets_per_s))
    })
    .titled("p/s");

/// Bits per second of the inner packets.
pub const INNER_BITS: Field<Flow> =
    Field::<Flow>::rate("inner_bits_per_s", Unit::BitsPerSecond, "bits of the inner IP packets", |flow| {
        Some(Number::Amount(flow.rate?.inner_bits_per_s))
    })
    .titled("inner b/s");

/// Bits per second of the outer packets.
pub const OUTER_BITS: Field<Flow> =
    Field::<Flow>::rate("outer_bits_per_s", Unit::BitsPerSecond, "bits of the outer IP packets", |flow| {
        Some(Number::Amount(flow.rate?.outer_bits_per_s))
    })
    .titled("bit/s");

/// Outer over inner bytes of the totals.
const TOTAL_OVERHEAD: Field<Flow> = Field::<Flow>::gauge(
    "overhead_ratio",
    Unit::Ratio,
    Period::Total,
    "outer over inner bytes of this direction; beside `tx` and `rx` the same for both together",
    |flow| flow.overhead_ratio().map(Number::Amount),
);

/// What documents have of both directions together, beside those of each.
pub static TOGETHER: [Field<Flow>; 2] = [TOTAL_OVERHEAD, OVERHEAD];

/// All of a flow, in the order of documents.
pub static FLOW: [Field<Flow>; 18] = [
    Field::counter("skbs", Unit::Buffers, "kernel buffers", |flow| Some(Number::Count(flow.total.skbs))),
    Field::counter("packets", Unit::Packets, "packets on the wire: each GSO or GRO segment is one", |flow| {
        Some(Number::Count(flow.total.packets))
    }),
    Field::counter(
        "inner_bytes",
        Unit::Bytes,
        "bytes of the inner IP packets, every segment's headers included, link headers not",
        |flow| Some(Number::Count(flow.total.inner_bytes)),
    ),
    OUTER_BYTES,
    Field::counter(
        "oversize",
        Unit::Packets,
        "packets too big: larger than the tunnel's `budget`; those of `rx` were carried all the same",
        |flow| Some(Number::Count(flow.total.oversize)),
    ),
    Field::counter(
        "fragments",
        Unit::Packets,
        "inner IP fragments: packets that pods cut themselves",
        |flow| Some(Number::Count(flow.total.fragments)),
    ),
    PACKETS,
    INNER_BITS,
    OUTER_BITS,
    TOTAL_OVERHEAD,
    Field::gauge(
        "bytes_per_packet",
        Unit::Bytes,
        Period::Total,
        "mean bytes of the inner IP packet",
        |flow| flow.bytes_per_packet().map(Number::Amount),
    ),
    Field::gauge(
        "packets_per_skb",
        Unit::Ratio,
        Period::Total,
        "mean packets of the wire per kernel buffer",
        |flow| flow.packets_per_skb().map(Number::Amount),
    ),
    Field::rate("skbs_per_s", Unit::BuffersPerSecond, "kernel buffers", |flow| {
        Some(Number::Amount(flow.rate?.skbs_per_s))
    }),
    OVERSIZE_RATE,
    Field::rate("fragments_per_s", Unit::PacketsPerSecond, "inner IP fragments", |flow| {
        Some(Number::Amount(flow.rate?.fragments_per_s))
    }),
    OVERHEAD,
    MEAN_SIZE,
    SEGMENTS,
];

/// Outer fragments per second: what full-size packets are cut into that do not fit the device below the tunnel.
pub(super) const OUTER_FRAGMENT_RATE: Field<OuterFlow> = Field::<OuterFlow>::rate(
    "fragments_per_s",
    Unit::PacketsPerSecond,
    "outer packets that are fragments; on screen those of both directions",
    |outer| Some(Number::Amount(outer.rate?.fragments_per_s)),
)
.titled("FRAG/s");

/// Packets of pods per second that are in no tunnel: anything but zero is a leak.
pub(super) const IN_CLEAR_RATE: Field<OuterFlow> = Field::<OuterFlow>::rate(
    "in_clear_per_s",
    Unit::PacketsPerSecond,
    "packets of pods in no tunnel; on screen those of both directions",
    |outer| Some(Number::Amount(outer.rate?.in_clear_per_s)),
)
.titled("CLEAR/s");

/// All of the outer packets of a direction as the underlay device carried them, in the order of documents.
pub static OUTER: [Field<OuterFlow>; 9] = [
    Field::counter("packets", Unit::Packets, "outer IP packets, each fragment one", |outer| {
        Some(Number::Count(outer.total.packets))
    }),
    Field::counter("bytes", Unit::Bytes, "their bytes, IP headers included", |outer| {
        Some(Number::Count(outer.total.bytes))
    }),
    Field::counter("fragments", Unit::Packets, "those of the packets that are fragments", |outer| {
        Some(Number::Count(outer.total.fragments))
    }),
    Field::rate("packets_per_s", Unit::PacketsPerSecond, "outer IP packets", |outer| {
        Some(Number::Amount(outer.rate?.packets_per_s))
    }),
    Field::rate("bits_per_s", Unit::BitsPerSecond, "their bits", |outer| {
        Some(Number::Amount(outer.rate?.bits_per_s))
    }),
    OUTER_FRAGMENT_RATE,
    Field::counter(
        "in_clear_packets",
        Unit::Packets,
        "packets of pods in no tunnel, and in no other number here: to pods of the peer or from them; in peer \"other\" of pods that \
         no node has",
        |outer| Some(Number::Count(outer.total.in_clear.packets)),
    ),
    Field::counter("in_clear_bytes", Unit::Bytes, "their bytes, IP headers included", |outer| {
        Some(Number::Count(outer.total.in_clear.bytes))
    }),
    IN_CLEAR_RATE,
];

/// Packets of a tunnel or of a VF by kind, each in two of these.
pub static KINDS: [Field<Kinds>; 6] = [
    Field::counter("ipv4", Unit::Packets, "IPv4 packets", |kinds| Some(Number::Count(kinds.ipv4))),
    Field::counter("ipv6", Unit::Packets, "IPv6 packets", |kinds| Some(Number::Count(kinds.ipv6))),
    Field::counter("not_ip", Unit::Packets, "packets that are neither", |kinds| {
        Some(Number::Count(kinds.not_ip))
    }),
    Field::counter("tcp", Unit::Packets, "TCP packets", |kinds| Some(Number::Count(kinds.tcp))),
    Field::counter("udp", Unit::Packets, "UDP packets", |kinds| Some(Number::Count(kinds.udp))),
    Field::counter("other_protocol", Unit::Packets, "IP packets of other protocols", |kinds| {
        Some(Number::Count(kinds.other_protocol))
    }),
];

/// What only a tunnel has.
pub static TUNNEL: [Field<Kinds>; 1] =
    [Field::counter("unsent", Unit::Packets, "packets for which the device had no destination", |kinds| {
        Some(Number::Count(kinds.unsent))
    })];

/// A tunnel's packets on one core.
pub static CORE: [Field<CoreRow>; 2] = [
    Field::counter("packets", Unit::Packets, "packets on the wire that this core handled", |core| {
        Some(Number::Count(core.total))
    }),
    Field::rate(
        "share",
        Unit::Ratio,
        "its part of the tunnel's packets in this direction; `null` also when there were none",
        |core| core.share.map(Number::Amount),
    ),
];

/// What the kernel drops on one device for one reason.
pub static DROP: [Field<DropRow>; 2] = [
    Field::counter("packets", Unit::Packets, "packets on the wire that were dropped", |row| {
        Some(Number::Count(row.total))
    }),
    Field::rate("packets_per_s", Unit::PacketsPerSecond, "the same per second", |row| {
        row.per_s.map(Number::Amount)
    }),
];

/// Outer packets of one kind: WireGuard's keepalives, its handshakes.
pub static PART: [Field<OuterPart>; 2] = [
    Field::counter("packets", Unit::Packets, "how many", |part| Some(Number::Count(part.packets))),
    Field::counter("bytes", Unit::Bytes, "their bytes, IP headers included", |part| {
        Some(Number::Count(part.bytes))
    }),
];

/// TCP SYN segments.
pub static SYNS: [Field<Syns>; 3] = [
    Field::counter(
        "segments",
        Unit::Packets,
        "SYN and SYN-ACK segments; those with data are not among them",
        |syns| Some(Number::Count(syns.segments)),
    ),
    Field::counter(
        "over_budget",
        Unit::Packets,
        "those of them whose MSS allows segments that are, with plain headers, larger than the tunnel's `budget`",
        |syns| Some(Number::Count(syns.over_budget)),
    ),
    Field::gauge(
        "largest_mss",
        Unit::Bytes,
        Period::Total,
        "the largest MSS that one announced, in bytes of TCP payload; `null`: none did",
        |syns| (syns.largest_mss > 0).then_some(Number::Count(syns.largest_mss)),
    ),
];

/// What WireGuard itself tells of a peer.
pub static WIREGUARD: [Field<WireguardRow>; 3] = [
    Field::gauge(
        "handshake_age_s",
        Unit::Seconds,
        Period::Now,
        "whole seconds since the last handshake; `null`: there was none",
        |row| row.handshake.age().map(|age| Number::Count(age.as_secs())),
    ),
    Field::counter(
        "tx_bytes",
        Unit::Bytes,
        "UDP payload bytes sent since the peer was configured, keepalives and handshakes included",
        |row| Some(Number::Count(row.bytes.tx)),
    ),
    Field::counter("rx_bytes", Unit::Bytes, "the same, received", |row| Some(Number::Count(row.bytes.rx))),
];
