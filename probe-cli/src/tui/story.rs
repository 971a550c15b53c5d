//! What the demo tells of its incident, and how to repair it. Pure: the checks say whether it is there.

use crate::check::Health;

/// The check that finds the incident.
const CHECK: &str = "mtu-tunnel-exceeds-underlay";

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Story {
    /// Nothing is wrong yet.
    #[default]
    Before,
    /// The MTU is lowered.
    Broken,
    /// It was given back.
    Repaired,
}

impl Story {
    /// Follows what the checks find.
    pub(super) fn take(&mut self, health: &Health) {
        let is_broken = health.standing.iter().any(|one| one.check.id == CHECK);
        *self = match (is_broken, *self) {
            (true, _) => Self::Broken,
            (false, Self::Before) => Self::Before,
            (false, Self::Broken | Self::Repaired) => Self::Repaired,
        };
    }

    /// What is said of it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Before => {
                "Demo: a private lab with traffic between its pods. Soon something will break, and the header will say so."
            }
            Self::Broken => {
                "Demo: somebody has lowered the MTU of eth0. Full-size packets leave in two pieces (FRAG/s). Press 7 for the \
                 finding and its fix, e there to have it explained, R to repair it."
            }
            Self::Repaired => {
                "Demo: eth0 has its MTU back. What counters showed of the incident goes within ten seconds. R breaks it again."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{FAULTS, REGISTRY};

    #[test]
    fn the_incident_is_what_a_check_finds_of_a_fault_of_the_lab() {
        assert!(REGISTRY.iter().any(|check| check.id == CHECK));
        let fault = FAULTS.iter().find(|fault| fault.name == crate::lab::fault::INCIDENT).unwrap();
        assert_eq!(fault.raises, CHECK);
    }
}
