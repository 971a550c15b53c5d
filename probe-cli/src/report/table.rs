//! The model as aligned text, 80 columns wide where names allow it: `watch --format table`.

use std::{cmp::Reverse, fmt::Write as _};

use unicode_width::UnicodeWidthStr as _;

use super::{align::wrapped, events::words};
use crate::{
    model::{
        Condition, Direction, Flow, Model, ModelEvent, OuterFlow, PerDirection, TunnelKind, VfRates, VfRow,
        busiest, carried, cores_together,
        fields::{
            self, Field, Number,
            columns::{Carried, Column, FRAGMENTS, OF_PROBES, OVERHEAD, OVERSIZE},
        },
        reason_title,
    },
    report::peer_probes,
    text,
};

/// Room for why something was dropped.
const REASON: usize = 31;
/// Columns of a terminal.
const WIDTH: usize = 80;
/// Widest name shown; longer ones lose their middle.
const NAME: usize = 32;
/// What is left of 80 columns behind the rates.
const LAST: usize = 19;

/// What is behind the rates of what tunnels carry, with the width of each.
const COLUMNS: [(&Column, usize); 3] = [(&OVERHEAD, 6), (&OVERSIZE, 5), (&FRAGMENTS, 6)];

/// The whole table of one interval, with a line end after every line; and what happened in it.
pub fn table(model: &Model, events: &[ModelEvent]) -> String {
    let mut out = String::new();
    let interval = model.interval.map_or(0.0, |interval| interval.as_secs_f64());
    let cost = cost(model);
    // Writing to a String cannot fail.
    let mut heading = format!("{} over {interval:.1} s{cost}", text::clock(model.time));
    if let Some(core) = core(model).filter(|core| heading.width() + core.width() <= WIDTH) {
        heading.push_str(&core);
    }
    let _ = writeln!(out, "{heading}");
    if let Some(probing) = model.probing.value() {
        wrapped(&mut out, "", &peer_probes::stated(probing));
    }
    if !model.tunnels.is_empty() || model.vfs.is_empty() {
        tunnels(&mut out, model);
    }
    interfaces(&mut out, model);
    vfs(&mut out, model);
    peer_answers(&mut out, model);
    drops(&mut out, model);
    for event in &model.pmtu_events {
        let mtu = event.mtu.map_or_else(|| "smaller".to_owned(), |mtu| mtu.to_string());
        let _ = writeln!(
            out,
            "! path MTU {mtu} to {}, says {} (ICMP, {})",
            event.destination,
            event.reporter,
            text::escape(&event.tunnel_name),
        );
    }
    for event in events {
        let (mark, words) = words(event);
        let _ = writeln!(out, "* {mark}: {words}");
    }
    explained(&mut out, model);
    for note in &model.notes {
        let _ = writeln!(out, "! {}", text::escape(note));
    }
    out
}

/// Why packets are "other": a line each, and with the last of them how many there were of each reason.
fn explained(out: &mut String, model: &Model) {
    let Some(explained) = &model.explained else { return };
    for row in &explained.packets {
        let _ = writeln!(
            out,
            "? {} {} {}: {}, {}: {}",
            text::clock(row.time),
            text::escape(&row.device),
            match row.packet.direction {
                Direction::Tx => "tx",
                Direction::Rx => "rx",
            },
            row.ends(),
            row.kind(),
            row.words().join("; "),
        );
    }
    if explained.left == 0 {
        let totals = explained.reasons.iter();
        let totals: Vec<String> =
            totals.map(|total| format!("{} {}", total.packets, reason_title(total.reason))).collect();
        let _ = writeln!(out, "? packets by reason: {}", totals.join(", "));
    }
    if explained.lost > 0 {
        let _ = writeln!(out, "? packets whose details were lost: {}", explained.lost);
    }
}

/// Tunnels, their peers and pods.
fn tunnels(out: &mut String, model: &Model) {
    let row = |name: String,
               condition: Condition,
               flow: &PerDirection<Flow>,
               outer: Option<&PerDirection<OuterFlow>>| {
        // What is wrong stands behind the name: there is no column for it.
        let word = if condition.is_wrong() { format!(" {}", condition.word()) } else { String::new() };
        Row { name, word, flow: *flow, outer: outer.copied() }
    };
    let tunnels = model.tunnels.iter();
    section(
        out,
        "TUNNEL",
        tunnels.map(|tunnel| row(tunnel_name(tunnel), tunnel.condition, &tunnel.flow, tunnel.outer.as_ref())),
    );
    let peers = model.peers.iter().filter(|row| row.peer.is_some() || carried(&row.flow));
    section(
        out,
        "PEER",
        peers.map(|peer| row(peer_name(peer), peer.condition, &peer.flow, peer.outer.as_ref())),
    );
    let pods = model.pods.iter().filter(|row| row.pod.is_some() || carried(&row.flow));
    section(
        out,
        "POD",
        pods.map(|pod| {
            let name = pod.pod.as_ref().map_or_else(|| sum(pod.gone), |pod| text::escape(&pod.label()));
            row(name, pod.condition, &pod.flow, None)
        }),
    );
}

/// Secondary interfaces of pods, where there are some, as the kernel counts them: link headers included.
fn interfaces(out: &mut String, model: &Model) {
    let mut rows = model
        .pods
        .iter()
        .filter_map(|row| Some((row.pod.as_ref()?, &row.interfaces)))
        .flat_map(|(pod, rows)| rows.iter().map(move |row| (pod, row)))
        .filter(|(_, row)| !row.interface.is_default)
        .peekable();
    if rows.peek().is_none() {
        return;
    }
    link_heading(out, "SECONDARY INTERFACE", "NETWORK");
    for (pod, row) in rows {
        let name = format!("{} {}", text::escape(&row.interface.name), text::escape(&pod.label()));
        let network = row.interface.network.as_deref().map_or_else(|| "-".to_owned(), text::escape);
        link_row(out, &name, row.rate.as_ref(), &network);
    }
}

/// What probes to peers come to, where somebody asked for any.
fn peer_answers(out: &mut String, model: &Model) {
    let mut rows = model.peers.iter().filter_map(|row| Some((row, row.answers()?))).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(out, "\n{:<NAME$}", "PROBED PEER");
    for column in OF_PROBES {
        let _ = write!(out, " {:>width$}", column.title, width = usize::from(column.width));
    }
    out.push('\n');
    for (row, answers) in rows {
        let name = text::fit(&peer_name(row), NAME);
        let _ = write!(out, "{name}{:pad$}", "", pad = NAME.saturating_sub(name.width()));
        let carried = Carried { answers: Some(answers), ..Carried::default() };
        for column in OF_PROBES {
            let cell = column.text(&carried).unwrap_or_else(|| "-".to_owned());
            let _ = write!(out, " {cell:>width$}", width = usize::from(column.width));
        }
        out.push('\n');
    }
}

fn link_heading(out: &mut String, title: &str, last: &str) {
    let rates = rate_titles(&fields::LINK_BITS, &fields::LINK_PACKETS);
    let _ = writeln!(out, "\n{title:<NAME$} {rates} {last}");
}

/// Titles of bits and packets per second in both directions.
fn rate_titles<T>(bits: &Field<T>, packets: &Field<T>) -> String {
    let titles = ["TX", "RX"].map(|direction| {
        let title = |field: &Field<T>| format!("{direction} {}", field.unit.sign());
        format!("{:>6} {:>6}", title(bits), title(packets))
    });
    titles.join(" ")
}

/// Bits and packets per second in both directions; what nobody counts is `-`.
fn rates<T>(bits: &Field<T>, packets: &Field<T>, tx: Option<&T>, rx: Option<&T>) -> String {
    let cells = [tx, rx].map(|of| {
        let cell = |field: &Field<T>| {
            let number = of.and_then(field.of).map(Number::as_f64);
            number.map_or_else(|| "-".to_owned(), text::si)
        };
        format!("{:>6} {:>6}", cell(bits), cell(packets))
    });
    cells.join(" ")
}

/// The name of a row that sums up what has none of its own.
fn sum(gone: u64) -> String {
    if gone > 0 { format!("gone ({gone})") } else { "other".to_owned() }
}

/// Rates as an interface counts them; what nobody counts is `-`.
fn link_row(out: &mut String, name: &str, rate: Option<&PerDirection<VfRates>>, last: &str) {
    let name = text::fit(name, NAME);
    let pad = NAME.saturating_sub(name.width());
    let (tx, rx) = (rate.map(|rate| &rate.tx), rate.map(|rate| &rate.rx));
    let rates = rates(&fields::LINK_BITS, &fields::LINK_PACKETS, tx, rx);
    let _ = writeln!(out, "{name}{:pad$} {rates} {}", "", text::fit(last, LAST));
}

/// What the kernel drops, once there was something: what came in the interval first.
fn drops(out: &mut String, model: &Model) {
    let Some(drops) = model.drops.value().filter(|drops| !drops.rows.is_empty()) else { return };
    let mut rows: Vec<_> = drops.rows.iter().collect();
    rows.sort_by_key(|row| Reverse((row.packets, row.total)));
    let _ = writeln!(
        out,
        "\n{:<NAME$} {:<REASON$} {:>8} {:>6}",
        "DROPPED BY THE KERNEL ON", "REASON", "TOTAL", "p/s"
    );
    for row in rows {
        let name = text::fit(&text::escape(row.device.name()), NAME);
        let what = match (row.is_outer(), row.to_group) {
            (true, _) => ", outer",
            (false, true) => ", to groups",
            (false, false) => "",
        };
        let reason = text::fit(&text::escape(&row.reason), REASON - what.width()) + what;
        let (pad, padding) = (NAME.saturating_sub(name.width()), REASON.saturating_sub(reason.width()));
        let total = text::si(row.total as f64);
        let rate = row.per_s.map_or_else(|| "-".to_owned(), text::si);
        let _ = writeln!(out, "{name}{:pad$} {reason}{:padding$} {total:>8} {rate:>6}", "", "");
    }
}

/// Virtual functions, where there are some. What nobody counts is said to be that.
fn vfs(out: &mut String, model: &Model) {
    if model.vfs.is_empty() {
        return;
    }
    link_heading(out, "VF", "COUNTED BY");
    for row in &model.vfs {
        link_row(out, &vf_name(row), row.rate.as_ref(), row.traffic.counted_by());
    }
}

fn vf_name(row: &VfRow) -> String {
    let vf = &row.vf;
    let pf = text::escape(vf.pf.as_deref().unwrap_or(&vf.pf_pci_address));
    let netns = vf.interface.as_ref().and_then(|interface| interface.netns.as_ref());
    match (&vf.pod, netns) {
        (Some(pod), _) => {
            format!("{pf} vf {} {}/{}", vf.index, text::escape(&pod.namespace), text::escape(&pod.name))
        }
        (None, Some(netns)) => format!("{pf} vf {} in {}", vf.index, text::escape(netns)),
        (None, None) => format!("{pf} vf {}", vf.index),
    }
}

fn cost(model: &Model) -> String {
    let mut cost = String::new();
    if let Some(user) = model.observer.cpu_percent {
        // The kernel's part is known once programs were timed.
        let _ = match model.observer.total_percent() {
            Some(cpu) => write!(cost, ", probe {cpu:.1} % CPU"),
            None => write!(cost, ", probe {user:.1} % CPU and kernel unknown"),
        };
        if let Some(bytes) = model.observer.rss_bytes {
            let _ = write!(cost, ", {}", text::bytes(bytes));
        }
    }
    if model.observer.events_lost > 0 {
        let _ = write!(cost, ", {} events lost", model.observer.events_lost);
    }
    cost
}

/// Which core takes most of what tunnels receive.
fn core(model: &Model) -> Option<String> {
    let cores = cores_together(model.tunnels.iter().map(|row| &row.cores.rx[..]));
    let most = busiest(&cores).filter(|_| model.has_several_cores())?;
    Some(format!(", core {}: {} of RX", most.cpu, text::percent(most.share?)))
}

fn tunnel_name(row: &crate::model::TunnelRow) -> String {
    let tunnel = &row.tunnel;
    let vni = match (tunnel.kind, tunnel.vni) {
        (TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Udp, _) => String::new(),
        (TunnelKind::Vxlan | TunnelKind::Geneve, None) => " any".to_owned(),
        (TunnelKind::Vxlan | TunnelKind::Geneve, Some(vni)) => format!(" {vni}"),
    };
    format!("{} ({}{vni}, mtu {})", text::escape(&tunnel.name), tunnel.kind, tunnel.mtu)
}

fn peer_name(row: &crate::model::PeerRow) -> String {
    let tunnel = text::escape(&row.tunnel_name);
    let Some(label) = row.label() else { return format!("{tunnel} {}", sum(row.gone)) };
    let node = text::escape(&label);
    let age = row.wireguard.map(|told| format!(" hs {}", text::age(told.handshake.age())));
    format!("{tunnel} {node}{}", age.unwrap_or_default())
}

/// What one line shows.
struct Row {
    name: String,
    word: String,
    flow: PerDirection<Flow>,
    outer: Option<PerDirection<OuterFlow>>,
}

fn section(out: &mut String, title: &str, rows: impl Iterator<Item = Row>) {
    let _ = write!(out, "\n{title:<NAME$} {}", rate_titles(&fields::OUTER_BITS, &fields::PACKETS));
    for (column, width) in COLUMNS {
        let _ = write!(out, " {:>width$}", column.title);
    }
    out.push('\n');
    for Row { name, word, flow, outer } in rows {
        let name = text::fit(&name, NAME.saturating_sub(word.width())) + &word;
        let pad = NAME.saturating_sub(name.width());
        let rates = rates(&fields::OUTER_BITS, &fields::PACKETS, Some(&flow.tx), Some(&flow.rx));
        let _ = write!(out, "{name}{:pad$} {rates}", "");
        let carried = Carried { flow: Some(flow), outer, ..Carried::default() };
        for (column, width) in COLUMNS {
            let cell = column.text(&carried).unwrap_or_else(|| "-".to_owned());
            let _ = write!(out, " {cell:>width$}");
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventSubject, Happened, testdata};

    fn table(model: &Model) -> String {
        super::table(model, &[])
    }

    #[test]
    fn what_happened_is_below_the_rates() {
        let happened = Happened::Resumed(std::time::Duration::from_millis(3200));
        let event = ModelEvent { subject: EventSubject::Peer, name: "node\u{1b}2".to_owned(), happened };
        let table = super::table(&testdata::model(), &[event]);
        assert!(
            table.contains("\n* resumed: peer node\\u{1b}2: nothing was received for 3.2 s\n"),
            "{table}"
        );
    }

    #[test]
    fn the_table_of_a_node() {
        insta::assert_snapshot!(table(&testdata::model()));
        insta::assert_snapshot!(table(&testdata::troubled()));
        insta::assert_snapshot!(table(&testdata::wireguard()));
        insta::assert_snapshot!(table(&testdata::vfs()));
        insta::assert_snapshot!(table(&testdata::vfs_by_ebpf()));
        insta::assert_snapshot!(table(&testdata::in_clear()));
        insta::assert_snapshot!(table(&crate::model::drops::testdata::model()));
        insta::assert_snapshot!(table(&crate::model::peer_probes::testdata::model()));
    }

    #[test]
    fn a_line_for_each_packet_that_is_explained() {
        let told = |model: &Model| {
            let table = table(model);
            let lines: Vec<&str> = table.lines().filter(|line| line.starts_with('?')).collect();
            lines.join("\n")
        };
        let mut model = crate::model::explained::testdata::model();
        insta::assert_snapshot!(told(&model));
        // Totals come with the last of them.
        if let Some(explained) = &mut model.explained {
            (explained.left, explained.packets) = (0, Vec::new());
        }
        insta::assert_snapshot!(told(&model));
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_and_nothing_controls_it() {
        for model in [
            testdata::model(),
            testdata::wireguard(),
            testdata::vfs(),
            testdata::vfs_by_ebpf(),
            crate::model::drops::testdata::model(),
        ] {
            for line in table(&model).lines() {
                // Notes are sentences.
                assert!(line.width() <= WIDTH || line.starts_with("! "), "{line}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }
}
