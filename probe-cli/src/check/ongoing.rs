//! Checks on every sample of a run: what is wrong now, and since when. What depends on what exists is judged when that has changed;
//! what depends on counters is judged with every sample, by what was counted since the one before, and stays for a while after it was
//! seen last: what happens every few seconds is not gone in between, and what was hours ago is not there any more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Acceptances, Check, Counts, Finding, Judgement, Need, REGISTRY, Severity, Verdict,
    run::{Row, relate, row},
};
use crate::{
    facts::Snapshot,
    model::{self, Fault, Model},
};

/// What counters show stays for so long.
const STAYS: Duration = Duration::from_secs(10);
/// What depends on what exists is judged again after so long at the latest: some of it has an age.
const LATEST: Duration = Duration::from_secs(5);

/// Something that is wrong: all that one check has found.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The check.
    pub check: &'static Check,
    /// What it has found; never empty.
    pub findings: Vec<Finding>,
    /// How bad the worst of it is.
    pub severity: Severity,
    /// Wall clock of the sample that showed it first, since the Unix epoch; none when it was so at the first look.
    pub since: Option<Duration>,
    /// Wall clock of the sample that showed it last.
    pub seen: Duration,
    /// Checks whose findings follow from it.
    pub causes: Vec<&'static str>,
}

/// What the checks come to at one moment.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The node's state in one word; none before anything was judged.
    pub verdict: Option<Verdict>,
    /// What is wrong and follows from nothing else, the worst first, then what is newest.
    pub standing: Vec<Standing>,
    /// How many checks came to what.
    pub counts: Counts,
    /// What could not be judged: why, and which checks.
    pub not_judged: Vec<(String, Vec<&'static str>)>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Ongoing {
    rows: Vec<Row>,
    /// What was judged last.
    judged: Option<Judged>,
    /// The sample before.
    before: Option<Arc<Model>>,
    /// What is wrong, by the check's id.
    standing: BTreeMap<&'static str, Standing>,
    /// When a finding was last explained by another one: what counters show of a fault outlasts its repair by a sample or two.
    explained: BTreeMap<&'static str, Duration>,
}

#[derive(Clone, Debug)]
struct Judged {
    snapshot: Arc<Snapshot>,
    faults: Vec<Fault>,
    at: Duration,
}

impl Ongoing {
    /// Judges the next sample.
    pub fn next(&mut self, model: &Arc<Model>) -> Health {
        let is_first = self.judged.is_none();
        let is_same = self.judged.as_ref().is_some_and(|judged| {
            Arc::ptr_eq(&judged.snapshot, &model.snapshot)
                && judged.faults == model.faults
                && model.time.saturating_sub(judged.at) < LATEST
        });
        let accepted = Acceptances::default();
        let since = self.before.replace(Arc::clone(model)).map(|before| model::totals_since(model, &before));
        let counted = since.as_ref().unwrap_or(model);
        let judge = |check| row(if is_counted(check) { counted } else { model }, check, &accepted);
        if is_same {
            for kept in self.rows.iter_mut().filter(|kept| is_counted(kept.check)) {
                *kept = judge(kept.check);
            }
        } else {
            self.rows = REGISTRY.iter().map(judge).collect();
            let (snapshot, faults) = (Arc::clone(&model.snapshot), model.faults.clone());
            self.judged = Some(Judged { snapshot, faults, at: model.time });
        }
        relate(&mut self.rows);
        let judgement = Judgement { rows: std::mem::take(&mut self.rows) };
        self.stand(&judgement, model.time, is_first);
        let health = self.health(&judgement);
        self.rows = judgement.rows;
        health
    }

    /// Takes over what is wrong now, and lets go of what is not any more.
    fn stand(&mut self, judgement: &Judgement, now: Duration, is_first: bool) {
        for row in &judgement.rows {
            let id = row.check.id;
            let is_recent = |time: Duration| is_counted(row.check) && now.saturating_sub(time) < STAYS;
            if row.explained_by.is_some() {
                self.standing.remove(id);
                self.explained.insert(id, now);
                continue;
            }
            let was_explained = self.explained.get(id).is_some_and(|time| is_recent(*time));
            let Some(severity) = row.severity().filter(|_| !was_explained) else {
                self.standing.retain(|of, before| *of != id || is_recent(before.seen));
                continue;
            };
            let since = match self.standing.get(id) {
                Some(before) => before.since,
                None => (!is_first).then_some(now),
            };
            let causes = judgement.symptoms_of(id);
            let findings = row.findings().to_vec();
            self.standing
                .insert(id, Standing { check: row.check, findings, severity, since, seen: now, causes });
        }
    }

    fn health(&self, judgement: &Judgement) -> Health {
        let mut standing: Vec<Standing> = self.standing.values().cloned().collect();
        standing.sort_by_key(|one| (std::cmp::Reverse(one.severity), std::cmp::Reverse(one.since)));
        let verdict = match standing.first().map(|worst| worst.severity) {
            Some(Severity::Fail) => Verdict::Fail,
            Some(Severity::Warn) => Verdict::Warn,
            None => judgement.verdict(false),
        };
        Health {
            verdict: Some(verdict),
            standing,
            counts: judgement.counts(),
            not_judged: judgement.not_judged(),
        }
    }
}

/// It is about what happened between two samples.
fn is_counted(check: &Check) -> bool {
    check.needs.iter().any(|need| matches!(need, Need::Window | Need::Traffic | Need::Drops))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::testdata::Node,
        inventory::testdata::{ETH0, FLANNEL},
    };

    fn model(node: &Node, second: u64) -> Arc<Model> {
        Arc::new(Model { time: Duration::from_secs(second), ..Model::clone(&node.model()) })
    }

    fn ids(health: &Health) -> Vec<(&'static str, Option<u64>)> {
        let of = |one: &Standing| (one.check.id, one.since.map(|since| since.as_secs()));
        health.standing.iter().map(of).collect()
    }

    #[test]
    fn what_was_so_at_the_start_has_no_time_and_what_began_later_keeps_it() {
        let healthy = Node::canal();
        let mut broken = Node::canal();
        broken.facts().routes.ipv4.retain(|route| route.destination.to_string() != "0.0.0.0/0");
        let mut ongoing = Ongoing::default();
        let well = ongoing.next(&model(&healthy, 100));
        assert_eq!((well.verdict, ids(&well)), (Some(Verdict::Ok), vec![]));
        let id = "host-default-route-missing";
        for second in [101, 102, 110] {
            let found = ongoing.next(&model(&broken, second));
            assert_eq!((found.verdict, ids(&found)), (Some(Verdict::Fail), vec![(id, Some(101))]));
        }
        assert_eq!(ids(&ongoing.next(&model(&healthy, 111))), [], "what exists is seen at once");
        assert_eq!(ids(&Ongoing::default().next(&model(&broken, 5))), [(id, None)]);
    }

    #[test]
    fn what_counters_show_stays_for_a_while_and_ends_with_its_cause() {
        let healthy = Node::canal().counting();
        let mut big = Node::canal().counting();
        big.carry(FLANNEL, |tunnel| tunnel.counts.tx.oversize = 3);
        let id = "mtu-packets-too-big";
        let mut ongoing = Ongoing::default();
        ongoing.next(&model(&healthy, 100));
        assert_eq!(ids(&ongoing.next(&model(&big, 101))), [(id, Some(101))]);
        for second in [102, 110] {
            assert_eq!(ids(&ongoing.next(&model(&healthy, second))), [(id, Some(101))], "{second}");
        }
        assert_eq!(ids(&ongoing.next(&model(&healthy, 111))), []);
        // Caused by an MTU, it is no finding of its own while that is there, nor for a moment after.
        let mut caused = Node::canal().counting();
        caused.carry(FLANNEL, |tunnel| tunnel.counts.tx.oversize = 3);
        for link in caused.facts().links.iter_mut().filter(|link| link.ifindex == ETH0) {
            link.mtu = 1440;
        }
        let found = ongoing.next(&model(&caused, 120));
        assert!(found.standing.iter().all(|one| one.check.id != id), "{:?}", ids(&found));
        assert_eq!(ids(&ongoing.next(&model(&big, 121))), []);
        big.carry(FLANNEL, |tunnel| tunnel.counts.tx.oversize = 4);
        assert_eq!(ids(&ongoing.next(&model(&big, 122))), [], "it was explained a moment ago");
        for second in [130, 131, 150] {
            assert_eq!(ids(&ongoing.next(&model(&big, second))), [], "{second}: there were no more");
        }
        big.carry(FLANNEL, |tunnel| tunnel.counts.tx.oversize = 5);
        assert_eq!(ids(&ongoing.next(&model(&big, 151))), [(id, Some(151))]);
        assert_eq!(ids(&ongoing.next(&model(&big, 152))), [(id, Some(151))]);
        assert_eq!(ids(&ongoing.next(&model(&big, 161))), [], "the total stays, and says nothing of now");
    }
}
