//! A table of tunnels, peers, pods or virtual functions: which columns have room, and their lines.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{
        cells,
        columns::{self, ColumnId},
        list::why_none,
        state::{Sort, State},
        subject::{RowKey, Subject},
        tab::Tab,
    },
};

/// Blanks between columns.
const GAP: u16 = 1;

/// What a table shows.
pub(super) struct Table<'a> {
    /// Whose columns and order.
    pub(super) tab: Tab,
    /// Filtered and sorted.
    pub(super) rows: &'a [Subject<'a>],
    /// The row in front.
    pub(super) selected: Option<RowKey>,
}

/// Draws a heading and as many rows as fit; the selected one is among them, and the last line says how many are not.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    table: &Table<'_>,
    state: &State,
    model: &Model,
    theme: Theme,
) {
    let (heading, body) = paint::split_top(area, 1);
    let columns = fit(&columns::of(table.tab, table.rows.iter().copied()), area.width.saturating_sub(2));
    paint::spans(buf, heading, heading_spans(&columns, table.tab, state.look(table.tab).sort, theme));
    if table.rows.is_empty() {
        paint::words(buf, body, &format!(" {}", why_none(model, table.tab)), theme.dim());
        return;
    }
    let height = usize::from(body.height);
    // The last line tells of rows that have no room.
    let room = if table.rows.len() > height { height.saturating_sub(1) } else { height };
    let at = table.rows.iter().position(|row| Some(row.key()) == table.selected);
    let first = at.map_or(0, |at| (at + 1).saturating_sub(room));
    let mut rest = body;
    for row in table.rows.iter().skip(first).take(room) {
        let (line, below) = paint::split_top(rest, 1);
        rest = below;
        let in_front = Some(row.key()) == table.selected;
        let style = if in_front { theme.selected() } else { theme.normal() };
        if in_front {
            buf.set_style(line, style);
        }
        paint::spans(buf, line, row_spans(&columns, *row, state, style, theme));
    }
    if table.rows.len() > height {
        let above = first;
        let below = table.rows.len() - first - room.min(table.rows.len() - first);
        let words = match (above, below) {
            (0, below) => format!(" {below} more below"),
            (above, 0) => format!(" {above} more above"),
            (above, below) => format!(" {above} more above, {below} below"),
        };
        paint::words(buf, rest, &words, theme.dim());
    }
}

/// Columns that have room, with their widths: the least important go first, the rest grows into what is left.
fn fit(columns: &[ColumnId], width: u16) -> Vec<(ColumnId, u16)> {
    let mut kept: Vec<ColumnId> = columns.to_vec();
    let needed = |kept: &[ColumnId]| -> u16 { kept.iter().map(|column| column.spec().width + GAP).sum() };
    while needed(&kept) > width {
        let Some(worst) = kept.iter().copied().filter(|c| c.spec().rank > 0).max_by_key(|c| c.spec().rank)
        else {
            break;
        };
        kept.retain(|column| *column != worst);
    }
    let left = width.saturating_sub(needed(&kept));
    let shares: u16 = kept.iter().map(|column| column.spec().grow).sum();
    kept.into_iter()
        .map(|column| {
            let spec = column.spec();
            (column, spec.width + (left * spec.grow).checked_div(shares).unwrap_or(0).min(40))
        })
        .collect()
}

/// Titles; a mark for the order is behind the one that the rows are sorted by: in the gap, where the title fills its column.
fn heading_spans(columns: &[(ColumnId, u16)], tab: Tab, sort: Sort, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(" ")];
    for (column, width) in columns {
        let mark = match sort {
            Sort { column: by, .. } if by != *column => "",
            Sort { descending: true, .. } => "▼",
            Sort { descending: false, .. } => "▲",
        };
        let title = format!("{}{mark}", column.title(tab));
        let needed = paint::width(&title).clamp(*width, width + GAP);
        spans.push(Span::styled(pad(&title, needed, column.spec().number), theme.heading()));
        spans.push(Span::raw(pad("", width + GAP - needed, false)));
    }
    spans
}

fn row_spans(
    columns: &[(ColumnId, u16)],
    row: Subject<'_>,
    state: &State,
    style: Style,
    theme: Theme,
) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(" ", style)];
    for (column, width) in columns {
        let cell = cells::cell(*column, row, state.measure);
        let style = if cell.alarm { style.patch(theme.alarm()) } else { style };
        spans.push(Span::styled(pad(&cell.text, *width, column.spec().number), style));
        spans.push(Span::styled(" ", style));
    }
    spans
}

fn pad(words: &str, width: u16, right: bool) -> String {
    let words = text::fit(words, usize::from(width));
    let blanks = " ".repeat(usize::from(width.saturating_sub(paint::width(&words))));
    if right { format!("{blanks}{words}") } else { format!("{words}{blanks}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testdata;

    #[test]
    fn columns_fit_at_every_width_and_the_rates_stay() {
        let model = testdata::wireguard();
        for tab in Tab::ALL.into_iter().filter(|tab| tab.is_table()) {
            for width in 58..=250 {
                let columns = fit(&columns::of(tab, model.peers.iter().map(Subject::Peer)), width);
                let total: u16 = columns.iter().map(|(_, width)| width + GAP).sum();
                assert!(total <= width, "{tab:?} {width}: {total}");
                let names: &[ColumnId] =
                    if tab == Tab::Vfs { &[ColumnId::Vf, ColumnId::Holder] } else { &[ColumnId::Name] };
                for column in names.iter().chain(&[ColumnId::Tx, ColumnId::Rx]) {
                    assert!(columns.iter().any(|(kept, _)| kept == column), "{tab:?} {width}: {column:?}");
                }
            }
        }
    }

    #[test]
    fn eighty_columns_say_of_a_vf_who_counted_and_what_was_dropped() {
        let columns = fit(&columns::of(Tab::Vfs, std::iter::empty()), 78);
        let kept: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
        assert_eq!(
            kept,
            [
                ColumnId::Vf,
                ColumnId::Holder,
                ColumnId::Tx,
                ColumnId::Rx,
                ColumnId::Drops,
                ColumnId::CountedBy
            ]
        );
    }
}
