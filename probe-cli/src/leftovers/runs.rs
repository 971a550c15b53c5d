//! Which runs there are, to be looked at only: nothing is removed here.

use std::collections::BTreeSet;

use super::{
    directory::{Found, RunDirectory},
    record::Record,
};
use crate::{
    facts::runs::{RunFact, RunNamespace},
    netns,
    observed::Observed,
};

/// Most runs that are listed.
const MOST: usize = 64;

/// The runs that have a note, those that live first. With a note that cannot be read, which runs there are is not known.
pub fn runs(notes: &RunDirectory) -> Observed<Vec<RunFact>> {
    let Found { live, dead, unknown } = notes.read();
    if let Some(unknown) = unknown.first() {
        return Observed::Failed { error: format!("cannot read the run record {unknown}") };
    }
    let here = match netns::current_identity() {
        Ok(here) => here,
        Err(error) => {
            return Observed::Failed { error: format!("cannot tell this network namespace: {error}") };
        }
    };
    // Once for all of them: it takes a look at every process.
    let held = if live.is_empty() && dead.is_empty() { BTreeSet::new() } else { netns::held() };
    let namespace = |record: &Record| match record.netns {
        (0, 0) => RunNamespace::Unknown,
        netns if netns == here => RunNamespace::Same,
        netns if held.contains(&netns) => RunNamespace::Other,
        _ => RunNamespace::Gone,
    };
    let live = live.iter().map(|record| (true, record));
    let dead = dead.iter().map(|note| (false, &note.record));
    let runs = live.chain(dead).take(MOST);
    Observed::Value(runs.map(|(is_alive, record)| run(is_alive, record, namespace(record))).collect())
}

fn run(is_alive: bool, record: &Record, namespace: RunNamespace) -> RunFact {
    let links: BTreeSet<u32> = record.places.iter().map(|place| place.ifindex).collect();
    RunFact {
        is_alive,
        namespace,
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
            namespace: RunNamespace::Same,
            links: vec![3, 7],
            filters: 3,
            is_attaching: false,
        };
        let dead = RunFact { namespace: RunNamespace::Gone, is_attaching: true, ..RunFact::default() };
        assert_eq!(runs(&notes), Observed::Value(vec![alive.clone(), dead]));
        let after: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(before, after, "nothing is removed");
        fs::write(directory.path().join("killed.json"), "no note").unwrap();
        assert_eq!(runs(&notes), Observed::Value(vec![alive, RunFact::default()]));
    }
}
