//! Everything that the kernel counts of the node's network by itself.

use serde::{Deserialize, Serialize};

use super::{ConntrackCounters, LinkStatistics, ProtocolCounters, SoftnetCounters};
use crate::observed::Observed;

/// Counters of the node's network namespace, and of the machine's receive queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCounters {
    /// IP, ICMP, TCP and UDP.
    pub protocols: ProtocolCounters,
    /// Receive queues, one row per CPU.
    pub softnet: Observed<Vec<SoftnetCounters>>,
    /// Connection tracking; absent where its module is not loaded.
    pub conntrack: Observed<ConntrackCounters>,
    /// Tunnels and what carries them, the devices of [`crate::facts::network::NetworkFacts`].
    pub links: Vec<Observed<LinkStatistics>>,
}
