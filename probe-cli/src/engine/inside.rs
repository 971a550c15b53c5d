//! Looks into pods' network namespaces for what the kernel does not tell from outside: sysctls of the whole namespace, routes,
//! neighbours, learned path MTUs. Links and addresses are read from outside, in `pods`.
//!
//! Sockets are opened in it for it, and closed: one that stays would keep the namespace alive. This takes about a millisecond
//! for each, so that only a few are read at a time.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use crate::{
    facts::{
        host::Sysctls,
        network::{InsideFacts, PodNetwork},
    },
    files,
    netlink::{NetlinkError, Source},
    netns::{self, Namespace, NetnsError, helper},
    observed::Observed,
    proc,
};

/// Nothing is entered after that.
const DEADLINE: Duration = Duration::from_secs(2);

/// Namespaces of pods, looked into by turns.
#[derive(Debug, Default)]
pub struct Inside {
    /// By path, with the number of the round that it was looked into.
    known: BTreeMap<String, VisitedNamespace>,
    round: u64,
}

#[derive(Debug)]
struct VisitedNamespace {
    /// Device and inode: what tells it from another one of the same path.
    identity: (u64, u64),
    round: u64,
    told: Observed<InsideFacts>,
}

impl Inside {
    /// Looks into at most `most` of the namespaces, those that were looked into longest ago. `there` are all there are, by path
    /// below `root`, with their device and inode: of one that is another than the last time nothing is known. Only those that are
    /// looked into are opened.
    pub fn read(&mut self, root: &files::Root, there: &BTreeMap<String, (u64, u64)>, most: usize) {
        self.round += 1;
        self.known.retain(|path, known| there.get(path) == Some(&known.identity));
        let mut due: Vec<&String> = there.keys().collect();
        due.sort_by_key(|path| self.known.get(*path).map_or(0, |known| known.round));
        due.truncate(most);
        let until = Instant::now() + DEADLINE;
        for path in due.into_iter().take_while(|_| Instant::now() < until) {
            let opened = netns::open_below(root, path).ok();
            match opened.and_then(|namespace| Some((namespace.identity().ok()?, namespace))) {
                Some((identity, namespace)) => {
                    let known = VisitedNamespace { identity, round: self.round, told: inside(&namespace) };
                    self.known.insert(path.clone(), known);
                }
                // Gone with its pod.
                None => drop(self.known.remove(path)),
            }
        }
    }

    /// What is known of each.
    pub fn facts(&self) -> Vec<PodNetwork> {
        let facts = self.known.iter();
        facts.map(|(path, known)| PodNetwork { path: path.clone(), told: known.told.clone() }).collect()
    }
}

/// What is in a namespace.
fn inside(namespace: &Namespace) -> Observed<InsideFacts> {
    let seen = Source::connect_in(namespace).and_then(|source| Ok((source, sysctls(namespace)?)));
    match seen {
        Ok((source, sysctls)) => Observed::Value(InsideFacts {
            sysctls,
            routes_ipv4: source.pod_routes_v4(),
            routes_ipv6: source.pod_routes_v6(),
            pmtu_ipv4: source.pod_pmtu_exceptions_v4(),
            pmtu_ipv6: source.pod_pmtu_exceptions_v6(),
            neighbours: source.neighbours(),
        }),
        Err(NetlinkError::Enter(error)) if error.is_denied() => {
            Observed::Denied { need: "CAP_SYS_ADMIN, to look into pods' network namespaces".to_owned() }
        }
        Err(error) => Observed::Failed { error: error.to_string() },
    }
}

/// They are those of the thread that reads them.
fn sysctls(namespace: &Namespace) -> Result<Sysctls, NetnsError> {
    match helper::sysctls(namespace) {
        None => netns::run_in(namespace, proc::sysctls),
        Some(told) => told
            .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other))
            .map_err(|source| NetnsError::Enter { name: namespace.name().to_owned(), source }),
    }
}
