//! Frames to models: keeps the previous sample, and what was made of a snapshot while it is the same one. Pure: the frames of
//! a recording give the models that they gave when they were recorded.

use std::sync::Arc;

use super::{Model, Setup, build::build};
use crate::{
    facts::Snapshot,
    inventory::{Inventory, inventory},
    sample::{Frame, Sample},
};

/// See the module.
#[derive(Debug, Default)]
pub struct Timeline {
    before: Option<Box<Sample>>,
    known: Option<Known>,
}

/// What a snapshot came to.
#[derive(Debug)]
struct Known {
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
                Known { snapshot, inventory, setup }
            }
        };
        let before = self.before.as_deref().filter(|_| !sample.is_interrupted);
        let model = build(&known.inventory, &known.setup, &sample, before);
        self.known = Some(known);
        self.before = Some(Box::new(sample));
        Arc::new(model)
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
