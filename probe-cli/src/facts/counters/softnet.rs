//! What the kernel counted of its receive queues, one row per CPU: `/proc/net/softnet_stat`.

use serde::{Deserialize, Serialize};

/// A CPU's counters (`softnet_seq_show` in net/core/net-procfs.c). Of the machine, not of a network namespace. Each has 32
/// bits in the kernel and wraps to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftnetCounters {
    /// Number of the CPU; the row's number on kernels before 5.10, which list CPUs that are online without their numbers.
    pub cpu: u32,
    /// Packets processed, after driver GRO.
    pub processed: u32,
    /// Packets dropped because the CPU's backlog was full (`net.core.netdev_max_backlog`).
    pub dropped: u32,
    /// How often `net_rx_action` ended with work left, its budget or time being used up.
    pub time_squeeze: u32,
    /// Times that another CPU handed packets over (RPS).
    pub received_rps: u32,
    /// Packets dropped by flow limits, which keep one flow from filling the backlog.
    pub flow_limit: u32,
    /// Packets waiting in the backlog now; none on kernels before 5.10. A gauge, not a counter.
    pub backlog: Option<u32>,
}
