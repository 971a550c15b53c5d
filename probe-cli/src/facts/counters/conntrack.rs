//! The connection tracking table of one network namespace: how full it is, and what was lost.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// Connection tracking. Absent as a whole where `nf_conntrack` is not loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConntrackCounters {
    /// `net.netfilter.nf_conntrack_count`: entries of this namespace now. A gauge.
    pub count: Observed<u64>,
    /// `net.netfilter.nf_conntrack_max`: most entries that a namespace may have; one value for the machine.
    pub max: Observed<u64>,
    /// `net.netfilter.nf_conntrack_buckets`: size of the hash table, which all namespaces share.
    pub buckets: Observed<u64>,
    /// What was counted (`/proc/net/stat/nf_conntrack`), the sum over all CPUs. Each CPU's has 32 bits and wraps to zero.
    pub events: Observed<ConntrackEvents>,
}

/// Events of connection tracking (`ct_cpu_seq_show` in net/netfilter/nf_conntrack_standalone.c), in packets unless said
/// otherwise; none for what the kernel does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConntrackEvents {
    /// `found`: lookups of an entry for a new tuple that found one: clashes of source ports.
    pub found: Option<u64>,
    /// `invalid`: packets that cannot be tracked.
    pub invalid: Option<u64>,
    /// `insert`: entries put into the table; counted no more by new kernels.
    pub insert: Option<u64>,
    /// `insert_failed`: entries that lost against an equal one: the packet was dropped.
    pub insert_failed: Option<u64>,
    /// `drop`: packets dropped because there was no room for an entry.
    pub drop: Option<u64>,
    /// `early_drop`: entries removed to make room for others.
    pub early_drop: Option<u64>,
    /// `icmp_error`: ICMP messages that are faulty or about no connection.
    pub error: Option<u64>,
    /// `search_restart`: lookups begun anew, the table being resized meanwhile.
    pub search_restart: Option<u64>,
    /// `clashres`: clashes that were resolved in favour of the other entry (since Linux 5.10, before it was `searched`).
    pub clash_resolved: Option<u64>,
    /// `chainlength`: entries refused because their hash chain was too long (since Linux 5.15, before it was `delete_list`).
    pub chain_too_long: Option<u64>,
}
