//! The columns of the tables: which there are, their titles and widths. What a cell says is in `cells`.

use super::{cells::handshake, measure::Measure, subject::Subject, tab::Tab};
use crate::model::{
    fields::{
        self,
        columns::{
            Column, DROPS, FRAGMENTS, IN_CLEAR, LARGE_LOST, LOST, MEAN_SIZE, OVERHEAD, OVERSIZE, RTT,
            SEGMENTS, TOTAL,
        },
    },
    outer_together,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnId {
    /// Name of the tunnel, address of the peer's node, name of the pod.
    Name,
    /// What is the matter with a tunnel, peer or pod.
    State,
    /// The last samples, both directions together, in the chosen measure.
    Trend,
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
    /// A metric of the catalogue.
    Metric(&'static Column),
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
const GRID: [ColumnId; 11] = [
    ColumnId::Name,
    ColumnId::State,
    ColumnId::Trend,
    ColumnId::Info,
    ColumnId::Tx,
    ColumnId::TxPackets,
    ColumnId::Rx,
    ColumnId::RxPackets,
    ColumnId::Metric(&OVERHEAD),
    ColumnId::Metric(&OVERSIZE),
    ColumnId::Metric(&FRAGMENTS),
];

/// The columns of a table on the overview.
pub(super) fn on_overview(tab: Tab, measure: Measure) -> Vec<ColumnId> {
    let all = if tab == Tab::Vfs { all(tab) } else { &GRID };
    all.iter().copied().filter(|column| column.is_told_by(measure)).collect()
}

/// The columns of a tab's table, left to right; without those that would say nothing of any of `rows`, or what another says.
pub(super) fn of<'a>(tab: Tab, measure: Measure, rows: impl Iterator<Item = Subject<'a>>) -> Vec<ColumnId> {
    let mut is_probed = false;
    let (mut is_told, mut is_in_clear, mut is_dropped, mut is_on_wire) =
        (false, false, tab == Tab::Vfs, tab != Tab::Vfs);
    for row in rows {
        is_told |= handshake(row).is_some();
        is_probed |= row.carried().answers.is_some();
        is_in_clear |=
            row.carried().outer.is_some_and(|outer| outer_together(&outer).total.in_clear.packets > 0);
        is_dropped |= row.carried().dropped.is_some_and(|dropped| dropped.total > 0);
        is_on_wire |= matches!(row, Subject::Vf(row) if row.wire.is_some());
    }
    let of_probes = [&RTT, &LOST, &LARGE_LOST].map(ColumnId::Metric);
    let on_wire = [&MEAN_SIZE, &SEGMENTS].map(ColumnId::Metric);
    let says_something = |column: &ColumnId| {
        (is_told || *column != ColumnId::Handshake)
            && (is_in_clear || *column != ColumnId::Metric(&IN_CLEAR))
            && (is_dropped || *column != ColumnId::Metric(&DROPS))
            && (is_probed || !of_probes.contains(column))
            && (is_on_wire || !on_wire.contains(column))
    };
    all(tab).iter().copied().filter(|column| column.is_told_by(measure)).filter(says_something).collect()
}

fn all(tab: Tab) -> &'static [ColumnId] {
    use ColumnId::{
        Addresses, CountedBy, Driver, Handshake, Holder, Interface, Kind, Link, Metric, Mtu, Name, Network,
        Rx, RxPackets, State, Tunnel, Tx, TxPackets, Underlay, Vf, Vlan, Vni,
    };
    match tab {
        Tab::Tunnels => &[
            Name,
            State,
            Kind,
            Vni,
            Mtu,
            Underlay,
            Tx,
            TxPackets,
            Rx,
            RxPackets,
            Metric(&OVERHEAD),
            Metric(&MEAN_SIZE),
            Metric(&SEGMENTS),
            Metric(&OVERSIZE),
            Metric(&FRAGMENTS),
            Metric(&IN_CLEAR),
            Metric(&DROPS),
            Metric(&TOTAL),
        ],
        Tab::Peers => &[
            Name,
            State,
            Tunnel,
            Handshake,
            Metric(&RTT),
            Metric(&LOST),
            Metric(&LARGE_LOST),
            Addresses,
            Tx,
            TxPackets,
            Rx,
            RxPackets,
            Metric(&OVERHEAD),
            Metric(&MEAN_SIZE),
            Metric(&SEGMENTS),
            Metric(&OVERSIZE),
            Metric(&FRAGMENTS),
            Metric(&IN_CLEAR),
            Metric(&TOTAL),
        ],
        Tab::Pods => &[
            Name,
            State,
            Addresses,
            Tx,
            TxPackets,
            Rx,
            RxPackets,
            Metric(&OVERHEAD),
            Metric(&MEAN_SIZE),
            Metric(&SEGMENTS),
            Metric(&OVERSIZE),
            Metric(&TOTAL),
        ],
        Tab::Vfs => &[
            Vf,
            Holder,
            Network,
            Interface,
            Driver,
            Mtu,
            Tx,
            TxPackets,
            Rx,
            RxPackets,
            Metric(&DROPS),
            CountedBy,
            Metric(&MEAN_SIZE),
            Metric(&SEGMENTS),
            Vlan,
            Link,
        ],
        Tab::Overview | Tab::Mtu | Tab::Health | Tab::Events | Tab::Cost => &[],
    }
}

/// The title of what is measured in a direction.
fn rate_title(direction: &str, tab: Tab, measure: Measure) -> String {
    let title = match (measure, tab) {
        (Measure::Packets, Tab::Vfs) => fields::LINK_PACKETS.title,
        (Measure::Packets, _) => fields::PACKETS.title,
        // Nothing encapsulates a VF's packets.
        (Measure::OuterBits | Measure::InnerBits, Tab::Vfs) => fields::LINK_BITS.title,
        (Measure::OuterBits, _) => fields::OUTER_BITS.title,
        (Measure::InnerBits, _) => fields::INNER_BITS.title,
        (Measure::InnerBytes, tab) if tab != Tab::Vfs => Some("inner B/s"),
        // Prefixes of 1024 are in the cells: `14.9Ki`.
        (Measure::OuterBytes | Measure::OuterBinary | Measure::InnerBytes, _) => Some("B/s"),
    };
    format!("{direction} {}", title.unwrap_or_default())
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
            Self::Trend => text("TREND", 5, 65, 0),
            Self::Info => text("", 19, 60, 1),
            Self::Vf => text("VF", 16, 0, 1),
            Self::Kind => text("KIND", 9, 60, 0),
            Self::Vni => number("VNI", 5, 70),
            Self::Tunnel => text("TUNNEL", 12, 20, 1),
            Self::Addresses => text("", 30, 70, 3),
            Self::Handshake => number("HSHAKE", 7, 20),
            Self::Holder => text("POD", 18, 0, 4),
            Self::Network => text("NETWORK", 11, 15, 1),
            Self::Interface => text("IFACE", 8, 18, 0),
            Self::Driver => text("DRIVER", 10, 25, 0),
            Self::Mtu => number("MTU", 5, 20),
            Self::Underlay => text("UNDERLAY", 10, 70, 0),
            // Titles of these depend on what is measured.
            Self::Tx | Self::Rx => number("", 9, 5),
            Self::TxPackets | Self::RxPackets => number("", 6, 50),
            Self::Metric(column) => number(column.title, column.width, column.rank),
            Self::CountedBy => text("COUNTED BY", 13, 7, 0),
            Self::Vlan => number("VLAN", 4, 30),
            Self::Link => text("LINK", 7, 35, 0),
        }
    }

    /// Its title on a tab. What is measured stands in it.
    pub(super) fn title(self, tab: Tab, measure: Measure) -> String {
        match (self, tab) {
            (Self::Tx, _) => return rate_title("TX", tab, measure),
            (Self::Rx, _) => return rate_title("RX", tab, measure),
            (Self::TxPackets, _) => return rate_title("TX", tab, Measure::Packets),
            (Self::RxPackets, _) => return rate_title("RX", tab, Measure::Packets),
            (Self::Info, Tab::Tunnels) => "KIND",
            // Nobody knows which pod a fragment on the underlay is of.
            (Self::Metric(column), Tab::Pods) if column == &FRAGMENTS => "",
            (Self::Name, Tab::Peers) => "PEER NODE",
            (Self::Name, Tab::Pods) => "POD",
            (Self::Name, _) | (Self::Info, Tab::Peers) => "TUNNEL",
            (Self::Addresses, Tab::Peers) => "POD CIDRS",
            (Self::Info | Self::Addresses, _) => "ADDRESSES",
            (column, _) => column.spec().title,
        }
        .to_owned()
    }
}
