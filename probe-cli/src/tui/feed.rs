//! What is said about where the models come from: a recording that is replayed, and one that is being written.

use std::{net::IpAddr, time::Duration};

use time::{OffsetDateTime, macros::format_description};

use crate::{record::player::Playback, text};

/// What the screen says beside its models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// The models are those of a recording.
    pub playback: Option<Playback>,
    /// What follows is written to a file, or could not be.
    pub recording: Option<Recording>,
    /// Somebody looks back in a live run.
    pub back: Option<Back>,
    /// Models up to the one that was asked for are being made: so many of so many.
    pub reading: Option<(usize, usize)>,
    /// Paths that are measured, or were, since somebody asked.
    pub measuring: Option<Measuring>,
}

/// Paths to other nodes that are measured. Texts are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measuring {
    /// So many are done, of so many.
    Going {
        /// Measured.
        done: usize,
        /// Of so many.
        all: usize,
        /// Bytes of the latest probe, and where it went.
        trying: Option<(u32, IpAddr)>,
    },
    /// What they came to, as `mtu` prints it.
    Done {
        /// Wall clock when somebody asked, since the Unix epoch.
        at: Duration,
        /// Its table.
        rows: Vec<String>,
        /// What is wrong and what to do.
        advice: Vec<String>,
        /// How many there are of each sort.
        sum: String,
    },
    /// Why nothing is measured; any text.
    Failed(String),
}

/// How far somebody looks back in a live run. Wall clocks, since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Back {
    /// The moment.
    pub at: Duration,
    /// The earliest one that there is.
    pub oldest: Duration,
    /// The newest one.
    pub newest: Duration,
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
    pub(super) fn line(&self, time: Option<Duration>) -> Option<(String, bool)> {
        if let Some(playback) = &self.playback {
            return Some((played(*playback, time) + &self.reading(), false));
        }
        if let Some(back) = &self.back {
            return Some((looked_back(*back) + &self.reading(), false));
        }
        Some(match self.recording.as_ref()? {
            Recording::To(path) => (format!(" Recording to {}; w ends it.", text::escape(path)), false),
            Recording::Ended(path) => (format!(" Recorded to {}", text::escape(path)), false),
            Recording::Failed(why) => (format!(" Not recording: {}", text::escape(why)), true),
        })
    }

    fn reading(&self) -> String {
        self.reading.map_or_else(String::new, |(done, all)| format!("   reading {done} of {all}"))
    }
}

fn looked_back(back: Back) -> String {
    let Back { at, oldest, newest } = back;
    let ago = text::age(Some(newest.saturating_sub(at)));
    let clock = |time| text::clock(time).trim_end_matches(" UTC").to_owned();
    format!(" BACK at {}, {ago} ago  < > minute  , . sample  Esc now  from {}", clock(at), clock(oldest))
}

fn played(playback: Playback, time: Option<Duration>) -> String {
    let Playback { at, count, is_playing, speed } = playback;
    let of = time.map_or_else(String::new, |time| format!(" of {}", date(time)));
    let state = if is_playing { "playing" } else { "paused" };
    let speed = if speed > 1 { format!(" {speed}x") } else { String::new() };
    format!(
        " RECORDING{of}  frame {} of {count}, {state}{speed}   p play/pause  , . frame  < > minute  + - speed",
        at + 1
    )
}

fn date(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or_default();
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| text::clock(time))
}
