//! What the processors spent their time on: `/proc/stat`.

use serde::{Deserialize, Serialize};

/// Time of all processors together since the machine started, in ticks of `USER_HZ` (`show_stat` in fs/proc/stat.c). That of guests
/// is part of `user` and `nice`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuCounters {
    /// Processors that are online.
    pub cpus: u32,
    /// Processes.
    pub user: u64,
    /// Processes of low priority.
    pub nice: u64,
    /// The kernel on behalf of processes.
    pub system: u64,
    /// Nothing.
    pub idle: u64,
    /// Nothing, with I/O under way.
    pub iowait: u64,
    /// Interrupts.
    pub irq: u64,
    /// Soft interrupts, in which packets are received.
    pub softirq: u64,
    /// The hypervisor ran something else while there was something to do.
    pub steal: u64,
}

impl CpuCounters {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self { cpus: _, user, nice, system, idle, iowait, irq, softirq, steal } = self;
        [user, nice, system, idle, iowait, irq, softirq, steal].into_iter().sum()
    }

    /// All but what was idle or stolen.
    pub fn busy(&self) -> u64 {
        self.total().saturating_sub(self.idle + self.iowait + self.steal)
    }
}
