//! `show`: what there is, once. One function for each subject.

use std::io::{self, Write as _};

use anyhow::Context as _;
use thiserror::Error;

use super::{
    args::{ShowArgs, ShowCommand, ShowFormat},
    live::Context,
};
use crate::{engine, inventory, report};

/// There is nothing of what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct NothingToShow(&'static str);

pub(super) fn run(context: &Context, what: &ShowCommand) -> anyhow::Result<()> {
    context.enter()?;
    match what {
        ShowCommand::Vfs(args) => vfs(args),
    }
}

fn vfs(args: &ShowArgs) -> anyhow::Result<()> {
    let facts = engine::vf_facts(&args.host_root).context("cannot read the virtual functions")?;
    let (vfs, notes) = inventory::virtual_functions(&facts);
    let text = match args.format {
        ShowFormat::Json => report::vfs::json(&vfs, &notes).context("cannot write JSON")?,
        ShowFormat::Table => report::vfs::table(&vfs, &notes),
    };
    if args.format == ShowFormat::Json || !vfs.is_empty() {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")?;
    }
    if vfs.is_empty() {
        let words = if facts.pfs.is_empty() {
            "this node has no virtual functions: no NIC of it offers SR-IOV; enable it in the firmware, or look at \
             the node that has the NIC with --netns"
        } else {
            "this node has no virtual functions: its NICs offer them, but sriov_numvfs is 0"
        };
        return Err(NothingToShow(words).into());
    }
    Ok(())
}
