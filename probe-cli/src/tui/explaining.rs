//! Why packets are "other", as far as it was said since somebody asked. It stays on screen until somebody asks again.

use std::collections::VecDeque;

use crate::model::{ExplainedRow, ExplainedRows, ReasonTotal};

/// Packets kept.
const PACKETS: usize = 200;

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nobody asked.
    #[default]
    Never,
    /// Somebody asked, and nothing is said yet.
    Asked,
    /// So many packets are still to come.
    Left(u64),
    /// All that were wanted are here.
    Done,
    /// Somebody ended it.
    Ended,
    /// It cannot be said, and why.
    Failed(String),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Explaining {
    /// How far it is.
    pub(super) progress: Progress,
    /// The packets, the newest first.
    pub(super) packets: VecDeque<ExplainedRow>,
    /// All packets by reason.
    pub(super) reasons: Vec<ReasonTotal>,
    /// Packets whose details were lost.
    pub(super) lost: u64,
}

impl Explaining {
    /// It is to be said, and more is to come.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.progress, Progress::Asked | Progress::Left(_))
    }

    /// Somebody asks.
    pub(super) fn begin(&mut self) {
        *self = Self { progress: Progress::Asked, ..Self::default() };
    }

    /// Nobody asks any more.
    pub(super) fn end(&mut self) {
        self.progress = Progress::Ended;
    }

    /// Takes in what a model has of it. What comes after the end is nothing that was asked for.
    pub(super) fn take(&mut self, rows: &ExplainedRows) {
        if !self.is_asked() {
            return;
        }
        if let Some(problem) = &rows.problem {
            self.progress = Progress::Failed(problem.clone());
            return;
        }
        for row in &rows.packets {
            self.packets.push_front(row.clone());
        }
        self.packets.truncate(PACKETS);
        self.reasons.clone_from(&rows.reasons);
        self.lost = rows.lost;
        self.progress = if rows.left == 0 { Progress::Done } else { Progress::Left(rows.left) };
    }
}
