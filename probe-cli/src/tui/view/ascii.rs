//! A screen in ASCII: for serial consoles, and terminals whose font lacks what graphs are drawn with. Done to what is drawn already, so
//! that nothing is forgotten.

use ratatui::buffer::Buffer;

/// Replaces everything that is no ASCII.
pub(super) fn replace(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let symbol = cell.symbol();
        // Cells behind a wide character are empty.
        if !symbol.is_empty() && !symbol.is_ascii() {
            let like = symbol.chars().next().map_or(' ', like);
            cell.set_char(like);
        }
    }
}

/// What looks most like it.
fn like(c: char) -> char {
    match c {
        // Braille: how many of its eight dots there are.
        '\u{2800}'..='\u{28ff}' => match (u32::from(c) - 0x2800).count_ones() {
            0 => ' ',
            1..=3 => '.',
            _ => '#',
        },
        // Eighths of a cell, from below and from the left.
        '▁' | '▂' | '▏' | '·' => '.',
        '▃' | '▄' | '▎' | '▍' => ':',
        '▅' | '▆' | '▌' | '▋' | '├' | '┤' | '┬' | '┴' | '┼' => '+',

        '▇' | '█' | '▊' | '▉' => '#',
        '─' | '━' => '-',
        '│' | '┃' => '|',
        '▲' => '^',
        '▼' => 'v',
        '…' => '~',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn nothing_but_ascii_is_left() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 40, 1));
        buf.set_string(0, 0, "ab ▲ ⣿⡀ ▁▄█ ─│┼ · 世界 ñ", Style::new());
        replace(&mut buf);
        let line: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert!(line.is_ascii() && line.starts_with("ab ^ #. .:# -|+ . "), "{line}");
    }
}
