//! The columns of the tables: titles, widths, what a cell says, what it sorts by.

use super::{
    state::{Measure, Tab},
    subject::Subject,
};
use crate::{
    inventory::TunnelKind,
    model::{Flow, Handshake, Rates, both, overhead_share},
    sample::Both,
    text,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnId {
    /// Name of the tunnel, address of the peer's node, name of the pod.
    Name,
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
    /// MTU of the tunnel device.
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
    /// Mean bytes of the inner packet.
    MeanSize,
    /// Wire packets per socket buffer.
    Segments,
    /// Packets over the budget.
    Oversize,
    /// Inner fragments.
    Fragments,
    /// Everything carried, outer bytes.
    Total,
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

/// What a column sorts by.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SortValue {
    /// By text.
    Text(String),
    /// By a rate, which never stands still.
    Rate(Option<f64>),
    /// By number.
    Number(Option<f64>),
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// What it says, safe to print.
    pub(super) text: String,
    /// It is something to look at.
    pub(super) alarm: bool,
}

/// The columns of a tab's table, left to right; without those that would say nothing of any of `rows`.
pub(super) fn of<'a>(tab: Tab, mut rows: impl Iterator<Item = Subject<'a>>) -> Vec<ColumnId> {
    let is_told = rows.any(|row| handshake(row).is_some());
    all(tab).iter().copied().filter(|column| is_told || *column != ColumnId::Handshake).collect()
}

fn all(tab: Tab) -> &'static [ColumnId] {
    use ColumnId::{
        Addresses, Fragments, Handshake, Kind, MeanSize, Mtu, Name, Overhead, Oversize, Rx, RxPackets,
        Segments, Total, Tunnel, Tx, TxPackets, Underlay, Vni,
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
        Tab::Overview | Tab::Messages | Tab::Cost => &[],
    }
}

impl ColumnId {
    /// How it looks.
    pub(super) fn spec(self) -> Spec {
        let number = |title, width, rank| Spec { title, width, number: true, rank, grow: 0 };
        let text = |title, width, rank, grow| Spec { title, width, number: false, rank, grow };
        match self {
            Self::Name => text("", 20, 0, 3),
            Self::Kind => text("KIND", 9, 6, 0),
            Self::Vni => number("VNI", 5, 7),
            Self::Tunnel => text("TUNNEL", 12, 2, 1),
            Self::Addresses => text("", 30, 7, 3),
            Self::Handshake => number("HSHAKE", 6, 2),
            Self::Mtu => number("MTU", 5, 2),
            Self::Underlay => text("UNDERLAY", 10, 7, 0),
            Self::Tx => number("TX", 6, 0),
            Self::TxPackets => number("TX p/s", 6, 1),
            Self::Rx => number("RX", 6, 0),
            Self::RxPackets => number("RX p/s", 6, 1),
            Self::Overhead => number("OVHEAD", 6, 3),
            Self::MeanSize => number("B/PKT", 5, 7),
            Self::Segments => number("SEG/SKB", 7, 8),
            Self::Oversize => number("TOOBIG", 6, 3),
            Self::Fragments => number("FRAGS", 6, 6),
            Self::Total => number("TOTAL", 9, 8),
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

/// The rate that a measure shows.
pub(super) fn rate(flow: &Flow, measure: Measure) -> Option<f64> {
    flow.rate.as_ref().map(|rate| match measure {
        Measure::OuterBits => rate.outer_bits_per_s,
        Measure::InnerBits => rate.inner_bits_per_s,
        Measure::Packets => rate.packets_per_s,
    })
}

/// A rate with its unit.
pub(super) fn rate_words(value: Option<f64>, measure: Measure) -> String {
    match (value, measure) {
        (None, _) => "-".to_owned(),
        (Some(value), Measure::Packets) => format!("{} p/s", text::si(value)),
        (Some(value), _) => text::bits_per_s(value),
    }
}

/// What a cell says.
pub(super) fn cell(column: ColumnId, subject: Subject<'_>, measure: Measure) -> Cell {
    let flow = subject.flow();
    let plain = |text: String| Cell { text, alarm: false };
    let or_dash = |text: Option<String>| plain(text.unwrap_or_else(|| "-".to_owned()));
    let per_second = |value: Option<f64>| or_dash(value.map(text::si));
    let packets = |flow: &Flow| flow.rate.as_ref().map(|rate: &Rates| rate.packets_per_s);
    match column {
        ColumnId::Name => plain(subject.name()),
        ColumnId::Kind => or_dash(tunnel(subject).map(|row| row.tunnel.kind.to_string())),
        ColumnId::Vni => {
            // A collect-metadata device carries many.
            plain(match tunnel(subject).map(|row| (row.tunnel.kind, row.tunnel.vni)) {
                Some((TunnelKind::Wireguard | TunnelKind::Ipip, _)) => "-".to_owned(),
                Some((_, Some(vni))) => vni.to_string(),
                _ => "any".to_owned(),
            })
        }
        ColumnId::Tunnel => match subject {
            Subject::Peer(row) => plain(text::escape(&row.tunnel_name)),
            Subject::Tunnel(_) | Subject::Pod(_) => or_dash(None),
        },
        ColumnId::Addresses => or_dash(addresses(subject)),
        ColumnId::Handshake => or_dash(handshake(subject).map(|told| text::age(told.age()))),
        ColumnId::Mtu => or_dash(tunnel(subject).map(|row| row.tunnel.mtu.to_string())),
        ColumnId::Underlay => {
            or_dash(tunnel(subject).and_then(|row| Some(text::escape(&row.tunnel.underlay.as_ref()?.name))))
        }
        ColumnId::Tx => per_second(rate(&flow.tx, measure)),
        ColumnId::TxPackets => per_second(packets(&flow.tx)),
        ColumnId::Rx => per_second(rate(&flow.rx, measure)),
        ColumnId::RxPackets => per_second(packets(&flow.rx)),
        ColumnId::Overhead => or_dash(overhead_share(flow).map(|share| format!("{share:.1}%"))),
        ColumnId::MeanSize => or_dash(mean_size(flow).map(|bytes| format!("{bytes:.0}"))),
        ColumnId::Segments => or_dash(segments(flow).map(|segments| format!("{segments:.1}"))),
        ColumnId::Oversize => count(both(flow).oversize),
        ColumnId::Fragments => count(both(flow).fragments),
        ColumnId::Total => plain(text::bytes(both(flow).outer_bytes)),
    }
}

/// What a column sorts by.
pub(super) fn sort_value(column: ColumnId, subject: Subject<'_>, measure: Measure) -> SortValue {
    let flow = subject.flow();
    match column {
        ColumnId::Name | ColumnId::Kind | ColumnId::Tunnel | ColumnId::Addresses | ColumnId::Underlay => {
            SortValue::Text(cell(column, subject, measure).text)
        }
        ColumnId::Vni => SortValue::Number(tunnel(subject).and_then(|row| row.tunnel.vni).map(f64::from)),
        ColumnId::Handshake => {
            // Never is the oldest.
            SortValue::Number(
                handshake(subject).map(|told| told.age().map_or(f64::MAX, |age| age.as_secs_f64())),
            )
        }
        ColumnId::Mtu => SortValue::Number(tunnel(subject).map(|row| f64::from(row.tunnel.mtu))),
        ColumnId::Tx => SortValue::Rate(rate(&flow.tx, measure)),
        ColumnId::Rx => SortValue::Rate(rate(&flow.rx, measure)),
        ColumnId::TxPackets => SortValue::Rate(rate(&flow.tx, Measure::Packets)),
        ColumnId::RxPackets => SortValue::Rate(rate(&flow.rx, Measure::Packets)),
        ColumnId::Overhead => SortValue::Number(overhead_share(flow)),
        ColumnId::MeanSize => SortValue::Number(mean_size(flow)),
        ColumnId::Segments => SortValue::Number(segments(flow)),
        ColumnId::Oversize => SortValue::Number(Some(both(flow).oversize as f64)),
        ColumnId::Fragments => SortValue::Number(Some(both(flow).fragments as f64)),
        ColumnId::Total => SortValue::Number(Some(both(flow).outer_bytes as f64)),
    }
}

fn mean_size(flow: &Both<Flow>) -> Option<f64> {
    let total = both(flow);
    (total.packets > 0).then(|| total.inner_bytes as f64 / total.packets as f64)
}

fn segments(flow: &Both<Flow>) -> Option<f64> {
    Flow { total: both(flow), rate: None }.packets_per_skb()
}

/// A count of what should not happen.
fn count(value: u64) -> Cell {
    Cell { text: text::si(value as f64), alarm: value > 0 }
}

fn handshake(subject: Subject<'_>) -> Option<Handshake> {
    match subject {
        Subject::Peer(row) => row.wireguard.map(|told| told.handshake),
        Subject::Tunnel(_) | Subject::Pod(_) => None,
    }
}

fn tunnel(subject: Subject<'_>) -> Option<&crate::model::TunnelRow> {
    match subject {
        Subject::Tunnel(row) => Some(row),
        Subject::Peer(_) | Subject::Pod(_) => None,
    }
}

fn addresses(subject: Subject<'_>) -> Option<String> {
    let list: Vec<String> = match subject {
        Subject::Tunnel(row) => row.tunnel.addresses.iter().map(ToString::to_string).collect(),
        Subject::Peer(row) => row.peer.as_ref()?.pod_cidrs.iter().map(ToString::to_string).collect(),
        Subject::Pod(row) => row.pod.as_ref()?.addresses.iter().map(ToString::to_string).collect(),
    };
    (!list.is_empty()).then(|| list.join(" "))
}
