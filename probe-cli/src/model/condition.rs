//! What is the matter with a tunnel, a peer or a pod, in a word. Which of it holds is decided in `model/health.rs`.

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was looked at that could be wrong with it.
    #[default]
    Unchecked,
    /// All that was looked at is as it should be.
    Ok,
    /// It was there and is not any more.
    Gone,
    /// It is set down.
    Down,
    /// The device below the tunnel is set down, has no carrier or is not there.
    UnderlayDown,
    /// Full-size packets of the tunnel leave in fragments, or are dropped.
    TooBig,
    /// No pod network is routed to the peer, or by the tunnel: it was made again, or never configured.
    NoRoute,
    /// The gateway of the peer's route has no neighbour entry.
    NoNeighbour,
    /// The peer's neighbour entry has no FDB entry.
    NoFdb,
    /// The WireGuard peer has no endpoint: nothing can be sent to it.
    NoEndpoint,
    /// Its pods' packets are met outside the tunnel.
    InClear,
}

impl Condition {
    /// The word that a column has for it, at most 10 columns wide.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "-",
            Self::Ok => "ok",
            Self::Gone => "gone",
            Self::Down => "down",
            Self::UnderlayDown => "NIC down",
            Self::TooBig => "too big",
            Self::NoRoute => "no route",
            Self::NoNeighbour => "no neigh",
            Self::NoFdb => "no FDB",
            Self::NoEndpoint => "no address",
            Self::InClear => "in clear",
        }
    }

    /// Packets are lost, cost more than they should, or are not where they belong.
    pub fn is_wrong(self) -> bool {
        !matches!(self, Self::Unchecked | Self::Ok | Self::Gone)
    }
}
