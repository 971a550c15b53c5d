//! Metrics of interfaces: of a virtual function, and of a pod's interface, seen from who has it. Link headers are in their bytes.

use super::{Field, Number, Unit};
use crate::{facts::netlink::LinkCounters, model::VfRates, sample::Counts};

/// Packets per second.
pub const LINK_PACKETS: Field<VfRates> =
    Field::<VfRates>::rate("packets_per_s", Unit::PacketsPerSecond, "packets", |rate| {
        Some(Number::Amount(rate.packets_per_s))
    })
    .titled("p/s");

/// Bits per second.
pub const LINK_BITS: Field<VfRates> =
    Field::<VfRates>::rate("bits_per_s", Unit::BitsPerSecond, "bits, link headers included", |rate| {
        Some(Number::Amount(rate.bits_per_s))
    })
    .titled("bit/s");

/// Packets dropped per second.
pub(super) const DROPS: Field<VfRates> = Field::<VfRates>::rate(
    "drops_per_s",
    Unit::PacketsPerSecond,
    "packets dropped; on screen those of both directions",
    |rate| Some(Number::Amount(rate.drops_per_s)),
)
.titled("DROP/s");

/// Rates of one direction, whoever counts.
pub static LINK: [Field<VfRates>; 3] = [LINK_PACKETS, LINK_BITS, DROPS];

/// What an interface or a driver counted, both directions.
pub static COUNTERS: [Field<LinkCounters>; 6] = [
    Field::counter("rx_packets", Unit::Packets, "packets received", |counters| {
        Some(Number::Count(counters.rx_packets))
    }),
    Field::counter("tx_packets", Unit::Packets, "packets sent", |counters| {
        Some(Number::Count(counters.tx_packets))
    }),
    Field::counter("rx_bytes", Unit::Bytes, "their bytes, link headers included", |counters| {
        Some(Number::Count(counters.rx_bytes))
    }),
    Field::counter("tx_bytes", Unit::Bytes, "their bytes, link headers included", |counters| {
        Some(Number::Count(counters.tx_bytes))
    }),
    Field::counter("rx_dropped", Unit::Packets, "packets received and dropped", |counters| {
        Some(Number::Count(counters.rx_dropped))
    }),
    Field::counter("tx_dropped", Unit::Packets, "packets to be sent and dropped", |counters| {
        Some(Number::Count(counters.tx_dropped))
    }),
];

/// One direction of a VF as the wire has it, where eBPF counts.
pub static WIRE: [Field<Counts>; 5] = [
    Field::counter("skbs", Unit::Buffers, "kernel buffers", |counts| Some(Number::Count(counts.skbs))),
    Field::counter(
        "packets",
        Unit::Packets,
        "packets on the wire: each GSO or GRO segment is one",
        |counts| Some(Number::Count(counts.packets)),
    ),
    Field::counter(
        "bytes",
        Unit::Bytes,
        "bytes of the frames: link headers and VLAN tags included, checksum and the NIC's padding of short frames not",
        |counts| Some(Number::Count(counts.outer_bytes)),
    ),
    Field::counter("oversize", Unit::Packets, "IP packets larger than the interface's MTU", |counts| {
        Some(Number::Count(counts.oversize))
    }),
    Field::counter("fragments", Unit::Packets, "IP fragments", |counts| {
        Some(Number::Count(counts.fragments))
    }),
];
