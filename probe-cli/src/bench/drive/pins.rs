//! Which processors the threads that send and receive are on.

use std::io;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::privilege;

/// Processors of the two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pins {
    pub(super) sender: Option<usize>,
    pub(super) receiver: Option<usize>,
}

impl Pins {
    /// The first two that this process may use.
    pub(super) fn of_this_process() -> Self {
        let allowed = sched_getaffinity(Pid::from_raw(0)).ok();
        let is_allowed = |cpu: &usize| allowed.as_ref().is_some_and(|set| set.is_set(*cpu).unwrap_or(false));
        let mut cpus = (0..CpuSet::count()).filter(is_allowed);
        let sender = cpus.next();
        Self { sender, receiver: cpus.next().or(sender) }
    }
}

/// Keeps the calling thread on a processor, and gives up what it does not need to send.
pub(super) fn settle(cpu: Option<usize>) -> io::Result<()> {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        // A processor that has just been taken away: it runs where there is one.
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
    privilege::give_up_all().map_err(io::Error::other)
}
