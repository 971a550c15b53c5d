//! The terminal, taken and given back: on every way out, a panic included.

use std::{
    io::{self, Stdout, Write as _},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    ExecutableCommand as _,
    clipboard::CopyToClipboard,
    cursor,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};

/// The terminal while it is ours; given back when dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        // From here on every early return gives the terminal back.
        let given_back = GiveBack;
        io::stdout().execute(EnterAlternateScreen)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        std::mem::forget(given_back);
        Ok(Self { terminal })
    }

    /// Takes the terminal again where a panic gave it back that ended nothing: a check that fails stops no other.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        if GIVEN_BACK.swap(false, Ordering::Relaxed) {
            enable_raw_mode()?;
            io::stdout().execute(EnterAlternateScreen)?;
            self.terminal.clear()?;
        }
        Ok(())
    }

    /// Gives a line to the terminal's clipboard, where it has one for programs (OSC 52). The caller has made sure that it is
    /// printable.
    pub(super) fn copy(line: &str) -> io::Result<()> {
        io::stdout().execute(CopyToClipboard::to_clipboard_from(line)).map(drop)
    }

    /// Where to draw.
    pub(super) fn terminal(&mut self) -> &mut Terminal<CrosstermBackend<Stdout>> {
        &mut self.terminal
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // The terminal may be gone; then there is nothing to give back.
    let _ = disable_raw_mode();
    let _ = io::stdout().execute(LeaveAlternateScreen);
    let _ = io::stdout().execute(cursor::Show);
    let _ = io::stdout().flush();
}

/// A panic has given the terminal back.
static GIVEN_BACK: AtomicBool = AtomicBool::new(false);

/// A panic's words belong on the ordinary screen, where they stay.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            GIVEN_BACK.store(true, Ordering::Relaxed);
            hook(info);
        }));
    });
}
