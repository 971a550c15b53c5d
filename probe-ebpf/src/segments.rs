//! What one socket buffer becomes on the wire: GSO and GRO buffers hold many packets.

/// `gso_size` of a buffer whose segments are as its fragments are (`GSO_BY_FRAGS` in include/linux/skbuff.h): SCTP.
const GSO_BY_FRAGS: u32 = 0xffff;

/// The packets of one socket buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How many.
    pub packets: u64,
    /// Their bytes together, each with its own headers.
    pub bytes: u64,
    /// Size of each but the last.
    pub full: u32,
    /// Size of the last.
    pub last: u32,
}

impl Segments {
    /// One packet of `bytes`.
    #[inline(always)]
    pub const fn one(bytes: u32) -> Self {
        Self { packets: 1, bytes: bytes as u64, full: bytes, last: bytes }
    }

    /// Splits `bytes`, of which the first `header` are repeated in every segment, as `skb_segment` and
    /// `udp_gso_segment` do: `gso_size` payload bytes each, the rest in the last.
    ///
    /// The count is taken from the bytes and not from `gso_segs`, which is 0 for buffers of virtual machines
    /// (`SKB_GSO_DODGY`) and follows the payload for all others.
    #[inline(always)]
    pub const fn split(bytes: u32, header: u32, gso_size: u32, gso_segs: u32) -> Self {
        if gso_size == 0 || header == 0 || bytes <= header {
            return Self::one(bytes);
        }
        if gso_size >= GSO_BY_FRAGS {
            return Self::unequal(bytes, header, gso_segs);
        }
        let payload = bytes - header;
        let packets = payload.div_ceil(gso_size);
        let last = payload - (packets - 1) * gso_size;
        Self {
            packets: packets as u64,
            bytes: payload as u64 + packets as u64 * header as u64,
            full: if packets > 1 { gso_size + header } else { bytes },
            last: last + header,
        }
    }

    /// Segments of sizes that only the fragment list knows: the count and the sum are exact, the sizes are the mean.
    #[inline(always)]
    const fn unequal(bytes: u32, header: u32, gso_segs: u32) -> Self {
        if gso_segs < 2 {
            return Self::one(bytes);
        }
        let mean = (bytes - header) / gso_segs + header;
        Self {
            packets: gso_segs as u64,
            bytes: bytes as u64 + (gso_segs as u64 - 1) * header as u64,
            full: mean,
            last: mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_has_its_own_headers() {
        for (bytes, header, gso, segs, packets, total, full, last) in [
            // Not GSO.
            (1450, 52, 0, 0, 1, 1450, 1450, 1450),
            // 46 full TCP segments of 1398 payload: the buffer of domain.md, L2 left out.
            (46 * 1398 + 52, 52, 1398, 46, 46, 46 * 1450, 1450, 1450),
            // A remainder of one byte.
            (2 * 1398 + 1 + 52, 52, 1398, 3, 3, 2 * 1450 + 53, 1450, 53),
            // `gso_segs` missing.
            (2 * 1398 + 52, 52, 1398, 0, 2, 2 * 1450, 1450, 1450),
            // GSO size set but only one segment.
            (500, 52, 1398, 1, 1, 500, 500, 500),
            // Headers that could not be read.
            (5000, 0, 1398, 4, 1, 5000, 5000, 5000),
            // SCTP.
            (3032, 32, 0xffff, 3, 3, 3032 + 64, 1032, 1032),
        ] {
            let split = Segments::split(bytes, header, gso, segs);
            assert_eq!(split, Segments { packets, bytes: total, full, last }, "{bytes} {header} {gso}");
        }
    }
}
