//! What `/proc` says of our own process, of the clocks, and of the kernel we run on.
//!
//! Here belongs reading `/proc/self` and who the kernel is; not the node's counters.

use std::{
    fs,
    os::{fd::RawFd, unix::thread::JoinHandleExt as _},
    path::Path,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use crate::{
    files::{self, Root},
    observed::Observed,
};

/// Memory that the kernel accounts for a map or program behind one of our file descriptors (`memlock` in its
/// fdinfo), in bytes; none when the kernel does not say.
pub fn fd_locked_bytes(fd: RawFd) -> Option<u64> {
    let text = text(&format!("/proc/self/fdinfo/{fd}"))?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}

/// CPU time of the process so far, user and system, without that of `others`.
pub fn cpu_time(others: &mut [ThreadClock]) -> Option<Duration> {
    let whole =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).ok()?;
    let others: Duration = others.iter_mut().map(ThreadClock::read).sum();
    Some(whole.saturating_sub(others))
}

/// The CPU time of a thread.
#[derive(Debug)]
pub struct ThreadClock {
    clock: libc::clockid_t,
    last: Duration,
}

impl ThreadClock {
    /// That of a thread that nobody has joined yet; none when the C library has none.
    pub fn of<T>(thread: &JoinHandle<T>) -> Option<Self> {
        let mut clock = 0;
        // SAFETY: the thread's number is valid until it is joined, which takes the handle.
        let error = unsafe { libc::pthread_getcpuclockid(thread.as_pthread_t(), &raw mut clock) };
        (error == 0).then_some(Self { clock, last: Duration::ZERO })
    }

    /// What it spent so far; of a thread that has ended, what it had spent at the last look.
    fn read(&mut self) -> Duration {
        let clock = nix::time::ClockId::from_raw(self.clock);
        self.last = nix::time::clock_gettime(clock).map_or(self.last, Duration::from);
        self.last
    }
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> Option<u64> {
    let text = text("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Has the C library give large buffers back to the kernel when they are free, from now on. Without that it takes the size of the
/// largest one that was ever freed as the size from which it does so (mallopt(3), `M_MMAP_THRESHOLD`), and the rows of thousands of
/// peers, made in each interval, leave gaps of megabytes.
pub fn return_large_buffers() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE: libc::c_int = 128 << 10;
        // SAFETY: takes two numbers and sets a parameter of malloc; where it cannot, nothing changes.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
}

/// Time since boot on the clock of `bpf_ktime_get_ns` (`CLOCK_MONOTONIC`).
pub fn monotonic() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// `/proc/self/timens_offsets` has two lines, each of a clock's name and two numbers.
const LONGEST_OFFSETS: u64 = 4096;

/// The same on the node's own clock, where a container has another (time_namespaces(7)).
pub fn node_monotonic() -> Duration {
    let told = files::kernel_text(Path::new("/proc/self/timens_offsets"), LONGEST_OFFSETS).ok();
    let offset = told.and_then(|text| clock_offset(&text));
    let nanoseconds = i128::try_from(monotonic().as_nanos()).unwrap_or(i128::MAX);
    let nanoseconds = nanoseconds.saturating_sub(offset.unwrap_or(0));
    Duration::from_nanos(nanoseconds.clamp(0, i128::from(u64::MAX)).try_into().unwrap_or(u64::MAX))
}

/// By how many nanoseconds our `CLOCK_MONOTONIC` is ahead of the node's.
fn clock_offset(text: &str) -> Option<i128> {
    let mut words = text.lines().find_map(|line| line.strip_prefix("monotonic"))?.split_whitespace();
    let mut number = || words.next()?.parse::<i128>().ok();
    let (seconds, nanoseconds) = (number()?, number()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// Time since boot, that in which the machine slept included (`CLOCK_BOOTTIME`). Nobody sets it.
pub fn since_boot() -> Option<Duration> {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).ok()
}

/// Wall clock since the Unix epoch; a clock that is set before it is at it.
pub fn wall_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Release of the running kernel, as `uname -r` has it.
pub fn kernel_release() -> Option<String> {
    setting("osrelease")
}

/// Host name in our own UTS namespace: the node's, and in a container the container's.
pub fn hostname() -> Option<String> {
    setting("hostname")
}

/// What is another one after each boot.
pub fn boot_id() -> Option<String> {
    setting("random/boot_id")
}

/// Model of the first processor, by the names that architectures have for it.
pub fn cpu_model() -> Option<String> {
    let text = files::kernel_text(Path::new("/proc/cpuinfo"), LONGEST_CPUINFO).ok()?;
    let value = |name: &str| {
        let of = |line: &str| {
            line.split_once(':').filter(|(key, _)| key.trim() == name).map(|(_, v)| v.to_owned())
        };
        text.lines().find_map(of)
    };
    // Arm has no name of the model.
    let found =
        value("model name").or_else(|| value("CPU part").map(|part| format!("CPU part {}", part.trim())));
    Some(found?.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Frequency governor of the first processor; none where its frequency is not the kernel's to choose, as in virtual machines.
pub fn cpu_governor() -> Option<String> {
    let text = text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether the running kernel has a module of this name, loaded, built in or to be loaded; none when nothing below `root`
/// tells. Looking is all that is done: to ask the kernel for it would load it.
pub fn has_module(root: &Path, name: &str) -> Option<bool> {
    if fs::metadata(format!("/sys/module/{name}")).is_ok() {
        return Some(true);
    }
    let root = Root::open(root).ok()?;
    let directory = format!("/lib/modules/{}", kernel_release()?);
    let file = format!("/{name}.ko");
    let mut known = None;
    for list in ["modules.builtin", "modules.dep"] {
        let Observed::Value(text) = root.text(&format!("{directory}/{list}")) else { continue };
        // `kernel/drivers/net/wireguard/wireguard.ko.xz: ...`
        let names = text.lines().filter_map(|line| line.split(':').next());
        known = Some(known.unwrap_or(false) || names.into_iter().any(|path| path.contains(&file)));
    }
    known
}

/// `/proc/cpuinfo` has a page for each processor.
const LONGEST_CPUINFO: u64 = 16 << 20;

/// Longest file of ours below `/proc`.
const LONGEST: u64 = 1 << 16;

fn text(path: &str) -> Option<String> {
    files::kernel_text(Path::new(path), LONGEST).ok()
}

fn setting(name: &str) -> Option<String> {
    let text = text(&format!("/proc/sys/kernel/{name}"))?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_container_may_have_a_clock_of_its_own() {
        let text = "monotonic          -1         5\nboottime         864000         0\n";
        assert_eq!(clock_offset(text), Some(-999_999_995));
        assert_eq!(clock_offset("monotonic  864000 0\n"), Some(864_000_000_000_000));
        for text in ["", "boottime 1 1\n", "monotonic 1\n", "monotonic x 1\n"] {
            assert_eq!(clock_offset(text), None, "{text}");
        }
    }

    #[test]
    fn modules_that_are_there_are_not_and_are_not_known() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(has_module(root.path(), "no_such_module"), None);
        let directory = root.path().join("lib/modules").join(kernel_release().unwrap());
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("modules.dep"), "kernel/drivers/net/one/one_such.ko.xz: kernel/lib/x.ko\n")
            .unwrap();
        assert_eq!(has_module(root.path(), "one_such"), Some(true));
        assert_eq!(has_module(root.path(), "no_such_module"), Some(false));
        fs::write(directory.join("modules.builtin"), "kernel/net/no_such_module.ko\n").unwrap();
        assert_eq!(has_module(root.path(), "no_such_module"), Some(true));
    }

    #[test]
    fn our_own_process_has_cost() {
        assert!(cpu_time(&mut []).unwrap() > Duration::ZERO);
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(monotonic() > Duration::ZERO);
    }

    #[test]
    fn what_other_threads_spend_is_left_out() {
        const BUSY: Duration = Duration::from_millis(30);
        let spent = || {
            nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap()
        };
        let (busy, is_busy) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            while spent() < BUSY {}
            busy.send(()).unwrap();
            let _ = ended.recv();
        });
        let mut others = vec![ThreadClock::of(&thread).unwrap()];
        is_busy.recv().unwrap();
        // Other tests spend in between.
        let less = cpu_time(&mut others).unwrap();
        assert!(less + BUSY <= cpu_time(&mut []).unwrap());
        drop(end);
        thread.join().unwrap();
        assert!(others[0].read() >= BUSY, "it has ended");
    }
}
