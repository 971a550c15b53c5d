//! The help screen: what to do about the alarms of the screen in front, keys, and what the figures mean.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::fields::columns::{Column, OF_LINKS, OF_PROBES, OF_TUNNELS},
    tui::{keymap::BINDINGS, list::overview_tables, state::State, tab::Tab},
};

/// What the titles of columns mean, those of the catalogue apart. Those without "so far" are of the last interval.
const COMMON: [(&str, &str); 4] = [
    ("TX RX", "out of the node, and into it, through the tunnel, in the last interval"),
    ("STATE", "ok, or the fault; \"-\": not checked"),
    ("on core", "the core that handles most of what arrives; one flow is always one core's"),
    ("HSHAKE, hs", "age of a WireGuard peer's last handshake; peers repeat it only while there is traffic"),
];

const VFS: (&str, &str) = ("VF", "its TX and RX are what its user sends and receives, with link headers");

const OTHER: (&str, &str) =
    ("other", "traffic of no known pod or peer, or beyond the limit; gone: what went");

fn figures() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = |columns: &'static [&'static Column]| columns.iter().map(|column| (column.title, column.help));
    COMMON
        .into_iter()
        .chain(of(&OF_TUNNELS))
        .chain([VFS])
        .chain(of(&OF_LINKS))
        .chain(of(&OF_PROBES))
        .chain([OTHER])
}

/// States of tunnels and peers, and alarms beside them, with what to do.
const STATES: [(&str, &str); 10] = [
    ("too big", "tab 6 has the MTUs, tab 7 the commands to raise or lower them"),
    ("no route", "restart the CNI's agent on this node, which writes it (tab 7)"),
    ("no neigh", "the same: until then packets to that node's pods are dropped"),
    ("no FDB", "the same, of the VXLAN device's forwarding entry"),
    ("no address", "no endpoint of the peer: restart the CNI's agent there, then here"),
    ("NIC down", "the device below: set it up, look at cable, bond and switch port"),
    ("down", "ip link set NAME up; tab 8 has the time when it was set down"),
    ("in clear", "pods' packets outside the tunnel, by routes past it: see tab 7"),
    ("BIG/s", "as for too big; tab 4, sorted by BIG/s (s), has the pods that send"),
    ("FRAG/s", "as for too big: many networks drop such fragments"),
];
const OF_VFS: [(&str, &str); 2] = [
    ("DROP/s", "the VF's user reads too slowly, or sends what its settings forbid: spoof check, VLAN, rate"),
    ("disputed", "sources name different pods: the details say which; restart the pod that has none"),
];
const OF_MTU: [(&str, &str); 2] = [
    (
        "too big",
        "raise the smallest MTU of the path, or lower those that are too big; a pod gets its MTU when it is created",
    ),
    ("cache", "a router on the way has a smaller MTU: mend it there; P measures which sizes arrive"),
];
const OF_HEALTH: [(&str, &str); 3] = [
    ("FAIL", "packets are lost or go unprotected now: do what is said at fix; y copies its commands"),
    ("warn", "costs throughput, or breaks something later"),
    ("UNKNOWN", "below the findings is what could not be read, and how to get it"),
];
const OF_EVENTS: [(&str, &str); 3] = [
    (
        "!",
        "could not be read, or does not fit together; what is shown may lack it. Run as root, with --host-root in a container",
    ),
    ("silent", "look at that node, and for FAIL lines of the same time: they have the cause"),
    ("ICMP", "a router has a smaller MTU than the NIC: mend it there, or lower the tunnel's MTU (tab 6)"),
];
const OF_COST: [(&str, &str); 2] = [
    ("limit", "pods or peers beyond it count as other: raise --pod-slots, --peer-slots"),
    ("dropped", "more ICMP messages than the rate limit: some are missing in tab 8"),
];

/// What to do about what a tab shows as an alarm; the overview shows those of its tables.
fn alarms(tab: Tab, tables: &[Tab]) -> Vec<(&'static str, &'static str)> {
    let of = |tab: Tab| match tab {
        Tab::Overview | Tab::Tunnels | Tab::Peers | Tab::Pods => &STATES[..],
        Tab::Vfs => &OF_VFS[..],
        Tab::Mtu => &OF_MTU[..],
        Tab::Health => &OF_HEALTH[..],
        Tab::Events => &OF_EVENTS[..],
        Tab::Cost => &OF_COST[..],
    };
    let of_tables = |shown: Tab| if tables.contains(&shown) { of(shown) } else { &[] };
    if tab == Tab::Overview {
        [of_tables(Tab::Tunnels), of_tables(Tab::Vfs)].concat()
    } else {
        of(tab).to_vec()
    }
}

/// Columns of the names.
const NAMES: usize = 10;

/// Draws it over the body, from the line on that `scroll` says.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) -> usize {
    let (tab, scroll) = (state.tab, state.scroll);
    let tables = state.shown().map(overview_tables).unwrap_or_default();
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    let keys = BINDINGS.iter().map(|binding| (binding.keys, binding.words));
    let title = format!(" {} {}: what to do", tab.number(), tab.title());
    let of_tab = |width: u16| {
        let mut all = vec![vec![Span::styled(title.clone(), theme.heading())]];
        all.extend(lines(alarms(tab, &tables).into_iter(), width, theme));
        all.push(Vec::new());
        let chosen = state.preferences.keys.words();
        if !chosen.is_empty() {
            let words = format!("Keys of your configuration: {chosen}.");
            let said = paint::wrap(&words, width.saturating_sub(2)).into_iter();
            all.extend(said.map(|words| vec![Span::styled(format!(" {words}"), theme.normal())]));
            all.push(Vec::new());
        }
        all
    };
    if area.width >= 150 {
        let (left, right) = paint::split_left(area, area.width / 2);
        let mut all = of_tab(left.width);
        all.extend(lines(keys, left.width, theme));
        let keys = paint::scrolled(buf, left, all, scroll, theme.dim());
        let figures = paint::scrolled(buf, right, lines(figures(), right.width, theme), scroll, theme.dim());
        keys.max(figures)
    } else {
        let mut all = of_tab(area.width);
        all.extend(lines(keys, area.width, theme));
        all.push(Vec::new());
        all.extend(lines(figures(), area.width, theme));
        paint::scrolled(buf, area, all, scroll, theme.dim())
    }
}

fn lines(
    rows: impl Iterator<Item = (&'static str, &'static str)>,
    width: u16,
    theme: Theme,
) -> Vec<Vec<Span<'static>>> {
    let room = width.saturating_sub(3 + u16::try_from(NAMES).unwrap_or(0));
    let mut lines = Vec::new();
    for (name, words) in rows {
        let mut names = std::iter::once(name).chain(std::iter::repeat(""));
        for words in paint::wrap(words, room) {
            let name = names.next().unwrap_or_default();
            lines.push(vec![
                Span::styled(format!(" {name:<NAMES$} "), theme.title()),
                Span::styled(words, theme.normal()),
            ]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Condition;

    #[test]
    fn every_state_that_is_wrong_has_a_way_out() {
        use Condition::{Down, InClear, NoEndpoint, NoFdb, NoNeighbour, NoRoute, TooBig, UnderlayDown};
        for state in [Down, InClear, NoEndpoint, NoFdb, NoNeighbour, NoRoute, TooBig, UnderlayDown] {
            assert!(state.is_wrong());
            assert!(STATES.iter().any(|(word, _)| *word == state.word()), "{state:?}");
        }
        for tab in Tab::ALL {
            assert!(alarms(tab, &Tab::ALL).iter().all(|(name, _)| name.len() <= NAMES), "{tab:?}");
        }
    }
}
