//! The headers of a dropped packet, from bytes that were copied out of it.

use probe_common::keys::Address;

use crate::layout::HAS_VNI;

const IPV4_BYTES: u32 = 20;
const IPV6_BYTES: u32 = 40;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// Bytes of the longest header without options.
pub const IP_BYTES: usize = IPV6_BYTES as usize;
/// UDP's header, and VXLAN's behind it.
pub const UDP_BYTES: usize = 16;

/// What an IP header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// 4 or 6.
    pub version: u32,
    /// Protocol of the payload; of IPv6 the next header.
    pub protocol: u8,
    /// Bytes of the header.
    pub length: u32,
    /// The payload begins with that protocol's header: it is no later fragment.
    pub is_first: bool,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
}

impl Headers {
    /// None for what is no IP header.
    #[inline(always)]
    pub fn read(bytes: &[u8; IP_BYTES]) -> Option<Self> {
        match bytes[0] >> 4 {
            4 => {
                let length = u32::from(bytes[0] & 15) * 4;
                let fragment = u16::from_be_bytes([bytes[6], bytes[7]]) & 0x1fff;
                (length >= IPV4_BYTES).then_some(Self {
                    version: 4,
                    protocol: bytes[9],
                    length,
                    is_first: fragment == 0,
                    source: mapped([bytes[12], bytes[13], bytes[14], bytes[15]]),
                    destination: mapped([bytes[16], bytes[17], bytes[18], bytes[19]]),
                })
            }
            6 => Some(Self {
                version: 6,
                protocol: bytes[6],
                length: IPV6_BYTES,
                is_first: true,
                source: address(bytes, 8),
                destination: address(bytes, 24),
            }),
            _ => None,
        }
    }

    /// True for a destination that is a group or everybody.
    #[inline(always)]
    pub fn is_group(&self) -> bool {
        let octets = &self.destination.octets;
        if self.version == 6 {
            octets[0] == 0xff
        } else {
            octets[12] >> 4 == 14 || (octets[12] & octets[13] & octets[14] & octets[15]) == 0xff
        }
    }
}

#[inline(always)]
fn mapped(octets: [u8; 4]) -> Address {
    let [a, b, c, d] = octets;
    Address { octets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] }
}

#[inline(always)]
fn address(bytes: &[u8; IP_BYTES], at: usize) -> Address {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Address { octets }
}

/// UDP's ports, source first.
#[inline(always)]
pub const fn ports(bytes: &[u8; UDP_BYTES]) -> [u16; 2] {
    [u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]])]
}

/// The VNI behind the ports, as [`crate::DropCount::vni`] has it; 0 where the header has none (RFC 7348: the I flag).
#[inline(always)]
pub const fn vni(bytes: &[u8; UDP_BYTES]) -> u32 {
    if bytes[8] & 8 == 0 { 0 } else { u32::from_be_bytes([0, bytes[12], bytes[13], bytes[14]]) | HAS_VNI }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(first: u8, fragment: [u8; 2], destination: [u8; 4]) -> [u8; IP_BYTES] {
        let mut bytes = [0; IP_BYTES];
        bytes[0] = first;
        bytes[6..8].copy_from_slice(&fragment);
        bytes[9] = UDP;
        bytes[12..16].copy_from_slice(&[192, 0, 2, 1]);
        bytes[16..20].copy_from_slice(&destination);
        bytes
    }

    #[test]
    fn ipv4_with_options_fragments_and_groups() {
        let read = Headers::read(&ipv4(0x46, [0x20, 0], [10, 42, 1, 2])).unwrap();
        assert_eq!((read.version, read.protocol, read.length, read.is_first), (4, UDP, 24, true));
        assert_eq!(read.source, mapped([192, 0, 2, 1]));
        assert!(!Headers::read(&ipv4(0x45, [0, 1], [10, 42, 1, 2])).unwrap().is_first);
        for (destination, is_group) in [
            ([10, 42, 1, 2], false),
            ([224, 0, 0, 22], true),
            ([239, 1, 1, 1], true),
            ([255; 4], true),
            ([240, 0, 0, 1], false),
        ] {
            assert_eq!(
                Headers::read(&ipv4(0x45, [0; 2], destination)).unwrap().is_group(),
                is_group,
                "{destination:?}"
            );
        }
        assert_eq!(Headers::read(&ipv4(0x44, [0; 2], [10, 0, 0, 1])), None, "shorter than a header");
        assert_eq!(Headers::read(&[0; IP_BYTES]), None);
    }

    #[test]
    fn ipv6() {
        let mut bytes = [0; IP_BYTES];
        (bytes[0], bytes[6], bytes[8], bytes[24]) = (0x60, 58, 0xfe, 0xff);
        let read = Headers::read(&bytes).unwrap();
        assert_eq!((read.version, read.protocol, read.length, read.is_group()), (6, 58, 40, true));
        assert_eq!((read.source.octets[0], read.destination.octets[0]), (0xfe, 0xff));
        bytes[24] = 0xfd;
        assert!(!Headers::read(&bytes).unwrap().is_group());
    }

    #[test]
    fn ports_and_vni() {
        let mut bytes = [0; UDP_BYTES];
        bytes[..4].copy_from_slice(&[0xc3, 0x50, 0x21, 0x18]);
        assert_eq!((ports(&bytes), vni(&bytes)), ([50_000, 8472], 0));
        bytes[8] = 8;
        bytes[12..15].copy_from_slice(&[0, 1, 2]);
        assert_eq!(vni(&bytes), HAS_VNI | 0x0102);
    }
}
