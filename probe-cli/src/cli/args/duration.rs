//! A duration as people type it.

use std::time::Duration;

/// A duration with its unit: 1s, 500ms, 2m.
pub(in crate::cli) fn parse(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {unit:?}: use ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_bad| "give a number and a unit, such as 1s or 500ms".to_owned())?;
    let duration = Duration::try_from_secs_f64(number * scale)
        .map_err(|_bad| "give a positive time, such as 1s or 500ms".to_owned())?;
    if duration < Duration::from_millis(50) {
        return Err("at least 50ms".to_owned());
    }
    if duration > Duration::from_secs(24 * 3600) {
        return Err("at most 24h".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_bounds() {
        for (text, expected) in [
            ("1s", Some(1000)),
            ("500ms", Some(500)),
            ("0.5s", Some(500)),
            ("2m", Some(120_000)),
            ("1", Some(1000)),
            ("10ms", None),
            ("-1s", None),
            ("NaNs", None),
            ("infs", None),
            ("1e300h", None),
            ("25h", None),
            ("1x", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }
}
