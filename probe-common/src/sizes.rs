//! Packet-size histogram. Absolute buckets for the body, two relative ones that show the MTU edge.

/// Upper bounds (inclusive, bytes of the inner IP packet) of the absolute buckets; the next bucket has no bound.
pub const BOUNDS: [u32; 9] = [64, 128, 256, 512, 768, 1024, 1280, 1536, 4096];

/// Index of the absolute bucket without an upper bound.
pub const REST: usize = BOUNDS.len();
/// Index of the bucket "at the edge": within [`EDGE_BYTES`] below the budget, the budget included.
pub const EDGE: usize = REST + 1;
/// Index of the bucket "over": larger than the budget.
pub const OVER: usize = REST + 2;
/// Number of buckets.
pub const BUCKETS: usize = REST + 3;

/// Width of the edge bucket in bytes: wide enough for every encapsulation's overhead difference (20, 30, 50).
pub const EDGE_BYTES: u32 = 64;

/// The bucket of an inner IP packet of `bytes` on a tunnel whose largest carried packet is `budget` bytes.
///
/// The two relative buckets win over the absolute ones. Always below [`BUCKETS`].
#[inline]
pub const fn bucket(bytes: u32, budget: u32) -> usize {
    if bytes > budget {
        return OVER;
    }
    if budget - bytes < EDGE_BYTES {
        return EDGE;
    }
    let mut i = 0;
    while i < BOUNDS.len() {
        if bytes <= BOUNDS[i] {
            return i;
        }
        i += 1;
    }
    REST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_meet_without_gap_or_overlap() {
        for (bytes, budget, expected) in [
            (0, 1450, 0),
            (64, 1450, 0),
            (65, 1450, 1),
            (1280, 1450, 6),
            (1281, 1450, 7),
            (1386, 1450, 7),
            (1387, 1450, EDGE),
            (1450, 1450, EDGE),
            (1451, 1450, OVER),
            (1537, 8950, 8),
            (4097, 8950, REST),
            (8886, 8950, REST),
            (8887, 8950, EDGE),
            (8950, 8950, EDGE),
            (65_535, 8950, OVER),
            (1, 0, OVER),
            (u32::MAX, u32::MAX, EDGE),
        ] {
            assert_eq!(bucket(bytes, budget), expected, "{bytes} of {budget}");
        }
    }
}
