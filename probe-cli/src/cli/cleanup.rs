//! `cleanup`: removes what a killed run left behind.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use anyhow::Context as _;

use super::{
    confine::{self, Changes},
    live::{self, Context},
};
use crate::leftovers::{self, Reach};

pub(super) fn run(context: &Context) -> anyhow::Result<()> {
    context.enter()?;
    confine::looking(context, Changes::Leftovers)?;
    let swept = live::block_on(async {
        leftovers::sweep(&context.notes(), Reach::Unclaimed).await.context("cannot clean up")
    })?;
    for unknown in &swept.unknown {
        tracing::warn!(
            "a run record cannot be read; heartbeats show which filters belong to a live run: {unknown}"
        );
    }
    if !swept.left.is_empty() {
        tracing::warn!("{}: a run is attaching just now; run cleanup again in a moment", swept.left);
    }
    let mut text = match swept.removed {
        0 if !swept.left.is_empty() => "nothing was removed".to_owned(),
        0 => "nothing to clean up".to_owned(),
        1 => "removed 1 filter or qdisc".to_owned(),
        n => format!("removed {n} filters and qdiscs"),
    };
    if !swept.living.is_empty() {
        // A run that was killed is told from one that lives by its silence only.
        let _ = write!(
            text,
            "; {}: their run is alive, or ended less than {} s ago",
            swept.living,
            swept.silence.as_millis().div_ceil(1000)
        );
    }
    writeln!(io::stdout(), "{text}").context("cannot write to stdout")
}
