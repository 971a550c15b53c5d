//! What is wrong on the node by its checks: the chip in the header, a line for each on the overview, and the tab with what was
//! seen and what mends it. Which checks there are, and what they find, is decided elsewhere.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{paint, theme::Theme};
use crate::{
    check::{self, Evidence, Explain, Health, Severity, Standing, Verdict},
    text,
    tui::{findings, state::State, tab::Tab},
};

/// What a finding's lines begin with.
const INDENT: &str = "      ";

/// Draws the tab; gives how far it can be scrolled.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) -> usize {
    let columns = area.width.saturating_sub(1);
    let look = &state.findings;
    let shown = findings::shown(state);
    let in_front = findings::position(state, &shown);
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let mut block = 0..0;
    for (at, one) in shown.iter().enumerate() {
        let is_selected = Some(at) == in_front;
        let first = lines.len();
        lines.push(heading(one, now(state), columns, is_selected, theme));
        if is_selected && look.details {
            lines.extend(details(one, look.explained, columns, theme));
        } else {
            lines.push(vec![Span::styled(in_one_line(one, columns), theme.normal())]);
        }
        if is_selected {
            block = first..lines.len();
        }
        lines.push(Vec::new());
    }
    let hidden = state.health().standing.len() - shown.len();
    if hidden > 0 {
        let which = match look.severity {
            Some(severity) => format!("only those with {} are shown (s)", severity.mark()),
            None => "the filter hides them".to_owned(),
        };
        lines.push(vec![Span::styled(format!(" {hidden} more: {which}"), theme.dim())]);
        lines.push(Vec::new());
    }
    lines.extend(passed(state.health(), columns, theme));
    // The one in front is whole on the screen, or from its first line on.
    let room = usize::from(area.height).saturating_sub(1);
    let above = block.end.saturating_sub(room).min(block.start);
    let farthest = paint::scrolled(buf, area, lines, above + state.scroll, theme.dim());
    farthest.saturating_sub(above)
}

/// Wall clock of the newest sample.
fn now(state: &State) -> std::time::Duration {
    state.latest().map_or_else(Default::default, |model| model.time)
}

/// `FAIL 1 warn 2`, `OK`, `UNKNOWN`: in the header, in front of everybody.
pub(super) fn chip(health: &Health, theme: Theme) -> Option<Span<'static>> {
    let count = |severity| health.standing.iter().filter(|one| one.severity == severity).count();
    let counted = |severity: Severity| {
        let count = count(severity);
        (count > 0).then(|| format!("{} {count}", severity.mark()))
    };
    let wrong: Vec<String> = [Severity::Fail, Severity::Warn].into_iter().filter_map(counted).collect();
    let unknown = health.counts.not_judged;
    let (words, style) = match health.verdict? {
        Verdict::Fail | Verdict::Warn => (wrong.join(" "), theme.alarm()),
        // What and how much could not be judged is in the tab; the verdict is not to change with the number of checks.
        Verdict::Unknown => ("UNKNOWN".to_owned(), theme.title()),
        Verdict::Ok if unknown > 0 => (format!("OK, {unknown} not judged"), theme.well()),
        Verdict::Ok => ("OK".to_owned(), theme.well()),
    };
    Some(Span::styled(format!(" {words} "), style))
}

/// A line for each of the worst, and a word for how many more there are; none where nothing is wrong.
pub(super) fn worst(state: &State, most: usize, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let standing = &state.health().standing;
    let more = standing.len().saturating_sub(most);
    let shown = standing.iter().take(most).enumerate().map(|(at, one)| {
        let time = match (more, one.since) {
            (1.., _) if at + 1 == most => format!("  {more} more: tab {}", Tab::Health.number()),
            (_, Some(since)) => format!("  {}", text::clock(since).trim_end_matches(" UTC")),
            (_, None) => String::new(),
        };
        let front = format!(" {} {}  ", one.severity.mark(), one.check.id);
        let room = columns.saturating_sub(paint::width(&front) + paint::width(&time));
        let words = text::cut(&summary(one), usize::from(room));
        let gap = " ".repeat(usize::from(room.saturating_sub(paint::width(&words))));
        vec![
            Span::styled(front, style(one.severity, theme)),
            Span::styled(words, theme.normal()),
            Span::styled(format!("{gap}{time}"), theme.dim()),
        ]
    });
    shown.collect()
}

fn style(severity: Severity, theme: Theme) -> Style {
    match severity {
        Severity::Fail => theme.alarm(),
        Severity::Warn => theme.title(),
    }
}

fn summary(one: &Standing) -> String {
    let more = one.findings.len().saturating_sub(1);
    let words = check::worst(&one.findings).map_or_else(String::new, |finding| finding.summary.clone());
    if more > 0 { format!("{words} (and {more} more)") } else { words }
}

/// How bad it is, which check says so, and since when.
fn heading(
    one: &Standing,
    now: std::time::Duration,
    columns: u16,
    is_selected: bool,
    theme: Theme,
) -> Vec<Span<'static>> {
    let since = match one.since {
        Some(since) => {
            let age = text::age(Some(now.saturating_sub(since)));
            format!("since {} ({age})", text::clock(since).trim_end_matches(" UTC"))
        }
        None => "since before this run".to_owned(),
    };
    let front = format!(" {} {}", one.severity.mark(), one.check.id);
    let gap = columns.saturating_sub(paint::width(&front) + paint::width(&since));
    let of = |style: Style| if is_selected { style.patch(theme.selected()) } else { style };
    vec![
        Span::styled(front, of(style(one.severity, theme))),
        Span::styled(" ".repeat(usize::from(gap.max(1))), of(theme.normal())),
        Span::styled(since, of(if is_selected { theme.normal() } else { theme.dim() })),
    ]
}

fn in_one_line(one: &Standing, columns: u16) -> String {
    text::cut(&format!("{INDENT}{}", summary(one)), usize::from(columns))
}

/// All that is said of one finding; with `explained` also how its check finds it, why it happens, and when it is no fault.
fn details(one: &Standing, explained: bool, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let mut say = |mark: &str, words: &str, style: Style| {
        let room = columns.saturating_sub(paint::width(INDENT) + 7);
        let (mark, room) =
            if mark.is_empty() { (String::new(), room + 7) } else { (format!("{mark:<7}"), room) };
        for (number, words) in paint::wrap(words, room).into_iter().enumerate() {
            let blank = " ".repeat(mark.len());
            let mark = if number == 0 { mark.as_str() } else { blank.as_str() };
            lines
                .push(vec![Span::styled(format!("{INDENT}{mark}"), theme.dim()), Span::styled(words, style)]);
        }
    };
    let Some(worst) = check::worst(&one.findings) else { return lines };
    say("", &worst.summary, theme.normal());
    for finding in one.findings.iter().filter(|finding| !std::ptr::eq(*finding, worst)) {
        say("also", &finding.summary, theme.normal());
    }
    say("", one.check.symptom, theme.dim());
    for (number, Evidence { what, value, source }) in worst.evidence.iter().enumerate() {
        say(if number == 0 { "seen" } else { " " }, &format!("{what}  {value}  ({source})"), theme.normal());
    }
    if !one.causes.is_empty() {
        say("causes", &one.causes.join(", "), theme.normal());
    }
    let elsewhere = if worst.fix.elsewhere { "cannot be fixed on this node: " } else { "" };
    say("fix", &format!("{elsewhere}{}", worst.fix.text), theme.normal());
    for command in check::commands(&one.findings) {
        say(" ", command, theme.title());
    }
    if explained {
        let Explain { how, why, fix, not_if, seen_in } = one.check.explain;
        let told = [("how", how), ("why", why), ("mend", fix), ("not if", not_if), ("see", seen_in)];
        for (mark, words) in told.into_iter().filter(|(_, words)| !words.is_empty()) {
            say(mark, words, theme.normal());
        }
    } else {
        say("more", &format!("overlay-probe check --explain {}", one.check.id), theme.dim());
    }
    lines
}

/// What is well, what could not be judged, and what does not apply: "no problem" means no more than that.
fn passed(health: &Health, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let Some(verdict) = health.verdict else {
        return vec![vec![Span::styled(" Nothing was judged yet.", theme.dim())]];
    };
    let counts = health.counts;
    let mut lines = Vec::new();
    let head = match verdict {
        Verdict::Ok => "No problem found: ",
        Verdict::Unknown => "Nothing is known to be wrong, but not all could be judged: ",
        Verdict::Fail | Verdict::Warn => "",
    };
    let explained = if counts.explained > 0 {
        format!(", {} explained by others", counts.explained)
    } else {
        String::new()
    };
    let words = format!(
        "{head}{} passed{explained}, {} not judged, {} do not apply",
        text::counted(counts.passed, "check"),
        counts.not_judged,
        counts.not_applicable,
    );
    lines.extend(
        paint::wrap(&words, columns)
            .into_iter()
            .map(|words| vec![Span::styled(format!(" {words}"), theme.normal())]),
    );
    for (why, ids) in &health.not_judged {
        let words = format!("not judged: {}: {}", check::named(ids), text::escape(why));
        for (number, words) in paint::wrap(&words, columns.saturating_sub(6)).into_iter().enumerate() {
            let mark = if number == 0 { " ??  " } else { "     " };
            lines.push(vec![Span::styled(format!("{mark}{words}"), theme.dim())]);
        }
    }
    lines
}
