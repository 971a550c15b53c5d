//! The model for machines and pipes: tables and JSON. Pure: text out of data, written by the caller.

mod align;
pub mod bench;
pub mod check;
pub mod colour;
pub mod events;
mod intended;
mod json;
pub mod jsonl;
pub mod links;
pub mod measured;
pub mod mtu;
pub mod node;
mod oversize;
pub mod peer_probes;
pub mod peers;
pub mod planned;
pub mod pods;
pub mod table;
pub mod vfs;

use std::time::Duration;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::text;

/// Notes as they are below a table.
pub fn notes(notes: &[String]) -> String {
    let mut out = String::new();
    for note in notes {
        align::wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

/// A document as JSON, with a line end; safe to print.
fn document(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(text::escape_json(serde_json::to_string(value)?) + "\n")
}

/// A time since the Unix epoch in UTC, as RFC 3339 has it; empty for one beyond its years.
fn rfc3339(since_epoch: Duration) -> String {
    i128::try_from(since_epoch.as_nanos())
        .ok()
        .and_then(|nanoseconds| OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// For text and attributes of XML 1.0, which has no control characters. Names in it are escaped already.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() && c != '\n' => {}
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// What files want, as documents have it.
#[cfg(test)]
pub(crate) fn intended(intent: &crate::model::Intent) -> serde_json::Value {
    serde_json::to_value(json::Intended::from(intent)).unwrap()
}

/// Fails when a field of `value` stands nowhere in the part of docs/json.md with this heading.
#[cfg(test)]
fn documented(value: &serde_json::Value, heading: &str) {
    let words = include_str!("../../../docs/json.md");
    let from = words.find(heading).unwrap_or_else(|| panic!("docs/json.md has no {heading}"));
    let part = &words[from + 1..];
    let part = &part[..part.find("\n# ").unwrap_or(part.len())];
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                assert!(part.contains(&format!("`{name}`")), "{heading}: no `{name}`");
                documented(value, heading);
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| documented(value, heading)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
