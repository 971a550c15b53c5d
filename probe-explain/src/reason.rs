//! The reasons, by what the counting programs do with such a packet.

/// Why a packet is not counted for a pod and a peer, or not as it should be. The number is the bit in
/// [`crate::Record::reasons`] and the index of the reason's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[repr(u32)]
pub enum Reason {
    /// Neither IPv4 nor IPv6. Its pod is "other"; WireGuard does not send it.
    NotIp = 0,
    /// More VLAN tags than the two that are read. Likewise.
    Vlan = 1,
    /// It ends before the end of its headers. Likewise.
    HeaderShort = 2,
    /// Its IP header contradicts itself. Likewise.
    HeaderBroken = 3,
    /// A fragment but the first. In a tunnel its protocol is "other"; on the underlay nobody's, if the first was not seen.
    LaterFragment = 4,
    /// More IPv6 extension headers than are followed: its protocol is "other".
    Extensions = 5,
    /// To a group address: a copy leaves for every node, and the peer is "other".
    Group = 6,
    /// No peer has the MAC address: the peer is "other".
    NoPeerMac = 7,
    /// No allowed IP that is known covers the address: the peer is "other".
    NoPeerAllowed = 8,
    /// No pod has the address: the pod is "other".
    NoPod = 9,
    /// To a group address, for which the device has no destination: not sent.
    NoFlood = 10,
    /// No peer's allowed IPs cover the destination: not sent.
    NotAllowed = 11,
    /// The peer has no endpoint: not sent.
    NoEndpoint = 12,
    /// Larger than what fits in the tunnel.
    OverBudget = 13,
    /// A VXLAN packet on a tunnel's port whose VNI no tunnel has: not counted.
    NoTunnel = 14,
    /// No peer has the outer address: the peer is "other" on the underlay.
    NoPeerAddress = 15,
    /// No peer has the outer address and port as its endpoint: likewise.
    NoPeerEndpoint = 16,
    /// A packet on WireGuard's port that is none of its messages: not counted.
    NotWireguard = 17,
}

impl Reason {
    /// How many there are.
    pub const COUNT: u32 = 18;

    /// All, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT as usize] = [
        Self::NotIp,
        Self::Vlan,
        Self::HeaderShort,
        Self::HeaderBroken,
        Self::LaterFragment,
        Self::Extensions,
        Self::Group,
        Self::NoPeerMac,
        Self::NoPeerAllowed,
        Self::NoPod,
        Self::NoFlood,
        Self::NotAllowed,
        Self::NoEndpoint,
        Self::OverBudget,
        Self::NoTunnel,
        Self::NoPeerAddress,
        Self::NoPeerEndpoint,
        Self::NotWireguard,
    ];

    /// Its number.
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self as u32
    }

    /// Its bit in [`crate::Record::reasons`].
    #[inline(always)]
    pub const fn bit(self) -> u32 {
        1 << self.index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_numbers() {
        for (index, reason) in (0..).zip(Reason::ALL) {
            assert_eq!(reason.index(), index);
        }
        const { assert!(Reason::COUNT <= u32::BITS) }
    }
}
