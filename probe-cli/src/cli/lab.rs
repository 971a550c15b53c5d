//! `lab`: builds, shows, loads and removes the lab.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;

use super::{
    args::{Dataplane, Family, LabArgs, LabCommand, LabDownArgs, LabFaultArgs, LabLoadArgs, LabShapeArgs},
    live::{self, Stop},
};
use crate::{
    check::FAULTS,
    lab::{
        self, LabOptions, Progress,
        load::{FlowSummary, Load, LoadOptions},
        registry::Lab,
    },
    report::check as report,
    text,
};

/// Flows of a load at most: each has two threads.
const FLOWS: usize = 24;

pub(super) fn run(command: LabCommand) -> anyhow::Result<()> {
    match command {
        LabCommand::Up(args) => up(&options(&args.lab.prefix, &args.shape), args.host_files.as_deref()),
        LabCommand::Down(args) => down(&args),
        LabCommand::Status(args) => status(&args),
        LabCommand::Load(args) => load(&args),
        LabCommand::Fault(args) => fault(&args),
    }
}

/// What the arguments mean.
pub(super) fn options(prefix: &str, shape: &LabShapeArgs) -> LabOptions {
    LabOptions {
        prefix: prefix.to_owned(),
        nodes: shape.nodes,
        pods: shape.pods,
        family: match shape.family {
            Family::V4 => lab::Family::V4,
            Family::V6 => lab::Family::V6,
            Family::Dual => lab::Family::Dual,
        },
        underlay_mtu: shape.underlay_mtu,
        dataplane: match shape.dataplane {
            Dataplane::Vxlan => lab::Dataplane::Vxlan,
            Dataplane::Wireguard => lab::Dataplane::Wireguard,
            Dataplane::Both => lab::Dataplane::Both,
        },
    }
}

/// How a load is to be.
pub(super) fn load_options(prefix: &str, tcp_mbit: u32, udp_pps: u32) -> LoadOptions {
    LoadOptions { prefix: prefix.to_owned(), tcp_mbit, udp_pps, flows: FLOWS, waves: false }
}

/// Builds a lab with its progress on stderr.
pub(super) fn build(options: &LabOptions) -> anyhow::Result<Lab> {
    let terminal = io::stderr().is_terminal();
    let mut show = |progress: Progress| {
        if terminal {
            // Nobody to tell when the terminal is gone.
            let _ =
                write!(io::stderr(), "\rbuilding the lab: {}/{} namespaces", progress.done, progress.total);
        }
    };
    let lab = lab::up(options, &mut show);
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    lab.context("cannot build the lab")
}

fn up(options: &LabOptions, host_files: Option<&Path>) -> anyhow::Result<()> {
    let mut lab = build(options)?;
    let roots = host_files
        .map(|directory| lab::files::install(&mut lab, directory))
        .transpose()
        .inspect_err(|_| {
            // The first error is the one to show.
            let _ = lab::down(&options.prefix);
        })?;
    let mut out = io::stdout().lock();
    for node in &lab.nodes {
        let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "{}  {}  {} pods", node.netns, addresses.join(" "), node.pods.len())?;
    }
    if let Some(node) = lab.nodes.first() {
        let prefix = &options.prefix;
        let root = roots.and_then(|roots| roots.into_iter().next());
        let root = root.map(|root| format!(" --host-root {}", root.display())).unwrap_or_default();
        let _ = writeln!(
            io::stderr(),
            "\nlook at a node:  overlay-probe --netns {}{root} watch\nsend traffic:    overlay-probe lab load --prefix \
             {prefix}\nremove it:       overlay-probe lab down --prefix {prefix}",
            node.netns
        );
    }
    Ok(())
}

fn down(args: &LabDownArgs) -> anyhow::Result<()> {
    let down = if args.force { lab::force_down } else { lab::down };
    let removed = down(&args.lab.prefix).context("cannot remove all of the lab")?;
    writeln!(io::stdout(), "removed {removed} namespaces")?;
    Ok(())
}

fn status(args: &LabArgs) -> anyhow::Result<()> {
    let status = lab::status(&args.prefix)?;
    let mut out = io::stdout().lock();
    let presence = |present: bool| if present { "present" } else { "MISSING" };
    for node in &status.nodes {
        let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "{:<24} {:<8} {}", node.netns, presence(node.present), addresses.join(" "))?;
        for (name, addresses, present) in &node.pods {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let name = text::escape(name);
            writeln!(out, "  {name:<40} {:<8} {}", presence(*present), addresses.join(" "))?;
        }
    }
    for (fault, netns) in &status.faults {
        writeln!(out, "{netns:<24} fault    {fault}")?;
    }
    Ok(())
}

fn fault(args: &LabFaultArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if args.list {
        write!(out, "{}", report::faults())?;
        return Ok(());
    }
    let prefix = &args.lab.prefix;
    let Some(name) = args.name.as_deref().filter(|_| !args.undo) else {
        let undone = lab::fault::undo(prefix, args.name.as_deref()).context("cannot undo all faults")?;
        for injected in &undone {
            writeln!(out, "undone: {} on node {}", injected.fault, injected.node)?;
        }
        if undone.is_empty() {
            writeln!(out, "the lab has no fault")?;
        }
        return Ok(());
    };
    let lab = lab::fault::inject(prefix, name, args.node).context("cannot make the fault")?;
    let node = lab.options.node(args.node);
    let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) else { return Ok(()) };
    writeln!(out, "{node}: {}", fault.what)?;
    let root = lab.host_files.as_ref().map(|files| format!(" --host-root {}", files.join(&node).display()));
    let mut lines = format!(
        "\nfind it:  overlay-probe --netns {node}{} check{}\n",
        root.unwrap_or_default(),
        if fault.needs_probes { " --probe" } else { "" }
    );
    if fault.needs_traffic {
        lines = format!("{lines}meanwhile:  overlay-probe lab load --prefix {prefix}\n");
    }
    let _ = writeln!(
        io::stderr(),
        "{lines}it raises:  {} (overlay-probe check --explain {})\nundo it:  overlay-probe lab fault --undo --prefix {prefix}",
        fault.raises,
        fault.raises
    );
    Ok(())
}

fn load(args: &LabLoadArgs) -> anyhow::Result<()> {
    let load = Load::start(&load_options(&args.lab.prefix, args.tcp_mbit, args.udp_pps))?;
    for flow in load.flows() {
        let _ = writeln!(io::stderr(), "{}", text::escape(flow));
    }
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let end = async {
            match args.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending::<()>().await,
            }
        };
        tokio::select! {
            () = end => {}
            () = stop.asked() => {}
        }
        Ok(())
    })?;
    summarize(&load.stop())
}

fn summarize(flows: &[FlowSummary]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for flow in flows {
        let error = flow.error.as_ref().map_or_else(String::new, |error| format!("  ended early: {error}"));
        writeln!(out, "{:>10}  {}{error}", text::bytes(flow.received), text::escape(&flow.name))?;
    }
    Ok(())
}

/// How long `demo` prints when stdout is no terminal.
pub(super) const DEMO_TIME: Duration = Duration::from_secs(10);
