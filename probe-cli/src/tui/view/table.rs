//! A table of tunnels, peers, pods or virtual functions: which columns have room, and their lines.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{
        cells,
        columns::{self, ColumnId},
        history::Whose,
        list::why_none,
        measure::Measure,
        state::{Sort, State},
        subject::{RowKey, Subject},
        tab::Tab,
    },
};

/// Blanks between columns.
const GAP: u16 = 1;

/// Columns that most names have room in.
const NAME: u16 = 24;

/// Columns of this rank and above go before a name is cut.
const LEAST: u8 = 50;

/// Columns that the title of a rate in inner bits takes, with the mark of the order.
const INNER: u16 = 13;

/// Columns that a trend has more on a wide terminal.
const TREND: u16 = 10;

/// What a table shows.
pub(super) struct Table<'a> {
    /// Whose columns and order.
    pub(super) tab: Tab,
    /// It is one of several on the overview, with columns that are in one place in all of them.
    pub(super) in_grid: bool,
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
    let measure = state.measure;
    let columns = if table.in_grid {
        columns::on_overview(table.tab, measure)
    } else {
        columns::of(table.tab, measure, table.rows.iter().copied())
    };
    let columns = fit(&columns, measure, area.width.saturating_sub(2));
    let sort = state.look(table.tab).sort;
    paint::spans(buf, heading, heading_spans(&columns, table.tab, measure, sort, theme));
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
        let style = match (in_front, row.is_there() || row.gone() == 0 && row.is_other()) {
            (true, _) => theme.selected(),
            (false, true) => theme.normal(),
            // What is gone may be ignored.
            (false, false) => theme.dim(),
        };
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

/// Columns of one rate in both directions: one without the other would be half a figure.
const PAIRS: [[ColumnId; 2]; 2] = [[ColumnId::Tx, ColumnId::Rx], [ColumnId::TxPackets, ColumnId::RxPackets]];

/// Columns that have room, with their widths: the least important go first, the rest grows into what is left.
fn fit(columns: &[ColumnId], measure: Measure, width: u16) -> Vec<(ColumnId, u16)> {
    let mut kept: Vec<ColumnId> = columns.to_vec();
    let needed = |kept: &[ColumnId]| -> u16 { kept.iter().map(|column| column.spec().width + GAP).sum() };
    loop {
        // Names go before figures that can be had with a key.
        let wanted = if kept.contains(&ColumnId::Name) { NAME - ColumnId::Name.spec().width } else { 0 };
        let too_wide = |column: &ColumnId| {
            let rank = column.spec().rank;
            rank > 0 && needed(&kept) + if rank >= LEAST { wanted } else { 0 } > width
        };
        let worst = kept.iter().copied().filter(too_wide).max_by_key(|column| column.spec().rank);
        let Some(worst) = worst else { break };
        let pair = PAIRS.iter().find(|pair| pair.contains(&worst));
        kept.retain(|column| *column != worst && !pair.is_some_and(|pair| pair.contains(column)));
    }
    let mut left = width.saturating_sub(needed(&kept));
    // The title of inner bits is longer than every number.
    let longer = if measure.is_inner() { INNER - ColumnId::Tx.spec().width } else { 0 };
    let longer = if kept.contains(&ColumnId::Tx) && left >= 2 * longer { longer } else { 0 };
    left -= 2 * longer;
    // Names are whole before trends are longer.
    let trend = if kept.contains(&ColumnId::Trend) && left >= 4 * TREND { TREND } else { 0 };
    left -= trend;
    let shares: u16 = kept.iter().map(|column| column.spec().grow).sum();
    kept.into_iter()
        .map(|column| {
            let spec = column.spec();
            let more = if matches!(column, ColumnId::Tx | ColumnId::Rx) { longer } else { 0 };
            let more = if column == ColumnId::Trend { trend } else { more };
            (column, spec.width + more + (left * spec.grow).checked_div(shares).unwrap_or(0).min(40))
        })
        .collect()
}

/// Titles; a mark for the order is behind the one that the rows are sorted by: in the gap, where the title fills its column.
fn heading_spans(
    columns: &[(ColumnId, u16)],
    tab: Tab,
    measure: Measure,
    sort: Sort,
    theme: Theme,
) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(" ")];
    for (column, width) in columns {
        let mark = match sort {
            Sort { column: by, .. } if by != *column => "",
            Sort { descending: true, .. } => "▼",
            Sort { descending: false, .. } => "▲",
        };
        let title = column.title(tab, measure);
        let room = width.saturating_sub(paint::width(mark));
        // The mark has its place in the column; where the title fills it, the title gives way.
        let title = if paint::width(&title) > room && !mark.is_empty() {
            text::cut(&title, usize::from(room)).replace('…', "") + mark
        } else {
            format!("{}{mark}", text::fit(&title, usize::from(room)))
        };
        spans.push(Span::styled(pad(&title, *width, column.spec().number), theme.heading()));
        spans.push(Span::raw(pad("", GAP, false)));
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
        if *column == ColumnId::Trend {
            let style = if style == theme.normal() { theme.tx() } else { style };
            spans.push(Span::styled(trend(row, *width, state), style));
            spans.push(Span::styled(" ", style));
            continue;
        }
        let cell = cells::cell(*column, row, state.measure);
        let style = if cell.alarm { style.patch(theme.alarm()) } else { style };
        spans.push(Span::styled(pad(&cell.text, *width, column.spec().number), style));
        spans.push(Span::styled(" ", style));
    }
    spans
}

/// The last samples of a row, as many as there are columns, the newest on the right: both directions together, beside the most of
/// them. A dot is unknown, and nothing is zero.
fn trend(row: Subject<'_>, width: u16, state: &State) -> String {
    let values = state.shown_history().values(Whose::Row(&row.key()), state.measure);
    let sums: Vec<Option<f64>> = values
        .iter()
        .rev()
        .take(usize::from(width))
        .map(|value| match (value.tx, value.rx) {
            (Some(tx), Some(rx)) => Some(tx + rx),
            (one, other) => one.or(other),
        })
        .collect();
    let most = sums.iter().flatten().copied().fold(0.0, f64::max);
    let missing = usize::from(width).saturating_sub(sums.len());
    let known = sums.into_iter().rev().map(|sum| sum.map_or('·', |sum| step(sum, most)));
    std::iter::repeat_n(' ', missing).chain(known).collect()
}

/// An eighth of a cell for each eighth of the most, at least one for what is not zero.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the steps that there are"
)]
fn step(value: f64, most: f64) -> char {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if value <= 0.0 || most <= 0.0 {
        return ' ';
    }
    let step = (value / most * 8.0).ceil().clamp(1.0, 8.0) as usize;
    STEPS.get(step - 1).copied().unwrap_or(' ')
}

fn pad(words: &str, width: u16, right: bool) -> String {
    let words = text::fit(words, usize::from(width));
    let blanks = " ".repeat(usize::from(width.saturating_sub(paint::width(&words))));
    if right { format!("{blanks}{words}") } else { format!("{words}{blanks}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        fields::columns::{DROPS, FRAGMENTS, OVERSIZE},
        testdata,
    };

    const MEASURES: [Measure; 6] = Measure::ALL;

    #[test]
    fn columns_fit_at_every_width_and_the_rates_stay() {
        let model = testdata::wireguard();
        for tab in Tab::ALL.into_iter().filter(|tab| tab.is_table()) {
            for (width, measure) in (58..=250).flat_map(|width| MEASURES.map(|measure| (width, measure))) {
                let columns = columns::of(tab, measure, model.peers.iter().map(Subject::Peer));
                let columns = fit(&columns, measure, width);
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
        let measure = Measure::OuterBits;
        let columns = fit(&columns::of(Tab::Vfs, measure, std::iter::empty()), measure, 78);
        let kept: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
        assert_eq!(
            kept,
            [
                ColumnId::Vf,
                ColumnId::Holder,
                ColumnId::Tx,
                ColumnId::Rx,
                ColumnId::Metric(&DROPS),
                ColumnId::CountedBy
            ]
        );
    }

    #[test]
    fn a_trend_has_a_step_for_what_is_not_zero() {
        assert_eq!([0.0, 0.1, 12.6, 50.0, 100.0].map(|value| step(value, 100.0)), [' ', '▁', '▂', '▄', '█']);
        assert_eq!(step(0.0, 0.0), ' ');
        let state = crate::tui::testdata::state(1);
        let model = state.shown().unwrap();
        let row = Subject::Tunnel(&model.tunnels[0]);
        let drawn = trend(row, 70, &state);
        assert_eq!((drawn.chars().count(), drawn.chars().filter(|c| *c == '·').count()), (70, 1), "{drawn}");
        assert!(drawn.starts_with("          ") && drawn.contains('█'), "{drawn}");
    }

    #[test]
    fn what_is_wrong_goes_last() {
        for width in 38..=58 {
            for tab in [Tab::Tunnels, Tab::Peers, Tab::Pods] {
                let columns = fit(&columns::on_overview(tab, Measure::OuterBits), Measure::OuterBits, width);
                let kept: Vec<ColumnId> = columns.iter().map(|(column, _)| *column).collect();
                let alarms = [&OVERSIZE, &FRAGMENTS].map(ColumnId::Metric);
                for column in [ColumnId::Name, ColumnId::State].into_iter().chain(alarms) {
                    assert!(kept.contains(&column), "{width}: {kept:?}");
                }
                assert_eq!(kept.contains(&ColumnId::Tx), kept.contains(&ColumnId::Rx), "{width}: {kept:?}");
            }
        }
    }

    #[test]
    fn the_tables_of_the_overview_have_one_grid() {
        let places = |tab: Tab, measure: Measure, width: u16| {
            let mut at = 0;
            let columns = fit(&columns::on_overview(tab, measure), measure, width);
            let places: Vec<(ColumnId, u16)> = columns
                .into_iter()
                .map(|(column, width)| {
                    at += width + GAP;
                    (column, at)
                })
                .collect();
            places
        };
        for (width, measure) in (58..=250).flat_map(|width| MEASURES.map(|measure| (width, measure))) {
            let tunnels = places(Tab::Tunnels, measure, width);
            assert_eq!(places(Tab::Peers, measure, width), tunnels);
            assert_eq!(places(Tab::Pods, measure, width), tunnels);
        }
    }

    #[test]
    fn no_two_columns_of_a_table_show_the_same() {
        for (tab, measure) in Tab::ALL.into_iter().flat_map(|tab| MEASURES.map(|measure| (tab, measure))) {
            let columns = columns::of(tab, measure, std::iter::empty());
            let mut titles: Vec<String> = columns.iter().map(|column| column.title(tab, measure)).collect();
            let count = titles.len();
            titles.sort_unstable();
            titles.dedup();
            assert_eq!(titles.len(), count, "{tab:?} {measure:?}: {titles:?}");
        }
    }
}
