//! Lines and areas: what every screen draws with.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr as _;

/// The first `height` rows of an area, and the rest.
pub(super) fn split_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
}

/// The first `width` columns of an area, and the rest.
pub(super) fn split_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}

/// One line in the first row of an area; what does not fit is cut.
pub(super) fn words(buf: &mut Buffer, area: Rect, words: &str, style: Style) {
    if area.height > 0 {
        buf.set_stringn(area.x, area.y, words, usize::from(area.width), style);
    }
}

/// One line of several styles in the first row of an area.
pub(super) fn spans(buf: &mut Buffer, area: Rect, spans: Vec<Span<'_>>) {
    if area.height > 0 {
        buf.set_line(area.x, area.y, &Line::from(spans), area.width);
    }
}

/// Lines from the top of an area; those that do not fit are left out.
pub(super) fn lines(buf: &mut Buffer, area: Rect, lines: impl IntoIterator<Item = Vec<Span<'static>>>) {
    let mut rest = area;
    for line in lines {
        let (row, below) = split_top(rest, 1);
        spans(buf, row, line);
        rest = below;
    }
}

/// Columns that spans take.
pub(super) fn total(spans: &[Span<'_>]) -> u16 {
    spans.iter().map(|span| width(&span.content)).sum()
}

/// As many of the lines as have room, from the one that `scroll` says; where there are more, the last line of the area says so.
/// Gives how far it can be scrolled.
pub(super) fn scrolled(
    buf: &mut Buffer,
    area: Rect,
    all: Vec<Vec<Span<'static>>>,
    scroll: usize,
    style: Style,
) -> usize {
    let height = usize::from(area.height);
    if all.len() <= height {
        lines(buf, area, all);
        return 0;
    }
    let room = height.saturating_sub(1);
    let farthest = all.len() - room;
    let first = scroll.min(farthest);
    let below = farthest - first;
    lines(buf, area, all.into_iter().skip(first).take(room));
    let said = match (first, below) {
        (0, below) => format!(" {below} more lines below (PgDn)"),
        (above, 0) => format!(" {above} more lines above (PgUp)"),
        (above, below) => format!(" {above} more lines above (PgUp), {below} below (PgDn)"),
    };
    let (_, last) = split_top(area, area.height.saturating_sub(1));
    words(buf, last, &said, style);
    farthest
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Breaks a text into lines of at most `columns`, at blanks where it has some.
pub(super) fn wrap(text: &str, columns: u16) -> Vec<String> {
    let columns = usize::from(columns.max(1));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= columns {
                if gap > 0 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                // A word that is longer than a line.
                let cut = cut(word, columns);
                let (head, tail) = word.split_at(cut);
                line.push_str(head);
                word = tail;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Where to cut a text so that its head takes at most `columns`; at least one character.
fn cut(text: &str, columns: usize) -> usize {
    let mut end = text.chars().next().map_or(0, char::len_utf8);
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if text.get(..next).is_some_and(|head| head.width() > columns) {
            break;
        }
        end = end.max(next);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_loses_nothing_and_never_hangs() {
        for (text, columns, expected) in [
            ("a bc def", 4, vec!["a bc", "def"]),
            ("abcdefgh", 3, vec!["abc", "def", "gh"]),
            ("", 3, vec![""]),
            ("世界", 1, vec!["世", "界", ""]),
        ] {
            let got = wrap(text, columns);
            assert_eq!(got.concat().replace(' ', ""), text.replace(' ', ""), "{text}");
            if !text.contains('世') {
                assert_eq!(got, expected);
            }
        }
    }
}
