//! `show`: what there is, once. One function for each subject.

use std::{
    io::{self, Write as _},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use thiserror::Error;

use super::{
    args::{ShowArgs, ShowCommand, ShowFormat},
    live::{self, Context},
};
use crate::{
    engine::{self, Survey},
    inventory,
    report::{self, node::NodeView, peers::PeersView},
};

/// There is nothing of what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct NothingToShow(&'static str);

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

fn survey(context: &Context) -> anyhow::Result<Survey> {
    live::block_on(async { Ok(engine::survey(&context.host()).await?) })
}

fn node(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let survey = survey(context)?;
    let inventory = &survey.inventory;
    let outer_routes = inventory::outer_routes(&survey.facts, inventory);
    let paths = inventory::mtu_paths(&survey.facts, inventory);
    let configured = survey.configured(&context.host());
    let comparison = configured
        .intent
        .as_ref()
        .map(|intent| inventory::side_by_side(intent, inventory, &paths))
        .unwrap_or_default();
    let view = NodeView {
        hostname: configured.hostname.as_deref(),
        kernel: configured.kernel.as_deref(),
        inventory,
        outer_routes: &outer_routes,
        intent: configured.intent.as_ref(),
        comparison: &comparison,
        charts: &configured.charts,
        has_wireguard: configured.has_wireguard,
        pod_interfaces: inventory::pod_interfaces(&survey.facts, inventory),
    };
    // What else is known of the node is worth its lines all the same.
    print(&match args.format {
        ShowFormat::Json => report::node::json(view).context("cannot write JSON")?,
        ShowFormat::Table => report::node::table(view),
    })?;
    something(!inventory.data_planes.is_empty(), NO_DATA_PLANE)
}

fn links(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let mut survey = survey(context)?;
    let (list, mut notes) = survey.links(context.root());
    notes.extend(survey.facts.troubles());
    let is_there = !list.links.is_empty();
    show(
        args,
        is_there,
        || report::links::json(&list, &notes),
        || report::links::table(&list, &notes),
        "this network namespace has no link that concerns an overlay or pods",
    )
}

fn peers(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let survey = survey(context)?;
    let inventory = &survey.inventory;
    // Before 1970 there were no handshakes.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let view = PeersView { facts: &survey.facts, inventory, now };
    let is_there =
        !inventory.peers.is_empty() || !inventory.routed_peers.is_empty() || !inventory.holes.is_empty();
    let words = if inventory.tunnels.iter().any(|tunnel| tunnel.external) {
        "the kernel's tables know no other node: the destinations of this node's tunnel are in eBPF maps of who made it"
    } else if inventory.data_planes.is_empty() {
        NO_DATA_PLANE
    } else {
        "no other node is known: nothing in the FDB, no WireGuard peer that could be read, no route to other nodes' pods"
    };
    show(args, is_there, || report::peers::json(view), || report::peers::table(view), words)
}

fn mtu(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let survey = survey(context)?;
    let paths = inventory::mtu_paths(&survey.facts, &survey.inventory);
    let notes = &survey.facts.troubles();
    show(
        args,
        !paths.is_empty(),
        || report::mtu::json(&paths, notes),
        || report::mtu::table(&paths, notes),
        NO_DATA_PLANE,
    )
}

fn pods(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let survey = survey(context)?;
    let (pods, notes) = (&survey.inventory.pods, &survey.inventory.notes);
    show(
        args,
        !pods.is_empty(),
        || report::pods::json(pods, notes),
        || report::pods::table(pods, notes),
        "this node has no pods: no source names one, and no veth has a route to a single address; look at the node with \
         --netns NAME, or give its files with --host-root DIR",
    )
}

fn vfs(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let host = context.host();
    let reading = engine::vf_facts(&host);
    let facts = live::block_on(async { reading.await.context("cannot read the virtual functions") })?;
    let (vfs, notes) = inventory::virtual_functions(&facts);
    let words = if facts.pfs.is_empty() {
        "this node has no virtual functions: no NIC of it offers SR-IOV; enable it in the firmware, or look at the node \
         that has the NIC with --netns"
    } else {
        "this node has no virtual functions: its NICs offer them, but sriov_numvfs is 0"
    };
    show(
        args,
        !vfs.is_empty(),
        || report::vfs::json(&vfs, &notes),
        || report::vfs::table(&vfs, &notes),
        words,
    )
}

/// Prints the document, or the table when there is something in it; and says so when there is nothing.
fn show(
    args: &ShowArgs,
    is_there: bool,
    json: impl FnOnce() -> Result<String, serde_json::Error>,
    table: impl FnOnce() -> String,
    nothing: &'static str,
) -> anyhow::Result<()> {
    match args.format {
        ShowFormat::Json => print(&json().context("cannot write JSON")?)?,
        ShowFormat::Table if is_there => print(&table())?,
        ShowFormat::Table => {}
    }
    something(is_there, nothing)
}

fn something(is_there: bool, nothing: &'static str) -> anyhow::Result<()> {
    if is_there { Ok(()) } else { Err(NothingToShow(nothing).into()) }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}
