//! Packets for the tests of screens and reports, with awkward names.

use std::time::Duration;

use crate::{
    inventory::{Inventory, Mac},
    model::{Model, testdata},
    sample::{Direction, Explained, ExplainedPacket, Reason, ReasonTotal, Sample, Seen},
};

/// A TCP packet that leaves by the first tunnel, for a reason that it is given.
pub(crate) fn packet(reasons: &[Reason]) -> ExplainedPacket {
    ExplainedPacket {
        at: Duration::ZERO,
        seen: Seen::Tunnel,
        direction: Direction::Tx,
        ifindex: 3,
        tunnel: Some(3),
        reasons: reasons.to_vec(),
        packets: 1,
        bytes: 1400,
        budget: Some(1450),
        mac: Some(Mac([2, 0, 0, 0, 0, 2])),
        ethertype: Some(0x0800),
        vlan: None,
        source: "10.42.1.250".parse().ok(),
        destination: "10.42.2.7".parse().ok(),
        protocol: Some(6),
        source_port: Some(40_000),
        destination_port: Some(443),
        vni: None,
        message: None,
    }
}

/// What was found in a second: several reasons, directions and kinds.
pub(crate) fn explained() -> Explained {
    let bare = |packet: ExplainedPacket| ExplainedPacket {
        source: None,
        destination: None,
        protocol: None,
        source_port: None,
        destination_port: None,
        ..packet
    };
    let packets = vec![
        packet(&[Reason::NoPod]),
        ExplainedPacket {
            mac: Some(Mac([0x0a, 0, 0, 0, 0, 0x99])),
            packets: 12,
            bytes: 1500,
            vlan: Some(7),
            ..packet(&[Reason::NoPeerMac, Reason::NoPod, Reason::OverBudget])
        },
        bare(ExplainedPacket { ethertype: Some(0x0806), bytes: 28, ..packet(&[Reason::NotIp]) }),
        ExplainedPacket {
            seen: Seen::Underlay,
            direction: Direction::Rx,
            ifindex: 2,
            tunnel: None,
            mac: None,
            budget: None,
            source: "fd77::9".parse().ok(),
            destination: "fd77::1".parse().ok(),
            protocol: Some(17),
            destination_port: Some(8472),
            vni: Some(9),
            ethertype: None,
            ..packet(&[Reason::NoTunnel])
        },
    ];
    let total = |reason, packets| ReasonTotal { reason, packets };
    Explained {
        left: 96,
        packets,
        reasons: vec![
            total(Reason::NotIp, 1),
            total(Reason::NoPeerMac, 12),
            total(Reason::NoPod, 23_013),
            total(Reason::OverBudget, 11),
            total(Reason::NoTunnel, 1),
        ],
        lost: 2,
        problem: None,
    }
}

/// The model of a node where somebody asks.
pub(crate) fn model() -> Model {
    of(&testdata::inventory(2), explained())
}

/// The model of a node with what was found.
pub(crate) fn of(inventory: &Inventory, mut found: Explained) -> Model {
    let before = testdata::sample(inventory, 1);
    let mut now: Sample = testdata::sample(inventory, 2);
    for packet in &mut found.packets {
        packet.at = now.monotonic;
    }
    now.explained = Some(Box::new(found));
    testdata::build(inventory, &now, Some(&before))
}
