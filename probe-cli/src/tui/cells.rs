//! What the cells of the tables say, and what their rows are ordered by.

use super::{
    columns::ColumnId,
    subject::{Subject, natural},
    vf,
};
use crate::{
    model::{
        Condition, Handshake, PeerRow, TunnelKind, TunnelRow, VirtualFunction, fields::columns::FRAGMENTS,
    },
    text,
    tui::{measure::Measure, rate},
};

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

/// What a cell says. What does not apply to a row, or is not known, is `-`.
pub(super) fn cell(column: ColumnId, subject: Subject<'_>, measure: Measure) -> Cell {
    let plain = |text: String| Cell { text, alarm: false };
    let or_dash = |text: Option<String>| plain(text.unwrap_or_else(|| "-".to_owned()));
    let per_second = |value: Option<f64>| or_dash(value.map(text::si));
    let rate = subject.rate();
    match column {
        ColumnId::Name | ColumnId::Vf => plain(subject.name()),
        ColumnId::State => {
            let condition = subject.condition();
            let word = condition.map_or("-", Condition::word);
            Cell { text: word.to_owned(), alarm: condition.is_some_and(Condition::is_wrong) }
        }
        ColumnId::Info => or_dash(info(subject)),
        ColumnId::Kind => or_dash(tunnel(subject).map(|row| row.tunnel.kind.to_string())),
        ColumnId::Vni => {
            // A collect-metadata device carries many.
            plain(match tunnel(subject).map(|row| (row.tunnel.kind, row.tunnel.vni)) {
                Some((TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Udp, _)) => "-".to_owned(),
                Some((_, Some(vni))) => vni.to_string(),
                _ => "any".to_owned(),
            })
        }
        ColumnId::Tunnel => or_dash(match subject {
            Subject::Peer(row) => Some(tunnels_of(row)),
            Subject::Tunnel(_) | Subject::Pod(_) | Subject::Vf(_) => None,
        }),
        ColumnId::Addresses => or_dash(addresses(subject)),
        ColumnId::Handshake => or_dash(handshake(subject).map(|told| text::age(told.age()))),
        // Sources that name different pods are something to look at.
        ColumnId::Holder => Cell {
            alarm: function(subject).is_some_and(|vf| !vf.disputed_by.is_empty()),
            ..or_dash(function(subject).and_then(vf::holder))
        },
        ColumnId::Network => or_dash(function(subject).and_then(vf::network)),
        ColumnId::Interface => or_dash(function(subject).and_then(vf::interface)),
        ColumnId::Driver => or_dash(function(subject).map(vf::driver)),
        ColumnId::Mtu => or_dash(mtu(subject).map(|mtu| mtu.to_string())),
        ColumnId::Underlay => {
            or_dash(tunnel(subject).and_then(|row| Some(text::escape(&row.tunnel.underlay.as_ref()?.name))))
        }
        // Of many samples: the table draws it.
        ColumnId::Trend => plain(String::new()),
        ColumnId::Tx => or_dash(rate.tx.map(|rate| rate::number(rate.of(measure), measure))),
        ColumnId::TxPackets => per_second(rate.tx.map(|rate| rate.packets)),
        ColumnId::Rx => or_dash(rate.rx.map(|rate| rate::number(rate.of(measure), measure))),
        ColumnId::RxPackets => per_second(rate.rx.map(|rate| rate.packets)),
        ColumnId::Metric(column) if *column == FRAGMENTS && matches!(subject, Subject::Pod(_)) => {
            plain(String::new())
        }
        ColumnId::Metric(column) => {
            let carried = subject.carried();
            let alarm = column.is_alarm && column.number(&carried).is_some_and(|number| number > 0.0);
            Cell { alarm, ..or_dash(column.text(&carried)) }
        }
        ColumnId::CountedBy => or_dash(match subject {
            Subject::Vf(row) => Some(row.traffic.counted_by().to_owned()),
            Subject::Tunnel(_) | Subject::Peer(_) | Subject::Pod(_) => None,
        }),
        ColumnId::Vlan => or_dash(function(subject).and_then(vf::vlan)),
        ColumnId::Link => or_dash(function(subject).and_then(vf::link).map(str::to_owned)),
    }
}

/// What a column sorts by.
pub(super) fn sort_value(column: ColumnId, subject: Subject<'_>, measure: Measure) -> SortValue {
    let rate = subject.rate();
    match column {
        ColumnId::Name | ColumnId::Vf => SortValue::Text(subject.sort_name()),
        // What is wrong is first when the largest is.
        ColumnId::State => {
            let rank = |condition: Condition| match condition {
                Condition::Unchecked => 0.0,
                Condition::Ok => 1.0,
                Condition::Gone => 2.0,
                Condition::Down
                | Condition::UnderlayDown
                | Condition::TooBig
                | Condition::NoRoute
                | Condition::NoNeighbour
                | Condition::NoFdb
                | Condition::NoEndpoint
                | Condition::InClear => 3.0,
            };
            SortValue::Number(subject.condition().map(rank))
        }
        ColumnId::Addresses | ColumnId::Info => {
            SortValue::Text(natural(&cell(column, subject, measure).text))
        }
        ColumnId::Kind
        | ColumnId::Tunnel
        | ColumnId::Underlay
        | ColumnId::Holder
        | ColumnId::Network
        | ColumnId::Interface
        | ColumnId::Driver
        | ColumnId::CountedBy
        | ColumnId::Trend
        | ColumnId::Link => SortValue::Text(cell(column, subject, measure).text),
        ColumnId::Vni => SortValue::Number(tunnel(subject).and_then(|row| row.tunnel.vni).map(f64::from)),
        ColumnId::Handshake => {
            // Never is the oldest.
            SortValue::Number(
                handshake(subject).map(|told| told.age().map_or(f64::MAX, |age| age.as_secs_f64())),
            )
        }
        ColumnId::Mtu => SortValue::Number(mtu(subject).map(f64::from)),
        ColumnId::Tx => SortValue::Rate(rate.tx.map(|rate| rate.of(measure))),
        ColumnId::Rx => SortValue::Rate(rate.rx.map(|rate| rate.of(measure))),
        ColumnId::TxPackets => SortValue::Rate(rate.tx.map(|rate| rate.packets)),
        ColumnId::RxPackets => SortValue::Rate(rate.rx.map(|rate| rate.packets)),
        ColumnId::Metric(column) => SortValue::Number(column.number(&subject.carried())),
        ColumnId::Vlan => {
            // No VLAN is below every VLAN; the unknown is below that.
            let vlan = |vf: &VirtualFunction| Some(vf.settings.as_ref()?.vlan.map_or(0, |vlan| vlan.id));
            SortValue::Number(function(subject).and_then(vlan).map(f64::from))
        }
    }
}

/// What a row says for a key of a filter; none where it has no such thing.
pub(super) fn field(key: &str, subject: Subject<'_>) -> Option<String> {
    let column = match (key, subject) {
        ("tunnel", Subject::Tunnel(_)) | ("node", Subject::Peer(_)) | ("pod", Subject::Pod(_)) => {
            ColumnId::Name
        }
        ("ns", Subject::Pod(row)) => return Some(text::escape(row.pod.as_ref()?.namespace.as_ref()?)),
        ("ns", Subject::Vf(row)) => return Some(text::escape(&row.vf.pod.as_ref()?.namespace)),
        ("tunnel", Subject::Peer(row)) => return Some(text::escape(&row.tunnel_name)),
        ("address", _) | ("cidr", Subject::Peer(_)) => ColumnId::Addresses,
        ("state", _) => ColumnId::State,
        ("kind", _) => ColumnId::Kind,
        ("vni", Subject::Tunnel(_)) => ColumnId::Vni,
        ("mtu", _) => ColumnId::Mtu,
        ("underlay", _) => ColumnId::Underlay,
        ("pod", Subject::Vf(_)) => ColumnId::Holder,
        ("network", _) => ColumnId::Network,
        ("iface", _) => ColumnId::Interface,
        ("driver", _) => ColumnId::Driver,
        ("vlan", _) => ColumnId::Vlan,
        ("link", _) => ColumnId::Link,
        _ => return None,
    };
    Some(cell(column, subject, Measure::default()).text).filter(|text| text != "-")
}

/// What else there is to say of a row, in few words.
fn info(subject: Subject<'_>) -> Option<String> {
    match subject {
        Subject::Tunnel(row) => {
            let tunnel = &row.tunnel;
            let vni = tunnel.vni.map_or_else(String::new, |vni| format!(" {vni}"));
            Some(format!("{}{vni} MTU {}", tunnel.kind, tunnel.mtu))
        }
        Subject::Peer(row) => Some(match handshake(subject) {
            // There is no room beside it for more than one tunnel; Peers has them.
            Some(told) => {
                let first = row.members.first().map_or(&row.tunnel_name, |first| &first.tunnel_name);
                format!("{} hs {}", text::escape(first), text::age(told.age()))
            }
            None => tunnels_of(row),
        }),
        Subject::Pod(_) => addresses(subject),
        Subject::Vf(_) => None,
    }
}

/// The tunnel to a node; of several the first, and how many more there are: their names are in the details.
fn tunnels_of(row: &PeerRow) -> String {
    match row.members.as_slice() {
        [first, more @ ..] if !more.is_empty() => {
            format!("{} +{}", text::escape(&first.tunnel_name), more.len())
        }
        _ => text::escape(&row.tunnel_name),
    }
}

/// The last handshake, where the row has such a thing.
pub(super) fn handshake(subject: Subject<'_>) -> Option<Handshake> {
    match subject {
        Subject::Peer(row) => row.wireguard.map(|told| told.handshake),
        Subject::Tunnel(_) | Subject::Pod(_) | Subject::Vf(_) => None,
    }
}

fn tunnel(subject: Subject<'_>) -> Option<&TunnelRow> {
    match subject {
        Subject::Tunnel(row) => Some(row),
        Subject::Peer(_) | Subject::Pod(_) | Subject::Vf(_) => None,
    }
}

fn function(subject: Subject<'_>) -> Option<&VirtualFunction> {
    match subject {
        Subject::Vf(row) => Some(&row.vf),
        Subject::Tunnel(_) | Subject::Peer(_) | Subject::Pod(_) => None,
    }
}

fn mtu(subject: Subject<'_>) -> Option<u32> {
    tunnel(subject).map(|row| row.tunnel.mtu).or_else(|| Some(function(subject)?.interface.as_ref()?.mtu))
}

fn addresses(subject: Subject<'_>) -> Option<String> {
    let list: Vec<String> = match subject {
        Subject::Tunnel(row) => row.tunnel.addresses.iter().map(ToString::to_string).collect(),
        Subject::Peer(row) => row.peer.as_ref()?.pod_cidrs.iter().map(ToString::to_string).collect(),
        Subject::Pod(row) => row.pod.as_ref()?.addresses.iter().map(ToString::to_string).collect(),
        Subject::Vf(_) => return None,
    };
    (!list.is_empty()).then(|| list.join(" "))
}
