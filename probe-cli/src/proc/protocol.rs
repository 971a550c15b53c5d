//! Parses `/proc/net/{snmp,netstat,snmp6}` by the names of counters: kernels add some in the middle, and lack others.

use super::file;
use crate::facts::counters::{
    IcmpCounters, IpCounters, Netstat, ProtocolCounters, Snmp, Snmp6, TcpCounters, TcpExtension, UdpCounters,
};

/// Reads the protocol counters of the calling thread's network namespace.
pub fn protocols() -> ProtocolCounters {
    ProtocolCounters {
        snmp: file::parsed("/proc/thread-self/net/snmp", snmp),
        netstat: file::parsed("/proc/thread-self/net/netstat", netstat),
        snmp6: file::parsed("/proc/thread-self/net/snmp6", snmp6),
    }
}

/// Where a counter goes, by the kernel's name of it.
type Fields<T> = &'static [(&'static str, fn(&mut T) -> &mut Option<u64>)];

/// Names that IPv4 and IPv6 share, and those that only one of them has.
const IP: Fields<IpCounters> = &[
    ("InReceives", |c| &mut c.in_receives),
    ("InHdrErrors", |c| &mut c.in_header_errors),
    ("InTooBigErrors", |c| &mut c.in_too_big_errors),
    ("InNoRoutes", |c| &mut c.in_no_routes),
    ("InAddrErrors", |c| &mut c.in_address_errors),
    ("InTruncatedPkts", |c| &mut c.in_truncated),
    ("InDiscards", |c| &mut c.in_discards),
    ("InDelivers", |c| &mut c.in_delivers),
    ("ForwDatagrams", |c| &mut c.forwarded),
    ("OutForwDatagrams", |c| &mut c.forwarded),
    ("OutRequests", |c| &mut c.out_requests),
    ("OutDiscards", |c| &mut c.out_discards),
    ("OutNoRoutes", |c| &mut c.out_no_routes),
    ("ReasmTimeout", |c| &mut c.reassembly_timeouts),
    ("ReasmReqds", |c| &mut c.reassembly_fragments),
    ("ReasmOKs", |c| &mut c.reassembled),
    ("ReasmFails", |c| &mut c.reassembly_failures),
    ("FragOKs", |c| &mut c.fragmented),
    ("FragFails", |c| &mut c.fragmentation_failures),
    ("FragCreates", |c| &mut c.fragments_created),
];

const ICMP: Fields<IcmpCounters> = &[
    ("InErrors", |c| &mut c.in_errors),
    ("InCsumErrors", |c| &mut c.in_checksum_errors),
    ("InDestUnreachs", |c| &mut c.in_destination_unreachable),
    ("OutDestUnreachs", |c| &mut c.out_destination_unreachable),
    ("InPktTooBigs", |c| &mut c.in_packet_too_big),
    ("OutPktTooBigs", |c| &mut c.out_packet_too_big),
    ("InTimeExcds", |c| &mut c.in_time_exceeded),
    ("OutTimeExcds", |c| &mut c.out_time_exceeded),
    ("InRedirects", |c| &mut c.in_redirects),
    ("OutRateLimitGlobal", |c| &mut c.out_rate_limited),
    ("OutRateLimitHost", |c| &mut c.out_rate_limited),
];

const TCP: Fields<TcpCounters> = &[
    ("ActiveOpens", |c| &mut c.active_opens),
    ("AttemptFails", |c| &mut c.attempt_fails),
    ("EstabResets", |c| &mut c.resets),
    ("InSegs", |c| &mut c.in_segments),
    ("OutSegs", |c| &mut c.out_segments),
    ("RetransSegs", |c| &mut c.retransmitted),
    ("InErrs", |c| &mut c.in_errors),
    ("OutRsts", |c| &mut c.out_resets),
    ("InCsumErrors", |c| &mut c.in_checksum_errors),
];

const UDP: Fields<UdpCounters> = &[
    ("InDatagrams", |c| &mut c.in_datagrams),
    ("NoPorts", |c| &mut c.no_ports),
    ("InErrors", |c| &mut c.in_errors),
    ("OutDatagrams", |c| &mut c.out_datagrams),
    ("RcvbufErrors", |c| &mut c.receive_buffer_errors),
    ("SndbufErrors", |c| &mut c.send_buffer_errors),
    ("InCsumErrors", |c| &mut c.in_checksum_errors),
];

const TCP_EXTENSION: Fields<TcpExtension> = &[
    ("IPReversePathFilter", |c| &mut c.reverse_path_filter),
    ("TCPTimeouts", |c| &mut c.timeouts),
    ("TCPSynRetrans", |c| &mut c.syn_retransmitted),
    ("TCPLostRetransmit", |c| &mut c.lost_retransmits),
    ("TCPMTUPFail", |c| &mut c.mtu_probe_failures),
    ("TCPMTUPSuccess", |c| &mut c.mtu_probe_successes),
    ("TCPBacklogDrop", |c| &mut c.backlog_drops),
    ("ListenOverflows", |c| &mut c.listen_overflows),
    ("ListenDrops", |c| &mut c.listen_drops),
];

const IP_EXTENSION: Fields<Netstat> = &[
    ("InNoRoutes", |c| &mut c.ip_in_no_routes),
    ("InTruncatedPkts", |c| &mut c.ip_in_truncated),
    ("InCsumErrors", |c| &mut c.ip_in_checksum_errors),
    ("ReasmOverlaps", |c| &mut c.ip_reassembly_overlaps),
];

/// Adds a counter to where it goes. Two kernel counters may go to one field; what is not read is left out.
fn put<T>(fields: Fields<T>, counters: &mut T, name: &str, value: &str) -> Result<(), String> {
    let Some((_, field)) = fields.iter().find(|(known, _)| *known == name) else { return Ok(()) };
    let value: u64 = value.parse().ok().ok_or_else(|| format!("{name} is not a number"))?;
    let field = field(counters);
    *field = Some(field.unwrap_or(0).saturating_add(value));
    Ok(())
}

fn snmp(text: &str) -> Result<Snmp, String> {
    let mut found = Snmp::default();
    pairs(text, |group, name, value| match group {
        "Ip" => put(IP, &mut found.ip, name, value),
        "Icmp" => put(ICMP, &mut found.icmp, name, value),
        "Tcp" => put(TCP, &mut found.tcp, name, value),
        "Udp" => put(UDP, &mut found.udp, name, value),
        _ => Ok(()),
    })?;
    Ok(found)
}

fn netstat(text: &str) -> Result<Netstat, String> {
    let mut found = Netstat::default();
    pairs(text, |group, name, value| match group {
        "TcpExt" => put(TCP_EXTENSION, &mut found.tcp, name, value),
        "IpExt" => put(IP_EXTENSION, &mut found, name, value),
        _ => Ok(()),
    })?;
    Ok(found)
}

/// One counter a line: `Ip6InReceives   1`. An interface's file has the same form, with its index first.
fn snmp6(text: &str) -> Result<Snmp6, String> {
    let mut found = Snmp6::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(value)) = (words.next(), words.next()) else {
            return Err(format!("a line of {} characters has no value", line.chars().count()));
        };
        if let Some(name) = name.strip_prefix("Ip6") {
            put(IP, &mut found.ip, name, value)?;
        } else if let Some(name) = name.strip_prefix("Icmp6") {
            put(ICMP, &mut found.icmp, name, value)?;
        } else if let Some(name) = name.strip_prefix("Udp6") {
            put(UDP, &mut found.udp, name, value)?;
        }
    }
    Ok(found)
}

/// Calls `each` with the group, name and value of every counter: two lines a group, one of names and one of values.
fn pairs(text: &str, mut each: impl FnMut(&str, &str, &str) -> Result<(), String>) -> Result<(), String> {
    let mut lines = text.lines();
    while let Some(names) = lines.next() {
        let (group, names) = names.split_once(':').ok_or("a line without a group")?;
        let values = lines.next().and_then(|line| line.strip_prefix(group)?.strip_prefix(':'));
        let values = values.ok_or_else(|| format!("{group} has names without values"))?;
        let (mut names, mut values) = (names.split_whitespace(), values.split_whitespace());
        loop {
            match (names.next(), values.next()) {
                (Some(name), Some(value)) => each(group, name, value)?,
                (None, None) => break,
                _ => return Err(format!("{group} has not as many values as names")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Captured by `testdata/capture.sh`: a router between two networks, with fragments, packets that are too long, without a
    /// route, and for a closed port.
    const SNMP: &str = include_str!("testdata/snmp");
    const NETSTAT: &str = include_str!("testdata/netstat");
    const SNMP6: &str = include_str!("testdata/snmp6");

    #[test]
    fn what_a_router_counted() {
        let found = snmp(SNMP).unwrap();
        let ip = &found.ip;
        assert_eq!((ip.in_receives, ip.forwarded, ip.in_delivers), (Some(39), Some(19), Some(5)));
        assert_eq!(
            (ip.fragmented, ip.fragmentation_failures, ip.fragments_created),
            (Some(5), Some(6), Some(10))
        );
        assert_eq!(
            (ip.reassembly_fragments, ip.reassembled, ip.reassembly_failures),
            (Some(6), Some(2), Some(0))
        );
        assert_eq!((found.udp.no_ports, found.icmp.out_destination_unreachable), (Some(5), Some(10)));
        // 0 for the machine and 3 for a host: both are messages that were not sent.
        assert_eq!(found.icmp.out_rate_limited, Some(3));
        // IPv4 has these in the other file.
        assert_eq!((ip.in_no_routes, ip.in_too_big_errors, ip.in_truncated), (None, None, None));
        let found = netstat(NETSTAT).unwrap();
        assert_eq!((found.ip_in_no_routes, found.ip_in_truncated), (Some(8), Some(0)));
        assert_eq!((found.tcp.reverse_path_filter, found.tcp.mtu_probe_failures), (Some(3), Some(0)));
        let found = snmp6(SNMP6).unwrap();
        let (ip, icmp) = (&found.ip, &found.icmp);
        assert_eq!(
            (ip.in_too_big_errors, ip.in_no_routes, ip.fragmentation_failures),
            (Some(7), Some(9), Some(7))
        );
        assert_eq!((icmp.out_packet_too_big, icmp.out_destination_unreachable), (Some(7), Some(10)));
        assert_eq!((found.udp.no_ports, icmp.in_redirects), (Some(4), Some(0)));
    }

    #[test]
    fn a_counter_that_the_kernel_lacks_is_none() {
        let found = snmp("Ip: Forwarding InReceives New\nIp: 1 7 -1\nOther: A\nOther: 5\n").unwrap();
        assert_eq!(found.ip, IpCounters { in_receives: Some(7), ..IpCounters::default() });
        assert_eq!(found.tcp, TcpCounters::default());
        assert_eq!(snmp(""), Ok(Snmp::default()));
    }

    #[test]
    fn what_does_not_fit_together_is_an_error() {
        for text in ["Ip\n", "Ip: A B\nIp: 1\n", "Ip: A\nTcp: 1\n", "Ip: A\n", "Ip: InReceives\nIp: x\n"] {
            assert!(snmp(text).is_err(), "{text:?}");
        }
        assert!(snmp6("Ip6InReceives\n").is_err());
        assert!(snmp6("Ip6InReceives x\n").is_err());
    }

    proptest! {
        /// A file that is cut has what the whole one has, or is an error: no counter gets another value.
        #[test]
        fn a_part_says_nothing_else_than_the_whole(lines in 0_usize..14) {
            let cut: String = SNMP.split_inclusive('\n').take(lines).collect();
            let whole = snmp(SNMP).unwrap();
            match snmp(&cut) {
                Ok(part) => {
                    let ip = if lines >= 2 { whole.ip } else { IpCounters::default() };
                    let udp = if lines >= 10 { whole.udp } else { UdpCounters::default() };
                    prop_assert_eq!((part.ip, part.udp), (ip, udp));
                }
                Err(_) => prop_assert!(lines % 2 == 1),
            }
        }
    }
}
