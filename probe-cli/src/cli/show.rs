//! `show`: what there is, once. One function for each subject.

use std::io::{self, Write as _};

use anyhow::Context as _;
use thiserror::Error;

use super::{
    args::{ShowArgs, ShowCommand, ShowFormat},
    live::{self, Context},
};
use crate::{engine, inventory, report};

/// There is nothing of what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct NothingToShow(&'static str);

pub(super) fn run(context: &Context, what: &ShowCommand) -> anyhow::Result<()> {
    context.enter()?;
    match what {
        ShowCommand::Vfs(args) => vfs(context, args),
        ShowCommand::Pods(args) => pods(context, args),
    }
}

fn pods(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let look = engine::look(context.root(), context.host_root.is_some());
    let inventory = live::block_on(async { look.await.context("cannot read this node") })?;
    let (pods, notes) = (&inventory.pods, &inventory.notes);
    let text = match args.format {
        ShowFormat::Json => report::pods::json(pods, notes).context("cannot write JSON")?,
        ShowFormat::Table => report::pods::table(pods, notes),
    };
    print(args.format, &text, pods.is_empty())?;
    if pods.is_empty() {
        return Err(NothingToShow(
            "this node has no pods: no source names one, and no veth has a route to a single address; look at the node \
             with --netns NAME, or give its files with --host-root DIR",
        )
        .into());
    }
    Ok(())
}

/// A document is printed also when it is empty, a table is not.
fn print(format: ShowFormat, text: &str, is_empty: bool) -> anyhow::Result<()> {
    if format == ShowFormat::Table && is_empty {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

fn vfs(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let facts = engine::vf_facts(context.root()).context("cannot read the virtual functions")?;
    let (vfs, notes) = inventory::virtual_functions(&facts);
    let text = match args.format {
        ShowFormat::Json => report::vfs::json(&vfs, &notes).context("cannot write JSON")?,
        ShowFormat::Table => report::vfs::table(&vfs, &notes),
    };
    print(args.format, &text, vfs.is_empty())?;
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
