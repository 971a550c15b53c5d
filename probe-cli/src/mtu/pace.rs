//! How fast probes may leave, over all paths: at most so many a second, and a few at once.

use std::time::Duration;

/// Probes a second: 6 Mbit/s of full-size Ethernet frames at most.
pub(super) const PER_SECOND: u32 = 500;
/// Probes that may leave at once, after a while without any.
const BURST: u32 = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the next probe would leave if all before it had kept the interval.
    due: Duration,
}

impl Pace {
    const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

    /// Nothing has left yet.
    pub(super) fn new() -> Self {
        Self { due: Duration::ZERO }
    }

    /// When the next one may leave.
    pub(super) fn ready_at(&self) -> Duration {
        self.due.saturating_sub(Self::INTERVAL * (BURST - 1))
    }

    /// One leaves.
    pub(super) fn take(&mut self, now: Duration) {
        self.due = self.due.max(now) + Self::INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many leave in a time, when each leaves as soon as it may.
    fn sent(pace: &mut Pace, from: Duration, time: Duration) -> u32 {
        let (mut now, mut sent) = (from, 0);
        while now < from + time {
            while pace.ready_at() <= now {
                pace.take(now);
                sent += 1;
            }
            now = pace.ready_at();
        }
        sent
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut pace = Pace::new();
        assert_eq!(sent(&mut pace, Duration::ZERO, Duration::from_secs(1)), PER_SECOND + BURST - 1);
        // A pause gives the burst back, and no more.
        assert_eq!(sent(&mut pace, Duration::from_secs(60), Duration::from_secs(1)), PER_SECOND + BURST - 1);
    }

    #[test]
    fn a_clock_that_goes_back_stops_nothing_for_long() {
        let mut pace = Pace::new();
        pace.take(Duration::from_secs(10));
        pace.take(Duration::from_secs(5));
        assert!(pace.ready_at() <= Duration::from_secs(10));
    }
}
