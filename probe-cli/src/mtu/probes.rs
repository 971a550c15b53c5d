//! The probes of one path: what was sent, and what each came to. Decides nothing.

use std::time::Duration;

use super::{
    classify::Ignored,
    search::{Kind, Quoted, Target},
};

/// A size is not taken for lost after fewer losses.
pub(super) const LEAST_LOST: u32 = 3;

/// What a probe has come to so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Lost,
    Answered,
    /// Somebody said that it cannot be delivered.
    Told,
    /// The kernel did not send it.
    Refused,
}

/// A probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) id: u16,
    pub(super) kind: Kind,
    pub(super) size: u32,
    pub(super) at: Duration,
    pub(super) state: State,
}

/// How many probes came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u32,
    pub(super) waiting: u32,
    pub(super) lost: u32,
    pub(super) answered: u32,
}

/// All probes of a path, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Probes(Vec<Probe>);

impl Probes {
    /// One was sent.
    pub(super) fn add(&mut self, probe: Probe) {
        self.0.push(probe);
    }

    /// How many were sent.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Their numbers.
    pub(super) fn ids(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|probe| probe.id)
    }

    /// The last one that was sent.
    pub(super) fn last(&self) -> Option<&Probe> {
        self.0.last()
    }

    /// The one with this number.
    pub(super) fn get_mut(&mut self, id: u16) -> Option<&mut Probe> {
        self.0.iter_mut().find(|probe| probe.id == id)
    }

    /// Those of a state.
    pub(super) fn of(&self, state: State) -> impl Iterator<Item = &Probe> {
        self.0.iter().filter(move |probe| probe.state == state)
    }

    /// When the first of a size was sent.
    pub(super) fn first_of(&self, size: u32) -> Option<Duration> {
        self.0.iter().find(|probe| probe.size == size).map(|probe| probe.at)
    }

    /// Takes for lost what has waited so long.
    pub(super) fn lose(&mut self, now: Duration, wait: Duration) {
        for probe in self.0.iter_mut().filter(|probe| probe.state == State::Waiting) {
            if now.saturating_sub(probe.at) >= wait {
                probe.state = State::Lost;
            }
        }
    }

    /// How many of a kind came to what.
    pub(super) fn tally(&self, kind: Kind, is_meant: impl Fn(&Probe) -> bool) -> Tally {
        let mut tally = Tally::default();
        for probe in self.0.iter().filter(|probe| probe.kind == kind && is_meant(probe)) {
            match probe.state {
                State::Waiting => tally.waiting += 1,
                State::Lost => tally.lost += 1,
                State::Answered => tally.answered += 1,
                State::Told => {}
                State::Refused => continue,
            }
            tally.sent += 1;
        }
        tally
    }

    /// The probe that a message is about; counts what is about something else.
    pub(super) fn about(
        &mut self,
        ignored: &mut Ignored,
        target: Target,
        id: u16,
        about: Quoted,
    ) -> Option<&mut Probe> {
        let probe = self.get_mut(id)?;
        if about.destination == target.address && about.size == probe.size {
            Some(probe)
        } else {
            ignored.foreign = ignored.foreign.saturating_add(1);
            None
        }
    }
}

/// How many of one size must be lost, given how many were lost and answered of what fits, for it to be less likely than `chance` that
/// they were lost like those; `most` at most.
pub(super) fn losses_needed(lost: u32, answered: u32, chance: f64, most: u32) -> u32 {
    let share = (f64::from(lost) + 0.5) / (f64::from(lost) + f64::from(answered) + 1.0);
    let (mut needed, mut likely) = (LEAST_LOST, share * share * share);
    while likely > chance && needed < most {
        likely *= share;
        needed += 1;
    }
    needed
}

/// Times to answers, smoothed as RFC 6298 has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtt {
    pub(super) least: Duration,
    pub(super) smoothed: Duration,
    pub(super) variation: Duration,
}

impl Rtt {
    /// Of the first answer.
    pub(super) fn new(took: Duration) -> Self {
        Self { least: took, smoothed: took, variation: took / 2 }
    }

    /// With one more.
    pub(super) fn with(self, took: Duration) -> Self {
        Self {
            least: self.least.min(took),
            smoothed: (self.smoothed * 7 + took) / 8,
            variation: (self.variation * 3 + self.smoothed.abs_diff(took)) / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_is_lost_of_what_fits_the_more_losses_are_needed() {
        let needed = |lost, answered| losses_needed(lost, answered, 1e-6, 100);
        assert_eq!(needed(0, 60), LEAST_LOST);
        assert_eq!([needed(0, 3), needed(6, 54), needed(18, 42), needed(30, 30)], [7, 7, 12, 20]);
        assert_eq!(needed(60, 0), 100);
        assert_eq!(needed(u32::MAX, u32::MAX), 20);
    }
}
