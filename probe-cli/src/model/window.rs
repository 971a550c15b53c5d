//! What the kernel counted of the node's network by itself between two samples: differences, none of what is not known.

use std::{collections::BTreeMap, time::Duration};

use super::Oversize;
use crate::{
    facts::counters::{ConntrackEvents, LinkStatistics, NodeCounters, ProtocolCounters, SoftnetCounters},
    observed::Observed,
};

/// See the module. A counter that is smaller than before belongs to another namespace or to another device, and gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Time between the samples.
    pub length: Duration,
    /// `TcpExt:IPReversePathFilter`: packets dropped since the way back to their source is another.
    pub reverse_path_filtered: Option<u64>,
    /// `Tcp:InCsumErrors`.
    pub tcp_checksum_errors: Option<u64>,
    /// What does not fit.
    pub oversize: Oversize,
    /// Receive queues, by CPU.
    pub softnet: Vec<SoftnetWindow>,
    /// `nf_conntrack_count`: entries of connection tracking at the end.
    pub conntrack_count: Option<u64>,
    /// `nf_conntrack_max`: most entries.
    pub conntrack_max: Option<u64>,
    /// `drop` of connection tracking: packets dropped for want of an entry.
    pub conntrack_dropped: Option<u64>,
    /// `early_drop` of connection tracking: entries given up for others.
    pub conntrack_early_dropped: Option<u64>,
    /// `insert_failed` of connection tracking: packets dropped since an equal entry was quicker.
    pub conntrack_insert_failed: Option<u64>,
    /// Differences of tunnels and of what carries them, by interface index.
    pub links: BTreeMap<u32, LinkWindow>,
}

/// The receive queue of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftnetWindow {
    /// Number of the CPU.
    pub cpu: u32,
    /// Packets taken.
    pub processed: u64,
    /// Packets dropped since the queue was full.
    pub dropped: u64,
    /// Times that the CPU stopped with packets left.
    pub squeezed: u64,
}

/// One interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkWindow {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets dropped while sending; of a VXLAN device those without an FDB entry.
    pub tx_dropped: u64,
    /// Faulty packets received.
    pub rx_errors: u64,
    /// Packets received and dropped.
    pub rx_dropped: u64,
    /// Packets that the host was too slow to take from the NIC.
    pub rx_missed: u64,
    /// Packets of WireGuard whose source the peer must not use.
    pub rx_frame_errors: u64,
    /// Packets dropped since their frame is for another link-layer address; none where the kernel does not count them.
    pub rx_other_host: Option<u64>,
}

impl Window {
    /// Between two readings.
    pub(super) fn between(before: &NodeCounters, now: &NodeCounters, length: Duration) -> Self {
        let protocol =
            |of: fn(&ProtocolCounters) -> Option<u64>| grown(of(&before.protocols), of(&now.protocols));
        let conntrack = |of: fn(&ConntrackEvents) -> Option<u64>| {
            let read = |counters: &NodeCounters| of(counters.conntrack.value()?.events.value()?);
            wrapped(read(before)?, read(now)?)
        };
        Self {
            length,
            reverse_path_filtered: protocol(|told| told.netstat.value()?.tcp.reverse_path_filter),
            tcp_checksum_errors: protocol(|told| told.snmp.value()?.tcp.in_checksum_errors),
            oversize: Oversize::of(&now.protocols).since(Oversize::of(&before.protocols)),
            softnet: softnet(before.softnet.rows(), now.softnet.rows()),
            conntrack_count: now.conntrack.value().and_then(|table| table.count.value()).copied(),
            conntrack_max: now.conntrack.value().and_then(|table| table.max.value()).copied(),
            conntrack_dropped: conntrack(|events| events.drop),
            conntrack_early_dropped: conntrack(|events| events.early_drop),
            conntrack_insert_failed: conntrack(|events| events.insert_failed),
            links: links(&before.links, &now.links),
        }
    }
}

fn grown(before: Option<u64>, now: Option<u64>) -> Option<u64> {
    now?.checked_sub(before?)
}

/// The growth of a sum of counters of 32 bits each, which wrap one by one (`/proc/net/stat/nf_conntrack`). A sum that is
/// smaller by more than half of such a counter was reset.
fn wrapped(before: u64, now: u64) -> Option<u64> {
    const WRAP: u64 = 1 << 32;
    now.checked_sub(before).or_else(|| (now + WRAP).checked_sub(before).filter(|grown| *grown < WRAP / 2))
}

/// Counters of 32 bits (`softnet_seq_show`, net/core/net-procfs.c).
fn softnet(before: &[SoftnetCounters], now: &[SoftnetCounters]) -> Vec<SoftnetWindow> {
    let of_cpu = |now: &SoftnetCounters| {
        let before = before.iter().find(|before| before.cpu == now.cpu)?;
        Some(SoftnetWindow {
            cpu: now.cpu,
            processed: now.processed.wrapping_sub(before.processed).into(),
            dropped: now.dropped.wrapping_sub(before.dropped).into(),
            squeezed: now.time_squeeze.wrapping_sub(before.time_squeeze).into(),
        })
    };
    now.iter().filter_map(of_cpu).collect()
}

fn links(before: &[Observed<LinkStatistics>], now: &[Observed<LinkStatistics>]) -> BTreeMap<u32, LinkWindow> {
    let before: BTreeMap<u32, &LinkStatistics> =
        before.iter().filter_map(Observed::value).map(|link| (link.ifindex, link)).collect();
    let of_link = |now: &LinkStatistics| {
        let before = before.get(&now.ifindex)?;
        let window = LinkWindow {
            rx_packets: now.rx_packets.checked_sub(before.rx_packets)?,
            tx_packets: now.tx_packets.checked_sub(before.tx_packets)?,
            tx_errors: now.tx_errors.checked_sub(before.tx_errors)?,
            tx_dropped: now.tx_dropped.checked_sub(before.tx_dropped)?,
            rx_errors: now.rx_errors.checked_sub(before.rx_errors)?,
            rx_dropped: now.rx_dropped.checked_sub(before.rx_dropped)?,
            rx_missed: now.rx_missed_errors.checked_sub(before.rx_missed_errors)?,
            rx_frame_errors: now.rx_frame_errors.checked_sub(before.rx_frame_errors)?,
            rx_other_host: grown(before.rx_otherhost_dropped, now.rx_otherhost_dropped),
        };
        Some((now.ifindex, window))
    };
    now.iter().filter_map(Observed::value).filter_map(of_link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_of_32_bits_wraps_and_is_not_reset() {
        for (before, now, expected) in [
            (5, 7, Some(2)),
            (7, 7, Some(0)),
            ((1 << 32) - 1, 3, Some(4)),
            // Two CPUs, of which one wrapped.
            ((1 << 32) + 10, 20, Some(10)),
            (3_000_000_000, 5, Some(1_294_967_301)),
            (1_000, 5, None),
        ] {
            assert_eq!(wrapped(before, now), expected, "{before} {now}");
        }
        let cpu = |cpu, processed| SoftnetCounters { cpu, processed, ..SoftnetCounters::default() };
        let found = softnet(&[cpu(0, u32::MAX), cpu(1, 5)], &[cpu(0, 1), cpu(1, 5), cpu(2, 9)]);
        let processed: Vec<(u32, u64)> = found.iter().map(|row| (row.cpu, row.processed)).collect();
        assert_eq!(processed, [(0, 2), (1, 0)]);
    }

    #[test]
    fn what_was_not_read_or_is_another_is_none() {
        let link = |ifindex, tx_packets| {
            Observed::Value(LinkStatistics { ifindex, tx_packets, ..LinkStatistics::default() })
        };
        let found = links(&[link(3, 5), link(4, 9)], &[link(3, 8), link(4, 2), link(5, 1)]);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(found[&3].tx_packets, 3);
        let window =
            Window::between(&NodeCounters::default(), &NodeCounters::default(), Duration::from_secs(1));
        assert_eq!(window, Window { length: Duration::from_secs(1), ..Window::default() });
    }
}
