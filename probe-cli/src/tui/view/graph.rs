//! The mirrored graph: transmit grows up from the axis, receive down, both on one scale.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::{Model, PerDirection},
    text,
    tui::{measure::Measure, rate, state::State},
};

/// Columns for the scale's labels.
const SCALE: u16 = 6;

/// Dots of a braille cell, from U+2800 (Unicode chapter 21.1): by column, from the top row down.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// What a graph shows.
pub(super) struct Graph<'a> {
    /// Of what; empty where that is said beside it.
    pub(super) title: &'a str,
    /// Oldest first.
    pub(super) values: &'a [PerDirection<Option<f64>>],
    /// Their unit.
    pub(super) measure: Measure,
    /// What is said at the right end: `now`, or a time.
    pub(super) end: &'a str,
    /// Seconds that the newest value is of; none when unknown.
    pub(super) step: Option<f64>,
    /// How long before the newest value others were, in seconds, oldest first; perhaps of more than there are values.
    pub(super) ages: &'a [f64],
    /// What is said at the right end where there is room; empty for nothing.
    pub(super) remark: &'a str,
}

/// What the right end of a graph is of.
pub(super) fn end(state: &State, model: &Model) -> String {
    if state.is_now() {
        "now".to_owned()
    } else {
        text::clock(model.time).trim_end_matches(" UTC").to_owned()
    }
}

/// Draws it: a line with the newest values, then the picture.
pub(super) fn draw(buf: &mut Buffer, area: Rect, graph: &Graph<'_>, theme: Theme) {
    let (line, picture) = paint::split_top(area, 1);
    let now = graph.values.last().copied().unwrap_or_default();
    let title = if graph.title.is_empty() { String::new() } else { format!(" {} ", graph.title) };
    let spans = vec![
        Span::styled(title, theme.title()),
        Span::styled(" ▲", theme.tx()),
        Span::styled(format!(" TX {} ", rate::words(now.tx, graph.measure)), theme.normal()),
        Span::styled(" ▼", theme.rx()),
        Span::styled(format!(" RX {} ", rate::words(now.rx, graph.measure)), theme.normal()),
    ];
    let room = line.width.saturating_sub(paint::total(&spans));
    paint::spans(buf, line, spans);
    let remark = format!(" {} ", graph.remark);
    if !graph.remark.is_empty() && paint::width(&remark) <= room {
        let (_, corner) = paint::split_left(line, line.width.saturating_sub(paint::width(&remark)));
        paint::words(buf, corner, &remark, theme.normal());
    }
    if picture.height < 3 || picture.width <= SCALE + 4 {
        return;
    }
    let (labels, plot) = paint::split_left(picture, SCALE);
    let rows = (picture.height - 1) / 2;
    let up = rows + (picture.height - 1) % 2;
    let shown = usize::from(plot.width) * 2;
    let values = graph.values.get(graph.values.len().saturating_sub(shown)..).unwrap_or_default();
    let top = scale(values, graph.measure);
    let label = |buf: &mut Buffer, y: u16, words: &str| {
        let words = format!("{words:>width$} ", width = usize::from(SCALE) - 1);
        paint::words(buf, Rect { y, height: 1, ..labels }, &words, theme.dim());
    };
    let axis = plot.y + up;
    label(buf, plot.y, &rate::short(top, graph.measure));
    label(buf, axis, "0");
    label(buf, axis + rows, &rate::short(top, graph.measure));
    half(buf, Rect { height: up, ..plot }, values, top, Direction::Up, theme.tx());
    half(buf, Rect { y: axis + 1, height: rows, ..plot }, values, top, Direction::Down, theme.rx());
    draw_axis(
        buf,
        Rect { y: axis, height: 1, ..plot },
        values.len(),
        (reach(graph, shown), graph.end),
        theme,
    );
}

/// Seconds that so many values reach back: as long as they do, and where there are fewer, as those would that are missing. A value is of
/// the interval before its time.
fn reach(graph: &Graph<'_>, shown: usize) -> Option<f64> {
    let known = graph.ages.get(graph.ages.len().saturating_sub(shown)..).unwrap_or_default();
    let step = usual_step(known).or(graph.step)?;
    let oldest = known.first().map_or(0.0, |oldest| oldest + step);
    Some(oldest + step * (shown - known.len().min(shown)) as f64)
}

/// The time between two values, for most of them: a sample that comes late, and the next one soon after it, do not change what the left
/// end is.
fn usual_step(ages: &[f64]) -> Option<f64> {
    let mut steps: Vec<f64> =
        ages.iter().zip(ages.iter().skip(1)).map(|(before, after)| before - after).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied()
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

fn half(
    buf: &mut Buffer,
    area: Rect,
    values: &[PerDirection<Option<f64>>],
    top: f64,
    direction: Direction,
    style: Style,
) {
    let dots = u32::from(area.height) * 4;
    let start = usize::from(area.width) * 2 - values.len().min(usize::from(area.width) * 2);
    for (column, x) in (area.x..area.right()).enumerate() {
        let heights = [0, 1].map(|side| {
            let value = (column * 2 + side).checked_sub(start).and_then(|at| values.get(at))?;
            let value = match direction {
                Direction::Up => value.tx,
                Direction::Down => value.rx,
            }?;
            Some(height(value, top, dots))
        });
        for row in 0..area.height {
            let mut cell = 0_u8;
            for (side, height) in DOTS.iter().zip(heights) {
                for (dot, step) in side.iter().zip(0_u32..) {
                    // Distance of this dot from the axis.
                    let far = match direction {
                        Direction::Up => dots - (u32::from(row) * 4 + step),
                        Direction::Down => u32::from(row) * 4 + step + 1,
                    };
                    if height.is_some_and(|height| height >= far) {
                        cell |= dot;
                    }
                }
            }
            if cell != 0
                && let Some(c) = char::from_u32(0x2800 + u32::from(cell))
            {
                buf[(x, area.y + row)].set_char(c).set_style(style);
            }
        }
    }
}

/// Dots that a value is high: at least one when it is not zero.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the number of dots")]
fn height(value: f64, top: f64, dots: u32) -> u32 {
    if value <= 0.0 || top <= 0.0 {
        return 0;
    }
    (value / top * f64::from(dots)).round().clamp(1.0, f64::from(dots)) as u32
}

/// The axis: a line where there are values, dots where there are none, how far back the left end is, and what the right end is.
fn draw_axis(buf: &mut Buffer, area: Rect, values: usize, (reach, end): (Option<f64>, &str), theme: Theme) {
    let filled = u16::try_from(values.div_ceil(2)).unwrap_or(u16::MAX).min(area.width);
    for x in area.x..area.right() {
        let known = area.right() - x <= filled;
        buf[(x, area.y)].set_char(if known { '─' } else { '·' }).set_style(theme.dim());
    }
    let Some(reach) = reach else { return };
    let words = format!(" -{} ", span(reach));
    paint::words(buf, area, &words, theme.dim());
    let end = format!(" {end}");
    let (_, right) = paint::split_left(area, area.width.saturating_sub(paint::width(&end)));
    paint::words(buf, right, &end, theme.dim());
}

/// A time span: `45 s`, `2 min 30 s`.
fn span(seconds: f64) -> String {
    // Of whole seconds: 119.6 s are two minutes, and no minute and 60 s.
    let seconds = seconds.round();
    let minutes = (seconds / 60.0).floor();
    let rest = seconds - minutes * 60.0;
    if minutes < 1.0 {
        format!("{seconds:.0} s")
    } else if rest < 0.5 {
        format!("{minutes:.0} min")
    } else {
        format!("{minutes:.0} min {rest:.0} s")
    }
}

/// The top of the scale: the next of 1, 2, 5 times a power of ten, and of 1024 where these are the prefixes, above every value; 10 when
/// all are zero.
fn scale(values: &[PerDirection<Option<f64>>], measure: Measure) -> f64 {
    let largest = values.iter().flat_map(|value| [value.tx, value.rx]).flatten().fold(0.0, f64::max);
    if largest <= 10.0 {
        return 10.0;
    }
    let prefix =
        if measure == Measure::OuterBinary { 1024_f64.powf(largest.log(1024.0).floor()) } else { 1.0 };
    let power = 10_f64.powf((largest / prefix).log10().floor()) * prefix;
    [1.0, 2.0, 5.0].into_iter().map(|step| step * power).find(|top| *top >= largest).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_holds_every_value_and_wastes_less_than_three_fifths() {
        for (largest, top) in [
            (0.0, 10.0),
            (3.0, 10.0),
            (10.0, 10.0),
            (11.0, 20.0),
            (99.0, 100.0),
            (100.0, 100.0),
            (2.1e9, 5e9),
        ] {
            let values =
                [PerDirection { tx: Some(1.0), rx: Some(largest) }, PerDirection { tx: None, rx: None }];
            let found = scale(&values, Measure::OuterBits);
            assert!((found - top).abs() < 1e-6, "{largest}: {found}");
        }
        let mib = 1024.0 * 1024.0;
        for (largest, top) in
            [(3.0, 10.0), (700.0, 1000.0), (6.9 * mib, 10.0 * mib), (990.0 * mib, 1000.0 * mib)]
        {
            let values = [PerDirection { tx: Some(1.0), rx: Some(largest) }];
            let found = scale(&values, Measure::OuterBinary);
            assert!((found - top).abs() < 1e-6, "{largest}: {found}");
        }
    }

    #[test]
    fn small_is_not_zero_and_nothing_leaves_the_plot() {
        assert_eq!(height(0.0, 100.0, 16), 0);
        assert_eq!(height(0.001, 100.0, 16), 1);
        assert_eq!(height(100.0, 100.0, 16), 16);
        assert_eq!(height(1e9, 100.0, 16), 16);
    }

    #[test]
    fn the_axis_reaches_as_far_back_as_its_values() {
        let of = |ages: &[f64], shown| {
            let measure = Measure::default();
            let graph =
                Graph { title: "", values: &[], measure, end: "now", step: Some(2.0), ages, remark: "" };
            reach(&graph, shown).unwrap()
        };
        // Ten samples a second apart, and then some every two seconds.
        let ages = [12.0, 11.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0];
        assert!((of(&ages, 3) - 6.0).abs() < 1e-9);
        assert!((of(&ages, 8) - 14.0).abs() < 1e-9);
        assert!((of(&ages, 10) - 18.0).abs() < 1e-9);
        assert!((of(&[], 5) - 10.0).abs() < 1e-9);
        // One came late, and the next one in time.
        assert!((of(&[4.0, 3.0, 2.0, 0.1, 0.0], 10) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(span(45.0), "45 s");
        assert_eq!(span(120.0), "2 min");
        assert_eq!(span(151.0), "2 min 31 s");
        assert_eq!(span(119.6), "2 min");
        assert_eq!(span(59.7), "1 min");
        assert_eq!(span(60.6), "1 min 1 s");
    }
}
