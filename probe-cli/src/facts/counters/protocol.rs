//! The protocol counters of one network namespace: `/proc/net/{snmp,netstat,snmp6}` (net/ipv4/proc.c, net/ipv6/proc.c), those
//! that tell of forwarding, fragments, checksums and losses. A counter that the kernel does not have is none, not zero.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// All protocol counters, each file with its own answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolCounters {
    /// `/proc/net/snmp`.
    pub snmp: Observed<Snmp>,
    /// `/proc/net/netstat`.
    pub netstat: Observed<Netstat>,
    /// `/proc/net/snmp6`; absent where the kernel has no IPv6.
    pub snmp6: Observed<Snmp6>,
}

/// `/proc/net/snmp`: IPv4, and TCP of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// `Ip`.
    pub ip: IpCounters,
    /// `Icmp`.
    pub icmp: IcmpCounters,
    /// `Tcp`: both families.
    pub tcp: TcpCounters,
    /// `Udp`: IPv4 only.
    pub udp: UdpCounters,
}

/// `/proc/net/snmp6`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp6 {
    /// `Ip6*`.
    pub ip: IpCounters,
    /// `Icmp6*`.
    pub icmp: IcmpCounters,
    /// `Udp6*`.
    pub udp: UdpCounters,
}

/// `/proc/net/netstat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netstat {
    /// `TcpExt`.
    pub tcp: TcpExtension,
    /// `IpExt:InNoRoutes`: IPv4 packets for which there was no route.
    pub ip_in_no_routes: Option<u64>,
    /// `IpExt:InTruncatedPkts`: IPv4 packets shorter than their header says.
    pub ip_in_truncated: Option<u64>,
    /// `IpExt:InCsumErrors`: IPv4 headers with a wrong checksum.
    pub ip_in_checksum_errors: Option<u64>,
    /// `IpExt:ReasmOverlaps`: IPv4 fragments dropped because they overlap others.
    pub ip_reassembly_overlaps: Option<u64>,
}

/// IP, in packets (RFC 4293); `Ip:*` or `Ip6*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpCounters {
    /// `InReceives`: received, faulty ones included; after GRO.
    pub in_receives: Option<u64>,
    /// `InHdrErrors`: dropped for their header, such as an expired TTL.
    pub in_header_errors: Option<u64>,
    /// `InTooBigErrors`: not forwarded because they are longer than the MTU (IPv6 only; IPv4 has `FragFails`).
    pub in_too_big_errors: Option<u64>,
    /// `InNoRoutes`: without a route (IPv6 only; of IPv4 it is in [`Netstat`]).
    pub in_no_routes: Option<u64>,
    /// `InAddrErrors`: for an address that is not ours while we do not forward, or that is not valid.
    pub in_address_errors: Option<u64>,
    /// `InTruncatedPkts`: shorter than their header says (IPv6 only; of IPv4 it is in [`Netstat`]).
    pub in_truncated: Option<u64>,
    /// `InDiscards`: dropped for another reason, such as memory.
    pub in_discards: Option<u64>,
    /// `InDelivers`: handed to a protocol above.
    pub in_delivers: Option<u64>,
    /// `ForwDatagrams`, `OutForwDatagrams`: forwarded.
    pub forwarded: Option<u64>,
    /// `OutRequests`: sent by this node itself.
    pub out_requests: Option<u64>,
    /// `OutDiscards`: dropped on the way out.
    pub out_discards: Option<u64>,
    /// `OutNoRoutes`: to be sent without a route.
    pub out_no_routes: Option<u64>,
    /// `ReasmTimeout`: reassemblies given up, a fragment being missing.
    pub reassembly_timeouts: Option<u64>,
    /// `ReasmReqds`: fragments received.
    pub reassembly_fragments: Option<u64>,
    /// `ReasmOKs`: packets put together.
    pub reassembled: Option<u64>,
    /// `ReasmFails`: failed reassemblies; fragments, not packets.
    pub reassembly_failures: Option<u64>,
    /// `FragOKs`: packets taken apart.
    pub fragmented: Option<u64>,
    /// `FragFails`: packets that are too long and must not be taken apart.
    pub fragmentation_failures: Option<u64>,
    /// `FragCreates`: fragments made.
    pub fragments_created: Option<u64>,
}

/// ICMP, in messages; `Icmp:*` and `IcmpMsg:*`, or `Icmp6*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpCounters {
    /// `InErrors`: faulty, or about something that is not known here.
    pub in_errors: Option<u64>,
    /// `InCsumErrors`: with a wrong checksum.
    pub in_checksum_errors: Option<u64>,
    /// `InDestUnreachs`: "destination unreachable" received; of IPv4 "fragmentation needed" is among them.
    pub in_destination_unreachable: Option<u64>,
    /// `OutDestUnreachs`: the same, sent.
    pub out_destination_unreachable: Option<u64>,
    /// `InPktTooBigs`: "packet too big" received (IPv6 only).
    pub in_packet_too_big: Option<u64>,
    /// `OutPktTooBigs`: the same, sent.
    pub out_packet_too_big: Option<u64>,
    /// `InTimeExcds`: "time exceeded" received.
    pub in_time_exceeded: Option<u64>,
    /// `OutTimeExcds`: the same, sent: a loop, or a reassembly that was given up.
    pub out_time_exceeded: Option<u64>,
    /// `InRedirects`: redirects received.
    pub in_redirects: Option<u64>,
    /// `OutRateLimitGlobal` and `OutRateLimitHost`: not sent for there were too many (since Linux 6.4).
    pub out_rate_limited: Option<u64>,
}

/// TCP of both families, in segments unless said otherwise; `Tcp:*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCounters {
    /// `ActiveOpens`: connections opened from here.
    pub active_opens: Option<u64>,
    /// `AttemptFails`: connections that could not be made.
    pub attempt_fails: Option<u64>,
    /// `EstabResets`: connections that were reset.
    pub resets: Option<u64>,
    /// `InSegs`: received.
    pub in_segments: Option<u64>,
    /// `OutSegs`: sent, without those sent again.
    pub out_segments: Option<u64>,
    /// `RetransSegs`: sent again.
    pub retransmitted: Option<u64>,
    /// `InErrs`: faulty, wrong checksums included.
    pub in_errors: Option<u64>,
    /// `OutRsts`: resets sent.
    pub out_resets: Option<u64>,
    /// `InCsumErrors`: with a wrong checksum.
    pub in_checksum_errors: Option<u64>,
}

/// What Linux counts of TCP beside the standard, in events; `TcpExt:*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpExtension {
    /// `IPReversePathFilter`: IPv4 packets dropped by `rp_filter`; not TCP only.
    pub reverse_path_filter: Option<u64>,
    /// `TCPTimeouts`: retransmission timers that expired.
    pub timeouts: Option<u64>,
    /// `TCPSynRetrans`: SYN and SYN-ACK sent again.
    pub syn_retransmitted: Option<u64>,
    /// `TCPLostRetransmit`: what was sent again and lost again.
    pub lost_retransmits: Option<u64>,
    /// `TCPMTUPFail`: probes for a larger path MTU that were lost.
    pub mtu_probe_failures: Option<u64>,
    /// `TCPMTUPSuccess`: probes for a larger path MTU that arrived.
    pub mtu_probe_successes: Option<u64>,
    /// `TCPBacklogDrop`: dropped because a socket's backlog was full.
    pub backlog_drops: Option<u64>,
    /// `ListenOverflows`: connections refused because the queue of a listener was full.
    pub listen_overflows: Option<u64>,
    /// `ListenDrops`: connections refused for any reason.
    pub listen_drops: Option<u64>,
}

/// UDP, in datagrams; `Udp:*` or `Udp6*`. Of a VXLAN or WireGuard socket, the outer packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpCounters {
    /// `InDatagrams`: delivered.
    pub in_datagrams: Option<u64>,
    /// `NoPorts`: for a port that nobody listens on.
    pub no_ports: Option<u64>,
    /// `InErrors`: not delivered for another reason, a full buffer and a wrong checksum included.
    pub in_errors: Option<u64>,
    /// `OutDatagrams`: sent.
    pub out_datagrams: Option<u64>,
    /// `RcvbufErrors`: the receive buffer was full.
    pub receive_buffer_errors: Option<u64>,
    /// `SndbufErrors`: the send buffer was full, or the packet was dropped below.
    pub send_buffer_errors: Option<u64>,
    /// `InCsumErrors`: with a wrong checksum.
    pub in_checksum_errors: Option<u64>,
}
