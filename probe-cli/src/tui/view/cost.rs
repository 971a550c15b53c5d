//! What the observer costs, and what it could not see; above it, while somebody asks, why packets are "other".

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{explained, paint, theme::Theme};
use crate::{
    model::{Model, ObserverRow},
    text,
    tui::state::State,
};

/// Draws it.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) -> usize {
    let observer = &model.observer;
    let mut lines = explained::lines(&state.explaining, area.width, theme);
    lines.push(heading(theme));
    for program in &observer.programs {
        let ns = program.ns_per_run.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0}"));
        let runs = program.runs_per_s.map_or_else(|| "-".to_owned(), text::si);
        lines.push(vec![Span::raw(format!(" {:<20} {:>12} {:>10}", text::escape(&program.name), runs, ns))]);
    }
    lines.push(Vec::new());
    lines.extend(costs(observer).into_iter().map(|(name, words)| fact(name, words, theme.normal(), theme)));
    lines.push(Vec::new());
    for (name, value) in [
        ("pods beyond the limit", observer.pods_without_slot),
        ("peers beyond the limit", observer.peers_without_slot),
        ("ICMP messages dropped", observer.events_lost),
        ("fragments, first not seen", observer.unknown_fragments),
    ] {
        let style = if value > 0 { theme.alarm() } else { theme.normal() };
        lines.push(fact(name, text::si(value as f64), style, theme));
    }
    lines.push(Vec::new());
    for words in [
        "Programs are timed in 1 of 10 intervals, because timing slows every eBPF program on the host; these are the \
         figures of the last one.",
        "One run handles one socket buffer, which may be many packets on the wire.",
        "e explains which packets are counted as \"other\"; while it does, further programs run.",
    ] {
        for line in paint::wrap(words, area.width.saturating_sub(2)) {
            lines.push(vec![Span::styled(format!(" {line}"), theme.dim())]);
        }
    }
    paint::scrolled(buf, area, lines, state.scroll, theme.dim())
}

fn heading(theme: Theme) -> Vec<Span<'static>> {
    vec![Span::styled(format!(" {:<20} {:>12} {:>10}", "PROGRAM", "RUNS/s", "NS/RUN"), theme.heading())]
}

fn costs(observer: &ObserverRow) -> [(&'static str, String); 6] {
    let percent =
        |cpu: Option<f64>| cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1} % of one core"));
    let packet = observer.ns_per_packet.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0} ns"));
    [
        ("CPU", percent(observer.total_percent())),
        ("  in the kernel", percent(observer.kernel_percent)),
        ("  in the process", percent(observer.cpu_percent)),
        ("  per packet on the wire", packet),
        ("memory", observer.rss_bytes.map_or_else(|| "-".to_owned(), text::bytes)),
        ("kernel maps", text::bytes(observer.map_bytes)),
    ]
}

fn fact(name: &'static str, words: String, style: Style, theme: Theme) -> Vec<Span<'static>> {
    vec![Span::styled(format!(" {name:<28} "), theme.dim()), Span::styled(words, style)]
}
