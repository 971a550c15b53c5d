//! The packets that are "other", with the reasons: the part `explained` of the document.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;

use super::rfc3339;
use crate::model::{Direction, ExplainedRow, ExplainedRows, Mac, Reason, Seen};

/// Why packets are "other", since the line before.
#[derive(Serialize)]
pub(super) struct Explained<'a> {
    left: u64,
    packets: Vec<ExplainedPacket<'a>>,
    reasons: BTreeMap<Reason, u64>,
    lost: u64,
}

#[derive(Serialize)]
struct ExplainedPacket<'a> {
    /// RFC 3339, UTC.
    time: String,
    device: &'a str,
    tunnel: Option<&'a str>,
    seen: Seen,
    direction: Direction,
    reasons: &'a [Reason],
    words: Vec<String>,
    packets: u64,
    bytes: u32,
    budget: Option<u32>,
    remote_mac: Option<Mac>,
    ethertype: Option<u16>,
    vlan: Option<u16>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: Option<u8>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    vni: Option<u32>,
    wireguard_message: Option<u32>,
}

/// What the model has of it.
pub(super) fn explained(rows: &ExplainedRows) -> Explained<'_> {
    Explained {
        left: rows.left,
        packets: rows.packets.iter().map(explained_packet).collect(),
        reasons: rows.reasons.iter().map(|total| (total.reason, total.packets)).collect(),
        lost: rows.lost,
    }
}

fn explained_packet(row: &ExplainedRow) -> ExplainedPacket<'_> {
    let packet = &row.packet;
    ExplainedPacket {
        time: rfc3339(row.time),
        device: &row.device,
        tunnel: row.tunnel_name.as_deref(),
        seen: packet.seen,
        direction: packet.direction,
        reasons: &packet.reasons,
        words: row.words(),
        packets: packet.packets,
        bytes: packet.bytes,
        budget: packet.budget,
        remote_mac: packet.mac,
        ethertype: packet.ethertype,
        vlan: packet.vlan,
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        vni: packet.vni,
        wireguard_message: packet.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::explained, report::jsonl::line};

    #[test]
    fn packets_that_are_explained() {
        let value: serde_json::Value =
            serde_json::from_str(&line(&explained::testdata::model()).unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value["explained"]).unwrap());
    }

    #[test]
    fn every_reason_stands_in_the_documentation() {
        let words = include_str!("../../../../docs/json.md");
        for reason in Reason::ALL {
            let name = serde_json::to_value(reason).unwrap();
            assert!(words.contains(&format!("\n| `{}` |", name.as_str().unwrap())), "{reason:?}");
        }
    }
}
