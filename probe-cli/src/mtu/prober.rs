//! The search on many paths at once: who may send next, and whose an answer is.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use super::{
    classify::{Outcome, Refusal, Verdict},
    pace::Pace,
    search::{Kind, Quoted, Search, Step, Target},
};

/// Paths that are measured at the same time: so many that the numbers of all their probes differ.
const AT_ONCE: usize = 200;

/// Probes that are sent over all paths to see whether any is lost, and the most of one path.
const SAMPLES: u32 = 1000;
const MOST_SAMPLES: u32 = 20;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The kernel did not send a probe.
    Refused {
        /// The probe's number.
        probe: u16,
        /// Why.
        why: Refusal,
    },
    /// An answer.
    Reply {
        /// The probe's number.
        probe: u16,
        /// Who answers.
        from: IpAddr,
        /// Bytes of the IP packet, as it was before it was cut.
        size: u32,
        /// Bytes of the largest fragment that it came in; none when it came in one piece.
        fragment: Option<u32>,
    },
    /// "Fragmentation needed", or "packet too big".
    TooBig {
        /// The probe's number.
        probe: u16,
        /// Who says so.
        from: IpAddr,
        /// What fits.
        mtu: u32,
        /// What it quotes.
        about: Quoted,
    },
    /// "Destination unreachable".
    Unreachable {
        /// Nobody listens on the port.
        no_port: bool,
        /// The probe's number.
        probe: u16,
        /// Who says so.
        from: IpAddr,
        /// What it quotes.
        about: Quoted,
    },
}

impl Input {
    fn probe(&self) -> u16 {
        match self {
            Self::Refused { probe, .. }
            | Self::Reply { probe, .. }
            | Self::TooBig { probe, .. }
            | Self::Unreachable { probe, .. } => *probe,
        }
    }
}

/// A probe to send: a packet that may not be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its number, which comes back with what is said of it.
    pub probe: u16,
    /// The path, by its place among the targets.
    pub path: usize,
    /// Where to.
    pub address: IpAddr,
    /// Of which flow.
    pub flow: u16,
    /// What to send.
    pub kind: Kind,
    /// Bytes of the IP packet.
    pub size: u32,
}

/// Who says what is sent: takes what happens, and is asked for the next probe.
pub trait Sends {
    /// Takes what happened.
    fn handle(&mut self, input: Input, now: Duration);

    /// The next probe to send; none while there is nothing to send or too much was sent. To be asked until there is none.
    fn next_command(&mut self, now: Duration) -> Option<Command>;

    /// How long to wait for something to happen before asking for the next probe; none when there is nothing more to do. To be asked
    /// when there is no probe to send.
    fn poll_timeout(&self, now: Duration) -> Option<Duration>;
}

/// See the module.
#[derive(Debug)]
pub struct Prober {
    searches: Vec<Search>,
    /// Those that are going on, with the time before which there is nothing to do.
    open: Vec<(usize, Duration)>,
    /// The first that has not begun.
    next: usize,
    /// Which path a probe is of, while its search goes on.
    owners: BTreeMap<u16, usize>,
    last_probe: u16,
    latest: Option<Command>,
    pace: Pace,
    strays: u64,
}

impl Prober {
    /// A prober of these paths, with a deadline for each of them.
    pub fn new(targets: &[Target], deadline: Duration) -> Self {
        let sample = SAMPLES / u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
        let sample = sample.clamp(1, MOST_SAMPLES);
        Self {
            searches: targets.iter().map(|target| Search::new(*target, deadline, sample)).collect(),
            open: Vec::new(),
            next: 0,
            owners: BTreeMap::new(),
            last_probe: 0,
            latest: None,
            pace: Pace::new(),
            strays: 0,
        }
    }

    /// How many paths are measured, of how many.
    pub fn progress(&self) -> (usize, usize) {
        (self.next - self.open.len(), self.searches.len())
    }

    /// The last probe.
    pub fn latest(&self) -> Option<Command> {
        self.latest
    }

    /// Answers and messages that nobody waits for any more, or that were never about one of ours.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// What the paths came to; for those that are still being measured none.
    pub fn outcomes(mut self) -> Vec<Option<Outcome>> {
        let claims: BTreeSet<(bool, u32, IpAddr)> = self
            .searches
            .iter()
            .flat_map(|search| search.claims().iter().map(|(from, mtu)| (from.is_ipv6(), *mtu, *from)))
            .collect();
        for search in &mut self.searches {
            let is_v6 = search.address().is_ipv6();
            let Some(outcome) = search.outcome_mut() else { continue };
            let Some(size) = outcome.size.filter(|_| outcome.verdict == Verdict::BlackHole) else { continue };
            let claim = claims.iter().find(|(of_v6, mtu, _)| (*of_v6, *mtu) == (is_v6, size));
            if let Some((_, _, from)) = claim {
                outcome.verdict = Verdict::TooBig { from: *from, of_other: true };
            }
        }
        self.searches.into_iter().map(|search| search.outcome().cloned()).collect()
    }
}

impl Sends for Prober {
    fn handle(&mut self, input: Input, now: Duration) {
        let probe = input.probe();
        let Some(path) = self.owners.get(&probe).copied() else {
            self.strays = self.strays.saturating_add(1);
            return;
        };
        let Some(search) = self.searches.get_mut(path) else { return };
        match input {
            Input::Refused { why, .. } => search.refused(probe, why),
            Input::Reply { from, size, fragment, .. } => search.reply(probe, from, size, fragment, now),
            Input::TooBig { from, mtu, about, .. } => search.too_big(probe, from, mtu, about),
            Input::Unreachable { from, about, no_port, .. } => {
                search.unreachable(probe, from, about, no_port);
            }
        }
        if let Some((_, wake)) = self.open.iter_mut().find(|(open, _)| *open == path) {
            *wake = Duration::ZERO;
        }
    }

    fn next_command(&mut self, now: Duration) -> Option<Command> {
        while self.open.len() < AT_ONCE && self.next < self.searches.len() {
            self.open.push((self.next, Duration::ZERO));
            self.next += 1;
        }
        let is_ready = self.pace.ready_at() <= now;
        let mut at = 0;
        while let Some((path, wake)) = self.open.get_mut(at) {
            let path = *path;
            if *wake > now {
                at += 1;
                continue;
            }
            let Some(search) = self.searches.get_mut(path) else { break };
            match search.step(now) {
                Step::Over => {
                    for id in search.ids() {
                        self.owners.remove(&id);
                    }
                    self.open.remove(at);
                    if self.next < self.searches.len() {
                        self.open.push((self.next, Duration::ZERO));
                        self.next += 1;
                    }
                }
                Step::Wait(until) => {
                    *wake = until;
                    at += 1;
                }
                Step::Send(..) if !is_ready => at += 1,
                Step::Send(kind, size) => {
                    let (address, flow) = (search.address(), search.flow());
                    let probe = free(&self.owners, self.last_probe);
                    self.last_probe = probe;
                    self.owners.insert(probe, path);
                    search.sent(probe, kind, size, now);
                    self.pace.take(now);
                    // The others come first now.
                    self.open.rotate_left(at + 1);
                    self.latest = Some(Command { probe, path, address, flow, kind, size });
                    return self.latest;
                }
            }
        }
        None
    }

    fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let first = self.open.iter().map(|(_, wake)| *wake).min()?;
        let until = if first <= now { self.pace.ready_at() } else { first };
        Some(until.saturating_sub(now))
    }
}

/// A number that no probe has, after the last one. There are more numbers than probes of searches that go on.
fn free(owners: &BTreeMap<u16, usize>, last: u16) -> u16 {
    let mut probe = last.wrapping_add(1);
    while owners.contains_key(&probe) {
        probe = probe.wrapping_add(1);
    }
    probe
}
