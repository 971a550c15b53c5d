//! What `/proc` says of our own process and of the clocks.
//!
//! Here belongs reading `/proc/self`; not the node's counters.

use std::{fs, os::fd::RawFd, time::Duration};

/// Memory that the kernel accounts for a map or program behind one of our file descriptors (`memlock` in its
/// fdinfo), in bytes; none when the kernel does not say.
pub fn fd_locked_bytes(fd: RawFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}

/// CPU time of this process so far, all threads, user and system.
pub fn cpu_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat").ok();
    // schedstat counts the main thread only, so it serves a process of one thread; stat is in clock ticks of 10 ms.
    let threads = fs::read_dir("/proc/self/task").ok()?.count();
    if threads == 1
        && let Some(nanoseconds) = text.and_then(|text| text.split_whitespace().next()?.parse().ok())
    {
        return Some(Duration::from_nanos(nanoseconds));
    }
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok().map(|usage| {
        let spent = |time: nix::sys::time::TimeVal| {
            Duration::from_micros(
                time.tv_sec()
                    .unsigned_abs()
                    .saturating_mul(1_000_000)
                    .saturating_add(time.tv_usec().unsigned_abs()),
            )
        };
        spent(usage.user_time()) + spent(usage.system_time())
    })
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Time since boot on the clock of `bpf_ktime_get_ns` (`CLOCK_MONOTONIC`).
pub fn monotonic() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_cost() {
        assert!(cpu_time().unwrap() > Duration::ZERO);
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(monotonic() > Duration::ZERO);
    }
}
