//! A moment of a recording as people type it: `3m ago`, `-10m`, `+30s`, `23:45`, `2026-11-26T23:45:00Z`. Pure: the clock comes in.

use std::time::Duration;

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc3339,
    macros::format_description,
};

/// A moment that somebody names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Ago(Duration),
    /// So long after the beginning.
    AfterStart(Duration),
    /// So long before the end.
    BeforeEnd(Duration),
    /// A time of day in UTC: the last one that the recording has.
    OfDay(Duration),
    /// Since the Unix epoch.
    At(Duration),
}

const EXAMPLES: &str = "give a time such as '3m ago' (before now), -3m (before the end of the recording), +3m (after its \
    beginning), 23:45:10 or 2026-11-26T23:45:10Z (UTC)";

const DAY: u64 = 24 * 3600;

impl Moment {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found = if let Some(ago) = text.strip_suffix("ago") {
            length(ago.trim()).map(Self::Ago)
        } else if let Some(before) = text.strip_prefix('-') {
            length(before).map(Self::BeforeEnd)
        } else if let Some(after) = text.strip_prefix('+') {
            length(after).map(Self::AfterStart)
        } else {
            stamp(text).map(Self::At).or_else(|| of_day(text).map(Self::OfDay))
        };
        found.ok_or_else(|| EXAMPLES.to_owned())
    }

    /// Since the Unix epoch, in a recording that begins and ends then, when it is now.
    pub fn time(self, start: Duration, end: Duration, now: Duration) -> Duration {
        match self {
            Self::Ago(length) => now.saturating_sub(length),
            Self::AfterStart(length) => start.saturating_add(length),
            Self::BeforeEnd(length) => end.saturating_sub(length),
            Self::At(time) => time,
            Self::OfDay(of_day) => {
                let midnight = Duration::from_secs(end.as_secs() / DAY * DAY);
                let today = midnight.saturating_add(of_day);
                let yesterday = today.saturating_sub(Duration::from_secs(DAY));
                if today > end && yesterday >= start { yesterday } else { today }
            }
        }
    }
}

/// `90`, `3m`, `1h30m`, `2d`.
fn length(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let seconds: u64 = match unit.trim() {
            "s" | "" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => DAY,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))?;
        rest = behind;
    }
    (!text.is_empty()).then_some(total)
}

/// A date and a time; without a zone it is UTC.
fn stamp(text: &str) -> Option<Duration> {
    const SECONDS: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day][first [T] [ ]][hour]:[minute]:[second]");
    const MINUTES: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day][first [T] [ ]][hour]:[minute]");
    const DATE: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]");
    let plain = [SECONDS, MINUTES].into_iter().find_map(|format| PrimitiveDateTime::parse(text, format).ok());
    let date = || Date::parse(text, DATE).ok().map(Date::midnight);
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| plain.or_else(date).map(PrimitiveDateTime::assume_utc))?;
    u64::try_from(time.unix_timestamp_nanos()).ok().map(Duration::from_nanos)
}

fn of_day(text: &str) -> Option<Duration> {
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text).trim();
    let time = Time::parse(text, format_description!("[hour]:[minute]:[second]"))
        .or_else(|_other| Time::parse(text, format_description!("[hour]:[minute]")))
        .ok()?;
    let (hour, minute, second) = time.as_hms();
    Some(Duration::from_secs(u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second)))
}

/// Wall clock as a part of a file's name: `20261126T234510Z`.
pub fn in_name(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or_default();
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(format).unwrap_or_else(|_unformatted| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26 23:45:10 UTC.
    const EVENING: u64 = 1_795_736_710;

    #[test]
    fn moments_are_typed_in_many_ways() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("3m ago", Some(Moment::Ago(seconds(180)))),
            ("1h30m ago", Some(Moment::Ago(seconds(5400)))),
            ("2d ago", Some(Moment::Ago(seconds(2 * DAY)))),
            ("-90", Some(Moment::BeforeEnd(seconds(90)))),
            ("+10 s", Some(Moment::AfterStart(seconds(10)))),
            ("23:45", Some(Moment::OfDay(seconds(85_500)))),
            ("23:45:10 UTC", Some(Moment::OfDay(seconds(85_510)))),
            ("2026-11-26T23:45:10Z", Some(Moment::At(seconds(EVENING)))),
            ("2026-11-27T00:45:10+01:00", Some(Moment::At(seconds(EVENING)))),
            ("2026-11-26 23:45:10", Some(Moment::At(seconds(EVENING)))),
            ("2026-11-26T23:45", Some(Moment::At(seconds(EVENING - 10)))),
            ("2026-11-26", Some(Moment::At(seconds(EVENING / DAY * DAY)))),
            ("", None),
            ("ago", None),
            ("-", None),
            ("3x ago", None),
            ("m ago", None),
            ("25:00", None),
            ("99999999999999999999d ago", None),
            ("1969-01-01", None),
        ] {
            assert_eq!(Moment::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_last_one_that_was_recorded() {
        let seconds = Duration::from_secs;
        let midnight = EVENING / DAY * DAY;
        // From 23:00 until 01:00 of the next day.
        let (start, end) = (seconds(midnight + 23 * 3600), seconds(midnight + 25 * 3600));
        let at =
            |text| Moment::parse(text).unwrap().time(start, end, end + seconds(600)).as_secs() - midnight;
        assert_eq!(at("23:30"), 23 * 3600 + 1800);
        assert_eq!(at("00:30"), 24 * 3600 + 1800);
        // Beyond both: the nearest frame is shown, which is the last.
        assert_eq!(at("02:00"), 26 * 3600);
        assert_eq!(at("+1m"), 23 * 3600 + 60);
        assert_eq!(at("-1m"), 25 * 3600 - 60);
        assert_eq!(at("20m ago"), 25 * 3600 - 600);
        assert_eq!(in_name(seconds(EVENING)), "20261126T234510Z");
    }
}
