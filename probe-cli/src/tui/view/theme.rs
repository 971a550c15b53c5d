//! Colours. None of them carries a meaning that words or shapes do not carry too, and each is readable on the background that it is
//! for: the terminal's own sixteen on dark and on light.

#![allow(
    clippy::unused_self,
    reason = "whether a style has a colour is the theme's affair, not the caller's"
)]

use ratatui::style::{Color, Modifier, Style};

use crate::tui::preferences::{Colours, Palette};

/// Which styles to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// No colour, only bold, dim and reversed.
    pub(super) plain: bool,
    /// Which colours.
    pub(super) palette: Palette,
    /// Those that are others.
    pub(super) chosen: Colours,
}

impl Theme {
    fn colour(self, chosen: Option<Color>, of: [Color; 3]) -> Style {
        if self.plain {
            return Style::new();
        }
        let [terminal, dark, light] = of;
        let colour = match self.palette {
            Palette::Terminal => terminal,
            Palette::Dark => dark,
            Palette::Light => light,
        };
        Style::new().fg(chosen.unwrap_or(colour))
    }

    /// Text.
    pub(super) fn normal(self) -> Style {
        Style::new()
    }

    /// Text that matters less.
    pub(super) fn dim(self) -> Style {
        self.colour(self.chosen.dim, [Color::DarkGray, DIM[0], DIM[1]])
    }

    /// Names of things that are always there.
    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The first line of a table: in the terminal's own colour, which is readable on its background whatever that is.
    pub(super) fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What leaves the node: of bars and marks, not of text, since half of the sixteen cannot be read on white.
    pub(super) fn tx(self) -> Style {
        self.colour(self.chosen.tx, [Color::Cyan, TX[0], TX[1]])
    }

    /// What arrives.
    pub(super) fn rx(self) -> Style {
        self.colour(self.chosen.rx, [Color::Green, RX[0], RX[1]])
    }

    /// What should not be. Red can be read on dark and on light, where yellow cannot.
    pub(super) fn alarm(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.plain {
            return style.add_modifier(Modifier::REVERSED);
        }
        self.colour(self.chosen.alarm, [Color::Red, ALARM[0], ALARM[1]]).patch(style)
    }

    /// That all is well.
    pub(super) fn well(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.plain { style } else { style.fg(Color::Black).bg(Color::Green) }
    }

    /// The row or tab in front.
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A mode that changes what the screen means: paused, filtered.
    pub(super) fn mode(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.plain {
            return style.add_modifier(Modifier::REVERSED);
        }
        // Both colours are named: the terminal's background may be any.
        style.fg(Color::Black).bg(Color::Yellow)
    }
}

/// On dark, and on light.
const DIM: [Color; 2] = [Color::Rgb(0x8b, 0x94, 0x9e), Color::Rgb(0x59, 0x63, 0x6e)];
const TX: [Color; 2] = [Color::Rgb(0x4f, 0xc1, 0xff), Color::Rgb(0x05, 0x50, 0xae)];
const RX: [Color; 2] = [Color::Rgb(0x7f, 0xd8, 0x8f), Color::Rgb(0x11, 0x63, 0x29)];
const ALARM: [Color; 2] = [Color::Rgb(0xff, 0xa6, 0x57), Color::Rgb(0xb3, 0x27, 0x00)];

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.1).
    fn luminance(colour: Color) -> f64 {
        let Color::Rgb(r, g, b) = colour else { panic!("{colour:?}") };
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn colours_can_be_read_on_the_background_that_they_are_for() {
        for [dark, light] in [DIM, TX, RX, ALARM] {
            // On black, on a usual dark grey, and on white: 4.5 is the least for text.
            for ground in [Color::Rgb(0, 0, 0), Color::Rgb(0x1e, 0x1e, 0x1e)] {
                let contrast = (luminance(dark) + 0.05) / (luminance(ground) + 0.05);
                assert!(contrast >= 4.5, "{dark:?} on {ground:?}: {contrast}");
            }
            let contrast = 1.05 / (luminance(light) + 0.05);
            assert!(contrast >= 4.5, "{light:?}: {contrast}");
        }
    }
}
