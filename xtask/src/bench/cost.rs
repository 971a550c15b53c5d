//! What a program takes until it ends, as the kernel accounts for it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// What a program took.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    /// User and kernel time.
    pub(super) cpu: Duration,
    /// The most resident memory that it had, in bytes.
    pub(super) memory: u64,
}

/// Runs a program to its end; what it prints goes nowhere.
pub(super) fn cost(mut command: Command) -> Result<Cost> {
    let name = format!("{command:?}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().with_context(|| name.clone())?;
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: all zero is a value of this struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables of ours that outlive the call, and the child has not been waited for.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    if waited != pid || status != 0 {
        bail!("{name} failed: status {status}");
    }
    let time = |time: libc::timeval| -> Result<Duration> {
        Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_usec)? * 1000))
    };
    Ok(Cost {
        cpu: time(usage.ru_utime)? + time(usage.ru_stime)?,
        memory: u64::try_from(usage.ru_maxrss)? * 1024,
    })
}
