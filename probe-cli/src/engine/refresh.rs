//! When to read the tables again after the kernel said that something changed. Pure: time comes in as a number.

use std::time::Duration;

/// How long a burst of changes may settle. A new peer is three messages, a new pod a dozen.
const SETTLE: Duration = Duration::from_millis(150);
/// No two reads closer than this, so that a storm of changes costs a bounded share of a core.
const APART: Duration = Duration::from_millis(500);
/// Read even if nothing was said: the kernel's word may have been lost before we subscribed.
const AT_LEAST: Duration = Duration::from_secs(30);

/// Decides when to read next. All times are of one monotonic clock.
#[derive(Debug)]
pub(super) struct Refresh {
    last: Duration,
    changed: Option<Duration>,
}

impl Refresh {
    /// The tables were just read.
    pub(super) fn new(now: Duration) -> Self {
        Self { last: now, changed: None }
    }

    /// Something changed. A burst counts from its first change, so that a steady stream does not put the reading
    /// off for ever.
    pub(super) fn change(&mut self, now: Duration) {
        self.changed.get_or_insert(now);
    }

    /// When to read.
    pub(super) fn due(&self) -> Duration {
        let regular = self.last + AT_LEAST;
        self.changed.map_or(regular, |changed| (changed + SETTLE).max(self.last + APART).min(regular))
    }

    /// The tables were read.
    pub(super) fn done(&mut self, now: Duration) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_within_a_second_and_a_storm_twice_a_second() {
        let ms = Duration::from_millis;
        let mut refresh = Refresh::new(ms(1000));
        assert_eq!(refresh.due(), ms(31_000));
        refresh.change(ms(5000));
        refresh.change(ms(5100));
        assert_eq!(refresh.due(), ms(5150));
        refresh.done(ms(5150));
        refresh.change(ms(5160));
        assert_eq!(refresh.due(), ms(5650));
        refresh.done(ms(5650));
        refresh.change(ms(35_640));
        assert_eq!(refresh.due(), ms(35_650), "the regular reading is not put off");
    }
}
