//! What the probes of one path came to over time, and what that means now. A constant amount of memory.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use super::super::probes::losses_needed;
use crate::model::{PathProbes, ProbeCounts, RoundTrips, Signal};

/// Round trips that percentiles are made of: five minutes of small probes.
const KEPT: usize = 300;
/// How likely it may be that large probes were lost like small ones, when that is said to be otherwise. They are looked at all day.
const CHANCE: f64 = 1e-6;
/// Large probes that are tried again at once after one was lost.
const MOST_AGAIN: u32 = 30;
/// Losses among the last small probes that are more than chance.
const SOME: u32 = 2;
/// Small probes without any answer ever, after which it is said that nothing is answered.
const NEVER: u32 = 3;

/// Whether the last probes were lost, the newest in the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    lost: u64,
    count: u32,
}

impl Recent {
    fn add(&mut self, is_lost: bool) {
        self.lost = self.lost << 1 | u64::from(is_lost);
        self.count = (self.count + 1).min(u64::BITS);
    }

    /// How many of the newest were lost one after the other.
    fn run(self) -> u32 {
        self.lost.trailing_ones().min(self.count)
    }

    /// Lost and answered, without so many of the newest.
    fn without(self, newest: u32) -> (u32, u32) {
        let count = self.count.saturating_sub(newest);
        let lost = self.lost.checked_shr(newest).unwrap_or(0).count_ones();
        (lost, count.saturating_sub(lost))
    }
}

/// Large probes that were lost since one was answered last, and small ones meanwhile.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    lost: u32,
    /// When the last of them was sent.
    last: Duration,
    small_lost: u32,
    small_answered: u32,
}

/// What the last large probe came to, other than an answer or a loss.
#[derive(Clone, Copy, Debug)]
enum Said {
    Here,
    By(IpAddr, u32),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Series {
    size: u32,
    small: ProbeCounts,
    large: ProbeCounts,
    trips: VecDeque<Duration>,
    jitter_ns: u64,
    answered_at: Option<Duration>,
    /// When the small probe was sent that was answered, of those the last.
    small_until: Option<Duration>,
    recent: Recent,
    run: Run,
    said: Option<Said>,
    is_large_answered: bool,
}

impl Series {
    /// Of a path on which so much is expected to fit.
    pub(super) fn new(size: u32) -> Self {
        Self {
            size,
            small: ProbeCounts::default(),
            large: ProbeCounts::default(),
            trips: VecDeque::new(),
            jitter_ns: 0,
            answered_at: None,
            small_until: None,
            recent: Recent::default(),
            run: Run::default(),
            said: None,
            is_large_answered: false,
        }
    }

    /// Bytes of large probes.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// A probe was given to the kernel.
    pub(super) fn sent(&mut self, is_large: bool) {
        let counts = self.counts(is_large);
        counts.sent = counts.sent.saturating_add(1);
    }

    /// It was not sent after all.
    pub(super) fn not_sent(&mut self, is_large: bool) {
        let counts = self.counts(is_large);
        counts.sent = counts.sent.saturating_sub(1);
    }

    fn counts(&mut self, is_large: bool) -> &mut ProbeCounts {
        if is_large { &mut self.large } else { &mut self.small }
    }

    /// A probe that was sent then is answered.
    pub(super) fn answered(&mut self, is_large: bool, sent: Duration, now: Duration) {
        self.answered_at = Some(now);
        if is_large {
            self.run = Run::default();
            self.said = None;
            self.is_large_answered = true;
            return;
        }
        self.small_until = self.small_until.max(Some(sent));
        self.recent.add(false);
        self.run.small_answered = self.run.small_answered.saturating_add(1);
        let took = now.saturating_sub(sent);
        if let Some(last) = self.trips.back() {
            let differs = nanoseconds(took.abs_diff(*last));
            // RFC 3550 section 6.4.1, for round trips.
            self.jitter_ns = self.jitter_ns - self.jitter_ns / 16 + differs / 16;
        }
        if self.trips.len() == KEPT {
            self.trips.pop_front();
        }
        self.trips.push_back(took);
    }

    /// A probe that was sent then is not answered.
    pub(super) fn lost(&mut self, is_large: bool, sent: Duration) {
        let counts = self.counts(is_large);
        counts.lost = counts.lost.saturating_add(1);
        if is_large {
            if self.run.lost == 0 {
                self.run = Run::default();
            }
            self.run.lost = self.run.lost.saturating_add(1);
            self.run.last = sent;
            self.said = None;
        } else {
            self.recent.add(true);
            self.run.small_lost = self.run.small_lost.saturating_add(1);
        }
    }

    /// Somebody says that a large probe is too big.
    pub(super) fn told(&mut self, from: IpAddr, mtu: u32) {
        self.said = Some(Said::By(from, mtu));
        self.run = Run::default();
    }

    /// The kernel refuses a large probe.
    pub(super) fn refused(&mut self) {
        self.said = Some(Said::Here);
        self.run = Run::default();
    }

    /// The last large probe was lost, and it is not known whether by chance.
    pub(super) fn is_to_be_tried_again(&self) -> bool {
        (1..MOST_AGAIN).contains(&self.run.lost) && !self.is_large_lost() && !self.is_unanswered()
    }

    /// Large probes are lost, and that is no chance: small ones that were sent later are answered.
    fn is_large_lost(&self) -> bool {
        let Run { lost, last, small_lost, small_answered } = self.run;
        let is_control = small_answered > 0 && self.small_until.is_some_and(|sent| sent >= last);
        let (recently, answered) = self.recent.without(0);
        let needed = losses_needed(recently, answered, CHANCE, u32::MAX).max(losses_needed(
            small_lost,
            small_answered,
            CHANCE,
            MOST_AGAIN * 4,
        ));
        is_control && lost >= needed
    }

    fn is_unanswered(&self) -> bool {
        let run = self.recent.run();
        if self.answered_at.is_none() {
            return run >= NEVER;
        }
        let (lost, answered) = self.recent.without(run);
        run >= losses_needed(lost, answered, CHANCE, u64::BITS)
    }

    fn signal(&self) -> Signal {
        let (lost, _) = self.recent.without(0);
        if self.is_unanswered() {
            return Signal::Unanswered;
        }
        match self.said {
            _ if self.is_large_lost() => Signal::LargeLost,
            Some(Said::By(from, mtu)) => Signal::TooBig { from, mtu },
            Some(Said::Here) => Signal::RefusedHere,
            None if lost >= SOME => Signal::SomeLost,
            None if self.is_large_answered => Signal::Answered,
            None => Signal::Unknown,
        }
    }

    /// What it has come to.
    pub(super) fn read(&self, address: IpAddr, now: Duration) -> PathProbes {
        PathProbes {
            address,
            size: self.size,
            small: self.small,
            large: self.large,
            round_trips: self.round_trips(),
            answered_ago: self.answered_at.map(|at| now.saturating_sub(at)),
            signal: self.signal(),
        }
    }

    fn round_trips(&self) -> Option<RoundTrips> {
        let mut sorted: Vec<Duration> = self.trips.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank: the smallest that so many are not larger than.
        let rank =
            |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(RoundTrips { p50: rank(50)?, p99: rank(99)?, jitter: Duration::from_nanos(self.jitter_ns) })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank_and_jitter_that_of_the_rfc() {
        let mut series = Series::new(1450);
        assert_eq!(series.round_trips(), None);
        for took in 1..=100 {
            series.answered(false, ms(0), ms(took));
        }
        let trips = series.round_trips().unwrap();
        assert_eq!((trips.p50, trips.p99), (ms(50), ms(99)));
        // Each differs by a millisecond from the one before.
        assert!(trips.jitter > ms(1) * 99 / 100 && trips.jitter <= ms(1), "{trips:?}");
        // Only the last ones count.
        for _ in 0..KEPT {
            series.answered(false, ms(0), ms(7));
        }
        assert_eq!(series.round_trips().map(|trips| (trips.p50, trips.p99)), Some((ms(7), ms(7))));
        assert_eq!(series.trips.len(), KEPT);
    }

    #[test]
    fn an_outage_of_everything_is_no_black_hole() {
        let mut series = Series::new(1450);
        for second in 0..60 {
            series.answered(false, ms(second * 1000), ms(second * 1000 + 1));
        }
        series.answered(true, ms(59_500), ms(59_501));
        assert_eq!(series.signal(), Signal::Answered);
        for second in 60..80 {
            series.lost(false, ms(second * 1000));
            series.lost(true, ms(second * 1000 + 500));
        }
        assert_eq!(series.signal(), Signal::Unanswered);
        series.answered(false, ms(80_000), ms(80_001));
        assert_eq!(series.signal(), Signal::SomeLost);
        series.answered(true, ms(80_500), ms(80_501));
        assert_eq!(series.signal(), Signal::SomeLost);
        for second in 81..150 {
            series.answered(false, ms(second * 1000), ms(second * 1000 + 1));
        }
        assert_eq!(series.signal(), Signal::Answered);
    }

    #[test]
    fn who_says_something_is_named_until_that_size_is_answered() {
        let mut series = Series::new(1450);
        series.answered(false, ms(0), ms(1));
        assert_eq!(series.signal(), Signal::Unknown);
        let from = "192.0.2.254".parse().unwrap();
        series.told(from, 1400);
        assert_eq!(series.signal(), Signal::TooBig { from, mtu: 1400 });
        series.refused();
        assert_eq!(series.signal(), Signal::RefusedHere);
        series.answered(true, ms(2), ms(3));
        assert_eq!(series.signal(), Signal::Answered);
    }
}
