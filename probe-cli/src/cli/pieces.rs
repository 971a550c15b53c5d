//! A JSON document as a line, written in pieces while it is made, and safe to print.

use std::{io, mem};

use crate::text;

/// As much as a pipe takes at once (pipe(7)).
const PIECE: usize = 64 << 10;

/// Writes a line: the document that `write` gives to serde_json, which is never held as a whole.
pub(super) fn write_line<W: io::Write>(
    out: W,
    write: impl FnOnce(&mut Pieces<W>) -> serde_json::Result<()>,
) -> io::Result<()> {
    let mut pieces = Pieces { piece: Vec::with_capacity(PIECE), out };
    write(&mut pieces)?;
    pieces.write_piece()?;
    pieces.out.write_all(b"\n")
}

/// Takes what serde_json writes, which are whole fragments of text: a character is never in two of them.
pub(super) struct Pieces<W> {
    piece: Vec<u8>,
    out: W,
}

impl<W: io::Write> Pieces<W> {
    fn write_piece(&mut self) -> io::Result<()> {
        let piece = String::from_utf8(mem::take(&mut self.piece)).map_err(io::Error::other)?;
        self.piece = text::escape_json(piece).into_bytes();
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}

impl<W: io::Write> io::Write for Pieces<W> {
    fn write(&mut self, fragment: &[u8]) -> io::Result<usize> {
        self.write_all(fragment)?;
        Ok(fragment.len())
    }

    /// Half a million fragments a second, of a few bytes each.
    #[inline]
    fn write_all(&mut self, fragment: &[u8]) -> io::Result<()> {
        if self.piece.len() + fragment.len() > PIECE {
            self.write_piece()?;
        }
        self.piece.extend_from_slice(fragment);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // The end of the line is the only time for it.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_document_and_safe_to_print() {
        // Longer than a piece, with characters of several bytes, and some that a terminal acts on, at every place.
        for shift in 0..7 {
            let name = "x".repeat(shift) + &"ü\u{1b}\u{9b}名\"\\".repeat(20_000);
            let names = vec![name.as_str(), "", "\u{202e}"];
            let mut written = Vec::new();
            write_line(&mut written, |pieces| serde_json::to_writer(pieces, &names)).unwrap();
            let text = String::from_utf8(written).unwrap();
            assert_eq!(text, text::escape_json(serde_json::to_string(&names).unwrap()) + "\n");
            assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), names);
        }
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let long = "x".repeat(2 * PIECE);
        for text in ["longer than that", &long] {
            let out = io::Cursor::new([0_u8; 8]);
            let error = write_line(out, |pieces| serde_json::to_writer(pieces, &[text, "y"])).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WriteZero, "{} bytes", text.len());
        }
    }
}
