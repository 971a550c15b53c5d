//! What YAML and JSON have in common, as a tree that remembers lines, and the way through it to single values. Not how it is
//! parsed: that is `yaml`.

use std::{rc::Rc, str::FromStr};

use super::notes::FileNotes;
use crate::facts::files::Sourced;

/// A value of a document.
#[derive(Debug)]
pub(super) struct Node {
    /// Line that it begins in, from 1.
    pub(super) line: u32,
    /// What it is.
    pub(super) kind: Kind,
    /// Levels below it.
    pub(super) depth: u16,
    /// Bytes of the texts in it and below, and one for each value: what aliases point to counts as if it were written there.
    pub(super) size: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Text, as it is written: numbers keep their spelling.
    Scalar {
        text: String,
        style: Style,
    },
    List(Vec<Rc<Node>>),
    /// In the order of the file; of equal keys the last one counts.
    Map(Vec<(String, Rc<Node>)>),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: may be null or a Boolean.
    Plain,
    /// A literal block, whose lines are those of the file.
    Literal,
    /// Quoted or folded: its lines are not those of the file.
    Other,
}

/// How lines of a text are those of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// This many lines of the file come before the text.
    After(u32),
    /// All of it is in one line.
    In(u32),
}

/// Which keys of a map are the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Equal ones.
    Exact,
    /// Those that differ in case only, as for Go's encoding/json and the fields of a struct. The last one counts.
    AnyCase,
}

/// A value, and the file that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    node: &'a Node,
    file: &'a str,
    lines: Lines,
    keys: Keys,
}

impl<'a> At<'a> {
    /// The root of a document that is a whole file.
    pub(super) fn root(file: &'a str, node: &'a Node) -> Self {
        Self { node, file, lines: Lines::After(0), keys: Keys::Exact }
    }

    /// The root of a JSON file that its owner reads with Go's encoding/json: the case of keys does not count.
    pub(super) fn go_json(file: &'a str, node: &'a Node) -> Self {
        Self { keys: Keys::AnyCase, ..Self::root(file, node) }
    }

    /// The root of a document that is the text of `holder`, a scalar.
    pub(super) fn inside(holder: &At<'a>, node: &'a Node) -> Self {
        let lines = match &holder.node.kind {
            Kind::Scalar { text, style: Style::Literal } => {
                // The parser gives the line of the first character that is not an end of line.
                let skipped = text.bytes().take_while(|byte| *byte == b'\n').count();
                let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
                Lines::After(holder.line().saturating_sub(skipped).saturating_sub(1))
            }
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => Lines::In(holder.line()),
        };
        Self { node, file: holder.file, lines, keys: Keys::Exact }
    }

    /// Its line in the file.
    pub(super) fn line(&self) -> u32 {
        self.line_of(self.node.line)
    }

    /// The line in the file of a line of the document.
    pub(super) fn line_of(&self, line: u32) -> u32 {
        match self.lines {
            Lines::After(before) => before.saturating_add(line),
            Lines::In(line) => line,
        }
    }

    fn to(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    /// A value from here.
    pub(super) fn sourced<T>(&self, value: T) -> Sourced<T> {
        Sourced { value, file: self.file.to_owned(), line: Some(self.line()) }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<At<'a>> {
        match self.keys {
            Keys::Exact => self.last(|name| name == key),
            Keys::AnyCase => self.last(|name| name.eq_ignore_ascii_case(key)),
        }
    }

    /// The value of a key that Go takes out of a map and not into a struct: there its case counts.
    pub(super) fn get_exact(&self, key: &str) -> Option<At<'a>> {
        self.last(|name| name == key)
    }

    fn last(&self, is_it: impl Fn(&str) -> bool) -> Option<At<'a>> {
        let Kind::Map(entries) = &self.node.kind else { return None };
        let node = entries.iter().rev().find_map(|(name, node)| is_it(name).then_some(node))?;
        Some(self.to(node))
    }

    /// Keys and values of a map, in the order of the file, equal keys included.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, At<'a>)> {
        let entries = match &self.node.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Scalar { .. } | Kind::List(_) => &[],
        };
        entries.iter().map(move |(key, node)| (key.as_str(), self.to(node)))
    }

    /// Elements of a list.
    pub(super) fn items(self) -> impl Iterator<Item = At<'a>> {
        let items = match &self.node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Scalar { .. } | Kind::Map(_) => &[],
        };
        items.iter().map(move |node| self.to(node))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    /// Null, or an empty plain scalar.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.node.kind, Kind::Scalar { text, style: Style::Plain }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Its text; none of null, a list or a map.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The text of a key; none when there is none, or when it is empty.
    pub(super) fn string(&self, key: &str) -> Option<Sourced<String>> {
        self.get(key)?.filled()
    }

    /// Its text with its place; none where it is empty.
    pub(super) fn filled(&self) -> Option<Sourced<String>> {
        self.text().filter(|text| !text.is_empty()).map(|text| self.sourced(text.to_owned()))
    }

    /// A key's value as a number, an address or a network; what it cannot be is a note.
    pub(super) fn parsed<T: FromStr>(
        &self,
        key: &str,
        what: &str,
        notes: &mut FileNotes,
    ) -> Option<Sourced<T>> {
        let at = self.get(key)?;
        let text = at.text().filter(|text| !text.is_empty())?;
        let parsed = text.trim().parse().ok().map(|value| at.sourced(value));
        if parsed.is_none() {
            notes.at(&at, format!("{key} is {}, not {what}", short(text)));
        }
        parsed
    }

    /// A key's value as a Boolean.
    pub(super) fn flag(&self, key: &str, notes: &mut FileNotes) -> Option<Sourced<bool>> {
        let at = self.get(key)?;
        let text = at.text()?;
        let value = boolean(text);
        if value.is_none() {
            notes.at(&at, format!("{key} is {}, neither true nor false", short(text)));
        }
        value.map(|value| at.sourced(value))
    }

    /// The texts of a list, or the one text.
    pub(super) fn texts(self) -> impl Iterator<Item = (At<'a>, &'a str)> {
        let own = self.text().map(|text| (self, text));
        own.into_iter().chain(self.items().filter_map(|item| Some((item, item.text()?))))
    }
}

/// A Boolean of YAML 1.1, which Go's parsers still read.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A text from outside, short enough for a note.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 64;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
