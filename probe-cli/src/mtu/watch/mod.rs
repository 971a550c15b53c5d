//! Probes that go on: on each path a small one every second and one of the size that is expected to fit every ten. Takes what happened
//! and says what to send next, as the prober does. Rate and memory have bounds.

mod series;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use self::series::Series;
use super::{
    classify::{Ignored, Refusal, is_plausible},
    pace::{PER_SECOND, Pace},
    prober::{Command, Input, Sends},
    search::{Kind, Quoted, SMALL},
};
use crate::model::PathProbes;

/// Paths that are watched at most; further ones are left out.
pub const MOST_WATCHED: usize = 4096;
/// Between two small probes of a path, while there are few paths.
const SMALL_EVERY: Duration = Duration::from_secs(1);
/// Small probes of a path for each large one.
const LARGE_EVERY: u32 = 10;
/// An answer that comes later does not count.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// Of 100 packets that may leave in all, those that are small and regular.
const SMALL_SHARE: u32 = 50;

/// See the module.
#[derive(Debug)]
pub struct Watcher {
    paths: BTreeMap<IpAddr, Watched>,
    /// When each path sends next.
    due: BTreeSet<(Duration, IpAddr)>,
    /// By number, what may still be answered.
    waiting: BTreeMap<u16, Waiting>,
    /// The same numbers in the order in which they were sent.
    order: VecDeque<(Duration, u16)>,
    last_probe: u16,
    pace: Pace,
    left_out: usize,
    strays: u64,
    ignored: Ignored,
}

#[derive(Debug)]
struct Watched {
    index: usize,
    series: Series,
    /// Small probes until the next large one.
    until_large: u32,
    /// The large one is sent half an interval after a small one.
    is_large_next: bool,
}

/// A probe that may still be answered.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    address: IpAddr,
    size: u32,
    is_large: bool,
    at: Duration,
}

impl Watcher {
    /// Watches these addresses, each with the size that is expected to fit.
    pub fn new(targets: &[(IpAddr, u32)], now: Duration) -> Self {
        let mut watcher = Self {
            paths: BTreeMap::new(),
            due: BTreeSet::new(),
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            last_probe: 0,
            pace: Pace::new(),
            left_out: 0,
            strays: 0,
            ignored: Ignored::default(),
        };
        watcher.follow(targets, now);
        watcher
    }

    /// Watches these from now on. What stays with its size keeps what it came to.
    pub fn follow(&mut self, targets: &[(IpAddr, u32)], now: Duration) {
        let wanted: BTreeMap<IpAddr, u32> = targets.iter().copied().collect();
        self.left_out = wanted.len().saturating_sub(MOST_WATCHED);
        let wanted: BTreeMap<IpAddr, u32> = wanted.into_iter().take(MOST_WATCHED).collect();
        self.paths.retain(|address, path| wanted.get(address) == Some(&path.series.size()));
        self.due.retain(|(_, address)| self.paths.contains_key(address));
        self.waiting.retain(|_, probe| self.paths.contains_key(&probe.address));
        self.order.retain(|(_, id)| self.waiting.contains_key(id));
        let count = u32::try_from(wanted.len()).unwrap_or(u32::MAX).max(1);
        let step = interval(wanted.len()) / count;
        for (index, (address, size)) in (0_u32..).zip(wanted) {
            let place = usize::try_from(index).unwrap_or(usize::MAX);
            let path = self.paths.entry(address).or_insert_with(|| {
                // Not all at once.
                self.due.insert((now + step * index, address));
                Watched { index: place, series: Series::new(size), until_large: 1, is_large_next: false }
            });
            path.index = place;
        }
    }

    /// Paths that are watched.
    pub fn watched(&self) -> usize {
        self.paths.len()
    }

    /// Paths beyond the bound.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Time between two small probes of a path.
    pub fn interval(&self) -> Duration {
        interval(self.paths.len())
    }

    /// Answers and messages that nobody waits for any more, or that were never about one of ours.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Messages that were not believed.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    /// What every path has come to, by address.
    pub fn read(&self, now: Duration) -> Vec<PathProbes> {
        self.paths.iter().map(|(address, path)| path.series.read(*address, now)).collect()
    }

    /// The probe that something is about, with its path.
    fn waiting(&mut self, id: u16) -> Option<Waiting> {
        let found = self.waiting.get(&id).copied();
        if found.is_none() {
            self.strays = self.strays.saturating_add(1);
        }
        found
    }

    fn is_foreign(&mut self, is_foreign: bool) -> bool {
        if is_foreign {
            self.ignored.foreign = self.ignored.foreign.saturating_add(1);
        }
        is_foreign
    }

    fn series(&mut self, address: IpAddr) -> Option<&mut Series> {
        self.paths.get_mut(&address).map(|path| &mut path.series)
    }

    fn reply(&mut self, id: u16, from: IpAddr, size: u32, now: Duration) {
        let Some(probe) = self.waiting(id) else { return };
        if self.is_foreign(from != probe.address || size > probe.size) {
            return;
        }
        self.waiting.remove(&id);
        if let Some(series) = self.series(probe.address) {
            series.answered(probe.is_large, probe.at, now);
        }
    }

    fn too_big(&mut self, id: u16, from: IpAddr, mtu: u32, about: Quoted) {
        let Some(probe) = self.waiting(id) else { return };
        if self.is_foreign(about != Quoted { destination: probe.address, size: probe.size }) {
            return;
        }
        // What small packets say of the way there is known by now.
        if is_plausible(probe.address, mtu, probe.size, Some(SMALL), &mut self.ignored) {
            self.waiting.remove(&id);
            if let Some(series) = self.series(probe.address) {
                series.told(from, mtu);
            }
        }
    }

    fn refused(&mut self, id: u16, why: &Refusal) {
        let Some(probe) = self.waiting.remove(&id) else { return };
        let Some(series) = self.series(probe.address) else { return };
        match why {
            Refusal::TooBig if probe.is_large => series.refused(),
            Refusal::Busy => series.not_sent(probe.is_large),
            Refusal::TooBig | Refusal::NoRoute | Refusal::Other(_) => series.lost(probe.is_large, probe.at),
        }
    }

    /// What has waited too long is lost.
    fn expire(&mut self, now: Duration) {
        while let Some((at, id)) = self.order.front().copied() {
            let is_over = !self.waiting.contains_key(&id);
            if !is_over && now.saturating_sub(at) < LOST_AFTER {
                break;
            }
            self.order.pop_front();
            if let Some(probe) = self.waiting.remove(&id)
                && let Some(series) = self.series(probe.address)
            {
                series.lost(probe.is_large, probe.at);
            }
        }
    }

    fn free(&self) -> u16 {
        let mut probe = self.last_probe.wrapping_add(1);
        while self.waiting.contains_key(&probe) {
            probe = probe.wrapping_add(1);
        }
        probe
    }
}

/// Time between two small probes of a path: longer where there are so many paths that more packets would leave than may.
fn interval(paths: usize) -> Duration {
    let paths = u32::try_from(paths).unwrap_or(u32::MAX);
    let busy = Duration::from_secs(1) / (PER_SECOND * SMALL_SHARE / 100) * paths;
    SMALL_EVERY.max(busy)
}

impl Sends for Watcher {
    fn handle(&mut self, input: Input, now: Duration) {
        match input {
            Input::Refused { probe, why } => self.refused(probe, &why),
            Input::Reply { probe, from, size, .. } => self.reply(probe, from, size, now),
            Input::TooBig { probe, from, mtu, about } => self.too_big(probe, from, mtu, about),
            // It is lost like any other, and shown as that: whoever says so may be wrong.
            Input::Unreachable { .. } => {}
        }
    }

    fn next_command(&mut self, now: Duration) -> Option<Command> {
        self.expire(now);
        let (due, address) = self.due.first().copied()?;
        if due > now || self.pace.ready_at() > now {
            return None;
        }
        self.due.remove(&(due, address));
        let every = self.interval();
        let probe = self.free();
        let path = self.paths.get_mut(&address)?;
        let is_large = path.is_large_next;
        let size = if is_large { path.series.size() } else { SMALL.min(path.series.size()) };
        if is_large {
            path.is_large_next = false;
            path.until_large = LARGE_EVERY;
        } else {
            path.until_large = path.until_large.saturating_sub(1);
            // One that was lost is tried again at once, until it is known why.
            path.is_large_next = path.until_large == 0 || path.series.is_to_be_tried_again();
        }
        // A machine that stood still does not catch up on what it has missed.
        let wait = if is_large || path.is_large_next { every / 2 } else { every };
        let next = (due + wait).max(now.saturating_sub(every) + wait);
        self.due.insert((next, address));
        path.series.sent(is_large);
        let index = path.index;
        self.waiting.insert(probe, Waiting { address, size, is_large, at: now });
        self.order.push_back((now, probe));
        self.last_probe = probe;
        self.pace.take(now);
        Some(Command { probe, path: index, address, flow: 0, kind: Kind::Echo, size })
    }

    fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let next = self.due.first().map(|(due, _)| (*due).max(self.pace.ready_at()));
        let lost = self.order.front().map(|(at, _)| *at + LOST_AFTER);
        let until = next.into_iter().chain(lost).min()?;
        Some(until.saturating_sub(now))
    }
}
