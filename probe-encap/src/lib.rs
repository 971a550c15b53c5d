//! How long the kernel takes from a tunnel's transmit hook to that of the device below: the layout that both sides agree on byte by byte,
//! and the classes that times are counted in. Built and tested on the host; maps and programs are in the binary.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "BPF calls cost more than the code they would save, and the verifier loses track across them"
)]

/// Of so many socket buffers that a CPU hands to the tunnel one is timed. With GSO a buffer is 64 KiB: a stream of a second has some ten
/// thousand, one of 50 ms some hundreds.
pub const EVERY: u32 = 16;

/// What a CPU knows of the buffer that it is encapsulating. A CPU encapsulates one buffer at a time: from one hook to the other soft
/// interrupts are off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Mark {
    /// When the buffer came to the tunnel, `bpf_ktime_get_ns`.
    pub at: u64,
    /// Timed buffers that did not come to the device below before the next buffer came to the tunnel.
    pub unmatched: u64,
    /// The buffer's hash, which encapsulation keeps; 0 while none is timed.
    pub hash: u32,
    /// Buffers that came to the tunnel.
    pub seen: u32,
}

/// Each power of two is divided into so many classes: a class is an eighth of its times wide at most.
const PARTS: u32 = 1 << PART_BITS;
const PART_BITS: u32 = 3;
/// Longer times, from 2 to the power of this in nanoseconds on (17 ms), are in the last class.
const LONGEST_BITS: u32 = 24;
/// Number of classes.
pub const CLASSES: u32 = (LONGEST_BITS - PART_BITS + 1) * PARTS;

/// The class of a time in nanoseconds.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below 8, and below 16 once shifted")]
pub const fn class(ns: u64) -> u32 {
    if ns < PARTS as u64 {
        return ns as u32;
    }
    if ns >> LONGEST_BITS != 0 {
        return CLASSES - 1;
    }
    let shift = ns.ilog2() - PART_BITS;
    shift * PARTS + (ns >> shift) as u32
}

/// The shortest time of a class in nanoseconds; of the number behind the last one where the last one ends.
pub const fn shortest(class: u32) -> u64 {
    if class < 2 * PARTS {
        return class as u64;
    }
    ((PARTS + class % PARTS) as u64) << (class / PARTS - 1)
}

// No padding: the size is the sum of the fields.
const _: () = assert!(size_of::<Mark>() == 2 * 8 + 2 * 4);

/// Implements `aya::Pod`.
#[cfg(feature = "user")]
mod user {
    use super::Mark;

    // SAFETY: repr(C), integers only, no padding (asserted above), any bit pattern valid.
    unsafe impl aya::Pod for Mark {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_its_class() {
        for of in 0..CLASSES {
            let (first, next) = (shortest(of), shortest(of + 1));
            assert!(first < next, "{of}");
            assert_eq!((class(first), class(next - 1)), (of, of), "{first} to {next}");
            assert!(next - first <= (first / u64::from(PARTS)).max(1), "{first} to {next}");
        }
        assert_eq!(shortest(CLASSES), 1 << LONGEST_BITS);
        assert_eq!([1 << LONGEST_BITS, u64::MAX].map(class), [CLASSES - 1; 2]);
    }
}
