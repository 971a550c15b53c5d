//! Numbers of a frame as bytes, given those of the frame before.
//!
//! Counters grow, and together: what leaves by a tunnel is counted there and below it, and outer bytes are inner bytes and so many for
//! each packet. So a number is first guessed, of what others were in the frame before and are in this one: writer and reader guess the
//! same. What is written is how wrong that is: its sign and how many bits it has as a byte, of which there are few different ones, and
//! the bits themselves without a gap. Where there is a reason for the guess, nothing is written for one that is right, and for one that is
//! wrong how many were right since the last.

/// How far back a number is looked for that grew as much.
const BACK: usize = 32;

/// Grown less than this, they are the same by chance.
const BY_CHANCE: u64 = 16;

/// Bytes for each packet of the largest tunnel header, and more.
const PER_PACKET: u64 = 256;

/// Marks a difference that is less than nothing.
const NEGATIVE: u8 = 0x80;

/// By how much the number in a place grows, by what grew in the frame before and by what grew until here in this one; none where
/// nothing says so.
fn guess(before: &[u64], now: &[u64]) -> Option<u64> {
    let at = now.len();
    let grew = *before.get(at)?;
    if grew == 0 {
        // What stands still goes on doing so.
        return Some(0);
    }
    if grew < BY_CHANCE {
        return None;
    }
    for back in 1..=BACK.min(at) {
        if before[at - back] == grew {
            return Some(now[at - back]);
        }
    }
    let [.., packets, bytes] = before[..at] else { return None };
    let [.., packets_now, bytes_now] = *now else { return None };
    let more = grew.checked_sub(bytes)?;
    let each = more.checked_div(packets)?;
    let is_exact = each > 0 && each <= PER_PACKET && each * packets == more;
    is_exact.then(|| bytes_now.wrapping_add(packets_now.wrapping_mul(each)))
}

/// Bytes with the numbers of a frame.
#[derive(Default)]
pub(super) struct Packed {
    /// Sign and length of each.
    pub(super) lengths: Vec<u8>,
    /// The bits, the lowest first, without the highest of each, which is 1.
    pub(super) bits: Vec<u8>,
    /// Bits in the last byte; none for 8.
    used: u32,
    /// For each guess that is wrong, how many were right since the last.
    pub(super) wrong: Vec<u8>,
    /// Guesses that were right since then.
    right: u64,
}

impl Packed {
    /// Adds the numbers of a part: by how much each has grown. `before` is the same of the frame before, or empty.
    pub(super) fn put(&mut self, before: &[u64], grown: &[u64]) {
        for (at, grew) in grown.iter().enumerate() {
            let guess = guess(before, &grown[..at]);
            let wrong = grew.wrapping_sub(guess.unwrap_or_default()).cast_signed();
            if guess.is_some() {
                if wrong == 0 {
                    self.right += 1;
                    continue;
                }
                put(&mut self.wrong, std::mem::take(&mut self.right));
            }
            let size = wrong.unsigned_abs();
            let length = u64::BITS - size.leading_zeros();
            let sign = if wrong < 0 { NEGATIVE } else { 0 };
            self.lengths.push(sign | u8::try_from(length).unwrap_or_default());
            for bit in 0..length.saturating_sub(1) {
                self.bit(size >> bit & 1 == 1);
            }
        }
    }

    fn bit(&mut self, is_set: bool) {
        if self.used == 0 {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u8::from(is_set) << self.used;
        }
        self.used = (self.used + 1) % 8;
    }
}

/// Reads what [`Packed`] has written.
#[derive(Clone, Copy)]
pub(super) struct Unpacked<'a> {
    pub(super) lengths: &'a [u8],
    pub(super) bits: &'a [u8],
    /// Bits of the first byte that are read.
    used: u32,
    wrong: Bytes<'a>,
    /// Guesses that are right before the next that is not; none where all are.
    right: Option<u64>,
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(lengths: &'a [u8], wrong: &'a [u8], bits: &'a [u8]) -> Self {
        let mut wrong = Bytes(wrong);
        let right = wrong.number();
        Self { lengths, bits, used: 0, wrong, right }
    }

    /// By how much each of the next numbers has grown; none where there are not so many.
    pub(super) fn take(&mut self, before: &[u64], count: usize) -> Option<Vec<u64>> {
        // No room is made for what is not there: each takes a byte, or one in the frame before.
        if count > self.lengths.len().saturating_add(before.len()) {
            return None;
        }
        let mut grown = Vec::with_capacity(count);
        while grown.len() < count {
            let guess = guess(before, &grown);
            if let Some(guess) = guess {
                match &mut self.right {
                    Some(0) => self.right = self.wrong.number(),
                    right => {
                        *right = right.map(|right| right - 1);
                        grown.push(guess);
                        continue;
                    }
                }
            }
            let (length, rest) = self.lengths.split_first()?;
            self.lengths = rest;
            let bits = u32::from(length & !NEGATIVE);
            let mut size = match bits {
                0 => 0,
                1..=64 => 1 << (bits - 1),
                _ => return None,
            };
            for bit in 0..bits.saturating_sub(1) {
                size |= u64::from(self.bit()?) << bit;
            }
            let wrong = if length & NEGATIVE == 0 { size } else { size.wrapping_neg() };
            grown.push(guess.unwrap_or_default().wrapping_add(wrong));
        }
        Some(grown)
    }

    fn bit(&mut self) -> Option<bool> {
        let is_set = self.bits.first()? >> self.used & 1 == 1;
        self.used = (self.used + 1) % 8;
        if self.used == 0 {
            self.bits = &self.bits[1..];
        }
        Some(is_set)
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty() && self.wrong.is_empty() && self.bits.len() <= usize::from(self.used > 0)
    }
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while let [low, ..] = number.to_le_bytes()
        && number > 0x7f
    {
        out.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}

/// Reads from the front of bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// What [`put`] has written; none where that is not what stands there.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// The same as a number of bytes.
    pub(super) fn length(&mut self) -> Option<usize> {
        self.number().and_then(|number| usize::try_from(number).ok())
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), 0..300_u64, any::<u64>(), Just(u64::MAX), Just(1 << 63)]
    }

    proptest! {
        #[test]
        fn numbers_are_the_same_after(
            before in proptest::collection::vec(number(), 0..60),
            parts in proptest::collection::vec(proptest::collection::vec(number(), 0..60), 1..4),
        ) {
            let mut packed = Packed::default();
            for part in &parts {
                packed.put(&before, part);
            }
            let mut unpacked = Unpacked::new(&packed.lengths, &packed.wrong, &packed.bits);
            for part in &parts {
                let found = unpacked.take(&before, part.len());
                prop_assert_eq!(found.as_ref(), Some(part));
            }
            prop_assert!(unpacked.is_empty());
            prop_assert_eq!(unpacked.take(&[], 1), None);
        }

        #[test]
        fn one_number_is_the_same_after(number: u64) {
            let mut out = Vec::new();
            put(&mut out, number);
            prop_assert_eq!(Bytes(&out).number(), Some(number));
        }
    }

    #[test]
    fn what_follows_from_other_numbers_takes_no_bits() {
        // Packets, inner bytes, outer bytes with 50 for each packet, and the same packets below the tunnel.
        let before = [100, 90_000, 95_000, 100];
        let now = [777, 123_456, 123_456 + 777 * 50, 777];
        let mut packed = Packed::default();
        packed.put(&before, &now);
        assert_eq!(packed.lengths, [10, 17]);
        assert_eq!(packed.bits.len(), (9 + 16_usize).div_ceil(8));
        // The third of those that stood still does not any more.
        let mut packed = Packed::default();
        packed.put(&[0; 5], &[0, 0, 7, 0, 0]);
        assert_eq!((packed.lengths, packed.wrong, packed.bits), (vec![3], vec![2], vec![0b11]));
    }
}
