//! Why packets are "other": how many by reason, then packet by packet.

use ratatui::text::Span;

use super::{paint, theme::Theme};
use crate::{
    model::{Direction, ExplainedRow, reason_title},
    text,
    tui::explaining::{Explaining, Progress},
};

/// The lines, with an empty one at the end; none when nobody asked.
pub(super) fn lines(explaining: &Explaining, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    if explaining.progress == Progress::Never {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let style =
        if matches!(explaining.progress, Progress::Failed(_)) { theme.alarm() } else { theme.title() };
    for words in paint::wrap(&heading(explaining), columns.saturating_sub(2)) {
        lines.push(vec![Span::styled(format!(" {words}"), style)]);
    }
    if !explaining.reasons.is_empty() {
        lines.push(vec![Span::styled(format!(" {:>9} {}", "PACKETS", "REASON"), theme.heading())]);
    }
    let mut reasons = explaining.reasons.clone();
    reasons.sort_by_key(|total| (std::cmp::Reverse(total.packets), total.reason));
    for total in reasons {
        let count = text::si(total.packets as f64);
        lines.push(vec![Span::raw(format!(" {count:>9} {}", reason_title(total.reason)))]);
    }
    if explaining.lost > 0 {
        let words = format!(" {} packets were not described: nobody read them in time", explaining.lost);
        lines.push(vec![Span::styled(words, theme.dim())]);
    }
    if !explaining.packets.is_empty() {
        lines.push(Vec::new());
    }
    for row in &explaining.packets {
        lines.extend(packet(row, columns, theme));
    }
    lines.push(Vec::new());
    lines
}

fn heading(explaining: &Explaining) -> String {
    let here = text::counted(explaining.packets.len(), "packet");
    match &explaining.progress {
        Progress::Never | Progress::Asked => "Why \"other\": loading the programs that say it".to_owned(),
        Progress::Left(left) => format!("Why \"other\": {here}, {left} more to come; e stops"),
        Progress::Done => format!("Why \"other\": {here}, all that were asked for; e asks for more"),
        Progress::Ended => format!("Why \"other\": {here} until it was stopped; e begins anew"),
        Progress::Failed(problem) => format!("Why \"other\" cannot be said: {}", text::escape(problem)),
    }
}

/// One line where it fits, else the reasons below.
fn packet(row: &ExplainedRow, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let clock = text::clock(row.time);
    let direction = match row.packet.direction {
        Direction::Tx => "tx",
        Direction::Rx => "rx",
    };
    let what = format!(
        "{} {direction} {}  {}  {}",
        clock.trim_end_matches(" UTC"),
        text::escape(&row.device),
        row.ends(),
        row.kind()
    );
    let why = row.words().join("; ");
    if paint::width(&what) + paint::width(&why) + 4 < columns {
        return vec![vec![
            Span::styled(format!(" {what}  "), theme.dim()),
            Span::styled(why, theme.normal()),
        ]];
    }
    let room = columns.saturating_sub(2);
    let what = paint::wrap(&what, room)
        .into_iter()
        .map(|words| vec![Span::styled(format!(" {words}"), theme.dim())]);
    let why = paint::wrap(&why, columns.saturating_sub(8)).into_iter();
    what.chain(why.map(|words| vec![Span::styled(format!("      {words}"), theme.normal())])).collect()
}
