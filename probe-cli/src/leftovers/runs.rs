//! Which runs there are, to be looked at only: nothing is removed here.

use std::collections::BTreeSet;

use super::{
    directory::{Found, RunDirectory},
    record::Record,
};
use crate::{facts::runs::RunFact, netns, observed::Observed};

/// Most runs that are listed.
const MOST: usize = 64;

/// The runs that have a note, those that live first. With a note that cannot be read, which runs there are is not known.
pub fn runs(notes: &RunDirectory) -> Observed<Vec<RunFact>> {
    let Found { live, dead, unknown } = notes.read();
    if let Some(unknown) = unknown.first() {
        return Observed::Failed { error: format!("cannot read the run record {unknown}") };
    }
    // Once for all of them: it takes a look at every process.
    let held = if live.is_empty() && dead.is_empty() { BTreeSet::new() } else { netns::held() };
    let live = live.iter().map(|record| (true, record));
    let dead = dead.iter().map(|note| (false, &note.record));
    Observed::Value(
        live.chain(dead).take(MOST).map(|(is_alive, record)| run(is_alive, record, &held)).collect(),
    )
}

fn run(is_alive: bool, record: &Record, held: &BTreeSet<(u64, u64)>) -> RunFact {
    let links: BTreeSet<u32> = record.places.iter().map(|place| place.ifindex).collect();
    RunFact {
        is_alive,
        netns: record.netns,
        has_netns: netns::current_identity().is_ok_and(|here| here == record.netns)
            || held.contains(&record.netns),
        links: links.into_iter().collect(),
        filters: u64::try_from(record.places.len()).unwrap_or(u64::MAX),
        is_attaching: record.attaching,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::record::{Placed, RunRecord},
        *,
    };

    #[test]
    fn a_run_that_lives_and_one_that_was_killed() {
        let directory = tempfile::tempdir().unwrap();
        let notes = RunDirectory::of(directory.path());
        assert_eq!(runs(&notes), Observed::Value(Vec::new()));
        let here = netns::current_identity().unwrap();
        let place =
            Placed { ifindex: 7, egress: true, priority: 1, handle: 1, program: 40, made_qdisc: true };
        let mut own = RunRecord::create(&notes, here).unwrap();
        own.update(vec![place, Placed { egress: false, ..place }, Placed { ifindex: 3, ..place }]).unwrap();
        let killed =
            serde_json::to_string(&Record { netns: (0, 1), attaching: true, ..Record::default() }).unwrap();
        fs::write(directory.path().join("killed.json"), killed).unwrap();
        let before: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let alive = RunFact {
            is_alive: true,
            netns: here,
            has_netns: true,
            links: vec![3, 7],
            filters: 3,
            is_attaching: false,
        };
        let dead = RunFact { netns: (0, 1), is_attaching: true, ..RunFact::default() };
        assert_eq!(runs(&notes), Observed::Value(vec![alive, dead]));
        let after: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(before, after, "nothing is removed");
    }
}
