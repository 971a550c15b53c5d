//! IPv6 extension headers, RFC 8200 section 4.

use crate::{
    ip::Fragment,
    packet::{Packet, Short},
};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Headers followed before a packet counts as "other protocol". Section 4.1 names six kinds, each once, with
/// destination options twice.
const MAX_HEADERS: u32 = 7;

/// No chain of [`MAX_HEADERS`] headers of at most 2,048 bytes is longer.
const MAX_BYTES: u32 = 0x3fff;

/// True for the extension headers that have a "next header" field where we can follow it.
#[inline(always)]
pub const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

/// What the chain of extension headers says, in one word: a function of its own can return it in a register, which
/// keeps the verifier from following every chain through the rest of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions(pub u64);

/// In place of [`Extensions`] when the packet ends first: no real word has a header of zero bytes.
pub const SHORT: u64 = 0;

impl Extensions {
    #[inline(always)]
    const fn new(bytes: u32, protocol: u8, fragment: u64, id_offset: u32) -> Self {
        Self((bytes as u64) | ((id_offset as u64) << 16) | ((protocol as u64) << 32) | (fragment << 40))
    }

    /// Bytes of all extension headers.
    #[inline(always)]
    pub const fn bytes(self) -> u32 {
        self.field(0, 0xffff)
    }

    /// Transport protocol behind them; 0 (an extension header itself) when they go on too long.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        let [protocol, ..] = self.field(32, 0xff).to_le_bytes();
        protocol
    }

    /// Whole packet, first fragment, later fragment.
    #[inline(always)]
    pub const fn fragment(self) -> Fragment {
        match self.field(40, 3) {
            0 => Fragment::None,
            1 => Fragment::First,
            _ => Fragment::Later,
        }
    }

    /// Where the identification of a fragment is, counted from the first extension header.
    #[inline(always)]
    pub const fn id_offset(self) -> u32 {
        self.field(16, 0xffff)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the mask has at most 16 bits")]
    const fn field(self, shift: u32, mask: u64) -> u32 {
        ((self.0 >> shift) & mask) as u32
    }
}

/// Where a walk along the chain is. It lives in a map value and is read back in every round.
///
/// The verifier follows every known value through every branch that it decides; of what comes out of a map it knows
/// nothing. So each round looks the same to it, and it walks the chain once and not once for each possible chain:
/// before Linux 6.4 that would be more than it is willing to do, because a program with functions of its own has every
/// number compared exactly (`__mark_reg_unknown` in kernel/bpf/verifier.c).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Walk {
    bytes: u32,
    id_offset: u32,
    protocol: u32,
    fragment: u32,
}

/// Follows the chain that starts at `start` with a header of kind `protocol`; [`SHORT`] when the packet ends first.
#[inline(always)]
pub fn walk<P: Packet + ?Sized>(packet: &P, start: u32, protocol: u8, state: &mut Walk) -> u64 {
    follow(packet, start, protocol, state).map_or(SHORT, |extensions| extensions.0)
}

#[inline(always)]
fn follow<P: Packet + ?Sized>(
    packet: &P,
    start: u32,
    protocol: u8,
    state: &mut Walk,
) -> Result<Extensions, Short> {
    keep(state, Walk { bytes: 0, id_offset: 0, protocol: protocol.into(), fragment: 0 });
    for _ in 0..MAX_HEADERS {
        let mut now = recall(state);
        let [protocol, ..] = now.protocol.to_le_bytes();
        // What follows a later fragment's header is data from the middle of the datagram.
        if !is_extension(protocol) || now.fragment == 2 {
            break;
        }
        let at = start + (now.bytes & MAX_BYTES);
        let next = packet.u8(at)?;
        let length = u32::from(packet.u8(at + 1)?);
        if protocol == FRAGMENT {
            let offset_flags = packet.u16(at + 2)?;
            // Offset 0 without "more" is an atomic fragment, RFC 6946: whole.
            if offset_flags & 0xfff9 != 0 {
                now.id_offset = now.bytes + 4;
                now.fragment = if offset_flags & 0xfff8 == 0 { 1 } else { 2 };
            }
        }
        now.bytes += match protocol {
            FRAGMENT => 8,
            // RFC 4302: in units of 4 bytes, minus 2.
            AUTHENTICATION => (length + 2) * 4,
            _ => (length + 1) * 8,
        };
        now.protocol = next.into();
        keep(state, now);
    }
    let end = recall(state);
    let [protocol, ..] = end.protocol.to_le_bytes();
    // Too many of them: what comes behind is not known.
    let known = !is_extension(protocol) || end.fragment == 2;
    Ok(Extensions::new(end.bytes, if known { protocol } else { 0 }, end.fragment.into(), end.id_offset))
}

#[inline(always)]
fn keep(state: &mut Walk, now: Walk) {
    // SAFETY: a live reference; volatile, so that it is really written.
    unsafe { (&raw mut *state).write_volatile(now) }
}

#[inline(always)]
fn recall(state: &Walk) -> Walk {
    // SAFETY: a live reference; volatile, so that it is really read back.
    unsafe { (&raw const *state).read_volatile() }
}
