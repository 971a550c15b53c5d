//! From the kernel's bytes to facts: one file per table, and here the walk over frames and attributes.
//!
//! Own decoding, because the netlink crates reject a whole message for one attribute that nobody here reads (a
//! newer kernel's size, a name that is no UTF-8) and their codec then drops it without telling. Here only what is read
//! is checked, and every message left out is counted in [`Problems`]. Nothing indexes: a length that lies gives an
//! error. No sockets here.

mod address;
mod bridge_vlan;
mod conf;
mod ethtool;
mod exception;
mod generic;
mod link;
mod link_data;
mod namespace;
mod neighbour;
mod neighbour_state;
mod program;
mod route;
mod rule;
mod statistics;
mod vf;
mod wireguard;

use std::{collections::BTreeMap, net::IpAddr};

pub(super) use self::{
    address::address,
    bridge_vlan::bridge_vlans,
    ethtool::{channels, features},
    exception::exception,
    generic::{family, family_name},
    link::link,
    namespace::nsid,
    neighbour::{Neighbour, neighbour},
    neighbour_state::neighbour_state,
    program::{filter_program, xdp_programs},
    route::{routes, routes_of},
    rule::rule,
    statistics::link_statistics,
    vf::{link_counters, vf_list},
    wireguard::WireguardDevice,
};
use super::error::DecodeError;
use crate::mac::Mac;

/// Kinds of problems that are told apart; a kernel that sends more is described well enough by these.
const MAX_PROBLEMS: usize = 16;

/// Messages that were left out, by cause.
#[derive(Debug, Default)]
pub(super) struct Problems {
    causes: BTreeMap<DecodeError, u64>,
    further: u64,
}

impl Problems {
    /// Counts one.
    pub(super) fn add(&mut self, cause: DecodeError) {
        if let Some(count) = self.causes.get_mut(&cause) {
            *count += 1;
        } else if self.causes.len() < MAX_PROBLEMS {
            self.causes.insert(cause, 1);
        } else {
            self.further += 1;
        }
    }

    /// One line per cause.
    pub(super) fn lines(self) -> impl Iterator<Item = String> {
        let further = (self.further > 0)
            .then(|| format!("{} more netlink messages left out, for other causes", self.further));
        self.causes
            .into_iter()
            .map(|(cause, count)| format!("{count} netlink message(s) left out: {cause}"))
            .chain(further)
    }
}

/// One netlink message in a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// `nlmsg_type`.
    pub(super) kind: u16,
    /// `nlmsg_flags`.
    pub(super) flags: u16,
    /// `nlmsg_seq`.
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

/// Bytes of `struct nlmsghdr`.
pub(super) const FRAME_HEADER: usize = 16;

/// The messages of one datagram. Ends with `Err` where the bytes stop making sense.
pub(super) fn frames(datagram: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, ()>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = frame(rest);
        rest = match &frame {
            Some((_, len)) => rest.get(aligned(*len)..).unwrap_or_default(),
            None => &[],
        };
        Some(frame.map(|(frame, _)| frame).ok_or(()))
    })
}

fn frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let len = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let frame = Frame {
        kind: u16_at(bytes, 4)?,
        flags: u16_at(bytes, 6)?,
        sequence: u32_at(bytes, 8)?,
        payload: bytes.get(FRAME_HEADER..len)?,
    };
    Some((frame, len))
}

/// A message split into its fixed part and its attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    name: &'static str,
    fixed: &'a [u8],
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Splits `payload` after its fixed part, whose size is a multiple of 4 in every rtnetlink message.
    pub(super) fn new(name: &'static str, payload: &'a [u8], fixed: usize) -> Result<Self, DecodeError> {
        match payload.split_at_checked(fixed) {
            Some((fixed, attributes)) => Ok(Self { name, fixed, attributes }),
            None => Err(DecodeError::Short { message: name, len: payload.len(), need: fixed }),
        }
    }

    fn u8(&self, at: usize) -> u8 {
        self.fixed.get(at).copied().unwrap_or(0)
    }

    fn u16(&self, at: usize) -> u16 {
        u16_at(self.fixed, at).unwrap_or(0)
    }

    fn u32(&self, at: usize) -> u32 {
        u32_at(self.fixed, at).unwrap_or(0)
    }

    fn missing(&self, what: &'static str) -> DecodeError {
        DecodeError::Missing { message: self.name, what }
    }

    fn attributes(&self) -> impl Iterator<Item = Result<Attribute<'a>, DecodeError>> + use<'a> {
        attributes(self.name, self.attributes)
    }
}

/// One attribute, with the message it came from for the error's sake.
#[derive(Clone, Copy, Debug)]
struct Attribute<'a> {
    message: &'static str,
    kind: u16,
    value: &'a [u8],
}

/// The attributes in `bytes`. Ends after the first one whose length does not fit; fewer bytes than a header at the end
/// are ignored as the kernel's own `nla_for_each_attr` ignores them.
fn attributes<'a>(
    message: &'static str,
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<Attribute<'a>, DecodeError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, kind) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
        let len = usize::from(len);
        // The two upper bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
        let kind = kind & 0x3fff;
        let Some(value) = rest.get(4..len) else {
            rest = &[];
            return Some(Err(DecodeError::Overrun { message, attribute: kind, len }));
        };
        rest = rest.get(aligned(len)..).unwrap_or_default();
        Some(Ok(Attribute { message, kind, value }))
    })
}

impl<'a> Attribute<'a> {
    fn wrong_size(&self) -> DecodeError {
        DecodeError::Size { message: self.message, attribute: self.kind, len: self.value.len() }
    }

    fn exactly<const N: usize>(&self) -> Result<[u8; N], DecodeError> {
        self.value.try_into().ok().ok_or_else(|| self.wrong_size())
    }

    fn u8(&self) -> Result<u8, DecodeError> {
        self.exactly::<1>().map(|[value]| value)
    }

    fn u16(&self) -> Result<u16, DecodeError> {
        self.exactly().map(u16::from_ne_bytes)
    }

    fn u16_be(&self) -> Result<u16, DecodeError> {
        self.exactly().map(u16::from_be_bytes)
    }

    fn u32(&self) -> Result<u32, DecodeError> {
        self.exactly().map(u32::from_ne_bytes)
    }

    fn u64(&self) -> Result<u64, DecodeError> {
        self.exactly().map(u64::from_ne_bytes)
    }

    fn i32(&self) -> Result<i32, DecodeError> {
        self.exactly().map(i32::from_ne_bytes)
    }

    /// An address of either family, told apart by its size.
    fn ip(&self) -> Result<IpAddr, DecodeError> {
        ip(self.value).ok_or_else(|| self.wrong_size())
    }

    /// A link-layer address, when it is one of Ethernet.
    fn mac(&self) -> Option<Mac> {
        self.value.try_into().ok().map(Mac)
    }

    /// Text up to the first NUL. What is no UTF-8 is replaced: the kernel takes any byte in a name.
    fn text(&self) -> String {
        let end = self.value.iter().position(|&byte| byte == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(self.value.get(..end).unwrap_or_default()).into_owned()
    }

    fn nested(&self) -> impl Iterator<Item = Result<Attribute<'a>, DecodeError>> + use<'a> {
        attributes(self.message, self.value)
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// `NLMSG_ALIGN` and `NLA_ALIGN`. Saturates: a length near the top never fits anything anyway.
fn aligned(len: usize) -> usize {
    len.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
mod tests;
