//! What goes wrong with pod networks of RKE2 and k3s, as public reports have it, and which checks find it; or why none does. A page
//! of the documentation is made of it.
//!
//! Here is no judgement: what a check finds is said by the check. A failure belongs here whether or not it can be seen.

mod host;
mod mtu;
mod multus;
mod pods;
mod sriov;
mod tunnels;
mod wireguard;

/// Failures of one part of a node.
#[derive(Debug)]
pub struct Area {
    /// Its title.
    pub title: &'static str,
    /// The failures.
    pub failures: &'static [Failure],
}

/// Something that goes wrong.
#[derive(Debug)]
pub struct Failure {
    /// What, in a few words.
    pub what: &'static str,
    /// Ids of the checks that find it.
    pub checks: &'static [&'static str],
    /// Why no check finds it, or not always, with what would.
    pub missed: Option<(Missed, &'static str)>,
}

/// Why a failure is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// It stands in objects of the API server, which is not asked.
    Api,
    /// It shows on another node.
    Elsewhere,
    /// Packets have to be looked at.
    Traffic,
    /// Packets have to be sent.
    Probing,
    /// What shows it is not read by this program.
    Unread,
    /// Healthy nodes look the same.
    Doubt,
    /// Nothing is wrong, although it looks so.
    Harmless,
}

impl Missed {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Api => "only the API server knows",
            Self::Elsewhere => "it shows on another node",
            Self::Traffic => "only traffic shows it",
            Self::Probing => "only packets sent on purpose show it",
            Self::Unread => "what shows it is not read",
            Self::Doubt => "healthy nodes look the same",
            Self::Harmless => "it is no fault, and is not reported",
        }
    }
}

const fn found(what: &'static str, checks: &'static [&'static str]) -> Failure {
    Failure { what, checks, missed: None }
}

const fn partly(
    what: &'static str,
    checks: &'static [&'static str],
    why: Missed,
    words: &'static str,
) -> Failure {
    Failure { what, checks, missed: Some((why, words)) }
}

const fn missed(what: &'static str, why: Missed, words: &'static str) -> Failure {
    Failure { what, checks: &[], missed: Some((why, words)) }
}

/// All of them.
pub const CATALOGUE: &[Area] = &[
    Area { title: "Tunnels and the tables about other nodes", failures: tunnels::FAILURES },
    Area { title: "Sizes", failures: mtu::FAILURES },
    Area { title: "WireGuard", failures: wireguard::FAILURES },
    Area { title: "The node and its services", failures: host::FAILURES },
    Area { title: "Pods, CNI and both address families", failures: pods::FAILURES },
    Area { title: "Multus and Whereabouts", failures: multus::FAILURES },
    Area { title: "SR-IOV", failures: sriov::FAILURES },
];
