//! `show`: what there is, once. One function for each subject.

use std::{
    borrow::Cow,
    io::{self, Write as _},
    sync::Arc,
};

use anyhow::Context as _;
use thiserror::Error;

use super::{
    args::{OfRecording, ShowArgs, ShowCommand, ShowFormat, ShowMtuArgs},
    confine::{self, Changes},
    live::{self, Context},
    replay,
};
use crate::{
    engine::{self, Counting},
    model::{self, Backend, Model},
    report, text,
};

/// There is nothing of what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct NothingToShow(Cow<'static, str>);

impl NothingToShow {
    pub(super) fn new(words: impl Into<Cow<'static, str>>) -> Self {
        Self(words.into())
    }
}

pub(super) fn run(context: &Context, what: &ShowCommand) -> anyhow::Result<()> {
    if what.args().recording.replay.is_none() {
        context.enter()?;
        confine::looking(context, Changes::Nothing)?;
    }
    match what {
        ShowCommand::Node(args) => node(context, args),
        ShowCommand::Links(args) => links(context, args),
        ShowCommand::Peers(args) => peers(context, args),
        ShowCommand::Mtu(args) => mtu(context, args),
        ShowCommand::Vfs(args) => vfs(context, args),
        ShowCommand::Pods(args) => pods(context, args),
    }
}

const NO_DATA_PLANE: &str = "no data plane found: no tunnel and no route to other nodes' pods in this network \
    namespace; look at the node with --netns NAME, or run `overlay-probe demo`";

/// There is a data plane; or there is nothing to be seen of the one that files name, which needs neither a tunnel nor a route
/// while the node is its cluster's only one.
fn has_data_plane(model: &Model) -> bool {
    let backend = model.setup.intent.as_ref().and_then(|intent| intent.backend.as_ref());
    let is_unseen = backend.is_some_and(|backend| backend.value == Backend::HostGw);
    !model.inventory.data_planes.is_empty() || is_unseen
}

/// The node at this moment, or at one of a recording.
fn model(context: &Context, of: &OfRecording) -> anyhow::Result<Arc<Model>> {
    if let Some(path) = &of.replay {
        return Ok(model::once(replay::frame(of, path)?));
    }
    live::block_on(async { Ok(model::once(engine::look(&context.host()).await?)) })
}

fn node(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context, &args.recording)?;
    // What else is known of the node is worth its lines all the same.
    print(&match args.format {
        ShowFormat::Json => report::node::json(&model).context("cannot write JSON")?,
        ShowFormat::Table => context.paint(report::node::table(&model)),
    })?;
    something(has_data_plane(&model), NO_DATA_PLANE)
}

fn links(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context, &args.recording)?;
    show(
        context,
        args,
        !model.inventory.links.links.is_empty(),
        || report::links::json(&model),
        || report::links::table(&model),
        &report::links::notes(&model),
        "this network namespace has no link that concerns an overlay or pods",
    )
}

fn peers(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context, &args.recording)?;
    let inventory = &model.inventory;
    let has_rows =
        !inventory.peers.is_empty() || !inventory.routed_peers.is_empty() || !inventory.holes.is_empty();
    // A cluster of one node has no peers, and nothing is wrong with that. Peers that may not be read are another matter.
    let is_unread = inventory.tunnels.iter().any(|tunnel| tunnel.told.trouble().is_some());
    let words = if has_data_plane(&model) {
        "no peer found: the peers of a WireGuard device could not be read"
    } else {
        NO_DATA_PLANE
    };
    show(
        context,
        args,
        has_rows || has_data_plane(&model) && !is_unread,
        || report::peers::json(&model),
        || report::peers::table(&model),
        &inventory.notes,
        words,
    )
}

fn mtu(context: &Context, args: &ShowMtuArgs) -> anyhow::Result<()> {
    let ShowMtuArgs { changes, window, show: args } = args;
    let model = match window {
        Some(window) => live::block_on(async {
            let host = context.host();
            let mut counting = Counting::none();
            let (before, after) = engine::look_over(&host, *window, &mut counting).await?;
            Ok(model::over(before, after))
        })?,
        None if args.recording.replay.is_none() => {
            live::block_on(async { Ok(model::once(engine::look_inside(&context.host()).await?)) })?
        }
        None => model(context, &args.recording)?,
    };
    if !changes.is_empty() && has_data_plane(&model) {
        let planned = model::planned(&model, changes.iter().cloned().collect());
        let planned = planned.map_err(|why| NothingToShow::new(text::escape(&why.to_string())))?;
        return print(&match args.format {
            ShowFormat::Json => report::planned::json(&model, &planned).context("cannot write JSON")?,
            ShowFormat::Table => context.paint(report::planned::table(&planned)),
        });
    }
    show(
        context,
        args,
        !model.setup.mtu.is_empty() || has_data_plane(&model),
        || report::mtu::json(&model),
        || report::mtu::table(&model),
        &model.inventory.table_notes,
        NO_DATA_PLANE,
    )
}

fn pods(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context, &args.recording)?;
    show(
        context,
        args,
        !report::pods::listed(&model).is_empty(),
        || report::pods::json(&model),
        || report::pods::table(&model),
        &model.inventory.notes,
        "this node has no pods: neither a container runtime nor a CNI cache lists one, no veth has a host route, and none is in \
         the bridge of a pod network; look at the node with --netns NAME, or give its files with --host-root DIR",
    )
}

fn vfs(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let model = model(context, &args.recording)?;
    show(
        context,
        args,
        !model.vfs.is_empty(),
        || report::vfs::json(&model),
        || report::vfs::table(&model),
        // They are in the words.
        &[],
        report::vfs::nothing(&model),
    )
}

/// Prints the document, or the table when there is something in it; and says so when there is nothing, with what could not be
/// read or does not fit together.
fn show(
    context: &Context,
    args: &ShowArgs,
    is_there: bool,
    json: impl FnOnce() -> Result<String, serde_json::Error>,
    table: impl FnOnce() -> String,
    notes: &[String],
    nothing: impl Into<Cow<'static, str>>,
) -> anyhow::Result<()> {
    match args.format {
        ShowFormat::Json => print(&json().context("cannot write JSON")?)?,
        ShowFormat::Table if is_there => print(&context.paint(table()))?,
        ShowFormat::Table => print(&context.paint(report::notes(notes)))?,
    }
    something(is_there, nothing)
}

fn something(is_there: bool, nothing: impl Into<Cow<'static, str>>) -> anyhow::Result<()> {
    if is_there { Ok(()) } else { Err(NothingToShow::new(nothing).into()) }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}
