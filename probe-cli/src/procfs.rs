//! What `/proc` says of our own process, of the clocks, and of the kernel we run on.
//!
//! Here belongs reading `/proc/self` and who the kernel is; not the node's counters.

use std::{fs, os::fd::RawFd, time::Duration};

/// Memory that the kernel accounts for a map or program behind one of our file descriptors (`memlock` in its
/// fdinfo), in bytes; none when the kernel does not say.
pub fn fd_locked_bytes(fd: RawFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}

/// CPU time of the calling thread so far, user and system. Engine, screen and report share one thread, so this is
/// what the observer costs; the demo's traffic comes from other threads of the process and is not part of it.
pub fn cpu_time() -> Option<Duration> {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
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

/// Release of the running kernel, as `uname -r` has it.
pub fn kernel_release() -> Option<String> {
    setting("osrelease")
}

/// Host name in our own UTS namespace: the node's, and in a container the container's.
pub fn hostname() -> Option<String> {
    setting("hostname")
}

fn setting(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
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
