//! Compression: one zstd frame (RFC 8878) for each frame of a recording. What is unpacked is never more than was asked for.

use ruzstd::{
    decoding::{BlockDecodingStrategy, FrameDecoder},
    encoding::{CompressionLevel, compress_to_vec},
};

/// How far back what is unpacked refers, at most; more than is ever written.
const WINDOW: u64 = 8 << 20;

/// Unpacked at once.
const STEP: usize = 1 << 20;

/// Compresses.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// What was compressed; none where it is broken or longer than `longest`.
pub(super) fn unpack(packed: &[u8], longest: usize) -> Option<Vec<u8>> {
    unpack_within(packed, longest, WINDOW)
}

/// The same where it refers to no more than `window` bytes before.
pub(super) fn unpack_within(mut packed: &[u8], longest: usize, window: u64) -> Option<Vec<u8>> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(window);
    decoder.init(&mut packed).ok()?;
    let mut bytes = Vec::new();
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut packed, BlockDecodingStrategy::UptoBytes(STEP)).ok()?;
        // Nothing, while all of it may be referred to.
        bytes.extend(decoder.collect().unwrap_or_default());
        if bytes.len() > longest {
            return None;
        }
    }
    packed.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_the_same_after(bytes: Vec<u8>, times in 1..4_usize) {
            let bytes = bytes.repeat(times * 1000);
            prop_assert_eq!(unpack(&pack(&bytes), usize::MAX), Some(bytes));
        }

        #[test]
        fn broken_bytes_are_none_or_others(bytes in proptest::collection::vec(0..4_u8, 1..3000), at: usize, with in 1..=u8::MAX) {
            let mut packed = pack(&bytes);
            prop_assert_eq!(unpack(&packed[..packed.len() - 1], usize::MAX), None);
            let at = at % packed.len();
            packed[at] ^= with;
            unpack(&packed, usize::MAX);
        }
    }

    /// A block that repeats one byte takes four bytes for 128 KiB.
    #[test]
    fn what_is_small_and_would_be_large_is_refused() {
        let block = |is_last: u32| ((128 << 10) << 3 | 1 << 1 | is_last).to_le_bytes();
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
        for number in 0..1000 {
            bomb.extend(&block(u32::from(number == 999))[..3]);
            bomb.push(b'x');
        }
        assert_eq!(unpack(&bomb, 200 << 20).map(|bytes| bytes.len()), Some(1000 * (128 << 10)));
        assert_eq!(unpack(&bomb, 10 << 20), None);
        // A window of a terabyte.
        assert_eq!(unpack(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0xf0, 1, 0, 0], 1 << 20), None);
    }
}
