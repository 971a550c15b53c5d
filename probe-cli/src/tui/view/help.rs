//! The help screen: what to do about the alarms of the screen in front, keys, and what the figures mean.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::fields::columns::{Column, OF_LINKS, OF_PROBES, OF_TUNNELS},
    tui::{keymap::BINDINGS, state::State, tab::Tab},
};

/// What the titles of columns mean, those of the catalogue apart. Those without "so far" are of the last interval.
const COMMON: [(&str, &str); 3] = [
    ("TX RX", "out of the node, and into it, through the tunnel, in the last interval"),
    ("STATE", "ok, or the fault; \"-\": not checked"),
    ("core", "handles most of what arrives; one flow is always one core's"),
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
    ("too big", "6 has the step that is too small; lower the tunnel's MTU or raise that below it (7)"),
    ("no route", "the CNI's agent writes it: restart it on this node (7 has the command)"),
    ("no neigh", "the same; until then packets to that node's pods are dropped"),
    ("no FDB", "the same"),
    ("no address", "a WireGuard peer without endpoint: restart the CNI's agent on that node, then here"),
    ("NIC down", "the device below: set it up, look at its cable, its bond, the switch's port"),
    ("down", "ip link set NAME up, and find out who set it down (8 has the time)"),
    ("in clear", "packets of pods outside the tunnel: look for routes that lead past it (7 names them)"),
    ("BIG/s", "as too big; who sends them is in 4 Pods, sorted by this column (s)"),
    ("FRAG/s", "as too big: full-size packets leave in pieces, which many networks drop"),
];
const OF_VFS: [(&str, &str); 2] = [
    ("DROP/s", "the VF's user reads too slowly, or sends what its settings forbid: spoof check, VLAN, rate"),
    ("disputed", "sources name different pods: the details say which; restart the pod that has none"),
];
const OF_MTU: [(&str, &str); 2] = [
    (
        "too big",
        "make the smallest step larger, or those that are too big smaller; pods get their MTU when they are made",
    ),
    (
        "cache",
        "a router on the way has a smaller MTU: mend it there; `overlay-probe mtu` measures which sizes arrive",
    ),
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
    ("ICMP", "a router has a smaller MTU than the NIC: mend it there, or lower the tunnel's MTU (6)"),
];
const OF_COST: [(&str, &str); 2] = [
    ("limit", "pods or peers beyond it count as other: raise --pod-slots, --peer-slots"),
    ("dropped", "more ICMP messages than the rate limit: some are missing in 8 Events"),
];

/// What to do about what a tab shows in yellow.
fn alarms(tab: Tab) -> &'static [(&'static str, &'static str)] {
    match tab {
        Tab::Overview | Tab::Tunnels | Tab::Peers | Tab::Pods => &STATES,
        Tab::Vfs => &OF_VFS,
        Tab::Mtu => &OF_MTU,
        Tab::Health => &OF_HEALTH,
        Tab::Events => &OF_EVENTS,
        Tab::Cost => &OF_COST,
    }
}

/// Columns of the names.
const NAMES: usize = 10;

/// Draws it over the body, from the line on that `scroll` says.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) -> usize {
    let (tab, scroll) = (state.tab, state.scroll);
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    let keys = BINDINGS.iter().map(|binding| (binding.keys, binding.words));
    let title = format!(" {} {}: what to do", tab.number(), tab.title());
    let of_tab = |width: u16| {
        let mut all = vec![vec![Span::styled(title.clone(), theme.heading())]];
        all.extend(lines(alarms(tab).iter().copied(), width, theme));
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
            assert!(alarms(tab).iter().all(|(name, _)| name.len() <= NAMES), "{tab:?}");
        }
    }
}
