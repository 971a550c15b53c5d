//! The columns of the tables: which there are, their titles and widths. What a cell says is in `cells`.

use super::{cells::handshake, measure::Measure, subject::Subject, tab::Tab};
use crate::model::fields;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnId {
    /// Name of the tunnel, address of the peer's node, name of the pod.
    Name,
    /// What is the matter with a tunnel, peer or pod.
    State,
    /// What else there is to say of a row of the overview, in few words.
    Info,
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
    /// Packets too big that leave, per second.
    Oversize,
    /// Outer fragments per second, both directions.
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

/// Those of the overview's tables but the one of VFs: one grid, so that the eye can follow a number down.
const GRID: [ColumnId; 10] = [
    ColumnId::Name,
    ColumnId::State,
    ColumnId::Info,
    ColumnId::Tx,
    ColumnId::TxPackets,
    ColumnId::Rx,
    ColumnId::RxPackets,
    ColumnId::Overhead,
    ColumnId::Oversize,
    ColumnId::Fragments,
];

/// The columns of a table on the overview.
pub(super) fn on_overview(tab: Tab, measure: Measure) -> Vec<ColumnId> {
    let all = if tab == Tab::Vfs { all(tab) } else { &GRID };
    all.iter().copied().filter(|column| column.is_told_by(measure)).collect()
}

/// The columns of a tab's table, left to right; without those that would say nothing of any of `rows`, or what another says.
pub(super) fn of<'a>(tab: Tab, measure: Measure, rows: impl Iterator<Item = Subject<'a>>) -> Vec<ColumnId> {
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
    all(tab).iter().copied().filter(|column| column.is_told_by(measure)).filter(says_something).collect()
}

fn all(tab: Tab) -> &'static [ColumnId] {
    use ColumnId::{
        Addresses, CountedBy, Driver, Drops, Fragments, Handshake, Holder, Interface, Kind, Link, MeanSize,
        Mtu, Name, Network, Overhead, Oversize, Rx, RxPackets, Segments, State, Total, Tunnel, Tx, TxPackets,
        Underlay, Vf, Vlan, Vni,
    };
    match tab {
        Tab::Tunnels => &[
            Name, State, Kind, Vni, Mtu, Underlay, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize,
            Segments, Oversize, Fragments, Total,
        ],
        Tab::Peers => &[
            Name, State, Tunnel, Handshake, Addresses, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize,
            Segments, Oversize, Fragments, Total,
        ],
        Tab::Pods => &[
            Name, State, Addresses, Tx, TxPackets, Rx, RxPackets, Overhead, MeanSize, Segments, Oversize,
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
fn title<T>(field: &fields::Field<T>) -> &'static str {
    field.title.unwrap_or_default()
}

impl ColumnId {
    /// False for what another column says already.
    fn is_told_by(self, measure: Measure) -> bool {
        measure != Measure::Packets || !matches!(self, Self::TxPackets | Self::RxPackets)
    }

    /// How it looks.
    pub(super) fn spec(self) -> Spec {
        let number = |title, width, rank| Spec { title, width, number: true, rank, grow: 0 };
        let text = |title, width, rank, grow| Spec { title, width, number: false, rank, grow };
        match self {
            Self::Name => text("", 12, 0, 8),
            Self::State => text("STATE", 10, 1, 0),
            Self::Info => text("", 18, 60, 1),
            Self::Vf => text("VF", 16, 0, 1),
            Self::Kind => text("KIND", 9, 60, 0),
            Self::Vni => number("VNI", 5, 70),
            Self::Tunnel => text("TUNNEL", 12, 20, 1),
            Self::Addresses => text("", 30, 70, 3),
            Self::Handshake => number("HSHAKE", 6, 20),
            Self::Holder => text("POD", 18, 0, 4),
            Self::Network => text("NETWORK", 11, 15, 1),
            Self::Interface => text("IFACE", 8, 18, 0),
            Self::Driver => text("DRIVER", 10, 25, 0),
            Self::Mtu => number("MTU", 5, 20),
            Self::Underlay => text("UNDERLAY", 10, 70, 0),
            Self::Tx => number("TX bit/s", 9, 5),
            Self::TxPackets => number("TX p/s", 6, 50),
            Self::Rx => number("RX bit/s", 9, 5),
            Self::RxPackets => number("RX p/s", 6, 50),
            Self::Overhead => number(title(&fields::OVERHEAD), 6, 15),
            Self::MeanSize => number(title(&fields::MEAN_SIZE), 5, 70),
            Self::Segments => number(title(&fields::SEGMENTS), 7, 80),
            Self::Oversize => number(title(&fields::OVERSIZE_RATE), 6, 3),
            Self::Fragments => number(title(&fields::OUTER_FRAGMENT_RATE), 6, 2),
            Self::Total => number(title(&fields::OUTER_BYTES), 9, 80),
            Self::Drops => number("DROP/s", 6, 8),
            Self::CountedBy => text("COUNTED BY", 13, 7, 0),
            Self::Vlan => number("VLAN", 4, 30),
            Self::Link => text("LINK", 7, 35, 0),
        }
    }

    /// Its title on a tab. What is measured stands in it.
    pub(super) fn title(self, tab: Tab, measure: Measure) -> &'static str {
        match (self, tab) {
            (Self::Tx, Tab::Tunnels | Tab::Peers | Tab::Pods) if measure == Measure::InnerBits => {
                "TX inner b/s"
            }
            (Self::Rx, Tab::Tunnels | Tab::Peers | Tab::Pods) if measure == Measure::InnerBits => {
                "RX inner b/s"
            }
            (Self::Tx, _) if measure == Measure::Packets => "TX p/s",
            (Self::Rx, _) if measure == Measure::Packets => "RX p/s",
            (Self::Info, Tab::Tunnels) => "KIND",
            // Nobody knows which pod a fragment on the underlay is of.
            (Self::Fragments, Tab::Pods) => "",
            (Self::Name, Tab::Peers) => "PEER NODE",
            (Self::Name, Tab::Pods) => "POD",
            (Self::Name, _) | (Self::Info, Tab::Peers) => "TUNNEL",
            (Self::Addresses, Tab::Peers) => "POD CIDRS",
            (Self::Info | Self::Addresses, _) => "ADDRESSES",
            (column, _) => column.spec().title,
        }
    }
}
