//! Frames to models: keeps the previous sample and model, what was made of a snapshot while it is the same one, and what was seen
//! earlier. Pure: the frames of a recording give the models that they gave when they were recorded.

use std::{sync::Arc, time::Duration};

use super::{
    Model, Setup,
    build::build,
    health::{self, Memory},
    nodes::nodes,
    observer::keep_timed,
    past::Past,
    sizes::Bins,
};
use crate::{
    facts::Snapshot,
    inventory::{Inventory, inventory},
    sample::{Frame, Sample},
};

/// See the module.
#[derive(Debug, Default)]
pub struct Timeline {
    before: Option<(Box<Sample>, Arc<Model>)>,
    known: Option<Joined>,
    since: Option<Duration>,
    bins: Bins,
    past: Past,
    memory: Memory,
}

/// What a snapshot came to.
#[derive(Debug)]
struct Joined {
    snapshot: Arc<Snapshot>,
    inventory: Arc<Inventory>,
    setup: Arc<Setup>,
}

impl Timeline {
    /// The model of the next frame. The first one has no rates.
    pub fn push(&mut self, frame: Frame) -> Arc<Model> {
        let Frame { snapshot, sample } = frame;
        let known = match self.known.take() {
            Some(known) if Arc::ptr_eq(&known.snapshot, &snapshot) => known,
            _ => {
                let inventory = Arc::new(inventory(&snapshot));
                let setup = Arc::new(Setup::new(&snapshot, &inventory));
                Joined { snapshot, inventory, setup }
            }
        };
        // What was counted while filters were gone has no rates.
        let earlier = self.before.as_ref().map(|(sample, _)| &**sample).filter(|_| !sample.is_interrupted);
        let mut model =
            build(&known.snapshot, &known.inventory, &known.setup, &sample, earlier, &mut self.bins);
        model.since = *self.since.get_or_insert(sample.time);
        if let Some((earlier, before)) = &self.before {
            keep_timed(&mut model.observer, &before.observer);
            self.past.carry(before, earlier, &mut model);
        }
        health::judge(&mut model, &known.snapshot.netlink, &mut self.memory);
        self.past.sum_up(&mut model);
        model.nodes = nodes(&model, &known.snapshot.network);
        self.known = Some(known);
        let model = Arc::new(model);
        self.before = Some((Box::new(sample), Arc::clone(&model)));
        model
    }
}

/// The model of one moment.
pub fn once(frame: Frame) -> Arc<Model> {
    Timeline::default().push(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::pods::PodFacts;
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
        assert_eq!(found.iter().map(|model| model.inventory.peers.len()).collect::<Vec<_>>(), [2, 2, 3]);
        assert_eq!(found[0].interval, None);
        assert_eq!(found[2].interval, Some(std::time::Duration::from_secs(1)));
        let copied = frames.iter().map(|frame| Frame {
            snapshot: Arc::new(Snapshot::clone(&frame.snapshot)),
            sample: frame.sample.clone(),
        });
        assert_eq!(models(copied.collect()), found);
    }
}
