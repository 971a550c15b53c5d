//! Colours: the terminal's own sixteen, and none of them carries a meaning that words or shapes do not carry too.

#![allow(
    clippy::unused_self,
    reason = "whether a style has a colour is the theme's affair, not the caller's"
)]

use ratatui::style::{Color, Modifier, Style};

/// Which styles to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// No colour, only bold, dim and reversed.
    pub(super) plain: bool,
}

impl Theme {
    /// Text.
    pub(super) fn normal(self) -> Style {
        Style::new()
    }

    /// Text that matters less.
    pub(super) fn dim(self) -> Style {
        if self.plain { Style::new() } else { Style::new().fg(Color::DarkGray) }
    }

    /// Names of things that are always there.
    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The first line of a table: in the terminal's own colour, which is readable on its background whatever that is.
    pub(super) fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What leaves the node.
    pub(super) fn tx(self) -> Style {
        if self.plain { Style::new() } else { Style::new().fg(Color::Cyan) }
    }

    /// What arrives.
    pub(super) fn rx(self) -> Style {
        if self.plain { Style::new() } else { Style::new().fg(Color::Green) }
    }

    /// What should not be.
    pub(super) fn alarm(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.plain { style.add_modifier(Modifier::REVERSED) } else { style.fg(Color::Yellow) }
    }

    /// The row or tab in front.
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A mode that changes what the screen means: paused, filtered.
    pub(super) fn mode(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        if self.plain { style } else { style.fg(Color::Yellow) }
    }
}
