//! A tunnel, a peer, a pod or a virtual function as one row of a table: what all of them have in common.

use std::{fmt::Write as _, net::IpAddr};

use super::{rate::Rate, vf};
use crate::{
    model::{
        Condition, Flow, Model, PeerKey, PeerRow, PerDirection, Pod, PodInterface, PodKey, PodRow, TunnelRow,
        VfRow, carried, fields::columns::Carried,
    },
    text,
    tui::tab::Tab,
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
    /// A node with several peers, by its first address.
    Node(IpAddr),
    /// The peers of a tunnel that are gone, by its interface index.
    GonePeers(u32),
    /// The pods that are gone.
    GonePods,
    /// A virtual function by its PCI address, which stays when it is moved or given another driver.
    Vf(String),
}

impl RowKey {
    /// The tab whose table has it.
    pub(super) fn tab(&self) -> Tab {
        match self {
            Self::Tunnel(_) => Tab::Tunnels,
            Self::Peer(..) | Self::Node(_) | Self::GonePeers(_) => Tab::Peers,
            Self::Pod(_) | Self::GonePods => Tab::Pods,
            Self::Vf(_) => Tab::Vfs,
        }
    }
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
    /// A virtual function.
    Vf(&'a VfRow),
}

/// Everything in the model that has a row.
pub(super) fn subjects(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    Tab::ALL.into_iter().flat_map(|tab| of(model, tab))
}

/// What a tab's table is about, what is gone since a moment ago included; the "other" rows only when they carried something. The
/// peers of one node are one row. Nothing for a tab without a table.
pub(super) fn of(model: &Model, tab: Tab) -> Box<dyn Iterator<Item = Subject<'_>> + '_> {
    // Here those that went have rows of their own, before they are summed up.
    let others = model.peers.iter().filter(|row| row.peer.is_none() && row.gone == 0 && carried(&row.flow));
    let peers = model.nodes().iter().chain(others).chain(&model.gone.peers);
    let pods = model.pods.iter().filter(|row| row.pod.is_some() || (row.gone == 0 && carried(&row.flow)));
    let pods = pods.chain(&model.gone.pods);
    match tab {
        Tab::Tunnels => Box::new(model.tunnels.iter().chain(&model.gone.tunnels).map(Subject::Tunnel)),
        Tab::Peers => Box::new(peers.map(Subject::Peer)),
        Tab::Pods => Box::new(pods.map(Subject::Pod)),
        Tab::Vfs => Box::new(model.vfs.iter().map(Subject::Vf)),
        Tab::Overview | Tab::Mtu | Tab::Health | Tab::Events | Tab::Cost => Box::new(std::iter::empty()),
    }
}

impl<'a> Subject<'a> {
    /// What names it.
    pub(super) fn key(self) -> RowKey {
        match self {
            Self::Tunnel(row) => RowKey::Tunnel(row.tunnel.ifindex),
            Self::Peer(row) if row.gone > 0 => RowKey::GonePeers(row.tunnel),
            Self::Peer(PeerRow { joined: Some(address), .. }) => RowKey::Node(*address),
            Self::Pod(row) if row.gone > 0 => RowKey::GonePods,
            Self::Peer(row) => RowKey::Peer(row.tunnel, row.peer.as_ref().map(|peer| peer.key)),
            Self::Pod(row) => RowKey::Pod(row.pod.as_ref().map(|pod| pod.key())),
            Self::Vf(row) => RowKey::Vf(row.vf.pci_address.clone()),
        }
    }

    /// What it carried through tunnels; none of a VF, whose packets are in none, and of a pod on the node's network, whose
    /// packets cannot be told from the node's.
    pub(super) fn flow(self) -> Option<&'a PerDirection<Flow>> {
        match self {
            Self::Tunnel(row) => Some(&row.flow),
            Self::Peer(row) => Some(&row.flow),
            Self::Pod(row) if row.pod.as_ref().is_some_and(|pod| pod.host_network) => None,
            Self::Pod(row) => Some(&row.flow),
            Self::Vf(_) => None,
        }
    }

    /// What metrics are made of.
    pub(super) fn carried(self) -> Carried {
        let flow = self.flow().copied();
        match self {
            Self::Tunnel(row) => {
                Carried { flow, outer: row.outer, dropped: row.dropped, ..Carried::default() }
            }
            Self::Peer(row) => {
                Carried { flow, outer: row.outer, answers: row.answers(), ..Carried::default() }
            }
            Self::Pod(_) => Carried { flow, ..Carried::default() },
            Self::Vf(row) => {
                let wire = row.wire.as_ref().and_then(|wire| wire.rates);
                Carried { link: row.rate, wire, ..Carried::default() }
            }
        }
    }

    /// What it carries per second; none when that is unknown.
    pub(super) fn rate(self) -> PerDirection<Option<Rate>> {
        if let Self::Vf(row) = self {
            return PerDirection {
                tx: row.rate.and_then(|rate| Rate::of_link(&rate.tx)),
                rx: row.rate.and_then(|rate| Rate::of_link(&rate.rx)),
            };
        }
        self.flow().map_or_else(PerDirection::default, |flow| PerDirection {
            tx: Rate::of_flow(&flow.tx),
            rx: Rate::of_flow(&flow.rx),
        })
    }

    /// What is the matter with it; none for what is not judged.
    pub(super) fn condition(self) -> Option<Condition> {
        match self {
            Self::Tunnel(row) => Some(row.condition),
            Self::Peer(row) => Some(row.condition),
            Self::Pod(row) => Some(row.condition),
            Self::Vf(_) => None,
        }
    }

    /// True for what is there: no sum of several, and not gone.
    pub(super) fn is_there(self) -> bool {
        !self.is_other() && self.condition() != Some(Condition::Gone)
    }

    /// How many things that are gone the row sums up.
    pub(super) fn gone(self) -> u64 {
        match self {
            Self::Tunnel(_) | Self::Vf(_) => 0,
            Self::Peer(row) => row.gone,
            Self::Pod(row) => row.gone,
        }
    }

    /// True for the rows of what has no slot, and of what is gone.
    pub(super) fn is_other(self) -> bool {
        match self {
            Self::Tunnel(_) | Self::Vf(_) => false,
            Self::Peer(row) => row.peer.is_none(),
            Self::Pod(row) => row.pod.is_none(),
        }
    }

    /// Its name, safe to print.
    pub(super) fn name(self) -> String {
        match self {
            Self::Tunnel(row) => text::escape(&row.tunnel.name),
            Self::Peer(row) => row.label().map_or_else(|| sum(row.gone), |label| text::escape(&label)),
            Self::Pod(row) => {
                row.pod.as_ref().map_or_else(|| sum(row.gone), |pod| text::escape(&pod.label()))
            }
            Self::Vf(row) => vf::name(&row.vf),
        }
    }

    /// What it is ordered by when that is its name.
    pub(super) fn sort_name(self) -> String {
        match self {
            Self::Vf(row) => vf::sort_name(&row.vf),
            Self::Tunnel(_) | Self::Peer(_) | Self::Pod(_) => natural(&self.name()),
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
                for peer in row.peers() {
                    words.push(peer.key.to_string());
                    words.extend(peer.node_address.map(|address| address.to_string()));
                    words.extend(peer.pod_cidrs.iter().map(ToString::to_string));
                }
            }
            Self::Pod(row) => {
                words.extend(row.pod.iter().flat_map(|pod| of_pod(pod)));
                words.extend(row.interfaces.iter().flat_map(|row| of_interface(&row.interface)));
            }
            Self::Vf(row) => words.extend(vf::words(row)),
        }
        words.join(" ")
    }
}

/// The name of a row that sums up what has none of its own.
fn sum(gone: u64) -> String {
    if gone > 0 { format!("gone ({gone})") } else { "other".to_owned() }
}

/// What a name is ordered by: numbers in it by their value, and addresses by theirs.
pub(super) fn natural(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return format!("4 {}", text::hex(&address.octets())),
        Ok(IpAddr::V6(address)) => return format!("6 {}", text::hex(&address.octets())),
        Err(_) => {}
    }
    let mut key = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(if end == 0 { c.len_utf8() } else { end });
        if end > 0 {
            let digits = digits.trim_start_matches('0');
            // Longer is larger, whatever the length.
            // Writing to a String cannot fail.
            let _ = write!(key, "{:04}{digits}", digits.len());
        } else {
            key.push_str(digits);
        }
        rest = after;
    }
    key
}

/// What a filter finds a pod by beside its name.
fn of_pod(pod: &Pod) -> Vec<String> {
    let addresses = pod.addresses.iter().map(ToString::to_string);
    let names = [&pod.host_ifname, &pod.uid, &pod.requested_networks].into_iter().flatten();
    let on_node = pod.host_network.then(|| "on the node's network".to_owned());
    addresses.chain(names.map(|name| text::escape(name))).chain(on_node).collect()
}

/// What a filter finds a pod's interface by.
fn of_interface(interface: &PodInterface) -> Vec<String> {
    let names = [&interface.kind, &interface.parent, &interface.hardware, &interface.network];
    let names = std::iter::once(&interface.name).chain(names.into_iter().flatten());
    let mac = interface.mac.map(|mac| mac.to_string());
    let addresses = interface.addresses.iter().map(ToString::to_string);
    names.map(|name| text::escape(name)).chain(mac).chain(addresses).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_their_value() {
        for ordered in [
            ["172.31.77.2", "172.31.77.3", "172.31.77.10", "172.31.77.100"],
            ["fd77::2", "fd77::a", "fd77::10", "fd78::1"],
            ["node-2", "node-010", "node-11", "node-20a"],
            ["vxlan", "vxlan.1", "vxlan.4096", "vxlan.99999999999999999999999"],
        ] {
            let mut names = ordered;
            names.reverse();
            names.sort_by_key(|name| natural(name));
            assert_eq!(names, ordered);
        }
    }
}
