//! Which key means what, and the words that the help screen shows for it: one table.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{action::Action, state::Mode, tab::Tab};
use crate::record::player::Play;

/// A line of the help screen.
pub(super) struct Binding {
    /// Keys as people read them.
    pub(super) keys: &'static str,
    /// What they do.
    pub(super) words: &'static str,
}

/// Rows that a page key moves.
const PAGE: isize = 10;

/// What the help screen lists. A test holds it against [`action`].
pub(super) const BINDINGS: [Binding; 21] = [
    Binding { keys: "1-9", words: "go to a tab; also Tab, Shift-Tab, [ and ]" },
    Binding { keys: "j k", words: "select a row, scroll; also arrows, PgUp, PgDn, g, G" },
    Binding { keys: "Enter", words: "details of the row: all of them, none; from the overview, go to it" },
    Binding { keys: "Esc", words: "back: close, clear the filter, drop the selection" },
    Binding { keys: "/", words: "filter: text, regular expression, key:value (state:ok, ns:shop)" },
    Binding { keys: "s S", words: "sort by the next column; the other way round" },
    Binding { keys: "u", words: "unit: bit/s, B/s, KiB/s; outer packets (wire) or inner; packets/s" },
    Binding { keys: "t", words: "colours: the terminal's, for a dark background, for a light one" },
    Binding { keys: "z", words: "zero the totals on screen, as after a repair" },
    Binding { keys: "e", words: "in Health: explain the finding; else: which packets count as other" },
    Binding { keys: "y", words: "in Health: copy the commands that mend the finding (OSC 52)" },
    Binding { keys: "r", words: "read tables, pods' namespaces and the host's files again" },
    Binding { keys: "P", words: "in MTU, Peers: send probes and measure which sizes arrive" },
    Binding { keys: "p", words: "freeze the display (counting continues)" },
    Binding { keys: "w", words: "write a recording of what follows; again: end it" },
    Binding { keys: "< >", words: "back, on by a minute; { } ten minutes; , . a sample; Esc: now" },
    Binding { keys: "T", words: "go to a time: 03:12, -3m, 3m ago; live, and in a recording" },
    Binding { keys: "+ -", words: "samples more often, less often; in a recording: faster, slower" },
    Binding { keys: "?", words: "this help" },
    Binding { keys: "Ctrl-L", words: "redraw the screen" },
    Binding { keys: "q", words: "quit; Ctrl-C quits from anywhere" },
];

/// What a configuration calls the keys that can be others.
const NAMED: [(&str, char); 25] = [
    ("quit", 'q'),
    ("help", '?'),
    ("down", 'j'),
    ("up", 'k'),
    ("first", 'g'),
    ("last", 'G'),
    ("filter", '/'),
    ("sort", 's'),
    ("sort-reverse", 'S'),
    ("units", 'u'),
    ("theme", 't'),
    ("zero", 'z'),
    ("explain", 'e'),
    ("copy", 'y'),
    ("read-again", 'r'),
    ("measure", 'P'),
    ("pause", 'p'),
    ("record", 'w'),
    ("back", '<'),
    ("forward", '>'),
    ("sample-back", ','),
    ("sample-forward", '.'),
    ("time", 'T'),
    ("faster", '+'),
    ("slower", '-'),
];

/// Keys that somebody chose: each does what the other one does, which does nothing then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys(Vec<(char, char)>);

impl Keys {
    /// Has a key do what is called so.
    pub(super) fn set(&mut self, what: &str, key: &str) -> Result<(), String> {
        let Some((_, usual)) = NAMED.iter().find(|(name, _)| *name == what) else {
            return Err(format!("give keys for {}", NAMED.map(|(name, _)| name).join(", ")));
        };
        let mut chars = key.chars();
        let (Some(chosen), None) = (chars.next().filter(char::is_ascii_graphic), chars.next()) else {
            return Err("give one printable ASCII character".to_owned());
        };
        if chosen.is_ascii_digit() {
            return Err("digits are for the screens".to_owned());
        }
        if let Some((other, _)) = self.0.iter().find(|(other, of)| *other == chosen && of != usual) {
            return Err(format!("{other} is given to two"));
        }
        self.0.retain(|(_, of)| of != usual);
        self.0.push((chosen, *usual));
        Ok(())
    }

    /// The key that is meant; none for one that does nothing any more. What is typed is not for this.
    pub(super) fn meant(&self, key: KeyEvent) -> Option<KeyEvent> {
        let KeyCode::Char(pressed) = key.code else { return Some(key) };
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(key);
        }
        let meant = self.0.iter().find(|(chosen, _)| *chosen == pressed).map(|(_, usual)| *usual);
        let is_moved = || self.0.iter().any(|(_, usual)| *usual == pressed);
        let meant = meant.or_else(|| (!is_moved()).then_some(pressed))?;
        Some(KeyEvent { code: KeyCode::Char(meant), ..key })
    }

    /// Those that were chosen, as people read them; empty for none.
    pub(super) fn words(&self) -> String {
        let words = |(chosen, usual): &(char, char)| format!("{chosen} does what {usual} does");
        self.0.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    /// As a configuration has them.
    pub(super) fn config(&self) -> String {
        NAMED
            .iter()
            .map(|(name, usual)| match self.0.iter().find(|(_, of)| of == usual) {
                Some((chosen, _)) if matches!(chosen, '"' | '\\') => format!("{name} = '{chosen}'\n"),
                Some((chosen, _)) => format!("{name} = \"{chosen}\"\n"),
                None => format!("# {name} = \"{usual}\"\n"),
            })
            .collect()
    }
}

/// The action of a key press; none when the key means nothing here.
#[expect(clippy::wildcard_enum_match_arm, reason = "keys that mean nothing here are many")]
pub(super) fn action(mode: Mode, key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('l') => Some(Action::Redraw),
            KeyCode::Char('d' | 'f') => Some(Action::Move(PAGE)),
            KeyCode::Char('u' | 'b') => Some(Action::Move(-PAGE)),
            _ => None,
        };
    }
    if matches!(mode, Mode::Filter | Mode::Time) {
        return match key.code {
            KeyCode::Enter => Some(Action::FilterKeep),
            KeyCode::Esc => Some(Action::Back),
            KeyCode::Backspace => Some(Action::FilterErase),
            KeyCode::Up => Some(Action::Move(-1)),
            KeyCode::Down => Some(Action::Move(1)),
            KeyCode::Char(c) => Some(Action::FilterType(c)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') if mode == Mode::Help => Action::Help,
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Action::Help,
        KeyCode::Esc => Action::Back,
        KeyCode::Char(digit @ '1'..='9') => {
            let index = usize::try_from(u32::from(digit) - u32::from('1')).ok()?;
            Action::Tab(*Tab::ALL.get(index)?)
        }
        KeyCode::Tab | KeyCode::Char(']') | KeyCode::Right => Action::NextTab,
        KeyCode::BackTab | KeyCode::Char('[') | KeyCode::Left => Action::PreviousTab,
        KeyCode::Char('j') | KeyCode::Down => Action::Move(1),
        KeyCode::Char('k') | KeyCode::Up => Action::Move(-1),
        KeyCode::PageDown => Action::Move(PAGE),
        KeyCode::PageUp => Action::Move(-PAGE),
        KeyCode::Char('g') | KeyCode::Home => Action::First,
        KeyCode::Char('G') | KeyCode::End => Action::Last,
        KeyCode::Enter => Action::Open,
        KeyCode::Char('s') => Action::SortNext,
        KeyCode::Char('S') => Action::SortReverse,
        KeyCode::Char('/') => Action::FilterStart,
        KeyCode::Char('u') => Action::NextMeasure,
        KeyCode::Char('t') => Action::NextTheme,
        KeyCode::Char('z') => Action::Zero,
        KeyCode::Char('e') => Action::Explain,
        KeyCode::Char('y') => Action::Copy,
        KeyCode::Char('r') => Action::LookAgain,
        KeyCode::Char('P') => Action::Measure,
        KeyCode::Char('R') => Action::Repair,
        KeyCode::Char('p' | ' ') => Action::Pause,
        KeyCode::Char('w') => Action::Record,
        KeyCode::Char('T') => Action::TimeStart,
        KeyCode::Char(',') => Action::Play(Play::Step(-1)),
        KeyCode::Char('.') => Action::Play(Play::Step(1)),
        KeyCode::Char('<') => Action::Play(Play::Skip(-60)),
        KeyCode::Char('>') => Action::Play(Play::Skip(60)),
        KeyCode::Char('{') => Action::Play(Play::Skip(-600)),
        KeyCode::Char('}') => Action::Play(Play::Skip(600)),
        KeyCode::Char('+' | '=') => Action::Play(Play::Faster),
        KeyCode::Char('-') => Action::Play(Play::Slower),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn every_key_that_the_help_names_does_something() {
        for binding in BINDINGS {
            let key = match binding.keys {
                "Enter" => press(KeyCode::Enter),
                "Esc" => press(KeyCode::Esc),
                "Ctrl-L" => KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL),
                keys => press(KeyCode::Char(keys.chars().next().unwrap())),
            };
            assert!(action(Mode::Normal, key).is_some(), "{}", binding.keys);
        }
    }

    #[test]
    fn a_key_that_was_chosen_does_what_another_one_did() {
        let mut keys = Keys::default();
        for (what, key, is_right) in [
            ("quit", "x", true),
            ("pause", "x", false),
            ("pause", "q", true),
            ("pause", "5", false),
            ("pause", "", false),
            ("pause", "ab", false),
            ("nothing", "a", false),
        ] {
            assert_eq!(keys.set(what, key).is_ok(), is_right, "{what} {key}");
        }
        let meant = |c| keys.meant(press(KeyCode::Char(c))).and_then(|key| action(Mode::Normal, key));
        assert_eq!(meant('x'), Some(Action::Quit));
        assert_eq!(meant('q'), Some(Action::Pause));
        assert_eq!(meant('p'), None);
        assert_eq!(meant('j'), Some(Action::Move(1)));
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys.meant(quit), Some(quit));
        for (name, usual) in NAMED {
            assert!(action(Mode::Normal, press(KeyCode::Char(usual))).is_some(), "{name}");
        }
    }

    #[test]
    fn a_filter_takes_letters_that_are_keys_elsewhere() {
        assert_eq!(action(Mode::Filter, press(KeyCode::Char('q'))), Some(Action::FilterType('q')));
        assert_eq!(action(Mode::Normal, press(KeyCode::Char('q'))), Some(Action::Quit));
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(Mode::Filter, quit), Some(Action::Quit));
    }

    #[test]
    fn q_closes_the_help_before_it_quits() {
        assert_eq!(action(Mode::Help, press(KeyCode::Char('q'))), Some(Action::Help));
        assert_eq!(action(Mode::Normal, press(KeyCode::Char('q'))), Some(Action::Quit));
    }

    #[test]
    fn digits_beyond_the_tabs_mean_nothing() {
        assert_eq!(action(Mode::Normal, press(KeyCode::Char('0'))), None);
        assert_eq!(action(Mode::Normal, press(KeyCode::Char('2'))), Some(Action::Tab(Tab::Tunnels)));
    }
}
