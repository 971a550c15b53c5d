//! Which frame of a recording is shown, and when the next one is. Pure: time and keys come in from outside.

use std::time::Duration;

pub use super::moment::Moment;

/// Times as fast as it was.
const SPEEDS: [u32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Longest pause between two frames: nobody waits for what was not recorded.
const LONGEST: Duration = Duration::from_secs(5);

/// What somebody wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Play, or stand still.
    PlayOrPause,
    /// So many frames on, or back; and stand still.
    Step(isize),
    /// So many seconds on, or back.
    Skip(i64),
    /// To the last frame up to then.
    To(Moment),
    /// Twice as fast.
    Faster,
    /// Half as fast.
    Slower,
}

/// What is played, for the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playback {
    /// The frame, from 0.
    pub at: usize,
    /// How many there are.
    pub count: usize,
    /// It goes on by itself.
    pub is_playing: bool,
    /// Times as fast as it was.
    pub speed: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Player {
    times: Vec<Duration>,
    at: usize,
    is_playing: bool,
    speed: usize,
}

impl Player {
    /// Plays from a frame on; times are those of all frames, at least one.
    pub fn new(times: Vec<Duration>, at: usize) -> Self {
        let at = at.min(times.len().saturating_sub(1));
        Self { times, at, is_playing: true, speed: 0 }
    }

    /// What is played.
    pub fn playback(&self) -> Playback {
        let speed = SPEEDS.get(self.speed).copied().unwrap_or(1);
        Playback { at: self.at, count: self.times.len(), is_playing: self.is_playing, speed }
    }

    /// How long the frame is shown; none when it stays.
    pub fn wait(&self) -> Option<Duration> {
        let (now, next) = (self.times.get(self.at)?, self.times.get(self.at + 1)?);
        let wait = next.saturating_sub(*now).min(LONGEST);
        self.is_playing.then(|| wait / self.playback().speed)
    }

    /// Goes on to the next frame, because its time has come.
    pub fn next(&mut self) {
        self.go(self.at.saturating_add(1));
    }

    /// Does what is wanted; `now` is the wall clock.
    pub fn command(&mut self, wanted: Play, now: Duration) {
        match wanted {
            // At the end there is nothing to go on with: from the beginning, then.
            Play::PlayOrPause if self.is_at_end() => (self.at, self.is_playing) = (0, true),
            Play::PlayOrPause => self.is_playing = !self.is_playing,
            Play::Step(frames) => {
                self.is_playing = false;
                self.go(self.at.saturating_add_signed(frames));
            }
            Play::Skip(seconds) => self.skip(seconds),
            Play::To(moment) => {
                if let (Some(start), Some(end)) = (self.times.first(), self.times.last()) {
                    let time = moment.time(*start, *end, now);
                    self.go(find(self.times.iter().copied(), time));
                }
            }
            Play::Faster => self.speed = (self.speed + 1).min(SPEEDS.len() - 1),
            Play::Slower => self.speed = self.speed.saturating_sub(1),
        }
    }

    fn is_at_end(&self) -> bool {
        self.at + 1 >= self.times.len()
    }

    fn go(&mut self, to: usize) {
        self.at = to.min(self.times.len().saturating_sub(1));
        if self.is_at_end() {
            self.is_playing = false;
        }
    }

    /// One frame at least, also over a gap.
    fn skip(&mut self, seconds: i64) {
        let now = self.times.get(self.at).copied().unwrap_or_default();
        let by = Duration::from_secs(seconds.unsigned_abs());
        let to = if seconds < 0 {
            find(self.times.iter().copied(), now.saturating_sub(by)).min(self.at.saturating_sub(1))
        } else {
            find(self.times.iter().copied(), now.saturating_add(by)).max(self.at.saturating_add(1))
        };
        self.go(to);
    }
}

/// The last frame that is not later than a time; the first where all are. The clock may have been set back meanwhile.
pub fn find(times: impl ExactSizeIterator<Item = Duration> + DoubleEndedIterator, time: Duration) -> usize {
    times.enumerate().rev().find(|(_, at)| *at <= time).map_or(0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_secs).collect()
    }

    #[test]
    fn it_plays_to_the_end_and_again() {
        let mut player = Player::new(seconds(&[10, 11, 13, 100]), 0);
        let mut waits = Vec::new();
        while let Some(wait) = player.wait() {
            waits.push(wait.as_secs());
            player.next();
        }
        assert_eq!(waits, [1, 2, 5]);
        assert_eq!(player.playback(), Playback { at: 3, count: 4, is_playing: false, speed: 1 });
        player.command(Play::PlayOrPause, Duration::ZERO);
        assert_eq!((player.playback().at, player.playback().is_playing), (0, true));
    }

    #[test]
    fn keys_move_it() {
        let mut player = Player::new((0..100).map(Duration::from_secs).collect(), 50);
        let mut after = |command| {
            player.command(command, Duration::from_secs(200));
            (player.playback().at, player.playback().is_playing)
        };
        assert_eq!(after(Play::Skip(10)), (60, true));
        assert_eq!(after(Play::Skip(-30)), (30, true));
        assert_eq!(after(Play::Step(1)), (31, false));
        assert_eq!(after(Play::Step(-2)), (29, false));
        assert_eq!(after(Play::Skip(-60)), (0, false));
        assert_eq!(after(Play::Step(-1)), (0, false));
        assert_eq!(after(Play::PlayOrPause), (0, true));
        assert_eq!(after(Play::To(Moment::AfterStart(Duration::from_secs(40)))), (40, true));
        assert_eq!(after(Play::To(Moment::Ago(Duration::from_secs(170)))), (30, true));
        assert_eq!(after(Play::Skip(600)), (99, false));
        let mut player = Player::new(seconds(&[0, 4]), 0);
        for _ in 0..20 {
            player.command(Play::Faster, Duration::ZERO);
        }
        assert_eq!(player.playback().speed, 128);
        player.command(Play::Slower, Duration::ZERO);
        assert_eq!(player.wait(), Some(Duration::from_secs(4) / 64));
    }

    #[test]
    fn a_time_is_found_by_the_last_frame_before_it() {
        let times = seconds(&[10, 20, 15, 30]);
        let at = |time| find(times.iter().copied(), Duration::from_secs(time));
        assert_eq!([5, 10, 16, 25, 99].map(at), [0, 0, 2, 2, 3]);
        // Over a gap.
        let mut player = Player::new(seconds(&[0, 1000, 2000]), 1);
        player.command(Play::Skip(60), Duration::ZERO);
        assert_eq!(player.playback().at, 2);
        player.command(Play::Skip(-60), Duration::ZERO);
        assert_eq!(player.playback().at, 1);
    }
}
