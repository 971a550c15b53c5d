//! What is known of one tunnel, peer, pod or virtual function, in words.

mod cores;
mod drops;
mod entries;
mod gso;
mod hooks;
mod pod;
mod vf;

use ratatui::text::Span;

use super::{paint, theme::Theme};
use crate::{
    model::{
        Condition, Flow, Model, NodePeer, OuterFlow, Peer, PeerRow, PerDirection, Tunnel, TunnelKind,
        TunnelRow, Underlay, WireguardRow, outer_together,
    },
    report, text,
    tui::{measure::Measure, subject::Subject},
};

/// Columns of the names.
const NAMES: usize = 11;

/// A name, what it says, and whether it is something to look at.
pub(super) type Fact = (&'static str, String, bool);

/// All that is known, the most important first.
pub(super) fn of(subject: Subject<'_>, model: &Model) -> Vec<Fact> {
    match subject {
        Subject::Tunnel(row) => {
            let mut facts = of_tunnel(row, model);
            facts.extend(cores::facts(row, model));
            facts.extend(direct(model));
            facts.extend(gso::fact(row, model));
            facts
        }
        Subject::Peer(row) => of_peer(row),
        Subject::Pod(row) => pod::facts(row, model),
        Subject::Vf(row) => vf::facts(row),
    }
}

/// What needs the whole width: programs on a tunnel's devices, a pod's secondary interfaces, a peer's entries in the kernel's tables.
pub(super) fn wide(subject: Subject<'_>, model: &Model, measure: Measure) -> Vec<Fact> {
    match subject {
        Subject::Pod(row) => pod::interfaces(row, measure),
        Subject::Peer(row) => entries::of_peer(row, model),
        Subject::Tunnel(row) => hooks::of_tunnel(row, model),
        Subject::Vf(_) => Vec::new(),
    }
}

/// The lines of one fact in `columns` columns.
pub(super) fn lines(fact: &Fact, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let (name, words, alarm) = fact;
    let style = if *alarm { theme.alarm() } else { theme.normal() };
    let room = columns.saturating_sub(2 + u16::try_from(NAMES).unwrap_or(0));
    let mut names = std::iter::once(*name).chain(std::iter::repeat(""));
    paint::wrap(words, room)
        .into_iter()
        .map(|words| {
            let name = names.next().unwrap_or_default();
            vec![Span::styled(format!(" {name:<NAMES$} "), theme.dim()), Span::styled(words, style)]
        })
        .collect()
}

fn of_tunnel(row: &TunnelRow, model: &Model) -> Vec<Fact> {
    let tunnel = &row.tunnel;
    let vni = match (tunnel.kind, tunnel.vni) {
        (TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Udp, _) => String::new(),
        (TunnelKind::Vxlan | TunnelKind::Geneve, None) => " any VNI".to_owned(),
        (TunnelKind::Vxlan | TunnelKind::Geneve, Some(vni)) => format!(" VNI {vni}"),
    };
    let port = tunnel.port.map_or_else(String::new, |port| format!(", port {port}"));
    let state = match row.condition {
        Condition::Gone => ", GONE",
        Condition::UnderlayDown => ", device below DOWN",
        Condition::Unchecked
        | Condition::Ok
        | Condition::Down
        | Condition::TooBig
        | Condition::NoRoute
        | Condition::NoNeighbour
        | Condition::NoFdb
        | Condition::NoEndpoint
        | Condition::InClear => {
            if tunnel.up {
                ""
            } else {
                ", DOWN"
            }
        }
    };
    let mut facts: Vec<Fact> =
        vec![("kind", format!("{}{vni}{port}{state}", tunnel.kind), !state.is_empty())];
    facts.push(underlay(tunnel));
    facts.extend(tunnel.public_key.map(|key| ("public key", key.to_string(), false)));
    facts.push(budget(row));
    facts.extend(carried(&row.flow));
    facts.extend(outer(row.outer.as_ref()));
    facts.extend(drops::of_tunnel(row, model));
    let kinds = &row.kinds;
    let share = |a: u64, b: u64| text::si((a + b) as f64);
    facts.push((
        "packets",
        format!(
            "{} IPv4, {} IPv6; {} TCP, {} UDP",
            share(kinds.tx.ipv4, kinds.rx.ipv4),
            share(kinds.tx.ipv6, kinds.rx.ipv6),
            share(kinds.tx.tcp, kinds.rx.tcp),
            share(kinds.tx.udp, kinds.rx.udp)
        ),
        false,
    ));
    let unsent = kinds.tx.unsent + kinds.rx.unsent;
    if unsent > 0 {
        let what = match tunnel.kind {
            TunnelKind::Vxlan | TunnelKind::Geneve => "broadcast or multicast",
            TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Udp => "packets",
        };
        facts.push(("no peer", format!("{what} without destination: {}", text::si(unsent as f64)), false));
    }
    facts
}

/// What is routed to other nodes without a tunnel, as it is meant.
fn direct(model: &Model) -> Option<Fact> {
    let PerDirection { tx, rx } = model.direct?;
    let count = |packets: u64| text::si(packets as f64);
    let words =
        format!("TX {}, RX {} packets by routes without a tunnel", count(tx.packets), count(rx.packets));
    (tx.packets + rx.packets > 0).then_some(("direct", words, false))
}

fn underlay(tunnel: &Tunnel) -> Fact {
    let local = tunnel.local.map_or_else(String::new, |local| format!(" from {local}"));
    match &tunnel.underlay {
        Some(_) => {
            let one = |below: &Underlay| format!("{} (MTU {})", text::escape(&below.name), below.mtu);
            let below: Vec<_> = tunnel.underlays().map(one).collect();
            ("underlay", format!("{}{local}", below.join(", ")), false)
        }
        None => ("underlay", format!("unknown{local}: outer packets are not measured"), true),
    }
}

fn budget(row: &TunnelRow) -> Fact {
    let (tunnel, overhead) = (&row.tunnel, row.room.overhead);
    let Some(fits) = row.room.max_inner else {
        return ("MTU", format!("{}; {overhead} bytes of encapsulation", tunnel.mtu), false);
    };
    let below = fits + overhead;
    let (words, alarm) = match tunnel.mtu.cmp(&fits) {
        std::cmp::Ordering::Greater => {
            (format!("{} is {} too big: {fits} fit", tunnel.mtu, tunnel.mtu - fits), true)
        }
        std::cmp::Ordering::Equal => (format!("{} + {overhead} = {below}: exact fit", tunnel.mtu), false),
        std::cmp::Ordering::Less => (format!("{} of {fits} possible", tunnel.mtu), false),
    };
    ("MTU", words, alarm)
}

fn of_peer(row: &PeerRow) -> Vec<Fact> {
    let mut facts = of_one_or_all(row);
    facts.extend(carried(&row.flow));
    facts.extend(outer(row.outer.as_ref()));
    facts.extend(row.paths.iter().map(|path| {
        let (words, is_wrong) = report::peer_probes::in_short(path);
        ("probes", words, is_wrong)
    }));
    if !row.paths.is_empty() {
        facts.push(("", "probes and their answers are in the counters above".to_owned(), false));
    }
    facts
}

/// What is known of a peer, or of each of a node's.
fn of_one_or_all(row: &PeerRow) -> Vec<Fact> {
    if !row.members.is_empty() {
        return row.members.iter().flat_map(of_member).collect();
    }
    let mut facts: Vec<Fact> = vec![("tunnel", text::escape(&row.tunnel_name), false)];
    match &row.peer {
        None if row.gone > 0 => {
            facts.push((
                "gone",
                format!("what {} peers carried that are not there any more", row.gone),
                false,
            ));
        }
        None => facts.push((
            "other",
            "traffic to broadcast, multicast or unknown addresses, and peers beyond the limit".to_owned(),
            false,
        )),
        Some(peer) => facts.extend(of_known(peer, row.wireguard)),
    }
    facts
}

/// One of a node's peers, with its state where something is wrong.
fn of_member(member: &NodePeer) -> Vec<Fact> {
    let is_wrong = member.condition.is_wrong();
    let state = if is_wrong { format!(": {}", member.condition.word()) } else { String::new() };
    let mut facts: Vec<Fact> =
        vec![("tunnel", format!("{}{state}", text::escape(&member.tunnel_name)), is_wrong)];
    facts.extend(of_known(&member.peer, member.wireguard));
    facts
}

fn of_known(peer: &Peer, told: Option<WireguardRow>) -> Vec<Fact> {
    if peer.wireguard.is_some() {
        return of_wireguard(told, peer);
    }
    let cidrs: Vec<_> = peer.pod_cidrs.iter().map(ToString::to_string).collect();
    let none = cidrs.is_empty();
    vec![
        ("VTEP", peer.key.to_string(), false),
        match peer.node_address {
            Some(address) => ("node", address.to_string(), false),
            None => ("node", "unknown: the FDB has no destination for this VTEP".to_owned(), true),
        },
        ("pod CIDRs", if none { "no route leads to this VTEP".to_owned() } else { cidrs.join(" ") }, none),
    ]
}

/// A peer's key, endpoint and allowed IPs, and what WireGuard itself tells.
fn of_wireguard(told: Option<WireguardRow>, peer: &Peer) -> Vec<Fact> {
    let wireguard = peer.wireguard.unwrap_or_default();
    let cidrs: Vec<_> = peer.pod_cidrs.iter().map(ToString::to_string).collect();
    let keepalive = wireguard.keepalive_s.map_or_else(String::new, |s| format!(", keepalive every {s} s"));
    let mut facts: Vec<Fact> = vec![
        ("public key", peer.key.to_string(), false),
        match wireguard.endpoint {
            Some(endpoint) => ("endpoint", format!("{endpoint}{keepalive}"), false),
            None => ("endpoint", "none: nothing can be sent to it".to_owned(), true),
        },
        if cidrs.is_empty() {
            ("allowed IPs", "none: no packet is sent to it or accepted from it".to_owned(), true)
        } else {
            ("allowed IPs", cidrs.join(" "), false)
        },
    ];
    facts.push(match told {
        None => ("handshake", "unknown".to_owned(), false),
        Some(told) => {
            let age = told
                .handshake
                .age()
                .map_or_else(|| "never".to_owned(), |age| format!("{} ago", text::age(Some(age))));
            let transfer =
                format!("TX {}, RX {} by wg", text::bytes(told.bytes.tx), text::bytes(told.bytes.rx));
            ("handshake", format!("{age}; {transfer}"), false)
        }
    });
    facts
}

fn carried(flow: &PerDirection<Flow>) -> Vec<Fact> {
    let direction = |flow: &Flow| {
        format!("{} packets, {}", text::si(flow.total.packets as f64), text::bytes(flow.total.outer_bytes))
    };
    let mut facts = vec![("TX total", direction(&flow.tx), false), ("RX total", direction(&flow.rx), false)];
    let per_packet =
        |flow: &Flow| flow.overhead_per_packet().map_or_else(|| "-".to_owned(), |b| format!("{b:.0}"));
    facts.push((
        "overhead",
        format!("TX {}, RX {} bytes a packet", per_packet(&flow.tx), per_packet(&flow.rx)),
        false,
    ));
    let segments = |flow: &Flow| flow.packets_per_skb().map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
    facts.push(("GSO, GRO", format!("TX {}, RX {} seg/skb", segments(&flow.tx), segments(&flow.rx)), false));
    facts.extend(too_big(flow));
    let pieces = flow.tx.total.fragments + flow.rx.total.fragments;
    if pieces > 0 {
        facts.push(("pods' own", format!("{} fragments, cut by pods", text::si(pieces as f64)), false));
    }
    facts
}

/// What leaves and is too big is wrong while it goes on; what arrived, or has stopped, is worth knowing.
fn too_big(flow: &PerDirection<Flow>) -> Option<Fact> {
    let (tx, rx) = (flow.tx.total.oversize, flow.rx.total.oversize);
    let now = flow.tx.rate.map(|rate| rate.oversize_per_s);
    let rate = now.map_or_else(String::new, |now| format!("{}/s now; ", text::si(now)));
    let words = format!("{rate}TX {}, RX {} packets", text::si(tx as f64), text::si(rx as f64));
    (tx + rx > 0).then(|| ("too big", words, now.is_some_and(|now| now > 0.0)))
}

fn outer(outer: Option<&PerDirection<OuterFlow>>) -> Vec<Fact> {
    let Some(outer) = outer else {
        return vec![("wire", "not measured".to_owned(), false)];
    };
    let direction = |flow: &OuterFlow| {
        format!("{} packets, {}", text::si(flow.total.packets as f64), text::bytes(flow.total.bytes))
    };
    let mut facts = vec![("TX wire", direction(&outer.tx), false), ("RX wire", direction(&outer.rx), false)];
    for (name, tx, rx) in [
        ("keepalives", outer.tx.total.keepalives, outer.rx.total.keepalives),
        ("handshakes", outer.tx.total.handshakes, outer.rx.total.handshakes),
    ] {
        if tx.packets + rx.packets > 0 {
            let count = |packets: u64| text::si(packets as f64);
            facts.push((name, format!("TX {}, RX {} packets", count(tx.packets), count(rx.packets)), false));
        }
    }
    let (tx, rx) = (outer.tx.total.in_clear.packets, outer.rx.total.in_clear.packets);
    if tx + rx > 0 {
        let now = outer_together(outer).rate.map(|rate| rate.in_clear_per_s);
        let rate = now.map_or_else(String::new, |now| format!("{}/s now; ", text::si(now)));
        let words = format!("{rate}TX {}, RX {}", text::si(tx as f64), text::si(rx as f64));
        facts.push(("in clear", words, now.is_some_and(|now| now > 0.0)));
    }
    let (tx, rx) = (outer.tx.total.fragments, outer.rx.total.fragments);
    if tx + rx > 0 {
        let now = outer_together(outer).rate.map(|rate| rate.fragments_per_s);
        let rate = now.map_or_else(String::new, |now| format!("{}/s now; ", text::si(now)));
        let words = format!("{rate}TX {}, RX {} outer", text::si(tx as f64), text::si(rx as f64));
        facts.push(("fragments", words, now.is_some_and(|now| now > 0.0)));
    }
    facts
}
