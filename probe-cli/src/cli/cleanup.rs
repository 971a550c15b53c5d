//! `cleanup`: removes what a killed run left behind.

use std::io::{self, Write as _};

use anyhow::Context as _;

use super::live::{self, Context};
use crate::leftovers::{self, Reach};

pub(super) fn run(context: &Context) -> anyhow::Result<()> {
    context.enter()?;
    let swept = live::block_on(async {
        leftovers::sweep(&context.notes(), Reach::Unclaimed).await.context("cannot clean up")
    })?;
    if !swept.left.is_empty() {
        tracing::warn!("{}: a run is attaching just now; clean up again in a moment", swept.left);
    }
    let text = match swept.removed {
        0 if !swept.left.is_empty() => "nothing was removed".to_owned(),
        0 => "nothing was left behind".to_owned(),
        1 => "removed 1 filter or qdisc".to_owned(),
        n => format!("removed {n} filters and qdiscs"),
    };
    writeln!(io::stdout(), "{text}").context("cannot write to stdout")
}
