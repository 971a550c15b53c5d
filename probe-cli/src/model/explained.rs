//! Why packets are counted as "other": what the kernel side found, with the names of devices and of who has an address, and
//! the words for it.

#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::PeerKey;
use crate::{
    inventory::Inventory,
    sample::{Direction, Explained, ExplainedPacket, Reason, ReasonTotal, Sample, Seen},
    text,
};

/// What was found since the previous sample, while somebody asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainedRows {
    /// Packets that are still wanted; 0 when this is the last of it.
    pub left: u64,
    /// Packets, in the order of their arrival.
    pub packets: Vec<ExplainedRow>,
    /// Packets on the wire by reason since somebody asked.
    pub reasons: Vec<ReasonTotal>,
    /// Packets whose details were lost.
    pub lost: u64,
    /// Why nothing can be said.
    pub problem: Option<String>,
}

/// One packet, or the packets of one buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedRow {
    /// Wall clock, since the Unix epoch.
    pub time: Duration,
    /// Name of the device that it was seen on. Escape before showing.
    pub device: String,
    /// Name of its tunnel; none for an outer packet of no tunnel here. Escape before showing.
    pub tunnel_name: Option<String>,
    /// The packet.
    pub packet: ExplainedPacket,
    /// Who has the address that no pod's counters have; none when nobody here has it.
    pub owner: Option<Owner>,
    /// A peer has the address that is looked up, and no counters of its own.
    pub is_peer_known: bool,
}

/// Who on this node has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The node itself.
    Node,
    /// A pod without counters of its own, by its label. Escape before showing.
    Pod(String),
}

/// What `now` has of it.
pub(super) fn rows(inventory: &Inventory, now: &Sample) -> Option<ExplainedRows> {
    let Explained { left, packets, reasons, lost, problem } = &**now.explained.as_ref()?;
    Some(ExplainedRows {
        left: *left,
        packets: packets.iter().map(|packet| row(inventory, now, packet)).collect(),
        reasons: reasons.clone(),
        lost: *lost,
        problem: problem.clone(),
    })
}

fn row(inventory: &Inventory, now: &Sample, packet: &ExplainedPacket) -> ExplainedRow {
    let tunnel_name = packet.tunnel.map(|tunnel| super::build::name(inventory, tunnel));
    ExplainedRow {
        time: now.time.saturating_sub(now.monotonic.saturating_sub(packet.at)),
        device: super::build::name(inventory, packet.ifindex),
        tunnel_name,
        owner: pod_end(packet).and_then(|address| owner(inventory, address)),
        is_peer_known: is_peer_known(inventory, packet),
        packet: packet.clone(),
    }
}

/// The end that is a pod of this node.
fn pod_end(packet: &ExplainedPacket) -> Option<IpAddr> {
    match packet.direction {
        Direction::Tx => packet.source,
        Direction::Rx => packet.destination,
    }
}

/// The end at a remote node.
fn far_end(packet: &ExplainedPacket) -> (Option<IpAddr>, Option<u16>) {
    match packet.direction {
        Direction::Tx => (packet.destination, packet.destination_port),
        Direction::Rx => (packet.source, packet.source_port),
    }
}

fn owner(inventory: &Inventory, address: IpAddr) -> Option<Owner> {
    if let Some(pod) = inventory.pods.iter().find(|pod| pod.addresses.contains(&address)) {
        return Some(Owner::Pod(pod.label()));
    }
    let of_tunnels = inventory.all_tunnels().flat_map(|tunnel| &tunnel.addresses).map(IpNet::addr);
    let of_node = inventory.node.addresses.iter().map(|of_node| of_node.address.addr());
    of_tunnels.chain(of_node).any(|own| own == address).then_some(Owner::Node)
}

fn is_peer_known(inventory: &Inventory, packet: &ExplainedPacket) -> bool {
    let (address, port) = far_end(packet);
    let mut peers = inventory.peers.iter().filter(|peer| Some(peer.tunnel) == packet.tunnel);
    peers.any(|peer| match packet.seen {
        Seen::Tunnel => {
            let has_mac = packet.mac.is_some_and(|mac| peer.key == PeerKey::Mac(mac));
            let covers =
                address.is_some_and(|address| peer.pod_cidrs.iter().any(|net| net.contains(&address)));
            has_mac || (peer.wireguard.is_some() && covers)
        }
        Seen::Underlay => match peer.wireguard {
            Some(wireguard) => wireguard
                .endpoint
                .is_some_and(|endpoint| Some(endpoint.ip()) == address && Some(endpoint.port()) == port),
            None => address.is_some() && peer.node_address == address,
        },
    })
}

impl ExplainedRow {
    /// Source and destination, with ports where there are some; for what is not IP, what it is instead.
    pub fn ends(&self) -> String {
        let packet = &self.packet;
        let end = |address: IpAddr, port: Option<u16>| match (address, port) {
            (address, None) => address.to_string(),
            (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
            (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
        };
        match (packet.source, packet.destination) {
            (Some(source), Some(destination)) => {
                format!("{} > {}", end(source, packet.source_port), end(destination, packet.destination_port))
            }
            _ => match (packet.mac, packet.direction) {
                (Some(mac), Direction::Tx) => format!("frame to {mac}"),
                (Some(mac), Direction::Rx) => format!("frame from {mac}"),
                (None, _) => "packet".to_owned(),
            },
        }
    }

    /// Protocol, size and VLAN, as far as they are known.
    pub fn kind(&self) -> String {
        let packet = &self.packet;
        let protocol = packet.protocol.map(|number| protocol(number, packet.vni, packet.message));
        let size = match packet.packets {
            0 | 1 => format!("{} B", packet.bytes),
            many => format!("{many} packets of {} B", packet.bytes),
        };
        let vlan = packet.vlan.map(|vlan| format!("VLAN {vlan}"));
        protocol.into_iter().chain([size]).chain(vlan).collect::<Vec<_>>().join(", ")
    }

    /// A sentence for each reason, without capital and full stop.
    pub fn words(&self) -> Vec<String> {
        self.packet.reasons.iter().map(|reason| self.words_of(*reason)).collect()
    }

    fn words_of(&self, reason: Reason) -> String {
        let packet = &self.packet;
        let (far, far_port) = far_end(packet);
        let known =
            |address: Option<IpAddr>| address.map_or_else(|| "?".to_owned(), |address| address.to_string());
        let mac = packet.mac.map_or_else(|| "?".to_owned(), |mac| mac.to_string());
        match reason {
            Reason::NotIp => packet.ethertype.map_or_else(
                || "not IP".to_owned(),
                |ethertype| format!("not IP: EtherType {ethertype:#06x}{}", ethertype_name(ethertype)),
            ),
            Reason::Vlan => "more than two VLAN tags: not read further".to_owned(),
            Reason::HeaderShort => "header cut short".to_owned(),
            Reason::HeaderBroken => "the IP header contradicts itself".to_owned(),
            Reason::LaterFragment => match packet.seen {
                Seen::Tunnel => "later fragment: has no ports, counted as another protocol".to_owned(),
                Seen::Underlay => "later fragment whose first was not seen, or is of no tunnel".to_owned(),
            },
            Reason::Extensions => "too many IPv6 extension headers: protocol not read".to_owned(),
            Reason::Group => format!("{mac} is a group address: sent to every node, to no peer alone"),
            Reason::NoPeerMac if self.is_peer_known => {
                format!("the peer with MAC {mac} has no counters of its own (--peer-slots)")
            }
            Reason::NoPeerMac => format!("no peer has MAC {mac}"),
            Reason::NoPeerAllowed if self.is_peer_known => {
                format!("the peer of {} has no counters of its own (--peer-slots)", known(far))
            }
            Reason::NoPeerAllowed => format!("no allowed IP known for {}", known(far)),
            Reason::NoPod => {
                let address = known(pod_end(packet));
                match &self.owner {
                    None => format!("no pod has {address}"),
                    Some(Owner::Node) => format!("no pod has {address}: the node itself"),
                    Some(Owner::Pod(pod)) => {
                        format!(
                            "pod {} ({address}) has no counters of its own (--pod-slots)",
                            text::escape(pod)
                        )
                    }
                }
            }
            Reason::NoFlood => format!("not sent: {mac} is a group address, and the FDB has no entry for it"),
            Reason::NotAllowed => format!("not sent: no peer's allowed IPs cover {}", known(far)),
            Reason::NoEndpoint => format!("not sent: the peer of {} has no endpoint", known(far)),
            Reason::OverBudget => packet.budget.map_or_else(
                || format!("{} B do not fit", packet.bytes),
                |budget| format!("{} B, but only {budget} B fit", packet.bytes),
            ),
            Reason::NoTunnel => {
                let vni = packet.vni.map_or_else(|| "?".to_owned(), |vni| vni.to_string());
                let port = packet.destination_port.map_or_else(|| "?".to_owned(), |port| port.to_string());
                format!("not counted: no tunnel here has VNI {vni} on port {port}")
            }
            Reason::NoPeerAddress | Reason::NoPeerEndpoint if self.is_peer_known => {
                format!("the peer at {} has no counters of its own (--peer-slots)", known(far))
            }
            Reason::NoPeerAddress => format!("no peer has the outer address {}", known(far)),
            Reason::NoPeerEndpoint => {
                let port = far_port.map_or_else(|| "?".to_owned(), |port| port.to_string());
                format!("no peer has the endpoint {} port {port}", known(far))
            }
            Reason::NotWireguard => match packet.message {
                Some(kind) => format!("not counted: not a WireGuard message (type {kind})"),
                None => "not counted: not a WireGuard message".to_owned(),
            },
        }
    }
}

/// The reason by itself, for totals: the same wherever the packet was seen.
pub fn reason_title(reason: Reason) -> &'static str {
    match reason {
        Reason::NotIp => "not IP",
        Reason::Vlan => "more than two VLAN tags",
        Reason::HeaderShort => "header cut short",
        Reason::HeaderBroken => "IP header contradicts itself",
        Reason::LaterFragment => "later fragment",
        Reason::Extensions => "too many extension headers",
        Reason::Group => "to a group address",
        Reason::NoPeerMac => "no peer has the MAC",
        Reason::NoPeerAllowed => "no allowed IP known",
        Reason::NoPod => "no pod has the address",
        Reason::NoFlood => "not sent: no FDB entry",
        Reason::NotAllowed => "not sent: no allowed IP",
        Reason::NoEndpoint => "not sent: no endpoint",
        Reason::OverBudget => "too big",
        Reason::NoTunnel => "no tunnel has the VNI",
        Reason::NoPeerAddress => "no peer has the address",
        Reason::NoPeerEndpoint => "no peer has the endpoint",
        Reason::NotWireguard => "not a WireGuard message",
    }
}

fn protocol(number: u8, vni: Option<u32>, message: Option<u32>) -> String {
    match (number, vni, message) {
        (_, Some(vni), _) => format!("VXLAN {vni}"),
        (_, _, Some(_)) => "WireGuard".to_owned(),
        (1, ..) => "ICMP".to_owned(),
        (2, ..) => "IGMP".to_owned(),
        (6, ..) => "TCP".to_owned(),
        (17, ..) => "UDP".to_owned(),
        (58, ..) => "ICMPv6".to_owned(),
        (132, ..) => "SCTP".to_owned(),
        _ => format!("protocol {number}"),
    }
}

/// Names of the types that are seen most, in parentheses.
fn ethertype_name(ethertype: u16) -> &'static str {
    match ethertype {
        0x0806 => " (ARP)",
        0x8847 => " (MPLS)",
        0x8863 | 0x8864 => " (PPPoE)",
        0x888e => " (802.1X)",
        0x88cc => " (LLDP)",
        _ => "",
    }
}
