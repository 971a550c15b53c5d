//! Access to a packet's bytes. Every read is checked; a read past the end is [`Short`], never a guess.

use crate::extensions::{self, Extensions, Walk};

/// The packet ends before the bytes asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

/// Where the bytes of a packet come from: the linear part of a socket buffer, all of it, or a slice in a test.
///
/// Offsets count from the first byte that the program sees: the link header where there is one.
pub trait Packet {
    /// False for a view that serves only the plain headers that nearly all packets have: then [`Short`] means "look
    /// at all of it". No VLAN tag, no IP options, no extension headers: every offset is a constant, which makes the
    /// reads fast and the verifier's work short.
    const COMPLETE: bool;

    /// One byte.
    fn u8(&self, offset: u32) -> Result<u8, Short>;
    /// Two bytes, network byte order.
    fn u16(&self, offset: u32) -> Result<u16, Short>;
    /// Four bytes as they stand in the packet.
    fn u32_raw(&self, offset: u32) -> Result<u32, Short>;

    /// The same numbers, which may be such that the verifier no longer knows them: it walks what follows once for each value
    /// that it knows.
    #[inline(always)]
    fn forget(&self, numbers: [u32; 2]) -> Result<[u32; 2], Short> {
        Ok(numbers)
    }

    /// The chain of IPv6 extension headers at `start`.
    #[inline(always)]
    fn extensions(&self, start: u32, protocol: u8) -> Result<Extensions, Short> {
        match extensions::walk(self, start, protocol, &mut Walk::default()) {
            extensions::SHORT => Err(Short),
            word => Ok(Extensions(word)),
        }
    }
}

impl Packet for [u8] {
    const COMPLETE: bool = true;

    fn u8(&self, offset: u32) -> Result<u8, Short> {
        array::<1>(self, offset).map(|[byte]| byte)
    }

    fn u16(&self, offset: u32) -> Result<u16, Short> {
        array(self, offset).map(u16::from_be_bytes)
    }

    fn u32_raw(&self, offset: u32) -> Result<u32, Short> {
        array(self, offset).map(u32::from_ne_bytes)
    }
}

fn array<const N: usize>(bytes: &[u8], offset: u32) -> Result<[u8; N], Short> {
    bytes.get(offset as usize..).and_then(<[u8]>::first_chunk).copied().ok_or(Short)
}
