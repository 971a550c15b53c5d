//! What the kernel counts by itself of packets that do not fit: totals, and differences over a window. None of what is not known.

use crate::facts::counters::{IcmpCounters, IpCounters, ProtocolCounters};

/// See the module. Counters of one network namespace, since it was made; that of a node since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oversize {
    /// IPv4.
    pub ipv4: OversizeCounts,
    /// IPv6.
    pub ipv6: OversizeCounts,
    /// `TcpExt:TCPMTUPSuccess`: probes of TCP for a larger path MTU that arrived.
    pub tcp_probes_arrived: Option<u64>,
    /// `TcpExt:TCPMTUPFail`: those that were lost, which shows a path where larger packets are lost silently.
    pub tcp_probes_lost: Option<u64>,
}

/// Of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OversizeCounts {
    /// `FragFails`: packets that were larger than the MTU where they should leave, and may not be taken apart. Dropped.
    pub too_big: Option<u64>,
    /// `FragCreates`: fragments that this node made.
    pub fragments_made: Option<u64>,
    /// `ReasmFails`: fragments that could not be put together, since others did not arrive.
    pub reassembly_failures: Option<u64>,
    /// "Too big" sent. IPv4: `OutDestUnreachs`, which has every other reason too, since the kernel counts no codes; IPv6:
    /// `OutPktTooBigs`.
    pub messages_sent: Option<u64>,
    /// The same, received: `InDestUnreachs`, `InPktTooBigs`.
    pub messages_received: Option<u64>,
}

impl Oversize {
    /// Totals.
    pub(super) fn of(read: &ProtocolCounters) -> Self {
        let tcp = read.netstat.value().map(|read| &read.tcp);
        Self {
            ipv4: read.snmp.value().map_or_else(OversizeCounts::default, |read| {
                let IcmpCounters { out_destination_unreachable, in_destination_unreachable, .. } = read.icmp;
                OversizeCounts {
                    messages_sent: out_destination_unreachable,
                    messages_received: in_destination_unreachable,
                    ..OversizeCounts::of(&read.ip)
                }
            }),
            ipv6: read.snmp6.value().map_or_else(OversizeCounts::default, |read| {
                let IcmpCounters { out_packet_too_big, in_packet_too_big, .. } = read.icmp;
                OversizeCounts {
                    messages_sent: out_packet_too_big,
                    messages_received: in_packet_too_big,
                    ..OversizeCounts::of(&read.ip)
                }
            }),
            tcp_probes_arrived: tcp.and_then(|tcp| tcp.mtu_probe_successes),
            tcp_probes_lost: tcp.and_then(|tcp| tcp.mtu_probe_failures),
        }
    }

    /// What came since an earlier reading; none of what was not read then, or was more.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            ipv4: self.ipv4.since(before.ipv4),
            ipv6: self.ipv6.since(before.ipv6),
            tcp_probes_arrived: grown(before.tcp_probes_arrived, self.tcp_probes_arrived),
            tcp_probes_lost: grown(before.tcp_probes_lost, self.tcp_probes_lost),
        }
    }

    /// Nothing of it could be read.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl OversizeCounts {
    fn of(ip: &IpCounters) -> Self {
        Self {
            too_big: ip.fragmentation_failures,
            fragments_made: ip.fragments_created,
            reassembly_failures: ip.reassembly_failures,
            messages_sent: None,
            messages_received: None,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            too_big: grown(before.too_big, self.too_big),
            fragments_made: grown(before.fragments_made, self.fragments_made),
            reassembly_failures: grown(before.reassembly_failures, self.reassembly_failures),
            messages_sent: grown(before.messages_sent, self.messages_sent),
            messages_received: grown(before.messages_received, self.messages_received),
        }
    }
}

fn grown(before: Option<u64>, now: Option<u64>) -> Option<u64> {
    now?.checked_sub(before?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::counters::{Netstat, Snmp, Snmp6, TcpExtension},
        observed::Observed,
    };

    /// Counters of which each has another value.
    fn read(first: u64) -> ProtocolCounters {
        let ip = |first| IpCounters {
            fragmentation_failures: Some(first),
            fragments_created: Some(first + 1),
            reassembly_failures: Some(first + 2),
            ..IpCounters::default()
        };
        let icmp = IcmpCounters {
            out_destination_unreachable: Some(first + 3),
            in_destination_unreachable: Some(first + 4),
            out_packet_too_big: Some(first + 13),
            in_packet_too_big: Some(first + 14),
            ..IcmpCounters::default()
        };
        let tcp = TcpExtension {
            mtu_probe_successes: Some(first + 20),
            mtu_probe_failures: Some(first + 21),
            ..TcpExtension::default()
        };
        ProtocolCounters {
            snmp: Observed::Value(Snmp { ip: ip(first), icmp: icmp.clone(), ..Snmp::default() }),
            netstat: Observed::Value(Netstat { tcp, ..Netstat::default() }),
            snmp6: Observed::Value(Snmp6 { ip: ip(first + 10), icmp, ..Snmp6::default() }),
        }
    }

    fn counts(first: u64) -> OversizeCounts {
        let [too_big, fragments_made, reassembly_failures, messages_sent, messages_received] =
            [0, 1, 2, 3, 4].map(|more| Some(first + more));
        OversizeCounts { too_big, fragments_made, reassembly_failures, messages_sent, messages_received }
    }

    #[test]
    fn each_counter_is_where_it_belongs() {
        let expected = Oversize {
            ipv4: counts(5),
            ipv6: counts(15),
            tcp_probes_arrived: Some(25),
            tcp_probes_lost: Some(26),
        };
        assert_eq!(Oversize::of(&read(5)), expected);
        assert!(Oversize::of(&ProtocolCounters::default()).is_unknown());
    }

    #[test]
    fn what_came_meanwhile() {
        let [before, now] = [read(5), read(8)].map(|read| Oversize::of(&read));
        let three = OversizeCounts {
            too_big: Some(3),
            fragments_made: Some(3),
            reassembly_failures: Some(3),
            messages_sent: Some(3),
            messages_received: Some(3),
        };
        let expected =
            Oversize { ipv4: three, ipv6: three, tcp_probes_arrived: Some(3), tcp_probes_lost: Some(3) };
        assert_eq!(now.since(before), expected);
        // Of another namespace, and what was not read before.
        assert!(before.since(now).is_unknown());
        assert!(now.since(Oversize::default()).is_unknown());
    }
}
