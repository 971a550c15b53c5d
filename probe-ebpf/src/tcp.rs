//! TCP (RFC 9293), as far as the programs look into it: the segment size that a SYN announces.

use crate::packet::{Packet, Short};

/// Bytes of the header without options.
pub const HEADER_BYTES: u32 = 20;
/// Bytes of the longest header. A SYN without data is not longer.
pub const LONGEST_HEADER: u32 = 60;

const SYN: u8 = 0x02;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Options that are looked at. The one that is looked for comes first in what all common systems send.
const OPTIONS: u32 = 8;

/// Bytes of the header, as it says itself; below [`HEADER_BYTES`] in one that is broken.
#[inline(always)]
pub fn data_offset<P: Packet + ?Sized>(packet: &P, at: u32) -> Result<u32, Short> {
    Ok(u32::from(packet.u8(at + 12)? >> 4) * 4)
}

/// The maximum segment size that the segment at `at` announces, in bytes of payload: how much its receiver may send back in one
/// segment (RFC 9293 section 3.7.1, RFC 6691). 0 when it announces none; none when it is no SYN.
#[inline(always)]
pub fn announced_mss<P: Packet + ?Sized>(packet: &P, at: u32) -> Result<Option<u32>, Short> {
    let end = at + data_offset(packet, at)?;
    if packet.u8(at + 13)? & SYN == 0 {
        return Ok(None);
    }
    let mut option = at + HEADER_BYTES;
    for _ in 0..OPTIONS {
        // Whatever the options before were: the same to the verifier.
        let [here, end] = packet.forget([option, end])?;
        if here >= end {
            break;
        }
        match packet.u8(here)? {
            END => break,
            NO_OPERATION => option = here + 1,
            MAXIMUM_SEGMENT_SIZE => return packet.u16(here + 2).map(|bytes| Some(bytes.into())),
            _ => {
                let bytes = packet.u8(here + 1)?;
                if bytes < 2 {
                    break;
                }
                option = here + u32::from(bytes);
            }
        }
    }
    Ok(Some(0))
}
