//! What is said about where the models come from: a recording that is replayed, and one that is being written.

use time::{OffsetDateTime, macros::format_description};

use crate::{record::player::Playback, text};

/// What the screen says beside its models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// The models are those of a recording.
    pub playback: Option<Playback>,
    /// What follows is written to a file, or could not be.
    pub recording: Option<Recording>,
}

/// A recording that somebody began on this screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// To this file; any text.
    To(String),
    /// It has ended, and is in this file.
    Ended(String),
    /// Why there is none; any text.
    Failed(String),
}

impl Feed {
    /// A line about it, for a model of this wall clock; true when it is an alarm.
    pub(super) fn line(&self, time: Option<std::time::Duration>) -> Option<(String, bool)> {
        if let Some(playback) = &self.playback {
            return Some((played(*playback, time), false));
        }
        Some(match self.recording.as_ref()? {
            Recording::To(path) => (format!(" Recording to {}; w ends it.", text::escape(path)), false),
            Recording::Ended(path) => (format!(" Recorded to {}", text::escape(path)), false),
            Recording::Failed(why) => (format!(" Not recording: {}", text::escape(why)), true),
        })
    }
}

fn played(playback: Playback, time: Option<std::time::Duration>) -> String {
    let Playback { at, count, is_playing, speed } = playback;
    let of = time.map_or_else(String::new, |time| format!(" of {}", date(time)));
    let state = if is_playing { "playing" } else { "paused" };
    let speed = if speed > 1 { format!(" {speed}x") } else { String::new() };
    format!(
        " RECORDING{of}  frame {} of {count}, {state}{speed}   p play/pause  , . frame  < > minute  + - speed",
        at + 1
    )
}

fn date(time: std::time::Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or_default();
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| text::clock(time))
}
