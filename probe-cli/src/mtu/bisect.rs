//! The search for the largest size that gets there: what is known to get there, what is known not to, and the size to try
//! next. No packets and no time.

use std::collections::BTreeMap;

/// Sizes that paths have, in bytes of the IP packet: those of links, and what tunnels leave of them (as in RFC 1191 section 7.1,
/// with the links and tunnels of today).
const PLATEAUS: [u32; 36] = [
    296, 508, 576, 1006, 1230, 1280, 1300, 1320, 1330, 1340, 1350, 1360, 1370, 1380, 1390, 1400, 1410, 1420,
    1430, 1440, 1450, 1460, 1472, 1480, 1492, 1500, 2002, 4352, 8166, 8850, 8900, 8930, 8950, 8981, 9000,
    17914,
];

/// Why a size does not get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// This node's kernel refuses to send it.
    Refused,
    /// Somebody on the way said so.
    Told,
    /// Nothing came back, while smaller packets were answered.
    Silent,
}

/// See the module. Sizes are in bytes of the IP packet.
#[derive(Debug)]
pub(super) struct Bisect {
    /// The largest size that was answered.
    lower: Option<u32>,
    /// Sizes that did not get there, all of them above `lower`.
    failed: BTreeMap<u32, Failed>,
    /// The largest size to try.
    ceiling: u32,
    /// What somebody said last that fits.
    said: Option<u32>,
}

impl Bisect {
    /// A search that begins with its largest size.
    pub(super) fn new(ceiling: u32) -> Self {
        Self { lower: None, failed: BTreeMap::new(), ceiling, said: None }
    }

    /// The largest size that was answered.
    pub(super) fn lower(&self) -> Option<u32> {
        self.lower
    }

    /// The smallest size that does not get there, and why; none while everything may.
    pub(super) fn upper(&self) -> Option<(u32, Failed)> {
        self.failed.first_key_value().map(|(size, why)| (*size, *why))
    }

    /// A packet of this size got there, and so does everything smaller: what was lost was lost by chance.
    pub(super) fn fits(&mut self, size: u32) {
        self.lower = self.lower.max(Some(size));
        self.failed.retain(|failed, _| *failed > size);
    }

    /// A packet of this size does not get there; ignored when one at least as large has got there.
    pub(super) fn fails(&mut self, size: u32, why: Failed) {
        if self.lower.is_none_or(|lower| lower < size) {
            self.failed.insert(size, why);
        }
    }

    /// Somebody says that this size fits.
    pub(super) fn said(&mut self, size: u32) {
        self.said = Some(size);
    }

    /// Nobody has said what is true.
    pub(super) fn unsaid(&mut self) {
        self.said = None;
        self.failed.retain(|_, why| *why != Failed::Told);
    }

    /// The size to begin with: the largest, or what somebody said.
    pub(super) fn first(&self) -> Option<u32> {
        match self.said {
            Some(said) => Some(said).filter(|said| self.is_open(*said)),
            None => Some(self.ceiling).filter(|ceiling| self.is_open(*ceiling)),
        }
    }

    /// It is known neither to get there nor not to.
    fn is_open(&self, size: u32) -> bool {
        self.lower.is_none_or(|lower| lower < size)
            && size <= self.ceiling
            && self.upper().is_none_or(|(upper, _)| size < upper)
    }

    /// The size to try next; none when the largest that gets there is known.
    pub(super) fn next(&self) -> Option<u32> {
        if let Some(first) = self.first() {
            return Some(first);
        }
        let lower = self.lower.unwrap_or(0);
        let upper = self.upper().map_or(self.ceiling + 1, |(upper, _)| upper);
        let above = lower + 1;
        if above >= upper {
            return None;
        }
        if PLATEAUS.contains(&lower) || self.said == Some(lower) {
            // Most paths have such a size: one more byte is too much, and the search is over.
            return Some(above);
        }
        let inside: Vec<u32> = PLATEAUS.into_iter().filter(|size| (above..upper).contains(size)).collect();
        Some(inside.get(inside.len() / 2).copied().unwrap_or(lower + (upper - lower) / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a path of this size whose small packets get there; the sizes that were tried.
    fn search(size: u32, ceiling: u32, is_told: bool) -> (u32, Vec<u32>) {
        let mut bisect = Bisect::new(ceiling);
        bisect.fits(68);
        let mut tried = Vec::new();
        while let Some(next) = bisect.next() {
            tried.push(next);
            if next <= size {
                bisect.fits(next);
            } else if is_told {
                bisect.fails(next, Failed::Told);
                bisect.said(size);
            } else {
                bisect.fails(next, Failed::Silent);
            }
        }
        (bisect.lower().unwrap(), tried)
    }

    #[test]
    fn every_size_is_found_in_few_steps() {
        for ceiling in [1500, 9000] {
            for size in 68..=ceiling {
                let (found, tried) = search(size, ceiling, false);
                assert_eq!(found, size, "{tried:?}");
                assert!(tried.len() <= 22, "{size}: {tried:?}");
            }
        }
    }

    #[test]
    fn what_fits_takes_one_and_what_is_told_three() {
        assert_eq!(search(1500, 1500, false), (1500, vec![1500]));
        assert_eq!(search(1433, 1500, true), (1433, vec![1500, 1433, 1434]));
        assert_eq!(search(1400, 1450, false).1.last(), Some(&1401));
    }

    #[test]
    fn what_gets_there_refutes_what_failed_below() {
        let mut bisect = Bisect::new(1500);
        bisect.fits(100);
        bisect.fails(1500, Failed::Silent);
        bisect.fails(1400, Failed::Told);
        bisect.fits(1450);
        assert_eq!(bisect.upper(), Some((1500, Failed::Silent)));
        bisect.fails(1450, Failed::Silent);
        assert_eq!((bisect.lower(), bisect.upper()), (Some(1450), Some((1500, Failed::Silent))));
        bisect.fits(1500);
        assert_eq!((bisect.next(), bisect.upper()), (None, None));
    }
}
