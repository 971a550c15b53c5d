//! Notes of the joins: bounded, so that a thousand holes do not make a thousand lines. No judgement of severity.

use std::collections::BTreeMap;

/// Notes shown of one kind; the rest is a number.
const SHOWN: usize = 8;

/// What a note is about. The order is that of the inventory's notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WarningKind {
    UnderlayElsewhere,
    WireguardUnread,
    EndpointUnrouted,
    TwoDestinations,
    SharedMac,
    RouteWithoutNeighbour,
    NeighbourWithoutFdb,
    FdbWithoutRoute,
    PodWithoutInterface,
    PodNamespaceGone,
    PodsOnOneInterface,
    PodDisagreement,
    SharedAddress,
    StaleCache,
}

impl WarningKind {
    fn plural(self) -> &'static str {
        match self {
            Self::UnderlayElsewhere => "tunnels whose underlay device is not in this network namespace",
            Self::WireguardUnread => "WireGuard devices whose peers could not be read",
            Self::EndpointUnrouted => "WireGuard endpoints without a route",
            Self::TwoDestinations => "VTEP MAC addresses with two destinations",
            Self::SharedMac => "VTEP MAC addresses that belong to several peers",
            Self::RouteWithoutNeighbour => "routes whose gateway has no neighbour entry",
            Self::NeighbourWithoutFdb => "neighbours without an FDB entry",
            Self::FdbWithoutRoute => "remote nodes without a route to their pods",
            Self::PodNamespaceGone => "pods whose network namespace is not there",
            Self::PodWithoutInterface => "named pods without an interface here",
            Self::PodsOnOneInterface => "named pods on an interface of another pod",
            Self::PodDisagreement => "contradictions about pods",
            Self::SharedAddress => "addresses that two pods have",
            Self::StaleCache => "remarks about the CNI cache",
        }
    }
}

/// Notes by kind.
#[derive(Debug, Default)]
pub(super) struct Warnings(BTreeMap<WarningKind, (Vec<String>, usize)>);

impl Warnings {
    /// Adds one; `text` is only made while there is room for it.
    pub(super) fn add(&mut self, kind: WarningKind, text: impl FnOnce() -> String) {
        let (shown, further) = self.0.entry(kind).or_default();
        if shown.len() < SHOWN {
            shown.push(text());
        } else {
            *further += 1;
        }
    }

    pub(super) fn lines(self) -> impl Iterator<Item = String> {
        self.0.into_iter().flat_map(|(kind, (shown, further))| {
            let more = (further > 0).then(|| format!("and {further} more {}", kind.plural()));
            shown.into_iter().chain(more)
        })
    }
}
