//! The tabs: which there are, their order and titles. What is on one is in `view`.

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    /// Everything at a glance.
    #[default]
    Overview,
    /// Tunnels.
    Tunnels,
    /// Peers.
    Peers,
    /// Pods.
    Pods,
    /// SR-IOV virtual functions. The tab is there on a node without any, too: the numbers of the tabs behind it are the
    /// same on every node, and that a node has none is an answer.
    Vfs,
    /// What fits on each way to other nodes.
    Mtu,
    /// What is wrong on the node by its checks, with what was seen and what mends it.
    Health,
    /// What holds now and is no finding, and what has happened since the start.
    Events,
    /// What the observer costs.
    Cost,
}

impl Tab {
    /// All, in the order of their numbers and of the variants.
    pub(super) const ALL: [Self; 9] = [
        Self::Overview,
        Self::Tunnels,
        Self::Peers,
        Self::Pods,
        Self::Vfs,
        Self::Mtu,
        Self::Health,
        Self::Events,
        Self::Cost,
    ];

    /// Its title.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Tunnels => "Tunnels",
            Self::Peers => "Peers",
            Self::Pods => "Pods",
            Self::Vfs => "VFs",
            Self::Mtu => "MTU",
            Self::Health => "Health",
            Self::Events => "Events",
            Self::Cost => "Cost",
        }
    }

    /// As it is written in a configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Tunnels => "tunnels",
            Self::Peers => "peers",
            Self::Pods => "pods",
            Self::Vfs => "vfs",
            Self::Mtu => "mtu",
            Self::Health => "health",
            Self::Events => "events",
            Self::Cost => "cost",
        }
    }

    /// Its title where there is little room.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::Overview => "All",
            Self::Tunnels => "Tun",
            Self::Health => "Hlth",
            Self::Events => "Evts",
            Self::Peers | Self::Pods | Self::Vfs | Self::Mtu | Self::Cost => self.title(),
        }
    }

    /// The key that goes to it.
    pub(super) fn number(self) -> usize {
        self as usize + 1
    }

    /// True for a tab that is one table with the details of a row.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Tunnels | Self::Peers | Self::Pods | Self::Vfs)
    }

    /// The tab `steps` to the right, round.
    pub(super) fn step(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}
