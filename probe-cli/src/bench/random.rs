//! Random order from a seed: the same seed gives the same order. Nothing here is secret.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not zero; the bias of the remainder is below 2^-50 for what is ordered here.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Puts items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let at = self.below(end + 1);
            items.swap(at, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_order_and_every_place_is_as_likely() {
        assert_eq!(Random::new(1).bits(), Random::new(1).bits());
        let mut random = Random::new(7);
        let mut first = [0_u32; 6];
        for _ in 0..6000 {
            let mut items: Vec<usize> = (0..6).collect();
            random.shuffle(&mut items);
            first[items[0]] += 1;
            items.sort_unstable();
            assert_eq!(items, (0..6).collect::<Vec<_>>());
        }
        assert!(first.iter().all(|count| (900..1100).contains(count)), "{first:?}");
    }
}
