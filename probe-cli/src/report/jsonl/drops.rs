//! What the kernel drops.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    model::{DropDevice, DropRow, DroppedPacket, fields},
    report::json::Metrics,
};

/// Packets on one device for one reason.
#[derive(Serialize)]
pub(super) struct Drop<'a> {
    /// A pod's is the pod.
    device: &'a str,
    ifindex: u32,
    role: &'static str,
    reason: &'a str,
    outer: bool,
    /// Those whose packets they can be.
    tunnels: Vec<&'a str>,
    group: bool,
    #[serde(flatten)]
    metrics: Metrics<'a, DropRow>,
    last: Packet,
}

/// One of the last of them.
#[derive(Serialize)]
struct Packet {
    mac: Option<String>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: Option<u8>,
    destination_port: Option<u16>,
    vni: Option<u32>,
}

impl<'a> From<&'a DropRow> for Drop<'a> {
    fn from(row: &'a DropRow) -> Self {
        let DroppedPacket { mac, source, destination, protocol, port, vni } = row.last;
        Self {
            device: row.device.name(),
            ifindex: row.ifindex,
            role: match row.device {
                DropDevice::Tunnel(_) => "tunnel",
                DropDevice::Underlay(_) => "underlay",
                DropDevice::Pod(_) => "pod",
            },
            reason: &row.reason,
            outer: row.is_outer(),
            tunnels: row.tunnels.values().map(String::as_str).collect(),
            group: row.to_group,
            metrics: Metrics::new(&fields::DROP, row),
            last: Packet {
                mac: mac.map(|mac| mac.to_string()),
                source,
                destination,
                protocol,
                destination_port: port,
                vni,
            },
        }
    }
}
