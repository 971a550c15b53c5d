//! How names and numbers become text: escaping, units, widths. Shared by reports and screens, and pure.
//!
//! Here belongs what makes a value safe and readable on a terminal; not layout, not colour.

use std::{fmt::Write as _, time::Duration};

use unicode_width::UnicodeWidthStr as _;

/// A name that came from outside, safe to print: control characters, bidirectional overrides and everything else
/// that could move a cursor or hide text become `\u{..}` escapes, and a backslash is doubled, so that two different
/// names never look the same.
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_format(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// JSON text without a character that a terminal acts on. serde_json escapes what JSON asks for, the first 32; beyond
/// those such characters are inside strings only, where `\u` escapes mean the same.
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || is_format(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters of Unicode category Cf and the line and paragraph separators: invisible, and able to reorder a line.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// A number with an SI prefix and three significant digits, at most 5 columns wide: `0`, `12.3k`, `1.23M`, `999G`.
pub fn si(value: f64) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    if !value.is_finite() {
        return "-".to_owned();
    }
    let mut scaled = value.max(0.0);
    let mut prefix = 0;
    // 999.5 would print as "1000".
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let digits = match (prefix, scaled) {
        (0, v) if (v - v.round()).abs() < 0.05 => 0,
        (_, v) if v < 9.995 => 2,
        (_, v) if v < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{}", PREFIXES.get(prefix).copied().unwrap_or(""))
}

/// Bits per second: `12.3 kbit/s`.
pub fn bits_per_s(value: f64) -> String {
    let text = si(value);
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, prefix) = text.split_at(split);
    format!("{number} {prefix}bit/s")
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

/// Hexadecimal digits, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A number and what it counts: `1 route`, `2 routes`. The word takes an s.
pub fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// How long ago something was, in its largest unit: `12s`, `3m`, `5h`, `2d`; `never` when it was not.
pub fn age(age: Option<Duration>) -> String {
    match age.map(|age| age.as_secs()) {
        None => "never".to_owned(),
        Some(seconds @ 0..120) => format!("{seconds}s"),
        Some(seconds @ 120..7_200) => format!("{}m", seconds / 60),
        Some(seconds @ 7_200..172_800) => format!("{}h", seconds / 3_600),
        Some(seconds) => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn escaped_json_means_the_same() {
        let name = "a\x1b[2J\x7f\u{9b}31m\u{202e}\u{e0001}\\\"ü";
        let plain = serde_json::to_string(name).unwrap();
        let escaped = escape_json(&plain);
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
