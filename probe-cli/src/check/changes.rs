//! What became of findings between two looks at a node: which are new, worse, or gone. A finding is known by its check and its
//! subject. Symptoms that another finding explains, and accepted findings, are none of their own.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    mem,
};

use super::{Finding, Judgement, Outcome, Row, Severity, SubjectKind};

/// By what a finding is known again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The check's id. It may be one that this version does not have.
    pub id: String,
    /// Kind of its subject.
    pub kind: SubjectKind,
    /// Name of its subject. Hostile input: escape before showing.
    pub name: String,
}

/// The findings of a look, as the next look is compared with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<Key, State>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    severity: Severity,
    summary: String,
    /// It has been said that it cannot be judged any more.
    is_unjudged: bool,
}

/// What became of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was not there before.
    New {
        /// What is wrong.
        summary: String,
    },
    /// It was less bad, or worse.
    Other {
        /// How bad it was.
        before: Severity,
        /// What is wrong.
        summary: String,
    },
    /// It is gone.
    Resolved,
    /// It can no longer be judged; why. It counts as there.
    NotJudged {
        /// What is missing.
        why: String,
    },
}

/// See [`Became`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which finding.
    pub key: Key,
    /// How bad it is now; of one that is gone or not judged, how bad it was.
    pub severity: Severity,
    /// What became of it.
    pub became: Became,
}

/// What differs between two looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What differs, by check and subject.
    pub changes: Vec<Change>,
    /// How many findings are as they were.
    pub same: usize,
}

impl Known {
    /// Findings that were written down. The worst counts of those with one key.
    pub fn new(found: impl IntoIterator<Item = (Key, Severity)>) -> Self {
        let mut known = Self::default();
        for (key, severity) in found {
            known.add(key, severity, String::new());
        }
        known
    }

    /// What differs now, which is what the next look is compared with. Only checks that ran now are compared; a finding whose
    /// check cannot be judged now stays, and that is said once.
    pub fn compare(&mut self, now: &Judgement) -> Changes {
        let before = mem::take(&mut self.0);
        for row in now.rows.iter().filter(|row| row.explained_by.is_none()) {
            for finding in row.findings() {
                self.add(key(row, finding), finding.severity, finding.summary.clone());
            }
        }
        let mut found = Changes::default();
        for (key, State { severity, summary, .. }) in &self.0 {
            let (severity, summary) = (*severity, summary.clone());
            let became = match before.get(key) {
                None => Became::New { summary },
                Some(state) if state.severity != severity => {
                    Became::Other { before: state.severity, summary }
                }
                Some(_) => {
                    found.same += 1;
                    continue;
                }
            };
            found.changes.push(Change { key: key.clone(), severity, became });
        }
        for (key, state) in before {
            let row = now.rows.iter().find(|row| row.check.id == key.id);
            // It is there still, or nobody looked, or it is no alarm any more though it has not gone.
            let Some(row) = row.filter(|_| !self.0.contains_key(&key)) else { continue };
            if row.accepted.iter().any(|accepted| self::key(row, &accepted.finding) == key) {
                continue;
            }
            if row.findings().iter().any(|finding| self::key(row, finding) == key) {
                found.same += 1;
                self.0.insert(key, state);
                continue;
            }
            let became = match &row.outcome {
                Outcome::NotJudged(_) if state.is_unjudged => {
                    self.0.insert(key, state);
                    continue;
                }
                Outcome::NotJudged(why) => {
                    self.0.insert(key.clone(), State { is_unjudged: true, ..state.clone() });
                    Became::NotJudged { why: why.clone() }
                }
                Outcome::Judged(_) | Outcome::DoesNotApply(_) => Became::Resolved,
            };
            found.changes.push(Change { key, severity: state.severity, became });
        }
        found.changes.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }

    fn add(&mut self, key: Key, severity: Severity, summary: String) {
        let state = State { severity, summary, is_unjudged: false };
        match self.0.entry(key) {
            Entry::Vacant(free) => {
                free.insert(state);
            }
            Entry::Occupied(mut known) if known.get().severity < severity => {
                known.insert(state);
            }
            Entry::Occupied(_) => {}
        }
    }
}

fn key(row: &Row, finding: &Finding) -> Key {
    Key { id: row.check.id.to_owned(), kind: finding.subject.kind, name: finding.subject.name.clone() }
}

#[cfg(test)]
mod tests {
    use Severity::{Fail, Warn};

    use super::*;
    use crate::check::{Acceptances, REGISTRY};

    fn look(outcome: Outcome) -> Judgement {
        let row = Row { check: &REGISTRY[0], outcome, explained_by: None, accepted: Vec::new() };
        Judgement { rows: vec![row] }
    }

    fn found(severity: Severity) -> Judgement {
        let finding = |name| Finding::new(severity, SubjectKind::Interface, name, "It is wrong.".to_owned());
        look(Outcome::Judged(vec![finding("a"), finding("a"), finding("b")]))
    }

    fn well() -> Judgement {
        look(Outcome::Judged(Vec::new()))
    }

    fn unread() -> Judgement {
        look(Outcome::NotJudged("it takes root".to_owned()))
    }

    /// What is said of each of these looks, a letter for each change, and how many findings are as they were.
    fn said(looks: impl IntoIterator<Item = Judgement>) -> Vec<(String, usize)> {
        let mut known = Known::default();
        let mut said = Vec::new();
        for look in looks {
            let found = known.compare(&look);
            let letter = |change: &Change| match change.became {
                Became::New { .. } => '+',
                Became::Other { .. } => '~',
                Became::Resolved => '-',
                Became::NotJudged { .. } => '?',
            };
            said.push((found.changes.iter().map(letter).collect(), found.same));
        }
        said
    }

    fn as_words(said: &[(String, usize)]) -> Vec<(&str, usize)> {
        said.iter().map(|(letters, same)| (&**letters, *same)).collect()
    }

    #[test]
    fn a_finding_is_new_once_and_gone_once() {
        let said = said([well(), found(Warn), found(Warn), found(Fail), well(), well()]);
        assert_eq!(as_words(&said), [("", 0), ("++", 0), ("", 2), ("~~", 0), ("--", 0), ("", 0)]);
    }

    #[test]
    fn what_cannot_be_judged_is_not_gone() {
        let said = said([found(Fail), unread(), unread(), found(Fail), unread(), well()]);
        assert_eq!(as_words(&said), [("++", 0), ("??", 0), ("", 0), ("", 2), ("??", 0), ("--", 0)]);
    }

    #[test]
    fn a_symptom_whose_cause_is_found_is_not_gone() {
        let mut explained = found(Fail);
        explained.rows[0].explained_by = Some("mtu-pods-differ");
        let said = said([found(Fail), explained.clone(), found(Fail), well(), explained]);
        assert_eq!(as_words(&said), [("++", 0), ("", 2), ("", 2), ("--", 0), ("", 0)]);
    }

    #[test]
    fn what_is_accepted_is_neither_new_nor_gone() {
        let Outcome::Judged(findings) = found(Fail).rows.remove(0).outcome else { panic!() };
        let id = REGISTRY[0].id;
        let file = Acceptances::parse(&format!("{id} a why 2030-01-01")).unwrap();
        let (alarms, accepted) = file.split(id, findings, std::time::Duration::ZERO);
        let mut look = look(Outcome::Judged(alarms));
        look.rows[0].accepted = accepted;
        assert_eq!(as_words(&said([found(Fail), look.clone()])), [("++", 0), ("", 1)]);
        assert_eq!(as_words(&said([look])), [("+", 0)]);
    }

    #[test]
    fn checks_that_did_not_run_are_not_compared() {
        let key = |id: &str| Key { id: id.to_owned(), kind: SubjectKind::Node, name: "n".to_owned() };
        let mut known = Known::new([(key("mtu-pods-differ"), Fail), (key("no-such-check"), Fail)]);
        assert_eq!(known.compare(&well()), Changes::default());
        let mut known = Known::new([(key(REGISTRY[0].id), Warn), (key(REGISTRY[0].id), Fail)]);
        let changes = known.compare(&well()).changes;
        assert!(
            matches!(&changes[..], [Change { severity: Fail, became: Became::Resolved, .. }]),
            "{changes:?}"
        );
    }
}
