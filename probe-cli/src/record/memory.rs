//! The last minutes of a run, kept in memory to look back at: frames as bytes, as in a recording. Pure. Bounded in time, in bytes and
//! in what keeping them costs.

use std::{collections::VecDeque, fmt, time::Duration};

use super::{
    delta::{Decoder, EncodeError, Encoder},
    pack::{pack, unpack},
};
use crate::sample::{Frame, Sample};

/// How far back it goes.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// Bytes at most; then it goes less far back. A node with 1,000 peers and 250 pods needs half of it.
const MOST_BYTES: usize = 16 << 20;
/// Bytes that a frame may take when it is unpacked; no more than was packed.
const LONGEST: usize = 96 << 20;
/// Every so many frames one is kept in full: so many are read at most to see one.
const FULL_EVERY: usize = 60;
/// Rows of a sample for which a second passes until the next one is kept: keeping a row costs about ten microseconds, and no more
/// than half a percent of a core is spent.
const ROWS_A_SECOND: usize = 500;
/// Samples are not taken to the millisecond.
const SLACK: Duration = Duration::from_millis(100);

/// See the module.
pub struct Memory {
    most_bytes: usize,
    /// Frames, the first of each group in full.
    groups: VecDeque<Vec<Kept>>,
    /// Frames that are not kept any more: those that are have the numbers from here on.
    forgotten: usize,
    bytes: usize,
    encoder: Encoder,
    is_broken: bool,
    decoder: Decoder,
    /// The frame that the decoder has read last.
    last: Option<usize>,
}

struct Kept {
    /// Wall clock, since the Unix epoch.
    time: Duration,
    monotonic: Duration,
    packed: Vec<u8>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            most_bytes: MOST_BYTES,
            groups: VecDeque::new(),
            forgotten: 0,
            bytes: 0,
            encoder: Encoder::default(),
            is_broken: false,
            decoder: Decoder::default(),
            last: None,
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} frames, {} bytes)", self.count(), self.bytes)
    }
}

impl Memory {
    /// Keeps a frame, if its time has come.
    pub fn push(&mut self, frame: &Frame) -> Result<(), EncodeError> {
        let sample = &frame.sample;
        let newest = self.groups.back().and_then(|group| group.last());
        if newest.is_some_and(|newest| sample.monotonic < newest.monotonic + apart(sample)) {
            return Ok(());
        }
        let in_full = self.is_broken || self.groups.back().is_none_or(|group| group.len() >= FULL_EVERY);
        // After an error the next one cannot say what differs from this one.
        self.is_broken = true;
        let mut packed = pack(&self.encoder.encode(frame, in_full)?);
        self.is_broken = false;
        packed.shrink_to_fit();
        self.bytes += packed.len();
        let kept = Kept { time: sample.time, monotonic: sample.monotonic, packed };
        match self.groups.back_mut().filter(|_| !in_full) {
            Some(group) => group.push(kept),
            None => self.groups.push_back(vec![kept]),
        }
        self.forget_old(sample.monotonic);
        Ok(())
    }

    fn forget_old(&mut self, now: Duration) {
        // As long as what is left still goes as far back as it should, or there is too much.
        while let Some(second) = self.groups.get(1) {
            let is_enough = second.first().is_none_or(|first| first.monotonic + KEPT <= now);
            if !is_enough && self.bytes <= self.most_bytes {
                return;
            }
            let group = self.groups.pop_front().unwrap_or_default();
            self.forgotten += group.len();
            self.bytes -= group.iter().map(|kept| kept.packed.len()).sum::<usize>();
        }
    }

    /// Frames that are kept.
    pub fn count(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    /// The frames' numbers and wall clocks, the oldest first.
    pub fn times(&self) -> impl DoubleEndedIterator<Item = (usize, Duration)> {
        let times = self.groups.iter().flatten().map(|kept| kept.time);
        let numbers = self.forgotten..self.forgotten + self.count();
        numbers.zip(times.collect::<Vec<_>>())
    }

    /// The last frame in full up to this one; the oldest where that one is forgotten.
    pub fn full_before(&self, number: usize) -> usize {
        let mut start = self.forgotten;
        for group in &self.groups {
            if number < start + group.len() {
                return start;
            }
            start += group.len();
        }
        self.forgotten
    }

    /// A frame; none when it is forgotten.
    pub fn frame(&mut self, number: usize) -> Option<Frame> {
        let full = self.full_before(number);
        let from = match self.last {
            Some(last) if (full..number).contains(&last) => last + 1,
            _ => full,
        };
        (from..=number).map(|number| self.read(number)).last().flatten()
    }

    fn read(&mut self, number: usize) -> Option<Frame> {
        let full = self.full_before(number);
        let packed = &self.groups.iter().flatten().nth(number.checked_sub(self.forgotten)?)?.packed;
        self.last = None;
        let frame = self.decoder.decode(&unpack(packed, LONGEST)?, number == full).ok()?;
        self.last = Some(number);
        Some(frame)
    }

    /// Lets go of what reading needed.
    pub fn rest(&mut self) {
        (self.decoder, self.last) = (Decoder::default(), None);
    }
}

/// How long after this sample the next one is kept.
fn apart(sample: &Sample) -> Duration {
    let rows = sample.peers.len()
        + sample.pods.len()
        + sample.wireguard.len()
        + sample.vfs.len()
        + sample.pod_interfaces.len();
    let seconds = u32::try_from(rows / ROWS_A_SECOND).unwrap_or(u32::MAX);
    Duration::from_secs(u64::from(seconds)).saturating_sub(SLACK)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::{PodKey, Snapshot};

    fn frame(snapshot: &Arc<Snapshot>, second: u64) -> Frame {
        let time = Duration::from_secs(second);
        let sample =
            Sample { time: time + Duration::from_secs(1_000_000), monotonic: time, ..Sample::default() };
        Frame { snapshot: Arc::clone(snapshot), sample }
    }

    #[test]
    fn the_last_quarter_of_an_hour_is_kept_and_any_frame_of_it_read() {
        let mut memory = Memory::default();
        let snapshots: Vec<Arc<Snapshot>> = (0..40)
            .map(|seconds| {
                Arc::new(Snapshot { taken_at: Duration::from_secs(seconds), ..Snapshot::default() })
            })
            .collect();
        let frame = |second: u64| {
            let number = usize::try_from(second / 100).unwrap();
            frame(&snapshots[number], second)
        };
        for number in 0..600 {
            memory.push(&frame(number * 5)).unwrap();
        }
        let times: Vec<(usize, Duration)> = memory.times().collect();
        assert_eq!(times.len(), memory.count());
        let (first, last) = (times[0], times[times.len() - 1]);
        assert_eq!(last.0, 599);
        let kept = last.1.saturating_sub(first.1);
        assert!(kept >= KEPT && kept < KEPT + Duration::from_secs(10 * FULL_EVERY as u64), "{kept:?}");
        // On, back, and what was read last once more.
        for number in [first.0, first.0 + 1, 500, 501, 560, 421, 599, 599] {
            let expected = frame(5 * u64::try_from(number).unwrap());
            assert_eq!(memory.frame(number), Some(expected), "{number}");
        }
        memory.rest();
        assert_eq!(memory.frame(590), Some(frame(2950)));
        assert_eq!((memory.frame(0), memory.frame(600)), (None, None));
    }

    #[test]
    fn of_a_node_with_many_rows_fewer_frames_are_kept() {
        let snapshot = Arc::default();
        let count = |pods: u32| {
            let mut memory = Memory::default();
            for second in 0..100 {
                let mut frame = frame(&snapshot, second);
                for pod in 0..pods {
                    let key = PodKey { namespace: String::new(), name: pod.to_string(), host_ifindex: pod };
                    frame.sample.pods.insert(key, crate::sample::PerDirection::default());
                }
                memory.push(&frame).unwrap();
            }
            memory.count()
        };
        assert_eq!([300, 1500].map(count), [100, 34]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory { most_bytes: 40_000, ..Memory::default() };
        let snapshot = Arc::default();
        let mut random = 1_u64;
        for second in 0..300 {
            let mut frame = frame(&snapshot, second);
            // Nothing compresses that.
            let noise = std::iter::repeat_with(|| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{random:x}")
            });
            frame.sample.problems = noise.take(30).collect();
            memory.push(&frame).unwrap();
        }
        assert!(memory.bytes <= 40_000 && memory.bytes > 10_000, "{memory:?}");
        assert!(memory.count() < 300 && memory.frame(299).is_some(), "{memory:?}");
    }
}
