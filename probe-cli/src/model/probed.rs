//! What probes to other nodes came to, as far as checks judge by it. Who sends them, and how sizes are found, is known elsewhere.

use std::net::IpAddr;

/// What was measured, when somebody asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// Paths to other nodes: below the tunnel, and through it.
    pub paths: Vec<ProbedPath>,
    /// Probes that were sent.
    pub sent: u64,
    /// Flows to each address that were asked for.
    pub flows: u16,
}

/// A path that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedPath {
    /// Name of the node, else an address. Hostile input: escape before showing.
    pub peer: String,
    /// Where probes went.
    pub address: IpAddr,
    /// The node's address that outer packets go to; below the tunnel the same as `address`. None when it is not known.
    pub node_address: Option<IpAddr>,
    /// The tunnel, by name; none below it. Escape before showing.
    pub tunnel: Option<String>,
    /// Bytes that the tunnel adds.
    pub overhead: u32,
    /// Bytes of the IP packet that should get there.
    pub expected: u32,
    /// The largest that was answered; none when nothing was.
    pub measured: Option<u32>,
    /// Flows that were measured: one where the others are answered by nothing at all, which is a packet filter's doing.
    pub flows: u32,
    /// Why it is no more.
    pub limit: Limit,
    /// What fits below the tunnel in one piece, where packets of the measured size get there in pieces.
    pub cut_at: Option<u32>,
}

/// Why packets of a path are not larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// What is expected gets there.
    None,
    /// This node sends nothing larger.
    Here,
    /// Somebody on the way says so.
    Said {
        /// Who.
        by: IpAddr,
    },
    /// Larger packets are lost silently on the way there, or it is not known on which way.
    Silent,
    /// Larger answers are lost silently, and the packets get there.
    SilentBack,
    /// Some flows carry less than others, or nothing.
    SomeFlows {
        /// So many.
        limited: u32,
        /// Of these, flows that carry nothing.
        dead: u32,
        /// Bytes that the others carry.
        most: u32,
        /// Who says "too big" to those that carry less; none when larger packets are lost silently.
        said_by: Option<IpAddr>,
    },
    /// Nothing was answered.
    Unanswered,
    /// It could not be found out.
    Unknown,
}
