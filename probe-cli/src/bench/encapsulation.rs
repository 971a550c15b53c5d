//! How long the kernel takes to encapsulate a socket buffer, as counts by class of time. Data of the document, with what is made of it.

use serde::{Deserialize, Serialize};

/// Times from the tunnel's transmit hook to that of the device below, of one buffer in sixteen of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encapsulation {
    /// How many buffers took how long, the shortest first.
    pub times: Vec<TimeClass>,
    /// Timed buffers that the device below was not seen to send.
    pub unmatched: u64,
}

/// Buffers that took about the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeClass {
    /// The shortest time in it, in nanoseconds.
    pub from_ns: u64,
    /// The shortest that is longer than all in it, in nanoseconds; those of 17 ms and more are in the last class.
    pub to_ns: u64,
    /// How many took so long.
    pub buffers: u64,
}

impl Encapsulation {
    /// Buffers whose time is known.
    pub fn buffers(&self) -> u64 {
        self.times.iter().fold(0, |sum, class| sum.saturating_add(class.buffers))
    }

    /// This share of the buffers took so many nanoseconds at most; none where no time is known. Within a class times are taken to be spread
    /// evenly.
    pub fn within(&self, share: f64) -> Option<f64> {
        let wanted = self.buffers() as f64 * share;
        let mut seen = 0.0;
        for class in self.times.iter().filter(|class| class.buffers > 0) {
            let buffers = class.buffers as f64;
            if seen + buffers >= wanted {
                let width = class.to_ns.saturating_sub(class.from_ns) as f64;
                return Some(class.from_ns as f64 + width * (wanted - seen) / buffers);
            }
            seen += buffers;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[(u64, u64, u64)]) -> Encapsulation {
        let class = |&(from_ns, to_ns, buffers)| TimeClass { from_ns, to_ns, buffers };
        Encapsulation { times: times.iter().map(class).collect(), unmatched: 0 }
    }

    #[test]
    fn shares_are_within_their_class() {
        let times = of(&[(1000, 1100, 40), (1100, 1200, 0), (2000, 2200, 50), (9000, 9900, 10)]);
        assert_eq!(times.buffers(), 100);
        for (share, expected) in [(0.2, 1050.0), (0.4, 1100.0), (0.5, 2040.0), (0.9, 2200.0), (0.99, 9810.0)]
        {
            let found = times.within(share).unwrap();
            assert!((found - expected).abs() < 1e-6, "{share}: {found}");
        }
        assert_eq!([of(&[]), of(&[(1, 2, 0)])].map(|none| none.within(0.5)), [None, None]);
        // A file may say anything.
        assert_eq!(of(&[(9, 3, 1)]).within(0.5), Some(9.0));
        assert!(of(&[(0, u64::MAX, u64::MAX), (0, 1, u64::MAX)]).within(0.99).is_some());
    }
}
