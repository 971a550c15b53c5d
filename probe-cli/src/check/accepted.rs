//! Findings that somebody has accepted for a time: a file with a line for each of them, `id subject reason until-date`. An
//! accepted finding is counted and is no alarm; when its date has passed it is an alarm again.

use std::time::Duration;

use thiserror::Error;
use time::{Date, OffsetDateTime, format_description::StaticFormatDescription, macros::format_description};

use super::{Finding, REGISTRY, Unknown, registry::near};

/// How a date is written.
const DATE: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// Longer than any id of a check.
const LONGEST_ID: usize = 64;

/// The subject that stands for all.
const ANY: &str = "*";

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The check.
    pub check: &'static str,
    /// What its finding is about; none for whatever it is about.
    pub subject: Option<String>,
    /// Why it is accepted. Hostile input: escape before showing.
    pub reason: String,
    /// The last day on which it is, in UTC.
    pub until: Date,
    /// Its line, from 1.
    pub line: usize,
}

/// All lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptances {
    lines: Vec<Acceptance>,
}

/// A finding that is no alarm, for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was found.
    pub finding: Finding,
    /// Why it is no alarm.
    pub acceptance: Acceptance,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct Wrong {
    /// The line, from 1.
    pub line: usize,
    /// See [`WrongLine`].
    pub what: WrongLine,
}

/// See [`Wrong`].
#[derive(Debug, PartialEq, Eq, Error)]
pub enum WrongLine {
    /// Words are missing.
    #[error(
        "a line has the id of a check, the subject of its finding (* for all), a reason, and the last day as YYYY-MM-DD"
    )]
    TooShort,
    /// The last word is no day.
    #[error("its last word is no day: it has to be the last day on which the line counts, as YYYY-MM-DD")]
    Date,
    /// The first word is no check, and looks like one.
    #[error(transparent)]
    Check(#[from] Unknown),
    /// The first word is no check. It is not quoted: the file may be another one than was meant, and hold a password.
    #[error("its first word is not the id of a check; `overlay-probe check --list` has them")]
    Foreign,
    /// A quote opens and does not close.
    #[error("the quote before the subject is not closed")]
    Quote,
}

impl Acceptances {
    /// Reads a file. Empty lines and those that begin with `#` count for nothing; a subject with spaces stands in double
    /// quotes.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), number + 1);
            if !line.is_empty() && !line.starts_with('#') {
                lines.push(entry(line, number).map_err(|what| Wrong { line: number, what })?);
            }
        }
        Ok(Self { lines })
    }

    /// The findings that are alarms, and those that are accepted at a time since the Unix epoch. One whose acceptance has ended
    /// says so.
    pub(super) fn split(
        &self,
        check: &str,
        findings: Vec<Finding>,
        time: Duration,
    ) -> (Vec<Finding>, Vec<Accepted>) {
        let today = day(time);
        let (mut alarms, mut accepted) = (Vec::new(), Vec::new());
        for finding in findings {
            let lines = || {
                let of_check = self.lines.iter().filter(|line| line.check == check);
                of_check.filter(|line| line.subject.as_ref().is_none_or(|name| *name == finding.subject.name))
            };
            let counts = |line: &&Acceptance| today.is_some_and(|today| today <= line.until);
            if let Some(line) = lines().find(counts) {
                accepted.push(Accepted { acceptance: line.clone(), finding });
            } else if let Some(line) = lines().next_back() {
                let source = format!("--accept, line {}", line.line);
                let ended = format!("until {}, no longer", line.until);
                alarms.push(finding.seen("accepted", ended, source));
            } else {
                alarms.push(finding);
            }
        }
        (alarms, accepted)
    }
}

/// The day in UTC of a time since the Unix epoch; none beyond the calendar.
fn day(time: Duration) -> Option<Date> {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(time.as_secs()).ok()?).ok()?;
    Some(time.date())
}

fn entry(line: &str, number: usize) -> Result<Acceptance, WrongLine> {
    let (id, rest) = word(line).ok_or(WrongLine::TooShort)?;
    let check = REGISTRY.iter().find(|check| check.id == id).map(|check| check.id);
    let is_like_one =
        id.len() <= LONGEST_ID && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let check = check.ok_or_else(|| match near(id).filter(|_| is_like_one) {
        Some(near) => Unknown { word: id.to_owned(), near: Some(near) }.into(),
        None => WrongLine::Foreign,
    })?;
    let (subject, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(WrongLine::Quote)?,
        None => word(rest).ok_or(WrongLine::TooShort)?,
    };
    let (reason, day) = rest.trim().rsplit_once(char::is_whitespace).ok_or(WrongLine::TooShort)?;
    let until = Date::parse(day, DATE).map_err(|_no_day| WrongLine::Date)?;
    let subject = (subject != ANY).then(|| subject.to_owned());
    Ok(Acceptance { check, subject, reason: reason.trim().to_owned(), until, line: number })
}

/// The first word, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace)?;
    Some((text.get(..end)?, text.get(end..)?.trim_start()))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::check::{Severity, SubjectKind};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_line_has_four_parts() {
        let text = "# why\n\nmtu-pods-differ  *  old pods go with the next release   2026-12-31\n\
                    vf-link-down \"enp1s0 v 3\" unused 2027-01-01\n";
        let lines = Acceptances::parse(text).unwrap().lines;
        assert_eq!(lines[0].subject, None);
        assert_eq!(
            (&*lines[0].reason, lines[0].until),
            ("old pods go with the next release", date!(2026 - 12 - 31))
        );
        assert_eq!((lines[1].subject.as_deref(), lines[1].line), (Some("enp1s0 v 3"), 4));
    }

    #[test]
    fn a_line_without_a_reason_or_a_day_is_refused() {
        for (line, says) in [
            ("mtu-pods-differ", "a line has the id"),
            ("mtu-pods-differ * 2026-12-31", "a line has the id"),
            ("mtu-pods-differ * for ever", "its last word is no day"),
            ("mtu-pods-differ * why 2026-13-01", "its last word is no day"),
            ("mtu-pods-differ \"a b why 2026-12-31", "not closed"),
            ("mtu-pods-differs * why 2026-12-31", "is it mtu-pods-differ?"),
            ("mtu * why 2026-12-31", "no check"),
            ("mtus * why 2026-12-31", "its first word is not the id of a check"),
            ("mtu-pods:$6$secret * why 2026-12-31", "its first word is not the id of a check"),
        ] {
            let wrong = Acceptances::parse(&format!("\n{line}")).unwrap_err();
            let words = wrong.to_string();
            assert!(words.starts_with("line 2: ") && words.contains(says), "{line}: {words}");
            assert!(!words.contains("secret"), "a word of a file that was not meant: {words}");
        }
    }

    #[test]
    fn it_counts_for_its_subject_until_its_day_has_passed() {
        let finding = |name| Finding::new(Severity::Fail, SubjectKind::Interface, name, "wrong".to_owned());
        let text = "vf-link-down a why 1970-01-03\nvf-link-down b why 1970-01-02";
        let file = Acceptances::parse(text).unwrap();
        let found = || vec![finding("a"), finding("b"), finding("c")];
        let alarms = |time| {
            let (alarms, accepted) = file.split("vf-link-down", found(), time);
            assert_eq!(alarms.len() + accepted.len(), 3);
            alarms
                .into_iter()
                .map(|finding| (finding.subject.name, finding.evidence.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(alarms(DAY + DAY / 2), [("c".to_owned(), 0)]);
        // The day of one has passed, and it says so.
        assert_eq!(alarms(DAY * 2), [("b".to_owned(), 1), ("c".to_owned(), 0)]);
        assert_eq!(alarms(DAY * 3).len(), 3);
        assert_eq!(file.split("vf-mac-shared", found(), Duration::ZERO).0, found());
        // Without a date nothing is accepted.
        assert_eq!(file.split("vf-link-down", found(), Duration::MAX).1.len(), 0);
    }
}
