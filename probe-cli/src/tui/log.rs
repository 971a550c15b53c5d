//! What happened since the screen is on, with its time: what appeared, went, changed, broke and was well again, interruptions, and ICMP
//! messages about packets that were too big. Kept after it is over, and bounded. Pure; how a line looks is in `view`.

use std::{collections::VecDeque, time::Duration};

use crate::{
    check::{self, Health, Standing},
    model::{Model, PmtuEventRow, Silences, between},
    report::events::words,
    text,
};

/// Entries kept.
const KEPT: usize = 500;
/// The same once more within so many entries is one line.
const NEAR: usize = 12;

/// What an entry is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A word in front, and what happened, safe to print.
    Words(&'static str, String),
    /// ICMP messages from one sender about one way: the smallest and the largest MTU that they ask for, none when none names one; and
    /// what the last one says.
    TooBig(Option<(u32, u32)>, PmtuEventRow),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Wall clock when it happened first, since the Unix epoch.
    pub(super) first: Duration,
    /// When it happened last.
    pub(super) last: Duration,
    /// How often.
    pub(super) count: u64,
    /// What.
    pub(super) told: Told,
}

impl Entry {
    /// Takes in one more, if it is of the same.
    fn fold(&mut self, time: Duration, told: &Told) -> bool {
        match (&mut self.told, told) {
            (Told::Words(mark, words), Told::Words(m, w)) if mark == m && words == w => {}
            (Told::TooBig(mtus, event), Told::TooBig(more, new)) if about(event) == about(new) => {
                *mtus = match (*mtus, *more) {
                    (Some((low, high)), Some((l, h))) => Some((low.min(l), high.max(h))),
                    (known, more) => known.or(more),
                };
                event.clone_from(new);
            }
            (Told::Words(..) | Told::TooBig(..), _) => return false,
        }
        self.last = self.last.max(time);
        self.count += 1;
        true
    }
}

fn about(event: &PmtuEventRow) -> impl PartialEq + '_ {
    (&event.tunnel_name, event.reporter, event.destination)
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// The newest first.
    entries: VecDeque<Entry>,
    silences: Silences,
    /// What was wrong at the last look; none before the first.
    standing: Option<Vec<Standing>>,
}

impl Log {
    /// The newest first.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Takes in a model, and what the checks come to with it.
    pub(super) fn take(&mut self, before: Option<&Model>, model: &Model, health: &Health) {
        for event in &model.pmtu_events {
            let mtus = event.mtu.map(|mtu| (mtu, mtu));
            self.add(model.time.saturating_sub(event.age), Told::TooBig(mtus, event.clone()));
        }
        let events = before.map(|before| between(before, model)).unwrap_or_default();
        for event in events.into_iter().chain(self.silences.next(model)) {
            let (mark, words) = words(&event);
            self.add(model.time, Told::Words(mark, words));
        }
        self.findings(model.time, health);
    }

    fn findings(&mut self, now: Duration, health: &Health) {
        let is_first = self.standing.is_none();
        let before = self.standing.replace(health.standing.clone()).unwrap_or_default();
        for one in &before {
            let is_there = health.standing.iter().any(|other| {
                // What follows from another finding is not over.
                other.check.id == one.check.id || other.causes.contains(&one.check.id)
            });
            if !is_there {
                let after =
                    one.since.map(|since| format!(" after {}", text::age(Some(now.saturating_sub(since)))));
                let words = format!("{}{}", one.check.id, after.unwrap_or_default());
                self.add(now, Told::Words("cleared", words));
            }
        }
        for one in &health.standing {
            let known = before.iter().find(|other| other.check.id == one.check.id);
            if known.is_none_or(|known| known.severity != one.severity) {
                let summary = check::worst(&one.findings).map_or("", |finding| &finding.summary);
                let since = if is_first { " (since before this run)" } else { "" };
                let words = format!("{}: {summary}{since}", one.check.id);
                self.add(now, Told::Words(one.severity.mark(), words));
            }
        }
    }

    fn add(&mut self, time: Duration, told: Told) {
        let near = match told {
            Told::Words(..) => NEAR,
            Told::TooBig(..) => KEPT,
        };
        let known = self.entries.iter_mut().take(near).position(|entry| entry.fold(time, &told));
        let entry = known.and_then(|at| self.entries.remove(at));
        self.entries.push_front(entry.unwrap_or(Entry { first: time, last: time, count: 1, told }));
        self.entries.truncate(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testdata;

    #[test]
    fn the_same_again_is_one_line_and_there_is_an_end() {
        let mut log = Log::default();
        let second = Duration::from_secs;
        let words = |words: &str| Told::Words("new", words.to_owned());
        for time in 1..=3 {
            log.add(second(time), words("a"));
        }
        log.add(second(4), words("b"));
        let told: Vec<_> = log.entries().map(|entry| (entry.first, entry.last, entry.count)).collect();
        assert_eq!(told, [(second(4), second(4), 1), (second(1), second(3), 3)]);
        for time in 5..2000 {
            log.add(second(time), words(&time.to_string()));
        }
        assert_eq!(log.entries().len(), KEPT);
        assert_eq!(log.entries().next().unwrap().last, second(1999));
    }

    #[test]
    fn icmp_messages_from_one_sender_about_one_way_are_one_line() {
        let mut log = Log::default();
        let model = testdata::troubled();
        let different = model.pmtu_events.len();
        for _ in 0..5 {
            log.take(None, &model, &Health::default());
        }
        let too_big = log.entries().filter(|entry| matches!(entry.told, Told::TooBig(..))).count();
        assert!(too_big <= different && too_big > 0, "{too_big} of {different}");
    }
}
