//! Counting for a window: the programs of a run, attached while somebody looks at the node twice.

use std::{collections::BTreeSet, sync::Arc};

use super::{filters, note::Note};
use crate::{
    ebpf::{DropWatch, EbpfError, Probe, ProbeOptions},
    facts::Snapshot,
    inventory::Joined,
    leftovers::RunDirectory,
    observed::Observed,
    sample::{Drops, Sample},
};

/// How to count.
#[derive(Clone, Debug)]
pub struct CountingOptions {
    /// How to load and attach.
    pub probe: ProbeOptions,
    /// Where clsact filters are noted.
    pub notes: RunDirectory,
}

/// See the module. Whatever comes of it is in the sample; what is attached is taken off by [`Self::stop`].
pub struct Counting {
    /// What is to be done; why it is not.
    wanted: Observed<CountingOptions>,
    running: Option<Box<Running>>,
    drops: Observed<Box<DropWatch>>,
}

struct Running {
    // Attachments go before their note.
    probe: Probe,
    note: Note,
}

impl Counting {
    /// Nobody asks for it.
    pub fn none() -> Self {
        Self::new(Observed::Absent)
    }

    /// Counts, or says why it cannot; absent, nobody asks for it.
    pub fn new(wanted: Observed<CountingOptions>) -> Self {
        Self { wanted, running: None, drops: Observed::Absent }
    }

    /// True when programs are to be attached.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.value().is_some()
    }

    /// Attaches to what the snapshot has. What the kernel refuses is said with the sample. Waits for nothing, so that who is asked
    /// to stop finds all of it or nothing.
    pub(super) fn start(&mut self, snapshot: &Arc<Snapshot>) {
        let Some(options) = self.wanted.value().cloned() else { return };
        let joined = Joined::new(Arc::clone(snapshot));
        // Without a tunnel nothing is left out.
        if joined.inventory().tunnels.is_empty() {
            return;
        }
        // What is attached all the same is taken off in the end.
        if let Err(error) = self.attach(options, &joined) {
            self.wanted = failed(&error);
            return;
        }
        self.drops = DropWatch::start(joined.inventory()).map(Box::new);
    }

    fn attach(&mut self, options: CountingOptions, joined: &Joined) -> Result<(), EbpfError> {
        let probe = Probe::load(options.probe)?;
        let note = Note::before(options.notes, &probe);
        let Running { probe, note } = &mut **self.running.insert(Box::new(Running { probe, note }));
        let errors = probe.follow(joined.inventory())?;
        note.update(probe);
        // Better no picture than half a one; an interface may go away at any moment.
        errors.into_iter().find(|error| !error.interface_is_gone()).map_or(Ok(()), Err)
    }

    /// The sample with what is counted until now, but for what is dropped: that is of all the time since it began.
    pub(super) fn read(&mut self, sample: Sample) -> Sample {
        let (Observed::Value(_), Some(running)) = (&self.wanted, &mut self.running) else {
            return Sample { counted: self.wanted.as_ref().map(|_| ()), ..sample };
        };
        match running.probe.read() {
            Ok(read) => Sample {
                tunnels: read.tunnels,
                peers: read.peers,
                other_peers: read.other_peers,
                gone_peers: read.gone_peers,
                pods: read.pods,
                other_pods: read.other_pods,
                pod_syns: read.pod_syns,
                other_syns: read.other_syns,
                gone_pods: read.gone_pods,
                direct: read.direct,
                pmtu_events: read.pmtu_events,
                observer: read.observer,
                counted: Observed::Value(()),
                ..sample
            },
            Err(error) => Sample { counted: failed(&error), ..sample },
        }
    }

    /// The same at the end: what was counted counts only if the programs were there all the time.
    pub(super) async fn read_last(&mut self, sample: Sample) -> Sample {
        let sample = Sample { drops: self.dropped(), ..self.read(sample) };
        match self.lost().await {
            None => sample,
            Some(why) => Sample { counted: Observed::Failed { error: why }, ..sample },
        }
    }

    fn dropped(&mut self) -> Observed<Box<Drops>> {
        let watch = std::mem::take(&mut self.drops);
        watch.and_then(|mut watch| {
            watch.read().map_or_else(|error| failed(&error), |drops| Observed::Value(Box::new(drops)))
        })
    }

    /// Why programs may not have been there.
    async fn lost(&self) -> Option<String> {
        let Running { probe, .. } = &**self.running.as_ref()?;
        let mut lost: BTreeSet<u32> = probe.detached();
        match filters::lost(&probe.places()).await {
            Ok(gone) => lost.extend(gone),
            Err(error) => {
                return Some(format!(
                    "whether the filters of this run were there all the time is unknown: {error}"
                ));
            }
        }
        (!lost.is_empty()).then(|| "another program removed this run's programs meanwhile".to_owned())
    }

    /// Takes everything off; what watches drops is off already. Dropping it does the same, but for a clsact qdisc of our own.
    pub async fn stop(self) {
        if let Some(running) = self.running {
            let Running { probe, note } = *running;
            drop(probe);
            note.finish().await;
        }
    }
}

fn failed<T>(error: &EbpfError) -> Observed<T> {
    Observed::Failed { error: error.to_string() }
}
