//! How many of everything the kernel maps hold. What has no slot is counted as "other", never dropped.

/// Tunnel devices watched at once. A dual-stack node that is half-way through a backend switch has four.
pub const TUNNELS: u32 = 16;

/// Slot behind those of tunnels: packets of pods that are routed to other nodes without a tunnel, as it is meant.
pub const DIRECT: u32 = TUNNELS;

/// Interfaces (tunnels and underlay devices) the programs can be attached to at once. A power of two: the table is
/// indexed by the low bits of the interface index.
pub const IFACES: u32 = 64;

/// How far from its home index an interface may sit in the interface table when indices collide.
pub const IFACE_PROBES: u32 = 4;

/// Default number of pod slots. The kubelet's default limit is 110 pods a node, large nodes run 250.
pub const POD_SLOTS: u32 = 256;

/// Default number of peer slots, over all tunnels: 500 nodes in dual stack, 1,000 in one family.
pub const PEER_SLOTS: u32 = 1024;

/// Allowed IPs of WireGuard peers in the trie, over all tunnels: flannel gives each peer one network a family, Calico
/// a few, Cilium one address for each pod. The kernel allocates what is used only, about 100 bytes each.
pub const fn allowed_ips(peers: u32) -> u32 {
    peers.saturating_mul(16)
}

/// Networks of pods in the trie of those that may be met in no tunnel: one or a few for each peer, or as many as it has allowed
/// IPs. Allocated as they are used, too.
pub const fn pod_networks(peers: u32) -> u32 {
    allowed_ips(peers).saturating_add(TUNNELS)
}

/// Addresses of the node itself in the lookup table: a node has a handful.
pub const NODE_ADDRESSES: u32 = 64;

/// Keys in the lookup table for so many pods and peers: a pod has a veth and up to two addresses, a peer a MAC and an
/// outer address, every tunnel up to four names, and the node its addresses.
pub const fn table_keys(pods: u32, peers: u32) -> u32 {
    pods.saturating_mul(3)
        .saturating_add(peers.saturating_mul(2))
        .saturating_add(TUNNELS * 4 + NODE_ADDRESSES)
}

/// Bytes of the event ring buffer: a power of two and a multiple of the page size, as the kernel asks.
pub const EVENT_RING_BYTES: u32 = 64 * 1024;

/// Events each CPU may send in one second; the others are counted as limited.
pub const EVENTS_PER_SECOND: u32 = 32;

/// Outer datagrams whose later fragments can be told apart at once (a first fragment names the ports, the later
/// ones do not).
pub const FRAGMENT_TRACKS: u32 = 1024;
