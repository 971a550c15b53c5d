//! The findings of the Health tab: which are shown, which is in front, and what is copied of one. Pure. What is wrong is the
//! checks' affair, and how a finding looks that of `view`.

use super::state::State;
use crate::check::{self, Severity, Standing};

/// How the findings are looked at.
#[derive(Clone, Debug)]
pub(super) struct FindingsLook {
    /// Id of the check whose findings are in front.
    selected: Option<&'static str>,
    /// All that is known of it is shown.
    pub(super) details: bool,
    /// How its check finds it, and why it happens, too.
    pub(super) explained: bool,
    /// Only those that are so bad; none for all.
    pub(super) severity: Option<Severity>,
}

impl Default for FindingsLook {
    fn default() -> Self {
        Self { selected: None, details: true, explained: false, severity: None }
    }
}

impl FindingsLook {
    /// All, failures only, warnings only, and all again.
    pub(super) fn next_severity(&mut self) {
        self.severity = match self.severity {
            None => Some(Severity::Fail),
            Some(Severity::Fail) => Some(Severity::Warn),
            Some(Severity::Warn) => None,
        };
    }
}

/// Those that the filter and the severity let through, the worst first.
pub(super) fn shown(state: &State) -> Vec<&Standing> {
    let severity = state.findings.severity;
    let is_wanted = |one: &&Standing| {
        let subjects = one.findings.iter().map(|finding| finding.subject.name.as_str());
        let field = |key: &str| match key {
            "check" => Some(one.check.id.to_owned()),
            "state" => Some(one.severity.mark().to_owned()),
            "subject" => Some(subjects.clone().collect::<Vec<_>>().join(" ")),
            _ => None,
        };
        let summaries = one.findings.iter().map(|finding| finding.summary.as_str());
        let words =
            || subjects.clone().chain(summaries).fold(one.check.id.to_owned(), |all, one| all + " " + one);
        severity.is_none_or(|severity| severity == one.severity) && state.filter.matches(words, field)
    };
    state.health().standing.iter().filter(is_wanted).collect()
}

/// Where the one in front is among those that are shown: the first as long as no other was chosen, or when that one is gone.
pub(super) fn position(state: &State, shown: &[&Standing]) -> Option<usize> {
    let at = shown.iter().position(|one| Some(one.check.id) == state.findings.selected);
    at.or((!shown.is_empty()).then_some(0))
}

/// Puts another one in front, so many below or above; none when there is no such one.
pub(super) fn step(state: &mut State, steps: isize) -> Option<()> {
    let shown = shown(state);
    let at = position(state, &shown)?.checked_add_signed(steps)?;
    state.findings.selected = Some(shown.get(at)?.check.id);
    Some(())
}

/// Puts the first or the last in front.
pub(super) fn select_end(state: &mut State, is_last: bool) {
    let shown = shown(state);
    let end = if is_last { shown.last() } else { shown.first() };
    state.findings.selected = end.map(|one| one.check.id);
}

/// What mends the one in front, as one line to paste: commands one after the other, each only if the one before it did well. None
/// when there is no such one; and why there is nothing to copy, when there is none.
pub(super) fn fix(state: &State) -> Option<Result<String, &'static str>> {
    let shown = shown(state);
    let one = shown.get(position(state, &shown)?)?;
    let commands = check::commands(&one.findings);
    if commands.is_empty() {
        return Some(Err("no command mends it: the fix says what to do"));
    }
    let line = commands.join(" && ");
    // What is pasted is typed: nothing may be in it that a terminal or a shell takes for a key.
    let is_plain = line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    Some(if is_plain { Ok(line) } else { Err("not copied: a name in it has unprintable characters") })
}
