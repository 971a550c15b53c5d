//! Looking back in a live run: keeps its last frames, and makes the models of an earlier moment of them, one frame at a time, so that
//! neither samples nor keys wait.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    model::{Model, Timeline},
    record::{
        Memory,
        player::{Play, find},
    },
    sample::Frame,
    tui::Back,
};

/// Frames that are read before the one that is looked at: for graphs, and for what is found only by what was before.
const BEFORE: usize = 120;

/// See the module.
pub(super) struct LookBack {
    memory: Memory,
    /// The frame that is looked at; none while nobody looks back.
    at: Option<usize>,
    timeline: Timeline,
    /// The frame that the timeline got last.
    last: Option<usize>,
    /// The first frame that is read for the one that is looked at.
    from: usize,
    /// When the run began.
    since: Option<Duration>,
    models: watch::Sender<Option<Arc<Model>>>,
}

impl LookBack {
    /// And where the models come.
    pub(super) fn new() -> (Self, watch::Receiver<Option<Arc<Model>>>) {
        let (models, shown) = watch::channel(None);
        let (memory, timeline) = (Memory::default(), Timeline::default());
        (Self { memory, at: None, timeline, last: None, from: 0, since: None, models }, shown)
    }

    /// Keeps a frame.
    pub(super) fn keep(&mut self, frame: &Frame) {
        self.since.get_or_insert(frame.sample.time);
        if let Err(error) = self.memory.push(frame) {
            tracing::debug!("a frame cannot be looked back to: {error}");
        }
    }

    /// Goes back, or on, and back to now, by the wall clock.
    pub(super) fn go(&mut self, play: Play, now: Duration) {
        let times: Vec<(usize, Duration)> = self.memory.times().collect();
        match target(&times, self.at, play, now) {
            Target::Stay => {}
            Target::Now => self.end(),
            Target::Frame(number) => {
                let goes_on = self.last.is_some_and(|last| last <= number && number - last <= BEFORE);
                if !goes_on {
                    self.timeline = self.since.map_or_else(Timeline::default, Timeline::since);
                    self.last = None;
                }
                let start = self.memory.full_before(number.saturating_sub(BEFORE));
                self.from = self.last.map_or(start, |last| last + 1);
                self.at = Some(number);
            }
        }
    }

    /// Nobody looks back any more.
    pub(super) fn end(&mut self) {
        (self.at, self.last, self.timeline) = (None, None, Timeline::default());
        self.memory.rest();
        self.models.send_replace(None);
    }

    /// There are frames to be read until the one that is looked at.
    pub(super) fn is_reading(&self) -> bool {
        self.at.is_some_and(|at| self.last.is_none_or(|last| last < at))
    }

    /// Reads one more.
    pub(super) fn read(&mut self) {
        let Some(at) = self.at else { return };
        let next = self.last.map_or(self.from, |last| last + 1).min(at);
        let Some(frame) = self.memory.frame(next) else {
            // Time passed: it is forgotten, and so is all before it.
            return self.end();
        };
        self.last = Some(next);
        self.models.send_replace(Some(self.timeline.push(frame)));
    }

    /// Where it is, and how many frames were read of how many.
    pub(super) fn feed(&self) -> (Option<Back>, Option<(usize, usize)>) {
        let Some(at) = self.at else { return (None, None) };
        let (mut times, mut others) = (self.memory.times(), self.memory.times());
        let time = self.memory.times().find(|(number, _)| *number == at);
        let (Some((_, oldest)), Some((_, newest))) = (times.next(), others.next_back()) else {
            return (None, None);
        };
        let back = Back { at: time.map_or(oldest, |(_, time)| time), oldest, newest };
        let done = self.last.map_or(0, |last| (last + 1).saturating_sub(self.from));
        let reading = self.is_reading().then_some((done, at + 1 - self.from.min(at)));
        (Some(back), reading)
    }
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Stay,
    Now,
    Frame(usize),
}

/// Where a key leads from a frame, or from now. Frames have numbers and times.
fn target(times: &[(usize, Duration)], at: Option<usize>, play: Play, now: Duration) -> Target {
    let Some(newest) = times.len().checked_sub(1) else { return Target::Stay };
    // One that is forgotten was before all that are kept.
    let from = at.map_or(newest, |at| times.iter().position(|(number, _)| *number == at).unwrap_or(0));
    let to = match play {
        Play::Step(frames) => from.saturating_add_signed(frames),
        Play::Skip(seconds) => {
            let by = Duration::from_secs(seconds.unsigned_abs());
            let (now, walls) = (times[from].1, times.iter().map(|(_, time)| *time));
            if seconds < 0 {
                find(walls, now.saturating_sub(by)).min(from.saturating_sub(1))
            } else {
                find(walls, now.saturating_add(by)).max(from + 1)
            }
        }
        Play::To(moment) => {
            let time = moment.time(times[0].1, times[newest].1, now);
            let to = find(times.iter().map(|(_, time)| *time), time);
            return if to < newest { Target::Frame(times[to].0) } else { Target::Now };
        }
        Play::PlayOrPause => return if at.is_some() { Target::Now } else { Target::Stay },
        Play::Faster | Play::Slower => return Target::Stay,
    };
    match (to >= newest, at) {
        (true, Some(_)) if to > from => Target::Now,
        (true, None) => Target::Stay,
        (true | false, _) => Target::Frame(times[to.min(newest)].0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Moment;

    #[test]
    fn keys_lead_back_and_to_now_again() {
        let times: Vec<(usize, Duration)> =
            (0..200).map(|second| (second + 50, Duration::from_secs(second as u64))).collect();
        let now = Duration::from_secs(199);
        let at = |from, play| target(&times, from, play, now);
        assert_eq!(at(None, Play::Skip(-60)), Target::Frame(189));
        assert_eq!(at(None, Play::Step(-1)), Target::Frame(248));
        assert_eq!(at(None, Play::Skip(60)), Target::Stay);
        assert_eq!(at(None, Play::Step(1)), Target::Stay);
        assert_eq!(at(Some(189), Play::Skip(-60)), Target::Frame(129));
        assert_eq!(at(Some(189), Play::Skip(-600)), Target::Frame(50));
        assert_eq!(at(Some(50), Play::Step(-1)), Target::Frame(50));
        assert_eq!(at(Some(189), Play::Step(1)), Target::Frame(190));
        assert_eq!(at(Some(189), Play::Skip(60)), Target::Now);
        assert_eq!(at(Some(248), Play::Step(1)), Target::Now);
        assert_eq!(at(Some(60), Play::PlayOrPause), Target::Now);
        assert_eq!(at(Some(3), Play::Step(1)), Target::Frame(51), "it was forgotten meanwhile");
        assert_eq!(at(None, Play::To(Moment::parse("-9").unwrap())), Target::Frame(240));
        assert_eq!(at(Some(60), Play::To(Moment::parse("0s ago").unwrap())), Target::Now);
        assert_eq!(target(&[], None, Play::Step(-1), now), Target::Stay);
    }

    #[test]
    fn what_is_looked_at_is_what_was_shown() {
        let (mut back, shown) = LookBack::new();
        let frame = |second: u64| {
            let time = Duration::from_secs(second);
            let sample = crate::sample::Sample { time, monotonic: time, ..crate::sample::Sample::default() };
            Frame { snapshot: Arc::default(), sample }
        };
        for second in 0..300 {
            back.keep(&frame(second));
        }
        let time = || shown.borrow().as_ref().map(|model| model.time.as_secs());
        let now = Duration::from_secs(299);
        back.go(Play::Skip(-60), now);
        let mut read = 0;
        while back.is_reading() {
            back.read();
            read += 1;
        }
        assert_eq!(time(), Some(239));
        assert!((BEFORE..BEFORE + 61).contains(&read), "{read}");
        assert_eq!(back.feed().0.map(|back| (back.at.as_secs(), back.newest.as_secs())), Some((239, 299)));
        back.go(Play::Step(1), now);
        back.read();
        assert_eq!((time(), back.is_reading()), (Some(240), false));
        back.go(Play::PlayOrPause, now);
        assert_eq!((time(), back.feed()), (None, (None, None)));
    }
}
