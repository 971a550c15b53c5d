//! The lookup table: one array that names the slot of everything that packets are counted for.
//!
//! An open-addressed table in a BPF array, and not a BPF hash map, because an array lookup is a few instructions
//! inline where a hash map is a call: two lookups a packet are most of what a packet costs. User space places the
//! entries with the functions here and the programs find them with the same.
//!
//! A reader never sees a half-written entry as a match: user space writes the key first, with no slot, and the slot in
//! a second system call; it takes the slot away before the key.

/// What a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Key {
    /// An address, or a number in the first word.
    pub words: [u64; 2],
    /// The kind of key in the upper half, the tunnel slot in the lower half where the kind has one. Never 0 in a
    /// real key.
    pub kind: u32,
}

/// Interface index of the host end of a pod's veth; gives a pod slot.
pub const POD_IFINDEX: u32 = 1 << 16;
/// Inner address of a pod; gives a pod slot.
pub const POD_ADDRESS: u32 = 2 << 16;
/// Inner MAC address of a remote VTEP on a tunnel; gives a peer slot.
pub const PEER_MAC: u32 = 3 << 16;
/// Outer address of a remote node on a tunnel; gives a peer slot.
pub const PEER_OUTER: u32 = 4 << 16;
/// UDP port, family and VNI of an outer packet; gives a tunnel slot.
pub const TUNNEL_OUTER: u32 = 5 << 16;
/// UDP port that a WireGuard device listens on and sends from; gives a tunnel slot.
pub const TUNNEL_LISTEN: u32 = 6 << 16;
/// Address of the node itself; gives no slot that means anything.
pub const NODE_ADDRESS: u32 = 7 << 16;
/// Endpoint of a WireGuard peer on a tunnel; gives a peer slot. The tunnel slot is above the port here, see
/// [`Key::endpoint`].
pub const PEER_ENDPOINT: u32 = 1 << 31;
/// Not a kind: marks an entry that was removed. Entries behind it stay reachable.
pub const REMOVED: u32 = u32::MAX;

/// An entry of the table. All zero: never used; the search ends there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Entry {
    /// [`Key::words`].
    pub words: [u64; 2],
    /// [`Key::kind`], [`REMOVED`], or 0.
    pub kind: u32,
    /// The slot plus one; 0 for none.
    pub slot_plus_one: u32,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// Words of the bitmap of destination ports, and of that of listen ports behind it.
pub const PORT_WORDS: u32 = 65_536 / 64;
/// The first half of the bitmap of ports: destination ports of VXLAN.
pub const PORTS_VXLAN: u32 = 0;
/// The second half: ports that WireGuard devices listen on.
pub const PORTS_WIREGUARD: u32 = 1;

/// How far from its home an entry may be. At a load of a quarter, longer runs do not happen in practice; an entry
/// that finds no place is counted as "other", like one that finds no slot.
pub const PROBES: u32 = 8;

/// Entries for a table that holds `keys` keys at a load of at most a quarter: a power of two.
pub const fn size(keys: u32) -> u32 {
    let wanted = keys.saturating_mul(4);
    let largest = 1 << 24;
    if wanted >= largest {
        return largest;
    }
    let size = wanted.next_power_of_two();
    if size < 64 { 64 } else { size }
}

impl Key {
    /// A key of one number.
    #[inline]
    pub const fn number(kind: u32, number: u64) -> Self {
        Self { words: [number, 0], kind }
    }

    /// A VTEP's MAC address, its six bytes as a big-endian number.
    #[inline]
    pub const fn mac(tunnel: u32, mac: u64) -> Self {
        Self { words: [mac, 0], kind: PEER_MAC | (tunnel & 0xffff) }
    }

    /// An outer packet's UDP destination port, IP version and VNI.
    #[inline]
    pub const fn outer(port: u16, version: u8, vni: u32) -> Self {
        Self::number(TUNNEL_OUTER, ((vni as u64) << 32) | ((version as u64) << 16) | port as u64)
    }

    /// An address: IPv4 mapped into IPv6, its 16 bytes as two words of this machine.
    #[inline]
    pub const fn address(kind: u32, words: [u64; 2]) -> Self {
        Self { words, kind }
    }

    /// A WireGuard peer's endpoint on a tunnel: peers behind one NAT share an address and differ in the port.
    #[inline]
    pub const fn endpoint(tunnel: u32, words: [u64; 2], port: u16) -> Self {
        Self { words, kind: PEER_ENDPOINT | ((tunnel & 0xff) << 16) | port as u32 }
    }

    /// Where the search begins, before it is cut to the table's size. Multiplicative hashing: the upper bits of the
    /// product depend on all bits of the key.
    #[inline]
    pub const fn hash(&self) -> u32 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let [first, second] = self.words;
        let mixed = (first ^ second.rotate_left(29) ^ ((self.kind as u64) << 40)).wrapping_mul(GOLDEN);
        (mixed >> 32) as u32
    }

    /// True for the entry of this key.
    #[inline]
    pub const fn is(&self, entry: &Entry) -> bool {
        self.kind == entry.kind && self.words[0] == entry.words[0] && self.words[1] == entry.words[1]
    }
}
