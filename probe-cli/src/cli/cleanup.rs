//! `cleanup`: removes what a killed run left behind.

use std::{
    io::{self, Write as _},
    path::Path,
};

use anyhow::Context as _;

use super::live::{self, Context};
use crate::leftovers;

pub(super) fn run(context: &Context) -> anyhow::Result<()> {
    context.enter()?;
    let removed = live::block_on(async {
        leftovers::sweep(Path::new(leftovers::DIRECTORY)).await.context("cannot clean up")
    })?;
    let text = match removed {
        0 => "nothing was left behind".to_owned(),
        1 => "removed 1 filter or qdisc".to_owned(),
        n => format!("removed {n} filters and qdiscs"),
    };
    writeln!(io::stdout(), "{text}").context("cannot write to stdout")
}
