//! What a sample says once, of what happened since the sample before it: whoever shows not every sample takes it over into the next
//! one that is shown. Counters are not here: they only grow, so that any later sample has them.

use super::{Explained, PmtuEvent, Sample};

/// Messages about packets too big that are kept for one who is late.
const MOST_EVENTS: usize = 1000;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToldOnce {
    pmtu_events: Vec<PmtuEvent>,
    explained: Option<Box<Explained>>,
    /// Where packets were not counted for a while, in words; none where all were.
    interruption: Option<Vec<String>>,
}

impl Sample {
    /// What this one says once.
    pub fn told_once(&self) -> ToldOnce {
        ToldOnce {
            pmtu_events: self.pmtu_events.clone(),
            explained: self.explained.clone(),
            interruption: self.is_interrupted.then(|| self.problems.clone()),
        }
    }

    /// Says it with this one, of which it is an earlier part. Of many messages about packets too big the earliest are kept.
    pub fn tell(&mut self, earlier: ToldOnce) {
        let ToldOnce { mut pmtu_events, explained, interruption } = earlier;
        pmtu_events.append(&mut self.pmtu_events);
        pmtu_events.truncate(MOST_EVENTS);
        self.pmtu_events = pmtu_events;
        self.explained = match (explained, self.explained.take()) {
            (Some(earlier), Some(now)) => Some(Box::new(join(*earlier, *now))),
            // Explaining has ended, or begins.
            (earlier, now) => now.or(earlier),
        };
        if let Some(words) = interruption {
            self.is_interrupted = true;
            let new: Vec<String> = words.into_iter().filter(|words| !self.problems.contains(words)).collect();
            self.problems.extend(new);
        }
    }
}

/// Packets of both; what is counted since somebody asked is as the later one has it.
fn join(earlier: Explained, now: Explained) -> Explained {
    let mut packets = earlier.packets;
    packets.extend(now.packets);
    Explained { packets, problem: now.problem.or(earlier.problem), ..now }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::explained::testdata;

    fn event(at: u64) -> PmtuEvent {
        PmtuEvent {
            tunnel: 7,
            at: Duration::from_secs(at),
            reporter: "192.0.2.254".parse().unwrap(),
            destination: "192.0.2.2".parse().unwrap(),
            mtu: Some(1400),
            quoted_bytes: 1450,
        }
    }

    #[test]
    fn events_of_both_are_told_the_earliest_first() {
        let earlier = Sample { pmtu_events: vec![event(1), event(2)], ..Sample::default() };
        let mut now = Sample { pmtu_events: vec![event(3)], ..Sample::default() };
        now.tell(earlier.told_once());
        assert_eq!(now.pmtu_events, [event(1), event(2), event(3)]);
        let many = Sample { pmtu_events: vec![event(4); MOST_EVENTS - 1], ..Sample::default() };
        now.tell(many.told_once());
        assert_eq!((now.pmtu_events.len(), now.pmtu_events.last()), (MOST_EVENTS, Some(&event(1))));
    }

    #[test]
    fn packets_of_both_are_explained() {
        let of = |left, problem: Option<&str>| {
            let problem = problem.map(str::to_owned);
            let explained = Explained { left, problem, ..testdata::explained() };
            Sample { explained: Some(Box::new(explained)), ..Sample::default() }
        };
        let told = |mut now: Sample, earlier: &Sample| {
            now.tell(earlier.told_once());
            now.explained.map(|found| (found.packets.len(), found.left, found.problem))
        };
        let one = testdata::explained().packets.len();
        assert!(one > 0);
        assert_eq!(told(of(3, None), &of(9, None)), Some((2 * one, 3, None)));
        assert_eq!(told(of(3, None), &of(9, Some("no"))), Some((2 * one, 3, Some("no".to_owned()))));
        assert_eq!(told(Sample::default(), &of(0, None)), Some((one, 0, None)));
        assert_eq!(told(of(3, None), &Sample::default()), Some((one, 3, None)));
        assert_eq!(told(Sample::default(), &Sample::default()), None);
    }

    #[test]
    fn an_interruption_is_told_once_with_its_words() {
        let with = |is_interrupted, problems: &[&str]| Sample {
            is_interrupted,
            problems: problems.iter().map(|&words| words.to_owned()).collect(),
            ..Sample::default()
        };
        let told = |earlier: &Sample, mut now: Sample| {
            now.tell(earlier.told_once());
            (now.is_interrupted, now.problems)
        };
        let (lasting, removed) = ("cannot attach", "removed");
        assert_eq!(
            told(&with(true, &[lasting, removed]), with(false, &[lasting])),
            (true, vec![lasting.to_owned(), removed.to_owned()])
        );
        // What lasted until then is over.
        assert_eq!(told(&with(false, &[lasting]), with(false, &[])), (false, Vec::new()));
    }
}
