//! The one list of checks. An id is written in its check's file and nowhere else; what is explained, printed and proven about a
//! check is made of its entry here.

use super::{Need, Outcome, rules};
use crate::model::Model;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// What files want against what the kernel has.
    Intent,
    /// Tunnels and the devices below them.
    Dataplane,
    /// What fits.
    Mtu,
    /// Tables about other nodes.
    Peers,
    /// WireGuard.
    Wireguard,
    /// The node's own settings and counters.
    Host,
    /// Pods, their addresses and networks.
    Pods,
    /// SR-IOV.
    Vfs,
    /// Files of the runtime and of CNI plugins.
    Cni,
}

impl Family {
    /// All of them, in the order of output.
    pub const ALL: [Self; 9] = [
        Self::Intent,
        Self::Dataplane,
        Self::Mtu,
        Self::Peers,
        Self::Wireguard,
        Self::Host,
        Self::Pods,
        Self::Vfs,
        Self::Cni,
    ];

    /// Its name on the command line, and what its checks' ids begin with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Dataplane => "dataplane",
            Self::Mtu => "mtu",
            Self::Peers => "peer",
            Self::Wireguard => "wireguard",
            Self::Host => "host",
            Self::Pods => "pod",
            Self::Vfs => "vf",
            Self::Cni => "cni",
        }
    }
}

/// A check.
#[derive(Debug)]
pub struct Check {
    /// Its id, for ever: `family-thing-wrong`.
    pub id: &'static str,
    /// What it is about.
    pub family: Family,
    /// What is wrong when it finds something, in a few words.
    pub title: &'static str,
    /// What users report then.
    pub symptom: &'static str,
    /// The verdict rests on it: when it cannot be judged, the node's state is unknown.
    pub core: bool,
    /// What must have been read.
    pub needs: &'static [Need],
    /// Checks whose findings are the cause of this one's.
    pub explained_by: &'static [&'static str],
    /// What `--explain` says.
    pub explain: Explain,
    /// Judges.
    pub run: fn(&Model) -> Outcome,
}

/// What `--explain` says beside title and symptom.
#[derive(Clone, Copy, Debug)]
pub struct Explain {
    /// How it is found.
    pub how: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// How to mend it.
    pub fix: &'static str,
    /// When it is no fault.
    pub not_if: &'static str,
    /// Public reports; empty where there are none.
    pub seen_in: &'static str,
}

/// All checks, by family.
pub const REGISTRY: &[Check] = rules::ALL;

/// A word of `--only` or `--skip` that names neither a check nor a family.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no check and no family is called {word:?}{}", .near.map(|near| format!("; is it {near}?")).unwrap_or_default())]
pub struct Unknown {
    /// The word.
    pub word: String,
    /// What was meant, perhaps.
    pub near: Option<&'static str>,
}

/// The checks that `only` names, or all, without those that `skip` names. Words are ids and families.
pub fn select(only: &[String], skip: &[String]) -> Result<Vec<&'static Check>, Unknown> {
    for word in only.iter().chain(skip) {
        if !REGISTRY.iter().any(|check| is_meant(check, word)) {
            return Err(Unknown { near: near(word), word: word.clone() });
        }
    }
    let named = |words: &[String], check: &Check| words.iter().any(|word| is_meant(check, word));
    let chosen = |check: &&Check| (only.is_empty() || named(only, check)) && !named(skip, check);
    Ok(REGISTRY.iter().filter(chosen).collect())
}

fn is_meant(check: &Check, word: &str) -> bool {
    check.id == word || check.family.name() == word
}

/// The id that shares most words with `word`; none when none is shared.
pub(super) fn near(word: &str) -> Option<&'static str> {
    let words: Vec<&str> = word.split('-').filter(|part| part.len() > 2).collect();
    let shared = |check: &Check| check.id.split('-').filter(|part| words.contains(part)).count();
    let best = REGISTRY.iter().max_by_key(|check| shared(check))?;
    (shared(best) > 0).then_some(best.id)
}
