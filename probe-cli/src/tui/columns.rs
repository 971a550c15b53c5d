//! The columns of the tables: which there are, their titles and widths. What a cell says is in `cells`.

use super::{cells::handshake, subject::Subject, tab::Tab};
use crate::model::fields;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnId {
    /// Name of the tunnel, address of the peer's node, name of the pod.
    Name,
    /// PF and number of a VF.
    Vf,
    /// Kind of tunnel.
    Kind,
    /// VXLAN network identifier.
    Vni,
    /// Tunnel a peer is on.
    Tunnel,
    /// Pod networks behind a peer, or addresses of a pod.
    Addresses,
    /// Age of a WireGuard peer's last handshake.
    Handshake,
    /// Who has a VF.
    Holder,
    /// CNI network of a VF.
    Network,
    /// Interface of a VF.
    Interface,
    /// Driver of a VF.
    Driver,
    /// MTU of the tunnel device, or of a VF's interface.
    Mtu,
    /// Device below the tunnel.
    Underlay,
    /// Transmitted, in the chosen measure.
    Tx,
    /// Transmitted packets per second.
    TxPackets,
    /// Received, in the chosen measure.
    Rx,
    /// Received packets per second.
    RxPackets,
    /// Encapsulation's share of the outer bytes.
    Overhead,
    /// Mean bytes of the inner packet, or of a VF's frame.
    MeanSize,
    /// Wire packets per socket buffer.
    Segments,
    /// Packets over the budget.
    Oversize,
    /// Inner fragments.
    Fragments,
    /// Everything carried, outer bytes.
    Total,
    /// Packets that a VF drops per second, both directions.
    Drops,
    /// Who counts for a VF.
    CountedBy,
    /// VLAN of a VF.
    Vlan,
    /// State of a VF's link, as it was set.
    Link,
}

/// How a column looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// Its title.
    pub(super) title: &'static str,
    /// Columns of the terminal it needs.
    pub(super) width: u16,
    /// Numbers are right-aligned and sort largest first.
    pub(super) number: bool,
    /// Which columns go first when there is no room: the largest. 0 never goes.
    pub(super) rank: u8,
    /// Share of the space that is left over; 0 for none.
    pub(super) grow: u16,
}

/// The columns of a tab's table, left to right; without those that would say nothing of any of `rows`.
pub(super) fn of<'a>(tab: Tab, rows: impl Iterator<Item = Subject<'a>>) -> Vec<ColumnId> {
    let (mut is_told, mut is_on_wire) = (false, tab != Tab::Vfs);
    for row in rows {
        is_told |= handshake(row).is_some();
        is_on_wire |= matches!(row, Subject::Vf(row) if row.wire.is_some());
    }
    let says_something = |column: &ColumnId| match column {
        ColumnId::Handshake => is_told,
        ColumnId::MeanSize | ColumnId::Segments => is_on_wire,
        _ => true,
    };
    all(tab).iter().copied().filter(says_something).collect()
}

fn all(tab: Tab) -> &'static [ColumnId] {
    use ColumnId::{
        Addresses, CountedBy, Driver, Drops, Fragments, Handshake, Holder, Interface, Kind, Link, MeanSize,
        Mtu, Name, Network, Overhead, Oversize, Rx, RxPackets, Segments, Total, Tunnel, Tx, TxPackets,
        Underlay, Vf, Vlan, Vni,
    };
    match tab {
        Tab::Tunnels => &[
            Name, Kind, Vni, Mtu, Underlay, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize, Segments,
            Oversize, Fragments, Total,
        ],
        Tab::Peers => &[
            Name, Tunnel, Handshake, Addresses, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize, Segments,
            Oversize, Fragments, Total,
        ],
        Tab::Pods => &[
            Name, Addresses, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize, Segments, Oversize, Fragments,
            Total,
        ],
        Tab::Vfs => &[
            Vf, Holder, Network, Interface, Driver, Mtu, Tx, TxPackets, Rx, RxPackets, Drops, CountedBy,
            MeanSize, Segments, Vlan, Link,
        ],
        Tab::Overview | Tab::Messages | Tab::Cost => &[],
    }
}

/// The title of a metric's column.
fn title(field: &fields::Field) -> &'static str {
    field.title.unwrap_or_default()
}

impl ColumnId {
    /// The metric that it shows, of both directions together; none for what is no metric, or one direction's.
    pub(super) fn field(self) -> Option<&'static fields::Field> {
        match self {
            Self::Oversize => Some(&fields::OVERSIZE),
            Self::Fragments => Some(&fields::FRAGMENTS),
            Self::Total => Some(&fields::OUTER_BYTES),
            _ => None,
        }
    }

    /// How it looks.
    pub(super) fn spec(self) -> Spec {
        let number = |title, width, rank| Spec { title, width, number: true, rank, grow: 0 };
        let text = |title, width, rank, grow| Spec { title, width, number: false, rank, grow };
        match self {
            Self::Name => text("", 20, 0, 3),
            Self::Vf => text("VF", 16, 0, 1),
            Self::Kind => text("KIND", 9, 60, 0),
            Self::Vni => number("VNI", 5, 70),
            Self::Tunnel => text("TUNNEL", 12, 20, 1),
            Self::Addresses => text("", 30, 70, 3),
            Self::Handshake => number("HSHAKE", 6, 20),
            Self::Holder => text("POD", 24, 0, 4),
            Self::Network => text("NETWORK", 11, 15, 1),
            Self::Interface => text("IFACE", 8, 18, 0),
            Self::Driver => text("DRIVER", 10, 25, 0),
            Self::Mtu => number("MTU", 5, 20),
            Self::Underlay => text("UNDERLAY", 10, 70, 0),
            Self::Tx => number("TX", 6, 0),
            Self::TxPackets => number("TX p/s", 6, 10),
            Self::Rx => number("RX", 6, 0),
            Self::RxPackets => number("RX p/s", 6, 10),
            Self::Overhead => number("OVHEAD", 6, 30),
            Self::MeanSize => number("B/PKT", 5, 70),
            Self::Segments => number("SEG/SKB", 7, 80),
            Self::Oversize => number(title(&fields::OVERSIZE), 6, 30),
            Self::Fragments => number(title(&fields::FRAGMENTS), 6, 60),
            Self::Total => number(title(&fields::OUTER_BYTES), 9, 80),
            Self::Drops => number("DROP/s", 6, 5),
            Self::CountedBy => text("COUNTED BY", 13, 4, 0),
            Self::Vlan => number("VLAN", 4, 30),
            Self::Link => text("LINK", 7, 35, 0),
        }
    }

    /// Its title on a tab.
    pub(super) fn title(self, tab: Tab) -> &'static str {
        match (self, tab) {
            (Self::Name, Tab::Peers) => "PEER NODE",
            (Self::Name, Tab::Pods) => "POD",
            (Self::Name, _) => "TUNNEL",
            (Self::Addresses, Tab::Peers) => "POD CIDRS",
            (Self::Addresses, _) => "ADDRESSES",
            (column, _) => column.spec().title,
        }
    }
}
