//! The search on one path: when a size is taken for lost, when the peer is, and when it is only chance. Waits by being asked
//! again.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::IpAddr,
    time::Duration,
};

use super::{
    bisect::{Bisect, Failed},
    classify::{Forward, Ignored, Loss, Outcome, Refusal, Reverse, Verdict, Who, is_plausible},
    probes::{LEAST_LOST, Probe, Probes, Rtt, State, Tally, losses_needed},
};

/// A size that fits every link, in bytes of the IP packet.
pub const SMALL: u32 = 96;
/// Probes of one path at most.
pub const MOST_PROBES: u32 = 320;
/// Small probes without any answer after which the peer is taken for unreachable: with 30 % lost in each direction one run
/// in three thousand loses as many of a peer that answers.
const UNANSWERED: u32 = 12;
/// Messages that nothing can be delivered, with no answer, after which that is believed.
const UNDELIVERABLE: u32 = 3;
/// How likely it may be that a size that fits is taken for lost by chance. Before the search ends, the size is tried as often
/// again.
const CHANCE: f64 = 1e-4;
/// Probes that loss is measured with, once there was any.
const LOSS_SAMPLE: u32 = 50;
/// Between two probes of one path.
const GAP: Duration = Duration::from_millis(20);
/// The same while nothing was answered.
const SLOW_GAP: Duration = Duration::from_millis(200);
/// Datagrams of the largest size and of one that fits, by which is found out where larger packets are lost: few, since a kernel
/// sends few messages about them (six, then one a second: `icmpv4_xrlim_allow`).
const DATAGRAMS: u32 = 3;
/// How long an answer is waited for: before one has come, and at least after that. One that comes later counts.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LEAST_WAIT: Duration = Duration::from_millis(250);
/// How long it may come late before the search ends with a packet that is lost.
const GRACE: Duration = Duration::from_secs(1);

/// Whom to send to, and the largest size to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Address.
    pub address: IpAddr,
    /// Bytes of the IP packet that are expected to fit.
    pub expected: u32,
    /// The flow, where several are measured to the same address by segments; none for echo requests, which are one.
    pub flow: Option<u16>,
}

/// What a message quotes of the packet that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Where it went.
    pub destination: IpAddr,
    /// Its size, as its header says.
    pub size: u32,
}

/// What to do on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send a probe of this kind and size.
    Send(Kind, u32),
    /// Nothing before this time, unless something happens.
    Wait(Duration),
    /// Nothing any more.
    Over,
}

/// What a probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An echo request: what answers it is as large.
    Echo,
    /// A segment that asks for a connection to a port that nobody listens on, of one flow: the reset that answers it is small.
    Segment,
    /// A datagram to a port that nobody listens on: the message about that is small, and comes where answers as large are lost.
    Datagram,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Search {
    target: Target,
    deadline: Duration,
    /// Probes that are sent even if all is well: to see whether any is lost.
    sample: u32,
    bisect: Bisect,
    probes: Probes,
    /// Of the first probe.
    started: Option<Duration>,
    /// How long probes could have left that had to wait for those of other paths: it does not count towards the deadline.
    held: Duration,
    /// Since when one waits so.
    ready_since: Option<Duration>,
    rtt: Option<Rtt>,
    /// Who said that what fits, the last one first.
    claims: Vec<(IpAddr, u32)>,
    undeliverable: u32,
    said_by: Option<Who>,
    reverse: Reverse,
    forward: Forward,
    /// The largest size that is answered is known, unless something has come since.
    is_found: bool,
    ignored: Ignored,
    outcome: Option<Outcome>,
}

impl Search {
    /// Begins when it is first asked for a step.
    pub(super) fn new(target: Target, deadline: Duration, sample: u32) -> Self {
        Self {
            target,
            deadline,
            sample,
            bisect: Bisect::new(target.expected),
            probes: Probes::default(),
            started: None,
            held: Duration::ZERO,
            ready_since: None,
            rtt: None,
            claims: Vec::new(),
            undeliverable: 0,
            said_by: None,
            reverse: Reverse::default(),
            forward: Forward::default(),
            is_found: false,
            ignored: Ignored::default(),
            outcome: None,
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.target.address
    }

    /// What is sent to find the size.
    fn kind(&self) -> Kind {
        if self.target.flow.is_some() { Kind::Segment } else { Kind::Echo }
    }

    /// Which flow its probes are of.
    pub(super) fn flow(&self) -> u16 {
        self.target.flow.unwrap_or(0)
    }

    /// What it came to, once it is over.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(super) fn outcome_mut(&mut self) -> Option<&mut Outcome> {
        self.outcome.as_mut()
    }

    /// Who says that what fits, as far as it is believed.
    pub(super) fn claims(&self) -> &[(IpAddr, u32)] {
        &self.claims
    }

    /// Numbers of its probes.
    pub(super) fn ids(&self) -> impl Iterator<Item = u16> {
        self.probes.ids()
    }

    /// A probe was given to the kernel.
    pub(super) fn sent(&mut self, id: u16, kind: Kind, size: u32, now: Duration) {
        self.started.get_or_insert(now);
        self.ready_since = None;
        self.probes.add(Probe { id, kind, size, at: now, state: State::Waiting });
    }

    /// What to do now.
    pub(super) fn step(&mut self, now: Duration) -> Step {
        if self.outcome.is_some() {
            return Step::Over;
        }
        self.probes.lose(now, self.wait());
        self.held += self.ready_since.take().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let until = self.deadline + self.held;
        let is_late = self.started.is_some_and(|started| now.saturating_sub(started) >= until);
        if is_late || self.probes.count() >= MOST_PROBES {
            return self.give_up();
        }
        let step = if self.bisect.lower().is_none() { self.reach() } else { self.narrow(now) };
        match step {
            Step::Send(..) => match self.next_at() {
                next if next > now => Step::Wait(next),
                _ => {
                    self.ready_since = Some(now);
                    step
                }
            },
            Step::Wait(_) | Step::Over => step,
        }
    }

    /// Nothing was answered so far.
    fn reach(&mut self) -> Step {
        let first = self.bisect.first();
        if let Some(size) = first.filter(|size| self.tally(|probe| probe.size == *size).sent == 0) {
            return Step::Send(self.kind(), size);
        }
        let small = self.small();
        let tally = self.tally(|probe| probe.size <= small);
        if tally.lost >= UNANSWERED || self.undeliverable >= UNDELIVERABLE {
            return match self.all().waiting {
                0 => self.end(Verdict::Unreachable { said_by: self.said_by }),
                _ => self.until_lost(),
            };
        }
        if tally.sent < UNANSWERED { Step::Send(self.kind(), small) } else { self.until_lost() }
    }

    /// Something was answered: how large can it be?
    fn narrow(&mut self, now: Duration) -> Step {
        self.is_found = false;
        let lower = self.bisect.lower().unwrap_or(0);
        loop {
            let (size, times) = match (self.bisect.next(), self.bisect.upper()) {
                (Some(size), _) => (size, 1),
                (None, Some((size, Failed::Silent))) => (size, 2),
                (None, Some((_, Failed::Told | Failed::Refused)) | None) => {
                    return self.measure_loss(lower, now);
                }
            };
            let of_size = self.tally(|probe| probe.size == size);
            let first = self.probes.first_of(size);
            // What fits and was sent since: as long as some of it is answered, the path is there.
            let control = self.tally(|probe| probe.size <= lower && first.is_some_and(|at| probe.at >= at));
            let needed = self.losses_needed() * times;
            if of_size.lost >= needed && control.answered > 0 {
                if times == 2 {
                    return self.measure_loss(lower, now);
                }
                self.bisect.fails(size, Failed::Silent);
                continue;
            }
            // In pairs, and each pair in an order of its own: what loses every other packet must not always lose the same one.
            let is_controls_turn =
                control.sent < of_size.sent || (control.sent == of_size.sent && self.toss());
            return if of_size.sent > 0 && is_controls_turn {
                Step::Send(self.kind(), lower)
            } else if of_size.waiting + of_size.lost < needed {
                Step::Send(self.kind(), size)
            } else if of_size.waiting + control.waiting > 0 {
                self.until_lost()
            } else {
                Step::Send(self.kind(), lower)
            };
        }
    }

    /// A coin, whose falls look like chance: they differ from path to path, and not from one question to the next before another
    /// probe has left.
    fn toss(&self) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.target.address, self.probes.count()).hash(&mut hasher);
        hasher.finish() & 1 == 1
    }

    /// The largest size that fits is known. Is something lost all the same, and how much?
    fn measure_loss(&mut self, lower: u32, now: Duration) -> Step {
        self.is_found = true;
        let fitting = self.tally(|probe| probe.size <= lower);
        if fitting.sent < if fitting.lost > 0 { LOSS_SAMPLE } else { self.sample } {
            return Step::Send(self.kind(), lower);
        }
        if fitting.waiting > 0 { self.until_lost() } else { self.settle(now) }
    }

    /// The search is over, unless answers may still come that are only late.
    fn settle(&mut self, now: Duration) -> Step {
        let lost = self.probes.of(State::Lost);
        let until = lost.map(|probe| probe.at + GRACE).max().unwrap_or_default();
        if until > now {
            return Step::Wait(until);
        }
        let verdict = self.verdict();
        // A datagram takes a way of its own: it says nothing of that of one flow among others.
        let may_look = verdict == Verdict::BlackHole && self.target.flow.is_none();
        let step = if may_look { self.look_where() } else { None };
        step.unwrap_or_else(|| self.end(verdict))
    }

    /// Of a search that has found the largest size.
    fn verdict(&self) -> Verdict {
        let size = self.bisect.lower();
        let claim = self.claims.iter().find(|(_, mtu)| Some(*mtu) == size);
        match (self.bisect.upper(), claim) {
            (None, _) => Verdict::Fits,
            (Some((_, Failed::Refused)), _) => Verdict::Refused,
            (Some(_), Some((from, _))) => Verdict::TooBig { from: *from, of_other: false },
            (Some(_), None) => Verdict::BlackHole,
        }
    }

    /// Where are larger packets lost: on their way, or the answers? None when that is known, or cannot be.
    fn look_where(&mut self) -> Option<Step> {
        let (fits, large) = (self.bisect.lower().unwrap_or(0), self.target.expected);
        let [small, large_ones] =
            [fits, large].map(|size| self.tally_of(Kind::Datagram, |probe| probe.size == size));
        let fitting = self.tally(|probe| probe.size <= fits);
        if large_ones.answered > 0 {
            self.forward = Forward::Carries;
            None
        } else if small.waiting + large_ones.waiting > 0
            && (small.answered == 0 || large_ones.sent == DATAGRAMS)
        {
            Some(self.until_lost())
        } else if small.answered > 0 && large_ones.sent < DATAGRAMS {
            Some(Step::Send(Kind::Datagram, large))
        } else if small.answered > 0 {
            // Where packets of every size are lost, a few large ones may all be.
            self.forward = if fitting.lost == 0 { Forward::Loses } else { Forward::Unmeasured };
            None
        } else if small.sent < 2 {
            Some(Step::Send(Kind::Datagram, fits))
        } else {
            None
        }
    }

    /// The time or the number of probes is up.
    fn give_up(&mut self) -> Step {
        let is_silent = self.bisect.lower().is_none() && self.small_lost() >= LEAST_LOST;
        self.end(if self.is_found && self.bisect.next().is_none() {
            self.verdict()
        } else if is_silent {
            Verdict::Unreachable { said_by: self.said_by }
        } else {
            Verdict::Undecided { below: self.bisect.upper().map(|(size, _)| size) }
        })
    }

    fn end(&mut self, verdict: Verdict) -> Step {
        let size = self.bisect.lower();
        let fitting = self.tally(|probe| size.is_some_and(|size| probe.size <= size));
        self.outcome = Some(Outcome {
            verdict,
            size,
            reverse: self.reverse,
            forward: self.forward,
            flows: 1,
            sent: self.all().sent + self.tally_of(Kind::Datagram, |_| true).sent,
            loss: Loss { sent: fitting.lost + fitting.answered, lost: fitting.lost },
            rtt: self.rtt.map(|rtt| rtt.least),
            ignored: self.ignored,
        });
        Step::Over
    }

    /// An answer of `size` bytes, in fragments of at most `fragment` bytes.
    pub(super) fn reply(&mut self, id: u16, from: IpAddr, size: u32, fragment: Option<u32>, now: Duration) {
        let address = self.target.address;
        let Some(probe) = self.probes.get_mut(id) else { return };
        // A reset says how much came.
        let is_answer = match probe.kind {
            Kind::Echo => size <= probe.size,
            Kind::Segment => size == probe.size,
            Kind::Datagram => false,
        };
        if from != address || !is_answer {
            self.ignored.foreign = self.ignored.foreign.saturating_add(1);
            return;
        }
        if probe.state == State::Answered {
            self.ignored.repeated = self.ignored.repeated.saturating_add(1);
            return;
        }
        probe.state = State::Answered;
        let (sent, took) = (probe.size, now.saturating_sub(probe.at));
        self.rtt = Some(self.rtt.map_or_else(|| Rtt::new(took), |rtt| rtt.with(took)));
        if probe.kind == Kind::Echo && self.bisect.lower().is_none_or(|lower| lower <= sent) {
            self.reverse = match fragment {
                _ if size < sent => Reverse::Shorter,
                Some(largest) => Reverse::Fragments { largest },
                None => Reverse::Whole,
            };
        }
        self.bisect.fits(sent);
        // Who said that less fits was wrong.
        let before = self.claims.len();
        self.claims.retain(|(_, mtu)| *mtu >= sent);
        let refuted = u32::try_from(before - self.claims.len()).unwrap_or(u32::MAX);
        if refuted > 0 {
            self.ignored.refuted = self.ignored.refuted.saturating_add(refuted);
            self.bisect.unsaid();
        }
    }

    /// "Too big", of an MTU that fits.
    pub(super) fn too_big(&mut self, id: u16, from: IpAddr, mtu: u32, about: Quoted) {
        let fits = self.bisect.lower();
        let Some(probe) = self.probes.about(&mut self.ignored, self.target, id, about) else {
            return;
        };
        if !is_plausible(self.target.address, mtu, probe.size, fits, &mut self.ignored) {
            return;
        }
        if probe.state == State::Answered {
            self.ignored.foreign = self.ignored.foreign.saturating_add(1);
            return;
        }
        probe.state = State::Told;
        self.bisect.fails(probe.size, Failed::Told);
        self.bisect.said(mtu);
        self.claims.retain(|claim| *claim != (from, mtu));
        self.claims.insert(0, (from, mtu));
        self.claims.truncate(4);
    }

    /// "Cannot be delivered"; for want of somebody who listens on the port, which says that it got there.
    pub(super) fn unreachable(&mut self, id: u16, from: IpAddr, about: Quoted, no_port: bool) {
        let Some(probe) = self.probes.about(&mut self.ignored, self.target, id, about) else {
            return;
        };
        if probe.kind == Kind::Datagram {
            if no_port && from == self.target.address {
                probe.state = State::Answered;
            }
        } else if matches!(probe.state, State::Waiting | State::Lost) {
            probe.state = State::Told;
            self.undeliverable += 1;
            self.said_by = Some(Who::From(from));
        }
    }

    /// The kernel did not send it.
    pub(super) fn refused(&mut self, id: u16, why: Refusal) {
        let small = self.small();
        let Some(probe) = self.probes.get_mut(id) else { return };
        probe.state = State::Refused;
        let size = probe.size;
        match why {
            Refusal::TooBig if size > small => self.bisect.fails(size, Failed::Refused),
            Refusal::TooBig => {
                self.end(Verdict::NotSent { why: format!("packets of {size} bytes are refused as too big") });
            }
            Refusal::NoRoute => {
                self.end(Verdict::Unreachable { said_by: Some(Who::Here) });
            }
            Refusal::Busy => {}
            Refusal::Other(why) => {
                self.end(Verdict::NotSent { why });
            }
        }
    }

    fn small(&self) -> u32 {
        SMALL.min(self.target.expected)
    }

    fn small_lost(&self) -> u32 {
        let small = self.small();
        self.tally(|probe| probe.size <= small).lost
    }

    /// Of what is sent to find the size.
    fn tally(&self, is_meant: impl Fn(&Probe) -> bool) -> Tally {
        self.tally_of(self.kind(), is_meant)
    }

    fn tally_of(&self, kind: Kind, is_meant: impl Fn(&Probe) -> bool) -> Tally {
        self.probes.tally(kind, is_meant)
    }

    fn all(&self) -> Tally {
        self.tally(|_| true)
    }

    /// How many of one size must be lost, given how many are that fit, before that is no chance any more.
    fn losses_needed(&self) -> u32 {
        let fits = self.bisect.lower();
        let fitting = self.tally(|probe| fits.is_some_and(|fits| probe.size <= fits));
        losses_needed(fitting.lost, fitting.answered, CHANCE, MOST_PROBES)
    }

    /// How long an answer is waited for.
    fn wait(&self) -> Duration {
        let usual = |rtt: Rtt| (rtt.smoothed + rtt.variation * 4).clamp(LEAST_WAIT, FIRST_WAIT);
        self.rtt.map_or(FIRST_WAIT, usual)
    }

    /// When the next probe that waits is taken for lost.
    fn until_lost(&self) -> Step {
        let first = self.probes.of(State::Waiting).map(|probe| probe.at).min().unwrap_or_default();
        Step::Wait(first + self.wait())
    }

    /// When the next probe may leave.
    fn next_at(&self) -> Duration {
        let Some(last) = self.probes.last() else { return Duration::ZERO };
        let is_answered = self.bisect.lower().is_some() || self.probes.count() < 2;
        last.at + if is_answered { GAP } else { SLOW_GAP }
    }
}
