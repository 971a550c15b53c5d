//! A tunnel, a peer or a pod as one row of a table: what all three have in common.

use crate::{
    inventory::{PeerKey, PodKey},
    model::{Flow, Model, PeerRow, PodRow, TunnelRow, carried},
    sample::Both,
    text,
};

/// What names a row across models, so that a selection stays where it is when rows move.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowKey {
    /// A tunnel by interface index.
    Tunnel(u32),
    /// A peer by its tunnel's interface index and its key; none for "other".
    Peer(u32, Option<PeerKey>),
    /// A pod; none for "other".
    Pod(Option<PodKey>),
}

/// One row's thing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// A tunnel.
    Tunnel(&'a TunnelRow),
    /// A peer.
    Peer(&'a PeerRow),
    /// A pod.
    Pod(&'a PodRow),
}

/// Everything in the model that has a row, tunnels first.
pub(super) fn subjects(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    tunnels(model).chain(peers(model)).chain(pods(model))
}

/// Tunnels.
pub(super) fn tunnels(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    model.tunnels.iter().map(Subject::Tunnel)
}

/// Peers, with the "other" rows that carried something.
pub(super) fn peers(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    model.peers.iter().filter(|row| row.peer.is_some() || carried(&row.flow)).map(Subject::Peer)
}

/// Pods, with the "other" row when it carried something.
pub(super) fn pods(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    model.pods.iter().filter(|row| row.pod.is_some() || carried(&row.flow)).map(Subject::Pod)
}

impl<'a> Subject<'a> {
    /// What names it.
    pub(super) fn key(self) -> RowKey {
        match self {
            Self::Tunnel(row) => RowKey::Tunnel(row.tunnel.ifindex),
            Self::Peer(row) => RowKey::Peer(row.tunnel, row.peer.as_ref().map(|peer| peer.key)),
            Self::Pod(row) => RowKey::Pod(row.pod.as_ref().map(crate::inventory::Pod::key)),
        }
    }

    /// What it carried.
    pub(super) fn flow(self) -> &'a Both<Flow> {
        match self {
            Self::Tunnel(row) => &row.flow,
            Self::Peer(row) => &row.flow,
            Self::Pod(row) => &row.flow,
        }
    }

    /// True for the row of what has no slot.
    pub(super) fn is_other(self) -> bool {
        match self {
            Self::Tunnel(_) => false,
            Self::Peer(row) => row.peer.is_none(),
            Self::Pod(row) => row.pod.is_none(),
        }
    }

    /// Its name, safe to print.
    pub(super) fn name(self) -> String {
        match self {
            Self::Tunnel(row) => text::escape(&row.tunnel.name),
            Self::Peer(row) => row.peer.as_ref().map_or_else(
                || "other".to_owned(),
                |peer| peer.node_address.map_or_else(|| peer.key.short(), |address| address.to_string()),
            ),
            Self::Pod(row) => {
                row.pod.as_ref().map_or_else(|| "other".to_owned(), |pod| text::escape(&pod.label()))
            }
        }
    }

    /// Everything that a filter looks at, safe to print.
    pub(super) fn words(self) -> String {
        let mut words = vec![self.name()];
        match self {
            Self::Tunnel(row) => {
                words.push(row.tunnel.kind.to_string());
                words.extend(row.tunnel.underlay.as_ref().map(|underlay| text::escape(&underlay.name)));
            }
            Self::Peer(row) => {
                words.push(text::escape(&row.tunnel_name));
                if let Some(peer) = &row.peer {
                    words.push(peer.key.to_string());
                    words.extend(peer.pod_cidrs.iter().map(ToString::to_string));
                }
            }
            Self::Pod(row) => {
                if let Some(pod) = &row.pod {
                    words.extend(pod.addresses.iter().map(ToString::to_string));
                    words.extend(pod.host_ifname.iter().map(|name| text::escape(name)));
                }
            }
        }
        words.join(" ")
    }
}
