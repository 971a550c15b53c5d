//! Per-interface configuration, addresses, and the keys of fragment tracking.

/// What an interface is to the probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct IfaceConfig {
    /// Interface index; 0 marks a free entry.
    pub ifindex: u32,
    /// Tunnel slot, below [`crate::limits::TUNNELS`]; unused for an underlay device.
    pub tunnel: u32,
    /// Bytes that the outer IP packet adds to the inner IP packet, inner Ethernet header included where the tunnel
    /// carries frames: 50 for VXLAN over IPv4, 70 over IPv6.
    pub overhead: u32,
    /// Largest inner IP packet in bytes that fits the tunnel and, encapsulated, its underlay device.
    pub budget: u32,
    /// 1 when the device carries bare IP packets (`ARPHRD_NONE`), 0 when it carries Ethernet frames.
    pub l3: u8,
    /// 1 when all allowed IPs of a WireGuard device are in the trie, so that what matches none is dropped by the device
    /// (`wg_xmit` in drivers/net/wireguard/device.c); 0 when some found no place.
    pub allowed_complete: u8,
    /// UDP port that most VXLAN packets of an underlay device go to, so that they spare the search in the bitmap of all ports; 0 for
    /// none, and on tunnel devices.
    pub vxlan_port: u16,
    /// How many copies of a frame to a group or unknown address leave the node: the FDB's entries for the all-zero
    /// address (`vxlan_xmit` in `drivers/net/vxlan/vxlan_core.c` sends one per destination, and drops the frame
    /// when there is none).
    pub flood: u32,
    /// MTU of a WireGuard device, which its padding does not go beyond; 0 on every other device.
    pub wireguard_mtu: u32,
    /// How often user space changed what packets are looked up in. It is raised after each change, so that what was found before
    /// and kept is not used after. Here, because the programs read this entry for each packet anyway.
    pub generation: u32,
}

/// Key of the trie of allowed IPs behind the prefix length, which counts the bits of both fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct AllowedIp {
    /// Tunnel slot; every bit of it always counts.
    pub tunnel: u32,
    /// Address, IPv4 as `::ffff:a.b.c.d`, in network byte order.
    pub octets: [u8; 16],
}

/// Bits of [`AllowedIp`] before the address.
pub const ALLOWED_TUNNEL_BITS: u32 = 32;

/// Whose an allowed IP is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AllowedPeer {
    /// Peer slot.
    pub peer: u32,
    /// Bytes that the outer IP packet adds to the padded inner one, by the family of the peer's endpoint; 0 for a peer
    /// without an endpoint, to whom the device sends nothing.
    pub overhead: u32,
}

/// An IP address, IPv4 as `::ffff:a.b.c.d`, in network byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C, align(8))]
pub struct Address {
    /// The 16 bytes.
    pub octets: [u8; 16],
}

impl Address {
    /// As two words of this machine, the form that the lookup table has it in.
    #[inline]
    pub const fn words(&self) -> [u64; 2] {
        // SAFETY: both are 16 bytes that any bits may be in. By value and whole, since of parts of the bytes the compiler for eBPF
        // does not know that they are aligned, and reads them one by one.
        unsafe { core::mem::transmute::<Self, [u64; 2]>(*self) }
    }
}

/// Whose a pod network is: what packets to it and from it count for that are in no tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PodNetwork {
    /// Tunnel slot, or [`crate::limits::DIRECT`] for a network that is routed without a tunnel.
    pub tunnel: u32,
    /// Peer slot; the tunnel's own for a network of no peer.
    pub peer: u32,
}

/// The smallest network of IPv4 and that of IPv6 that have all pod networks in them: spares all other packets the search
/// for the longest match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PodRanges {
    /// One for each family.
    pub ranges: [PodRange; 2],
}

/// All addresses that are `first` where `mask` is set, in the form of [`Address::words`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PodRange {
    /// The network's address; where the mask is clear, so is this.
    pub first: [u64; 2],
    /// The bits that count.
    pub mask: [u64; 2],
}

impl PodRange {
    /// No address is in it.
    pub const NONE: Self = Self { first: [u64::MAX; 2], mask: [0; 2] };

    /// True for an address in it.
    #[inline]
    pub const fn contains(&self, words: [u64; 2]) -> bool {
        words[0] & self.mask[0] == self.first[0] && words[1] & self.mask[1] == self.first[1]
    }
}

/// Stands for every VNI in a [`crate::table::Key::outer`]: a collect-metadata device. A VNI has 24 bits, so no real one
/// equals it.
pub const VNI_ANY: u32 = u32::MAX;

/// Stands in a [`crate::table::Key::outer`] for the VNI of a quoted packet that is too short to show it. No real VNI either.
pub const VNI_UNKNOWN: u32 = u32::MAX - 1;

/// A fragmented outer datagram, by what all its fragments share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FragmentKey {
    /// Outer source address.
    pub source: Address,
    /// Outer destination address.
    pub destination: Address,
    /// IPv4 identification or IPv6 fragment identification, as it stands in the packet.
    pub id: u32,
    /// Makes the size a multiple of the addresses' alignment without padding.
    pub reserved: u32,
}

/// Whose fragments a [`FragmentKey`] stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FragmentOwner {
    /// Tunnel slot.
    pub tunnel: u32,
    /// Peer slot.
    pub peer: u32,
}

/// Tells the two halves of a slot's counters apart; the index of a counter is `slot * 2 + direction`.
pub const TX: u32 = 0;
/// See [`TX`].
pub const RX: u32 = 1;
