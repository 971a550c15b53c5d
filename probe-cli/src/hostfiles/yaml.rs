//! YAML and JSON into trees. granit-parser splits the text into events; here they are put together, with bounds: a document
//! of a megabyte must not become a gigabyte, whatever its anchors and merge keys say.

use std::{collections::HashMap, rc::Rc};

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::tree::{Kind, Node, Style};

/// Most values of one file, those that merge keys repeat included.
const NODES: usize = 100_000;
/// Most levels below each other. What aliases point to counts as if it were written there.
const DEPTH: u16 = 64;
/// What all aliases of one file may stand for, see [`Node::size`]. Readers copy what they keep, so that a long text with many
/// aliases would be as many long texts. Go's parser, which most of these files are for, refuses such a file too.
const ALIASED: usize = 4 << 20;
/// Most documents of one file.
const DOCUMENTS: usize = 1_000;
/// Characters that a key may be away from its colon: JSON knows no bound, YAML has 1024.
const KEY: usize = 1 << 16;

/// Why a text is no tree, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Line of the text, from 1.
    pub(super) line: u32,
    /// The cause. It quotes nothing of the text, which may hold a secret.
    pub(super) cause: String,
}

/// The documents of a YAML text, and what stopped the reading of more. Empty ones are left out.
pub(super) fn documents(text: &str) -> (Vec<Rc<Node>>, Option<Broken>) {
    let mut build = Build::default();
    let outcome = build.run(text);
    (build.documents, outcome.err())
}

/// The one document of a JSON text.
pub(super) fn json(text: &str) -> Result<Rc<Node>, Broken> {
    // YAML takes more than JSON does; the programs that read these files do not.
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| Broken {
        line: u32::try_from(error.line()).unwrap_or(u32::MAX),
        cause: if error.is_eof() {
            "not JSON: it ends too early".to_owned()
        } else {
            format!("not JSON: {error}")
        },
    })?;
    let (documents, broken) = documents(text);
    match (broken, documents.into_iter().next()) {
        (Some(broken), _) => Err(broken),
        (None, Some(document)) => Ok(document),
        (None, None) => Err(Broken { line: 1, cause: "not JSON: it is empty".to_owned() }),
    }
}

/// A collection that is not complete yet.
enum Open {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<(String, Rc<Node>)>, merged: Vec<Rc<Node>>, key: Option<Key> },
}

/// What a map's next value is for.
enum Key {
    Name(String),
    /// `<<`
    Merge,
    /// A list or a map as a key, or an alias of one: no reader asks for it.
    Odd,
}

struct Level {
    open: Open,
    line: u32,
    anchor: usize,
}

#[derive(Default)]
struct Build {
    documents: Vec<Rc<Node>>,
    levels: Vec<Level>,
    /// Complete values with an anchor, of this document.
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
    /// Size of what aliases stood for so far.
    aliased: usize,
}

impl Build {
    fn run(&mut self, text: &str) -> Result<(), Broken> {
        let options = granit_parser::options! {
            flow_nesting_limit: usize::from(DEPTH),
            block_nesting_limit: usize::from(DEPTH),
            simple_key_max_lookahead: KEY,
        };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) =
                event.map_err(|error| Broken { line: count(error.marker().line()), cause: error.info() })?;
            self.event(event, span)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser may get further events")]
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        let line = count(span.start.line());
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Folded => {
                        Style::Other
                    }
                };
                let is_key = self.wants_key();
                if is_key && style == Style::Plain && text == "<<" {
                    self.set_key(Key::Merge);
                    return Ok(());
                }
                let size = text.len() + 1;
                let kind = Kind::Scalar { text: text.into_owned(), style };
                self.put(Rc::new(Node { line, kind, depth: 0, size }), anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Open::List(Vec::new()), line, anchor),
            Event::MappingStart(_, anchor, _) => {
                self.open(Open::Map { entries: Vec::new(), merged: Vec::new(), key: None }, line, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(line),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => {
                    self.aliased = self.aliased.saturating_add(node.size);
                    if self.aliased > ALIASED {
                        return Err(Broken {
                            line,
                            cause: format!("aliases stand for more than {ALIASED} bytes"),
                        });
                    }
                    self.put(node, 0)
                }
                None => Err(Broken { line, cause: "an alias inside its own anchor".to_owned() }),
            },
            Event::DocumentStart(..) => {
                self.anchors.clear();
                if self.documents.len() >= DOCUMENTS {
                    return Err(Broken { line, cause: format!("more than {DOCUMENTS} documents") });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, line: u32, anchor: usize) -> Result<(), Broken> {
        if self.levels.len() >= usize::from(DEPTH) {
            return Err(Broken { line, cause: format!("more than {DEPTH} levels") });
        }
        self.levels.push(Level { open, line, anchor });
        Ok(())
    }

    fn close(&mut self, at: u32) -> Result<(), Broken> {
        // The parser closes only what it opened.
        let Some(Level { open, line, anchor }) = self.levels.pop() else { return Ok(()) };
        let kind = match open {
            Open::List(items) => Kind::List(items),
            Open::Map { entries, merged, .. } => Kind::Map(self.merge(entries, &merged, at)?),
        };
        let (below, size) = match &kind {
            Kind::Scalar { .. } => (0, 0),
            Kind::List(items) => sum(items.iter().map(|node| (node.depth, node.size))),
            Kind::Map(entries) => sum(entries.iter().map(|(key, node)| (node.depth, node.size + key.len()))),
        };
        if below > DEPTH {
            return Err(Broken { line: at, cause: format!("more than {DEPTH} levels") });
        }
        self.put(Rc::new(Node { line, kind, depth: below, size: size + 1 }), anchor)
    }

    /// The entries of a map with those that `<<` brings in, which come first: what the map itself says counts more, and
    /// so does what is merged first.
    fn merge(
        &mut self,
        entries: Vec<(String, Rc<Node>)>,
        merged: &[Rc<Node>],
        line: u32,
    ) -> Result<Vec<(String, Rc<Node>)>, Broken> {
        let mut all = Vec::new();
        let maps = merged.iter().flat_map(|node| match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(node),
        });
        for map in maps.rev() {
            let Kind::Map(more) = &map.kind else { continue };
            self.count(more.len(), line)?;
            all.extend(more.iter().cloned());
        }
        all.extend(entries);
        Ok(all)
    }

    fn count(&mut self, more: usize, line: u32) -> Result<(), Broken> {
        self.nodes += more;
        if self.nodes > NODES {
            return Err(Broken { line, cause: format!("more than {NODES} values") });
        }
        Ok(())
    }

    /// True when the next value is a key of a map.
    fn wants_key(&self) -> bool {
        matches!(self.levels.last(), Some(Level { open: Open::Map { key: None, .. }, .. }))
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Level { open: Open::Map { key, .. }, .. }) = self.levels.last_mut() {
            *key = Some(new);
        }
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Broken> {
        self.count(1, node.line)?;
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.levels.last_mut().map(|level| &mut level.open) {
            None => {
                let is_empty =
                    matches!(&node.kind, Kind::Scalar { text, style: Style::Plain } if text.is_empty());
                if !is_empty {
                    self.documents.push(node);
                }
            }
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, merged, key }) => match key.take() {
                None => {
                    *key = Some(match &node.kind {
                        Kind::Scalar { text, .. } => Key::Name(text.clone()),
                        Kind::List(_) | Kind::Map(_) => Key::Odd,
                    });
                }
                Some(Key::Name(name)) => entries.push((name, node)),
                Some(Key::Merge) => merged.push(node),
                Some(Key::Odd) => {}
            },
        }
        Ok(())
    }
}

/// Levels of a collection and its size without itself, by those of what is in it. A size is a few times that of the text at most:
/// aliases are bounded.
fn sum(within: impl Iterator<Item = (u16, usize)>) -> (u16, usize) {
    within.fold((0, 0), |(depth, size), (below, more)| (depth.max(below + 1), size + more))
}

fn count(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
