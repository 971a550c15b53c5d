//! How names and numbers become text: escaping, units, widths. Shared by reports and screens, and pure.
//!
//! Here belongs what makes a value safe and readable on a terminal; not layout, not colour.

use std::{fmt::Write as _, time::Duration};

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_width::UnicodeWidthStr as _;

/// A name that came from outside, safe to print: control characters, bidirectional overrides and everything else
/// that could move a cursor or hide text become `\u{..}` escapes, and a backslash is doubled, so that two different
/// names never look the same.
pub fn escape(name: &str) -> String {
    escaped(
        name,
        |byte| byte != b'\\',
        |out, c| match c {
            '\\' => out.push_str("\\\\"),
            c => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        },
    )
}

/// Text of several lines, such as an error with its causes or a usage message, safe to print: what [`escape`] makes
/// visible, but for line ends and backslashes.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(|line| escape(line).replace("\\\\", "\\")).collect::<Vec<_>>().join("\n")
}

/// Characters shown of a name from outside: Kubernetes allows 253, the kernel 15 bytes for an interface.
const SHOWN: usize = 256;

/// A name from outside, bounded and safe to print.
pub fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => escape(name.get(..end).unwrap_or_default()) + "...",
        None => escape(name),
    }
}

/// JSON text without a character that a terminal acts on. serde_json escapes what JSON asks for, the first 32; beyond
/// those such characters are inside strings only, where `\u` escapes mean the same.
pub fn escape_json(json: String) -> String {
    if is_plain(&json) {
        return json;
    }
    escaped(
        &json,
        |_| true,
        |out, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

/// Printable ASCII throughout. Whole chunks are looked at, which the compiler does many bytes at a time.
fn is_plain(text: &str) -> bool {
    let is_plain = |chunk: &[u8]| chunk.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    text.as_bytes().chunks(1024).all(is_plain)
}

/// The text with each character replaced that is hidden, or ASCII and not `plain`. Most text is plain ASCII, and is copied in
/// runs: a line of `watch` may have a megabyte.
fn escaped(text: &str, plain: impl Fn(u8) -> bool, replace: impl Fn(&mut String, char)) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let run = rest.bytes().position(|byte| !(matches!(byte, b' '..=b'~') && plain(byte)));
        let (run, special) = rest.split_at(run.unwrap_or(rest.len()));
        out.push_str(run);
        let mut chars = special.chars();
        let Some(c) = chars.next() else { return out };
        if c.is_ascii() || is_hidden(c) {
            replace(&mut out, c);
        } else {
            out.push(c);
        }
        rest = chars.as_str();
    }
}

/// Characters that are invisible or act on a terminal: controls, format characters (Unicode category Cf, which reorder or
/// hide), separators of lines and paragraphs, what has no meaning of its own (private use, unassigned), and letters and marks
/// without a shape.
fn is_hidden(c: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned,
    };
    let without_shape = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    without_shape
        || matches!(
            get_general_category(c),
            Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate | Unassigned
        )
}

/// A number with an SI prefix and three significant digits, at most 5 columns wide: `0`, `12.3k`, `1.23M`, `999G`.
pub fn si(value: f64) -> String {
    prefixed(value, 1000.0, "k")
}

/// The same with prefixes of 1024, the letters of `KiB` and `MiB`: `12.3K`.
pub fn binary(value: f64) -> String {
    prefixed(value, 1024.0, "K")
}

fn prefixed(value: f64, base: f64, thousand: &str) -> String {
    let prefixes = ["", thousand, "M", "G", "T", "P", "E"];
    if !value.is_finite() {
        return "-".to_owned();
    }
    let mut scaled = value.max(0.0);
    let mut prefix = 0;
    // 999.5 would print as "1000".
    while scaled >= 999.5 && prefix + 1 < prefixes.len() {
        scaled /= base;
        prefix += 1;
    }
    let digits = match (prefix, scaled) {
        (0, v) if (v - v.round()).abs() < 0.05 => 0,
        (_, v) if v < 9.995 => 2,
        (_, v) if v < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{}", prefixes.get(prefix).copied().unwrap_or(""))
}

/// A number with its prefix, and a unit: `12.3 kbit/s`.
pub fn with_unit(number: &str, unit: &str) -> String {
    let split = number.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(number.len());
    let (number, prefix) = number.split_at(split);
    format!("{number} {prefix}{unit}")
}

/// Bits per second: `12.3 kbit/s`.
pub fn bits_per_s(value: f64) -> String {
    with_unit(&si(value), "bit/s")
}

/// Bytes with a binary prefix: `12.3 KiB`.
pub fn bytes(value: u64) -> String {
    const PREFIXES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = value as f64;
    let mut prefix = 0;
    while scaled >= 1023.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1024.0;
        prefix += 1;
    }
    let digits = usize::from(prefix > 0 && scaled < 99.95);
    format!("{scaled:.digits$} {}", PREFIXES.get(prefix).copied().unwrap_or("B"))
}

/// Time of day in UTC of a time since the Unix epoch.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// At most `width` columns: what is cut is replaced by "…" in the middle, where names differ least.
pub fn fit(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let half = width.saturating_sub(1) / 2;
    let head = take_columns(name.chars(), width.saturating_sub(1) - half);
    let tail: String = take_columns(name.chars().rev(), half).chars().rev().collect();
    if width == 0 { String::new() } else { format!("{head}…{tail}") }
}

/// At most `width` columns: what is cut is replaced by "…" at the end, where sentences say least.
pub fn cut(text: &str, width: usize) -> String {
    match (text.width() <= width, width) {
        (true, _) => text.to_owned(),
        (false, 0) => String::new(),
        (false, _) => take_columns(text.chars(), width - 1).trim_end().to_owned() + "…",
    }
}

fn take_columns(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut out = String::new();
    for c in chars {
        out.push(c);
        if out.width() > width {
            out.pop();
            break;
        }
    }
    out
}

/// What the same is said of, together: each sentence once, in the order of the first that it is said of.
pub fn by_sentence<S: PartialEq, T>(said: impl IntoIterator<Item = (S, T)>) -> Vec<(S, Vec<T>)> {
    let mut groups: Vec<(S, Vec<T>)> = Vec::new();
    for (sentence, of) in said {
        match groups.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, all)) => all.push(of),
            None => groups.push((sentence, vec![of])),
        }
    }
    groups
}

/// Hexadecimal digits, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A share of 1 in percent: `91 %`. A small one is not 0, and one that is not the whole is not 100.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.round() {
        none if none < 1.0 && share > 0.0 => "<1 %".to_owned(),
        all if all >= 100.0 && share < 1.0 => ">99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// A number and what it counts: `1 route`, `2 routes`. The word takes an s.
pub fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// How long ago something was, in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`; `never` when it was not.
pub fn age(age: Option<Duration>) -> String {
    match age.map(|age| age.as_secs()) {
        None => "never".to_owned(),
        Some(seconds @ 0..120) => format!("{seconds} s"),
        Some(seconds @ 120..7_200) => format!("{} min", seconds / 60),
        Some(seconds @ 7_200..172_800) => format!("{} h", seconds / 3_600),
        Some(seconds) => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_once_of_all() {
        let said = [("too few", 1), ("too noisy", 2), ("too few", 3)];
        assert_eq!(by_sentence(said), [("too few", vec![1, 3]), ("too noisy", vec![2])]);
        assert_eq!(by_sentence(Vec::<(&str, u8)>::new()), []);
    }

    #[test]
    fn escape_leaves_nothing_that_moves_a_cursor() {
        for (name, shown) in [
            ("flannel.1", "flannel.1"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("tab\tnl\n", "tab\\u{9}nl\\u{a}"),
            ("back\\slash", "back\\\\slash"),
            ("\u{202e}gnp", "\\u{202e}gnp"),
            ("c1\u{9b}31m", "c1\\u{9b}31m"),
            ("Überlauf", "Überlauf"),
        ] {
            assert_eq!(escape(name), shown);
        }
    }

    #[test]
    fn a_small_share_is_not_nothing_and_a_large_one_not_all() {
        for (share, shown) in [
            (0.0, "0 %"),
            (0.001, "<1 %"),
            (0.005, "1 %"),
            (0.914, "91 %"),
            (0.994, "99 %"),
            (0.999, ">99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), shown);
        }
    }

    #[test]
    fn no_character_is_hidden_in_what_is_escaped() {
        // What there is of characters is in the first two planes, and tags and variation selectors in one more.
        let all: Vec<char> = ('\0'..'\u{20000}').chain('\u{e0000}'..'\u{e0200}').collect();
        for some in all.chunks(4096) {
            let some: String = some.iter().collect();
            for text in [escape(&some), escape_json(some.clone())] {
                assert_eq!(text.chars().find(|&c| c.is_control() || is_hidden(c)), None);
            }
        }
        for c in
            ['\u{890}', '\u{8e2}', '\u{110bd}', '\u{13430}', '\u{1bca0}', '\u{1d173}', '\u{e000}', '\u{378}']
        {
            assert!(is_hidden(c), "{:x}", u32::from(c));
        }
        let shown = "pod-ü-名前-🦀 a\u{301}";
        assert_eq!(escape(shown), shown);
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(
            escape_lines("usage: a\\b\n\n  --x\u{1b}]0;t\u{7}\n"),
            "usage: a\\b\n\n  --x\\u{1b}]0;t\\u{7}\n"
        );
    }

    #[test]
    fn escaped_json_means_the_same() {
        let name = "a\x1b[2J\x7f\u{9b}31m\u{202e}\u{e0001}\\\"ü";
        let plain = serde_json::to_string(name).unwrap();
        let escaped = escape_json(plain);
        assert_eq!(escaped, r#""a\u001b[2J\u007f\u009b31m\u202e\udb40\udc01\\\"ü""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), name);
    }

    #[test]
    fn si_has_three_digits_and_stays_narrow() {
        for (value, shown) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.25, "1.25"),
            (12.34, "12.3"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (999_499.0, "999k"),
            (999_500.0, "1.00M"),
            (1.234e9, "1.23G"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(si(value), shown, "{value}");
        }
        assert_eq!(bits_per_s(1_234_567.0), "1.23 Mbit/s");
        assert_eq!(bits_per_s(0.0), "0 bit/s");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_500_000), "1.4 MiB");
    }

    #[test]
    fn what_does_not_fit_loses_its_middle() {
        for (name, width, shown) in [
            ("flannel.1", 9, "flannel.1"),
            ("shop/frontend-abc-12345", 12, "shop/f…12345"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
            ("世界世界", 5, "世…界"),
        ] {
            assert_eq!(fit(name, width), shown);
            assert!(fit(name, width).width() <= width);
        }
    }

    #[test]
    fn one_and_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "route")), ["0 routes", "1 route", "2 routes"]);
    }

    #[test]
    fn the_clock_is_utc() {
        assert_eq!(clock(Duration::from_secs(86_400 + 3_661)), "01:01:01 UTC");
    }
}
