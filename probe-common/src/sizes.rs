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
#[inline(always)]
pub const fn bucket(bytes: u32, budget: u32) -> usize {
    if bytes > budget {
        return OVER;
    }
    if bytes.saturating_add(EDGE_BYTES) > budget {
        return EDGE;
    }
    // A chain of sums, not a loop: the compiler makes it branch-free, and the verifier sees a bound.
    let mut index = 0;
    let mut i = 0;
    while i < BOUNDS.len() {
        index += (bytes > BOUNDS[i]) as usize;
        i += 1;
    }
    index
}
