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
pub(super) const BINDINGS: [Binding; 17] = [
    Binding { keys: "1-9", words: "go to a tab; also Tab, Shift-Tab, [ and ]" },
    Binding { keys: "j k", words: "select a row, scroll; also arrows, PgUp, PgDn, g, G" },
    Binding { keys: "Enter", words: "details of the row on or off; from the overview, go to it" },
    Binding { keys: "Esc", words: "back: close, clear the filter, drop the selection" },
    Binding { keys: "/", words: "filter rows by text, in every tab" },
    Binding { keys: "s S", words: "sort by the next column; the other way round" },
    Binding { keys: "u", words: "measure: outer bits (the wire), inner bits (pods), packets" },
    Binding { keys: "z", words: "zero the totals on screen, as after a repair" },
    Binding { keys: "e", words: "in Health: explain the finding; else: which packets count as other" },
    Binding { keys: "y", words: "in Health: copy the commands that mend the finding (OSC 52)" },
    Binding { keys: "r", words: "read tables, pods' namespaces and the host's files again" },
    Binding { keys: "p", words: "freeze the display (counting continues)" },
    Binding { keys: "w", words: "write a recording of what follows; again: end it" },
    Binding { keys: ", .", words: "in a recording, frame by frame; < > a minute, { } ten; + - speed" },
    Binding { keys: "?", words: "this help" },
    Binding { keys: "Ctrl-L", words: "redraw the screen" },
    Binding { keys: "q", words: "quit; Ctrl-C quits from anywhere" },
];

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
    if mode == Mode::Filter {
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
        KeyCode::Char('z') => Action::Zero,
        KeyCode::Char('e') => Action::Explain,
        KeyCode::Char('y') => Action::Copy,
        KeyCode::Char('r') => Action::LookAgain,
        KeyCode::Char('R') => Action::Repair,
        KeyCode::Char('p' | ' ') => Action::Pause,
        KeyCode::Char('w') => Action::Record,
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
