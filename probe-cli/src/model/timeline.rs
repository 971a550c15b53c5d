//! Frames to models: keeps the previous sample and model, what was made of a snapshot while it is the same one, and what was seen
//! earlier. Pure: the frames of a recording give the models that they gave when they were recorded.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use super::{
    Model, Setup,
    build::build,
    health::{self, Memory},
    hooks,
    nodes::join_nodes,
    observer,
    past::Past,
    peer_probes,
    sizes::Bins,
};
use crate::{
    inventory::Joined,
    sample::{Frame, Sample},
};

/// See the module.
#[derive(Debug, Default)]
pub struct Timeline {
    before: Option<Box<Sample>>,
    /// The model of that sample; none where the sample alone is known.
    last: Option<Arc<Model>>,
    known: Option<Known>,
    since: Option<Duration>,
    bins: Bins,
    past: Past,
    memory: Memory,
}

/// What a snapshot came to.
#[derive(Debug)]
struct Known {
    joined: Joined,
    setup: Arc<Setup>,
    node_addresses: Option<Arc<BTreeMap<IpAddr, IpAddr>>>,
}

impl Timeline {
    /// One of a run that began then, of which not all frames are pushed.
    pub fn since(began: Duration) -> Self {
        Self { since: Some(began), ..Self::default() }
    }

    /// The model of the next frame. The first one has no rates.
    pub fn push(&mut self, frame: Frame) -> Arc<Model> {
        self.next(frame, None)
    }

    /// The same for who has joined the frame's snapshot already: that is not done again. What is of another snapshot is not used.
    pub fn push_joined(&mut self, frame: Frame, joined: &Joined) -> Arc<Model> {
        self.next(frame, Some(joined))
    }

    fn next(&mut self, frame: Frame, joined: Option<&Joined>) -> Arc<Model> {
        let Frame { snapshot, sample } = frame;
        let mut known =
            self.known.take().filter(|known| known.joined.is_of(&snapshot)).unwrap_or_else(|| {
                let joined = joined.filter(|joined| joined.is_of(&snapshot)).cloned();
                let joined = joined.unwrap_or_else(|| Joined::new(snapshot));
                let setup = Arc::new(Setup::new(joined.snapshot(), joined.inventory()));
                Known { joined, setup, node_addresses: None }
            });
        let (snapshot, inventory) = (known.joined.snapshot(), known.joined.inventory());
        // What was counted while filters were gone has no rates.
        let earlier = self.before.as_deref().filter(|_| !sample.is_interrupted);
        let mut model = build(snapshot, inventory, &known.setup, &sample, earlier, &mut self.bins);
        model.since = *self.since.get_or_insert(sample.time);
        if let Some((earlier, last)) = self.before.as_deref().zip(self.last.as_ref()) {
            observer::keep_timed(&mut model.observer, &last.observer);
            hooks::keep_timed(&mut model.hooks, &last.hooks);
            self.past.carry(last, earlier, &mut model);
        }
        health::judge(&mut model, &snapshot.netlink, &mut self.memory);
        peer_probes::join(&mut model, &sample);
        self.past.sum_up(&mut model);
        join_nodes(&mut model, &snapshot.network, &mut known.node_addresses);
        self.known = Some(known);
        let model = Arc::new(model);
        self.before = Some(Box::new(sample));
        self.last = Some(Arc::clone(&model));
        model
    }
}

/// The model at the end of a window that began with a sample. What there was then is not looked at.
pub fn over(before: Sample, frame: Frame) -> Arc<Model> {
    let since = Some(before.time);
    Timeline { before: Some(Box::new(before)), since, ..Timeline::default() }.push(frame)
}

/// The model of one moment.
pub fn once(frame: Frame) -> Arc<Model> {
    Timeline::default().push(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Snapshot, pods::PodFacts};
    use crate::inventory::testdata::{flannel4, node, snapshot};

    #[test]
    fn a_snapshot_is_joined_once_and_the_same_frames_give_the_same_models() {
        let of = |peers| Arc::new(snapshot(&flannel4(node(), peers), &PodFacts::default(), &[]));
        let (two, three) = (of(2), of(3));
        let frames: Vec<Frame> = [(&two, 1), (&two, 2), (&three, 3)]
            .into_iter()
            .map(|(snapshot, second)| {
                let monotonic = std::time::Duration::from_secs(second);
                Frame { snapshot: Arc::clone(snapshot), sample: Sample { monotonic, ..Sample::default() } }
            })
            .collect();
        let models = |frames: Vec<Frame>| {
            let mut timeline = Timeline::default();
            frames.into_iter().map(|frame| timeline.push(frame)).collect::<Vec<_>>()
        };
        let found = models(frames.clone());
        assert!(Arc::ptr_eq(&found[0].inventory, &found[1].inventory));
        assert!(Arc::ptr_eq(&found[0].node_addresses, &found[1].node_addresses));
        assert!(!Arc::ptr_eq(&found[1].node_addresses, &found[2].node_addresses));
        assert_eq!(found.iter().map(|model| model.inventory.peers.len()).collect::<Vec<_>>(), [2, 2, 3]);
        assert_eq!(found[0].interval, None);
        assert_eq!(found[2].interval, Some(std::time::Duration::from_secs(1)));
        let copied = frames.iter().map(|frame| Frame {
            snapshot: Arc::new(Snapshot::clone(&frame.snapshot)),
            sample: frame.sample.clone(),
        });
        assert_eq!(models(copied.collect()), found);

        // Joined elsewhere: taken for the same snapshot, and for no other.
        let joined = Joined::new(Arc::clone(&two));
        let mut timeline = Timeline::default();
        let live: Vec<_> = frames.into_iter().map(|frame| timeline.push_joined(frame, &joined)).collect();
        assert_eq!(live, found);
        let is_taken: Vec<_> =
            live.iter().map(|model| Arc::ptr_eq(&model.inventory, joined.inventory())).collect();
        assert_eq!(is_taken, [true, true, false]);
    }

    #[test]
    fn a_window_has_rates_without_a_model_of_its_beginning() {
        let two = Arc::new(snapshot(&flannel4(node(), 2), &PodFacts::default(), &[]));
        let frame = |second| {
            let time = std::time::Duration::from_secs(second);
            let sample = Sample { time, monotonic: time, ..Sample::default() };
            Frame { snapshot: Arc::clone(&two), sample }
        };
        let mut timeline = Timeline::default();
        timeline.push(frame(7));
        let expected = timeline.push(frame(9));
        let found = over(frame(7).sample, frame(9));
        assert_eq!(found.window.as_ref().map(|window| window.length.as_secs()), Some(2));
        assert_eq!(found, expected);
    }
}
