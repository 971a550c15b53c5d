//! The slots that the last packet of a direction was counted for, on this CPU. Traffic comes in bursts: the next packet mostly
//! has the same ends, and a comparison of them spares the search in the table and, for WireGuard, that in the trie.

use probe_common::keys::IfaceConfig;

/// What a packet was looked up by, `N` words of it, and what was found. Integers only, no padding: it lives in a map.
#[repr(C)]
pub(crate) struct Recent<const N: usize> {
    /// What the tables were when it was looked up, see [`generation`]; 0 before the first packet.
    generation: u64,
    words: [u64; N],
    pub(crate) found: Found,
}

/// The slots of a packet.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Found {
    /// The peer's slot.
    pub(crate) peer: u32,
    /// On a tunnel device the pod's slot, below it the tunnel's.
    pub(crate) other: u32,
    /// What the outer packet adds on the way to the peer; on WireGuard devices only.
    pub(crate) overhead: u32,
    pub(crate) reserved: u32,
}

impl<const N: usize> Recent<N> {
    /// It is of a packet with these ends, and the tables have not changed since.
    #[inline(always)]
    pub(crate) fn is(&self, words: &[u64; N], generation: u64) -> bool {
        let mut is = self.generation == generation;
        for (kept, word) in self.words.iter().zip(words) {
            is = is && kept == word;
        }
        is
    }

    /// Keeps what was found for them.
    #[inline(always)]
    pub(crate) fn keep(&mut self, words: &[u64; N], generation: u64) {
        self.generation = generation;
        self.words = *words;
    }
}

/// Counts the changes of the tables, never 0. To be read before the search.
#[inline(always)]
pub(crate) fn generation(config: &IfaceConfig) -> u64 {
    u64::from(config.generation) + 1
}
