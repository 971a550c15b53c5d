//! The note that a run keeps of its clsact filters, in step with what its probe has attached: for the run after a killed one. With
//! TCX there is none, since nothing is left.

use std::{io, path::Path};

use crate::{
    ebpf::{AttachMode, Probe},
    leftovers::{self, Placed, RunDirectory, RunRecord},
    netns,
};

/// See the module.
pub(super) struct Note {
    record: Option<RunRecord>,
    directory: RunDirectory,
}

impl Note {
    /// Makes it before the first filter is on. It cannot name them yet, since the kernel chooses their handles, but
    /// `overlay-probe cleanup` then knows of this run. None is made where none can be kept.
    pub(super) fn before(directory: RunDirectory, probe: &Probe) -> Self {
        let record = match probe.mode() {
            AttachMode::Tcx => None,
            AttachMode::Clsact => netns::current_identity()
                .and_then(|here| RunRecord::create(&directory, here))
                .inspect_err(unnoted)
                .ok(),
        };
        Self { record, directory }
    }

    /// Filters are about to be put on.
    pub(super) fn attaching(&mut self) {
        if let Some(record) = &mut self.record
            && let Err(error) = record.attaching()
        {
            unnoted(&error);
        }
    }

    /// Notes where they are.
    pub(super) fn update(&mut self, probe: &Probe) {
        let Some(record) = &mut self.record else { return };
        let made = self.directory.made_qdiscs(record.record().netns);
        let places = probe.places().into_iter().map(|place| Placed {
            ifindex: place.ifindex,
            egress: place.egress,
            priority: place.priority,
            handle: place.handle,
            program: place.program,
            made_qdisc: place.made_qdisc || made.contains(&place.ifindex),
        });
        if let Err(error) = record.update(places.collect()) {
            unnoted(&error);
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> Option<&Path> {
        self.record.as_ref().map(RunRecord::path)
    }

    /// The filters are off: removes the qdiscs of this run, and the note.
    pub(super) async fn finish(self) {
        if let Some(record) = self.record
            && let Err(error) = leftovers::finish(record.record()).await
        {
            tracing::warn!("{error}");
        }
    }
}

fn unnoted(error: &io::Error) {
    tracing::warn!(
        "cannot note our filters in {}: {error}; after a kill they stay until `overlay-probe cleanup`, which then leaves the \
         clsact qdisc",
        leftovers::DIRECTORY
    );
}
