//! What a filter's text means: words, `key:value`, regular expressions. Pure. What a row says for a key is in `cells`.

use regex_lite::{Regex, RegexBuilder};

/// A filter this long finds nothing anyway.
const LONGEST: usize = 60;

/// Bytes that a compiled expression may take: what is typed is short, but `(a{99}){99}` is not.
const COMPILED: usize = 1 << 16;

/// What can be before a colon. Others are part of the text, as in an IPv6 address.
pub(super) const KEYS: [&str; 18] = [
    "address", "check", "cidr", "driver", "iface", "kind", "link", "mtu", "network", "node", "ns", "pod",
    "state", "subject", "tunnel", "underlay", "vlan", "vni",
];

/// What somebody has typed, and what it means.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    text: String,
    terms: Vec<Term>,
}

/// One thing that has to match.
#[derive(Clone, Debug)]
struct Term {
    /// Where; none for anywhere.
    key: Option<&'static str>,
    /// In lower case, where it is no regular expression.
    value: String,
    /// None where it is not a valid one.
    regex: Option<Regex>,
}

impl Filter {
    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// It lets all through.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// A part of it is searched for as it is, since it is not a valid regular expression.
    pub(super) fn is_literal(&self) -> bool {
        self.terms.iter().any(|term| term.regex.is_none())
    }

    /// One more character, unless it is long enough.
    pub(super) fn push(&mut self, c: char) {
        if !c.is_control() && self.text.chars().count() < LONGEST {
            self.text.push(c);
            self.terms = terms(&self.text);
        }
    }

    /// One less.
    pub(super) fn pop(&mut self) {
        self.text.pop();
        self.terms = terms(&self.text);
    }

    /// Lets all through again.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether all of it matches: in these words, and where there are keys, in what is said for them.
    pub(super) fn matches(
        &self,
        words: impl FnOnce() -> String,
        field: impl Fn(&str) -> Option<String>,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        let words = words();
        self.terms.iter().all(|term| match term.key {
            None => term.is_in(&words),
            Some(key) => field(key).is_some_and(|value| term.is_in(&value)),
        })
    }

    /// The same of a text that has no keys.
    pub(super) fn matches_text(&self, words: &str) -> bool {
        self.matches(|| words.to_owned(), |_| None)
    }
}

impl Term {
    fn new(key: Option<&'static str>, value: &str) -> Self {
        let regex = RegexBuilder::new(value).case_insensitive(true).size_limit(COMPILED).build().ok();
        Self { key, value: value.to_lowercase(), regex }
    }

    fn is_in(&self, words: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(words),
            None => words.to_lowercase().contains(&self.value),
        }
    }
}

/// A value ends where the next key begins: it may have blanks, as `state:no route`.
fn terms(text: &str) -> Vec<Term> {
    let mut terms: Vec<(Option<&'static str>, String)> = Vec::new();
    for word in text.split(' ') {
        let known = word.split_once(':').and_then(|(key, value)| {
            KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key)).map(|known| (known, value))
        });
        match (known, terms.last_mut()) {
            (Some((key, value)), _) => terms.push((Some(key), value.to_owned())),
            (None, Some((_, last))) => {
                last.push(' ');
                last.push_str(word);
            }
            (None, None) => terms.push((None, word.to_owned())),
        }
    }
    terms.iter().map(|(key, value)| Term::new(*key, value.trim_end())).collect()
}

#[cfg(test)]
impl From<&str> for Filter {
    fn from(text: &str) -> Self {
        let mut filter = Self::default();
        for c in text.chars() {
            filter.push(c);
        }
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keys_and_expressions() {
        let field = |key: &str| match key {
            "state" => Some("no route".to_owned()),
            "node" => Some("node-3".to_owned()),
            _ => None,
        };
        let words = "node-3 fd77::3 10.42.3.0/24 flannel.1";
        for (text, is_found) in [
            ("", true),
            ("NODE-3", true),
            ("node-4", false),
            ("fd77::3", true),
            ("fd77::4", false),
            ("node-[2-4]", true),
            ("node-[4-9]", false),
            ("^node", true),
            ("^flannel", false),
            ("flannel|cilium", true),
            ("state:no route", true),
            ("State:NO", true),
            ("state:^route", false),
            ("state:ok", false),
            ("state:no route node:3$", true),
            ("state:no route node:4$", false),
            ("flannel state:route", true),
            ("cilium state:route", false),
            ("ns:shop", false),
            ("node-3 ", true),
            // Half of an expression is what it is while it is typed.
            ("node-[2", false),
            ("node-(", false),
        ] {
            assert_eq!(Filter::from(text).matches(|| words.to_owned(), field), is_found, "{text}");
        }
        assert!(Filter::from("a[").matches_text("xA[y"), "as it is");
        assert_eq!([Filter::from("a["), Filter::from("a")].map(|filter| filter.is_literal()), [true, false]);
        assert!(Filter::from("((a{99}){99}){99}").is_literal(), "too large to be compiled");
    }

    #[test]
    fn a_filter_has_an_end() {
        let mut filter = Filter::from("é".repeat(70).as_str());
        assert_eq!(filter.text().chars().count(), LONGEST);
        filter.push('\u{1b}');
        filter.pop();
        assert_eq!(filter.text().chars().count(), LONGEST - 1);
    }
}
