//! What `record` and `replay` take, and the option by which other commands look at a recording.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};

use super::{OUTPUT, ProbeArgs, ScreenArgs, duration};
use crate::record::Moment;

const RECORDING: &str = "Recording";

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct RecordArgs {
    /// The file to write, which must not exist; or a directory, in which it is named after the time
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,

    /// Stop after this many frames
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", help_heading = RECORDING)]
    pub(in crate::cli) count: Option<u64>,

    /// Begin a new file (FILE-2, FILE-3) when one has this size, such as 100M or 2G
    #[arg(long, value_parser = size, value_name = "SIZE", help_heading = RECORDING)]
    pub(in crate::cli) rotate_size: Option<u64>,

    /// Begin a new file when one is this old, such as 1h
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = RECORDING)]
    pub(in crate::cli) rotate_age: Option<Duration>,

    /// Keep this many files of this recording, and remove the oldest [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N", help_heading = RECORDING)]
    pub(in crate::cli) keep: Option<u32>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    /// Begin at this time: '3m ago' (before now), -3m (before the end), +3m (after the beginning), 23:45:10 or
    /// 2026-11-26T23:45:10Z (UTC)
    #[arg(short = 't', long, visible_alias = "at", value_parser = Moment::parse, value_name = "WHEN", allow_hyphen_values = true, help_heading = RECORDING)]
    pub(in crate::cli) time: Option<Moment>,

    /// Print instead of showing it on screen
    #[arg(long, value_enum, help_heading = OUTPUT)]
    pub(in crate::cli) format: Option<ReplayFormat>,

    #[command(flatten)]
    pub(in crate::cli) screen: ScreenArgs,
}

/// What `replay` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReplayFormat {
    /// One JSON object a line, as `watch --format jsonl` prints them
    Jsonl,
}

/// A recording instead of this node.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct OfRecording {
    /// Look at a recording of `overlay-probe record` instead of this node
    #[arg(long, value_name = "FILE", help_heading = RECORDING)]
    pub(in crate::cli) replay: Option<PathBuf>,

    /// At this time of the recording, such as '3m ago', -3m (before its end), 23:45:10 or 2026-11-26T23:45:10Z (UTC) [default: its end]
    #[arg(long, requires = "replay", value_parser = Moment::parse, value_name = "WHEN", allow_hyphen_values = true, help_heading = RECORDING)]
    pub(in crate::cli) at: Option<Moment>,
}

/// A size with its unit: 100M, 2G, 500k.
fn size(text: &str) -> Result<u64, String> {
    const WRONG: &str = "give a number and a unit, such as 100M or 2G, of at least 64k";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(WRONG.to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    bytes.filter(|bytes| *bytes >= 64 << 10).ok_or_else(|| WRONG.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        for (text, expected) in [
            ("64k", Some(64 << 10)),
            ("100M", Some(100 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1k", None),
            ("100", None),
            ("-1M", None),
            ("M", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }
}
