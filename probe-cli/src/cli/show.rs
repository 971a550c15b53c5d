//! `show`: what there is, once. One function for each subject.

use std::{
    borrow::Cow,
    io::{self, Write as _},
    sync::Arc,
};

use anyhow::Context as _;
use thiserror::Error;

use super::{
    args::{ShowArgs, ShowCommand, ShowFormat},
    live::{self, Context},
};
use crate::{
    engine,
    model::{self, Model},
    report,
};

/// There is nothing of what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct NothingToShow(Cow<'static, str>);

pub(super) fn run(context: &Context, what: &ShowCommand) -> anyhow::Result<()> {
    context.enter()?;
    match what {
        ShowCommand::Node(args) => node(context, args),
        ShowCommand::Links(args) => links(context, args),
        ShowCommand::Peers(args) => peers(context, args),
        ShowCommand::Mtu(args) => mtu(context, args),
        ShowCommand::Vfs(args) => vfs(context, args),
        ShowCommand::Pods(args) => pods(context, args),
    }
}

const NO_DATA_PLANE: &str = "nothing here leads to other nodes' pods: this network namespace has no tunnel and no route \
    to other pod networks; look at the node with --netns NAME, or try `overlay-probe demo` for one of our own";

/// The node at this moment.
fn model(context: &Context) -> anyhow::Result<Arc<Model>> {
    live::block_on(async { Ok(model::once(engine::look(&context.host()).await?)) })
}

fn node(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    // What else is known of the node is worth its lines all the same.
    print(&match args.format {
        ShowFormat::Json => report::node::json(&model).context("cannot write JSON")?,
        ShowFormat::Table => report::node::table(&model),
    })?;
    something(!model.inventory.data_planes.is_empty(), NO_DATA_PLANE)
}

fn links(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    show(
        args,
        !model.inventory.links.links.is_empty(),
        || report::links::json(&model),
        || report::links::table(&model),
        "this network namespace has no link that concerns an overlay or pods",
    )
}

fn peers(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    let inventory = &model.inventory;
    let is_there =
        !inventory.peers.is_empty() || !inventory.routed_peers.is_empty() || !inventory.holes.is_empty();
    let words = if inventory.tunnels.iter().any(|tunnel| tunnel.external) {
        "the kernel's tables know no other node: the destinations of this node's tunnel are in eBPF maps of who made it"
    } else if inventory.data_planes.is_empty() {
        NO_DATA_PLANE
    } else {
        "no other node is known: nothing in the FDB, no WireGuard peer that could be read, no route to other nodes' pods"
    };
    show(args, is_there, || report::peers::json(&model), || report::peers::table(&model), words)
}

fn mtu(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    show(
        args,
        !model.setup.mtu.is_empty(),
        || report::mtu::json(&model),
        || report::mtu::table(&model),
        NO_DATA_PLANE,
    )
}

fn pods(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    show(
        args,
        !model.inventory.pods.is_empty(),
        || report::pods::json(&model),
        || report::pods::table(&model),
        "this node has no pods: no source names one, and no veth has a route to a single address; look at the node with \
         --netns NAME, or give its files with --host-root DIR",
    )
}

fn vfs(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context)?;
    let notes = &model.inventory.vf_notes;
    // "None" is said only of what could be read.
    let words: Cow<'static, str> = if model.vfs.is_empty() && !notes.is_empty() {
        format!("no virtual function is known: {}", notes.join("; ")).into()
    } else if model.inventory.pfs.is_empty() {
        "this node has no virtual functions: no NIC of it offers SR-IOV; enable it in the firmware, or look at the node \
         that has the NIC with --netns"
            .into()
    } else {
        "this node has no virtual functions: its NICs offer them, but sriov_numvfs is 0".into()
    };
    show(args, !model.vfs.is_empty(), || report::vfs::json(&model), || report::vfs::table(&model), words)
}

/// Prints the document, or the table when there is something in it; and says so when there is nothing.
fn show(
    args: &ShowArgs,
    is_there: bool,
    json: impl FnOnce() -> Result<String, serde_json::Error>,
    table: impl FnOnce() -> String,
    nothing: impl Into<Cow<'static, str>>,
) -> anyhow::Result<()> {
    match args.format {
        ShowFormat::Json => print(&json().context("cannot write JSON")?)?,
        ShowFormat::Table if is_there => print(&table())?,
        ShowFormat::Table => {}
    }
    something(is_there, nothing)
}

fn something(is_there: bool, nothing: impl Into<Cow<'static, str>>) -> anyhow::Result<()> {
    if is_there { Ok(()) } else { Err(NothingToShow(nothing.into()).into()) }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}
