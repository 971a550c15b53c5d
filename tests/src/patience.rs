//! How long a test waits for what must come. Waiting ends as soon as it is there; only a failure takes all of the patience,
//! and that grows with how slow the machine is found to be when it would run out.

use std::{
    process::Command,
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything takes on a machine that starts a process in [`QUICK`].
const AT_LEAST: Duration = Duration::from_secs(90);
/// The most that it grows to: a file of tests in a virtual machine must end before its limit (xtask/src/vm/machine.rs).
const AT_MOST: Duration = Duration::from_secs(8 * 90);
/// An emulated processor that has one of the host's to itself starts a process in about this time.
const QUICK: Duration = Duration::from_millis(20);
/// Processes that are started to find out.
const TRIED: u32 = 10;

/// Patience of one wait.
pub struct Patience {
    start: Instant,
    granted: Duration,
}

impl Patience {
    /// Begins to wait.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), granted: AT_LEAST }
    }

    /// How much longer to wait; none when it is over.
    pub fn left(&mut self) -> Option<Duration> {
        if self.granted <= self.start.elapsed() {
            self.granted = self.granted.max(granted(time_to_start()));
        }
        self.granted.checked_sub(self.start.elapsed())
    }

    /// The next that is sent; panics when nothing comes.
    pub fn receive<T>(mut self, what: &str, from: &Receiver<T>) -> T {
        while let Some(left) = self.left() {
            match from.recv_timeout(left) {
                Ok(value) => return value,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{what} ended"),
            }
        }
        panic!("{what} gave nothing for {} s", self.start.elapsed().as_secs());
    }
}

/// Patience for a machine that starts a process in this time.
fn granted(time: Duration) -> Duration {
    AT_LEAST.mul_f64(time.as_secs_f64() / QUICK.as_secs_f64()).clamp(AT_LEAST, AT_MOST)
}

/// How long it takes now to start a process and to hear of its end.
fn time_to_start() -> Duration {
    let start = Instant::now();
    for _ in 0..TRIED {
        Command::new("true").status().unwrap();
    }
    start.elapsed() / TRIED
}

/// The patience that a machine like this one deserves now, for what takes a deadline of its own.
#[must_use]
pub fn patience() -> Duration {
    granted(time_to_start())
}

/// Waits until what is seen is as it must be, and gives it. In vain it gives what was seen last, so that the test says what is wrong.
pub fn settled<T>(mut seen: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let mut patience = Patience::start();
    loop {
        let last = seen();
        if is_so(&last) || patience.left().is_none() {
            return last;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until `found` gives something.
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let mut patience = Patience::start();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(
            patience.left().is_some(),
            "waited in vain for {what}, {} s",
            patience.start.elapsed().as_secs()
        );
        thread::sleep(Duration::from_millis(20));
    }
}
