//! The user's configuration of the screens: which file it is, whether it may be believed, and what is in it. What an option means is
//! for `tui`.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::{Uid, User};
use thiserror::Error;
use toml::{Table, Value};

use super::args::parse_duration;
use crate::{files, tui::Preferences};

/// Below the user's directory for configurations.
const NAME: &str = "overlay-probe/config.toml";
/// A configuration has a few dozen lines.
const LONGEST: u64 = 64 << 10;
/// Terminals whose font has no braille: the kernel's console, and what serial lines are said to be.
const WITHOUT_FONT: [&str; 3] = ["linux", "vt100", "vt220"];

/// What is wrong with the configuration.
#[derive(Debug, Error)]
#[error("{}: {why}", path.display())]
pub(super) struct Invalid {
    path: PathBuf,
    why: String,
}

/// What somebody configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// How the screen is.
    pub(super) preferences: Preferences,
    /// Time between samples.
    pub(super) interval: Option<Duration>,
}

impl Settings {
    /// Those of the user who started this, `sudo` or not; a file that is somebody else's is not read.
    pub(super) fn load(ascii: bool) -> Result<Self, Invalid> {
        let mut settings = Self::default();
        settings.preferences.ascii =
            std::env::var("TERM").is_ok_and(|name| WITHOUT_FONT.contains(&name.as_str()));
        if let Some((path, owner)) = place() {
            settings.read(&path, owner)?;
        }
        settings.preferences.ascii |= ascii;
        Ok(settings)
    }

    fn read(&mut self, path: &Path, owner: Uid) -> Result<(), Invalid> {
        let invalid = |why: String| Invalid { path: path.to_owned(), why };
        let file = match files::open_given(path) {
            Ok(file) => file,
            Err(refused) if refused.is_absent() => return Ok(()),
            Err(refused) => {
                tracing::warn!("{} is not read: {}", path.display(), io::Error::from(refused));
                return Ok(());
            }
        };
        let found = file.metadata().map_err(|error| invalid(format!("cannot look at it: {error}")))?;
        if found.uid() != owner.as_raw() || found.mode() & 0o022 != 0 {
            tracing::warn!(
                "{} is not read: it has to belong to the user who starts this (uid {owner}), and nobody else may write it",
                path.display()
            );
            return Ok(());
        }
        let text = files::read_open(&file, LONGEST)
            .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
            .map_err(|error| invalid(format!("cannot read it: {error}")))?;
        self.take(&text).map_err(invalid)
    }

    /// Takes what a text says. Gives what is wrong with it.
    fn take(&mut self, text: &str) -> Result<(), String> {
        // The line is said; what stands there is not needed.
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            format!("line {}: {}", before.lines().count().max(1), error.message())
        })?;
        for (name, value) in &table {
            let at = |why: String| format!("{name}: {why}");
            match (name.as_str(), value) {
                ("ascii", Value::Boolean(ascii)) => self.preferences.ascii = *ascii,
                ("ascii", _) => return Err(at("give true or false".to_owned())),
                ("interval", Value::String(interval)) => {
                    self.interval = Some(parse_duration(interval).map_err(at)?);
                }
                ("colours", Value::Table(colours)) => {
                    each(colours, |what, colour| self.preferences.set_colour(what, colour)).map_err(at)?;
                }
                ("keys", Value::Table(keys)) => {
                    each(keys, |what, key| self.preferences.set_key(what, key)).map_err(at)?;
                }
                (name, Value::String(value)) => self.preferences.set(name, value).map_err(at)?,
                (
                    _,
                    Value::Integer(_)
                    | Value::Float(_)
                    | Value::Boolean(_)
                    | Value::Datetime(_)
                    | Value::Array(_)
                    | Value::Table(_),
                ) => {
                    return Err(at(
                        "there is no such option: see `overlay-probe top --print-config`".to_owned()
                    ));
                }
            }
        }
        Ok(())
    }

    /// As a configuration, with what each option may be.
    pub(super) fn config(&self) -> String {
        let path =
            place().map_or_else(|| format!("~/.config/{NAME}"), |(path, _)| path.display().to_string());
        let interval = self.interval.unwrap_or(Duration::from_secs(1)).as_secs_f64();
        format!(
            "# {path}: how `overlay-probe top`, `demo` and `replay` look. Options of the command line come before it.\n\n\
             # Time between samples.\n\
             interval = \"{interval}s\"\n\
             {}",
            self.preferences.config()
        )
    }
}

/// Each of a table's texts.
fn each(table: &Table, mut set: impl FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    for (name, value) in table {
        let text = value.as_str().ok_or_else(|| format!("{name}: give a text"))?;
        set(name, text).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

/// Where the configuration of the user is who started this, and who that is. With `sudo` it is not root's: the variables are those that
/// sudo sets, and the directory is the one that the system has for that user.
fn place() -> Option<(PathBuf, Uid)> {
    let me = Uid::effective();
    let caller = || std::env::var("SUDO_UID").ok()?.parse().ok().map(Uid::from_raw);
    if let Some(caller) = me.is_root().then(caller).flatten().filter(|caller| !caller.is_root()) {
        let user = User::from_uid(caller).ok().flatten()?;
        return Some((user.dir.join(".config").join(NAME), caller));
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
    Some((directory.join(NAME), me))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn what_is_printed_is_read_and_means_the_same() {
        let mut settings = Settings::default();
        settings
            .take("interval = \"500ms\"\ntheme = \"dark\"\nascii = true\n[keys]\nquit = \"x\"\n[colours]\ntx = \"#00ff00\"\n")
            .unwrap();
        assert_eq!(settings.interval, Some(Duration::from_millis(500)));
        let mut again = Settings::default();
        again.take(&settings.config()).unwrap();
        assert_eq!(again, settings);
        for (text, why) in [
            ("theme = 1", "theme: there is no such option"),
            ("theme = \"pink\"", "theme: give one of terminal, dark, light"),
            ("interval = \"x\"", "interval: "),
            ("ascii = 1", "ascii: give true or false"),
            ("[keys]\nquit = \"ab\"", "keys: quit: give one printable"),
            ("[colours]\ntx = 1", "colours: tx: give a text"),
            ("\n\nx =", "line 3: "),
        ] {
            let error = Settings::default().take(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "ascii = true").unwrap();
        let me = Uid::effective();
        let read = |owner| {
            let mut settings = Settings::default();
            settings.read(&path, owner).unwrap();
            settings.preferences.ascii
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read(me));
        assert!(!read(Uid::from_raw(me.as_raw() + 1)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!read(me));
        fs::remove_file(&path).unwrap();
        assert!(!read(me), "none is no error");
    }
}
