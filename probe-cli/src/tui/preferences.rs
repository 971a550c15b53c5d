//! How somebody likes the screen: colours, characters, the first tab, the unit, other keys. Pure: texts come in. Where they are kept is
//! the command line's affair.

use std::str::FromStr as _;

use ratatui::style::Color;

use super::{keymap::Keys, measure::Measure, tab::Tab};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Which colours.
    pub(super) palette: Palette,
    /// Those that are others than the palette's.
    pub(super) colours: Colours,
    /// Nothing but ASCII is drawn.
    pub ascii: bool,
    /// The tab in front at the start.
    pub(super) first: Tab,
    /// What rates are shown at the start.
    pub(super) measure: Measure,
    /// Other keys.
    pub(super) keys: Keys,
}

/// Sets of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Palette {
    /// The terminal's own sixteen, in a choice that is readable on dark and on light.
    #[default]
    Terminal,
    /// 24-bit colours for a dark background.
    Dark,
    /// The same for a light one.
    Light,
}

impl Palette {
    pub(super) const ALL: [Self; 3] = [Self::Terminal, Self::Dark, Self::Light];

    /// As it is written in a configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    /// The next one, round.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Terminal => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Terminal,
        }
    }
}

/// Colours that somebody chose; none for those of the palette.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) dim: Option<Color>,
    pub(super) tx: Option<Color>,
    pub(super) rx: Option<Color>,
    pub(super) alarm: Option<Color>,
}

impl Preferences {
    /// Sets what a configuration calls so. Gives what is wrong with it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "theme" => self.palette = one_of(value, Palette::ALL.map(|palette| (palette.name(), palette)))?,
            "screen" => self.first = one_of(value, Tab::ALL.map(|tab| (tab.name(), tab)))?,
            "units" => self.measure = one_of(value, Measure::ALL.map(|measure| (measure.option(), measure)))?,
            _ => return Err("there is no such option: see `overlay-probe top --print-config`".to_owned()),
        }
        Ok(())
    }

    /// Sets the colour of something: `#1a7f37`, or a name of one of the terminal's sixteen.
    pub fn set_colour(&mut self, what: &str, colour: &str) -> Result<(), String> {
        let place = match what {
            "dim" => &mut self.colours.dim,
            "tx" => &mut self.colours.tx,
            "rx" => &mut self.colours.rx,
            "alarm" => &mut self.colours.alarm,
            _ => return Err("give the colour of dim, tx, rx or alarm".to_owned()),
        };
        let parsed = Color::from_str(colour);
        *place = Some(parsed.map_err(|_other| "give a colour such as \"#1a7f37\" or \"red\"".to_owned())?);
        Ok(())
    }

    /// Has a key do what another one does.
    pub fn set_key(&mut self, what: &str, key: &str) -> Result<(), String> {
        self.keys.set(what, key)
    }

    /// As a configuration, but for what is not of the screen.
    pub fn config(&self) -> String {
        let names = |names: &[&str]| names.join(", ");
        let palettes = names(&Palette::ALL.map(Palette::name));
        let tabs = names(&Tab::ALL.map(Tab::name));
        let units = names(&Measure::ALL.map(Measure::option));
        let colour = |name: &str, colour: Option<Color>| match colour {
            Some(colour) => format!("{name} = \"{colour}\"\n"),
            None => format!("# {name} = \"#1a7f37\"\n"),
        };
        let Colours { dim, tx, rx, alarm } = self.colours;
        let colours = [("dim", dim), ("tx", tx), ("rx", rx), ("alarm", alarm)]
            .map(|(name, chosen)| colour(name, chosen))
            .concat();
        format!(
            "# Colours: {palettes}. \"terminal\" are its own sixteen. NO_COLOR and --no-color leave out all of them.\n\
             theme = \"{}\"\n\
             # Draw with ASCII only, as on a serial console.\n\
             ascii = {}\n\
             # The first screen: {tabs}.\n\
             screen = \"{}\"\n\
             # Units of rates: {units}.\n\
             units = \"{}\"\n\n\
             # Single colours: \"#rrggbb\", or one of the terminal's sixteen by name.\n\
             [colours]\n{colours}\n\
             # A key of your own for what another key does; that one does nothing then.\n\
             [keys]\n{}",
            self.palette.name(),
            self.ascii,
            self.first.name(),
            self.measure.option(),
            self.keys.config(),
        )
    }
}

fn one_of<T: Copy, const N: usize>(value: &str, all: [(&str, T); N]) -> Result<T, String> {
    let found = all.iter().find(|(name, _)| *name == value).map(|(_, one)| *one);
    found.ok_or_else(|| format!("give one of {}", all.map(|(name, _)| name).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_printed_and_what_is_wrong_is_refused() {
        let mut preferences = Preferences::default();
        for (name, value, is_right) in [
            ("theme", "light", true),
            ("theme", "pink", false),
            ("screen", "health", true),
            ("screen", "healthy", false),
            ("units", "outer-bytes", true),
            ("nothing", "x", false),
        ] {
            assert_eq!(preferences.set(name, value).is_ok(), is_right, "{name}");
        }
        assert!(
            preferences.set_colour("tx", "#00ff00").is_ok()
                && preferences.set_colour("alarm", "magenta").is_ok()
        );
        assert!(preferences.set_colour("tx", "x").is_err() && preferences.set_colour("x", "red").is_err());
        assert!(preferences.set_key("quit", "x").is_ok());
        let config = preferences.config();
        for line in [
            "theme = \"light\"",
            "screen = \"health\"",
            "units = \"outer-bytes\"",
            "tx = \"#00FF00\"",
            "# rx = ",
            "quit = \"x\"",
        ] {
            assert!(config.contains(line), "{line}: {config}");
        }
    }
}
