//! `demo`: lab, load and terminal UI in one.

use std::{
    cell::Cell,
    future,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    args::{DemoArgs, Format, WatchArgs},
    confine,
    lab::{DEMO_TIME, build, load_options, options},
    live::{self, Context, Stop},
    on_demand::OnDemand,
    recorder::Recorder,
    settings::Settings,
    top, watch,
};
use crate::{
    lab::{
        self, DEFAULT_PREFIX,
        fault::{INCIDENT, Staged},
        load::{Load, LoadOptions},
    },
    netns, privilege, tui,
};

/// Rates of the demo's flows: lively, and no burden for two cores.
const TCP_MBIT: u32 = 80;
const UDP_PPS: u32 = 800;

/// The nodes' files, in the demo's own `/run`: it goes with the process.
const FILES: &str = "/run/overlay-probe-demo";

/// The demo's fault: it comes by itself after a while, and the user undoes it and makes it again.
#[derive(Debug)]
pub(super) struct Incident {
    fault: Staged,
    /// When it comes by itself; none once it has been there.
    comes: Option<Instant>,
}

impl Incident {
    fn new(fault: Staged, after: Duration) -> Self {
        Self { fault, comes: Some(Instant::now() + after) }
    }

    /// Waits until it is to come by itself.
    pub(super) async fn due(incident: Option<&Self>) {
        match incident.and_then(|incident| incident.comes) {
            Some(comes) => tokio::time::sleep_until(comes).await,
            None => future::pending().await,
        }
    }

    /// Makes it, or undoes it. A refusal leaves things as they are, which the screen shows.
    pub(super) async fn turn(incident: &mut Option<Self>) {
        let Some(incident) = incident else { return };
        incident.comes = None;
        if let Err(error) = incident.fault.turn().await {
            tracing::debug!("the demo's incident: {error}");
        }
    }
}

pub(super) fn run(context: &Context, args: &DemoArgs) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        tui::check_terminal()?;
    }
    let settings = Settings::load(args.screen.ascii)?;
    let probe = args.probe.with_interval(settings.interval);
    privilege::check_attach()?;
    // Before anything has a second thread. The namespaces' names are then ours alone, and however we end, the kernel
    // removes everything with us.
    netns::private_run()
        .context("cannot make a private /run for the demo; needs CAP_SYS_ADMIN: run with sudo")?;
    let options = options(DEFAULT_PREFIX, &args.shape);
    let mut lab = build(&options)?;
    let roots = lab::files::install(&mut lab, Path::new(FILES))
        .context("cannot write the files of the demo's nodes")?;
    let first = lab.nodes.first().context("the lab has no node")?;
    let traffic = LoadOptions { waves: true, ..load_options(&options.prefix, TCP_MBIT, UDP_PPS) };
    let load = Load::start(&traffic).context("cannot send traffic")?;
    let incident = Staged::new(&lab, INCIDENT, first.number).context("cannot prepare the demo's incident")?;
    // The node is a lab's, and its files are that node's.
    let context = &Context {
        netns: None,
        host_root: roots.into_iter().next(),
        is_elsewhere: Cell::new(false),
        cri_socket: None,
        no_color: context.no_color,
    };
    context.go_to(&netns::open(&first.netns)?)?;
    let result = live::block_on(async {
        let mut stop = Stop::catch()?;
        let measuring = OnDemand::open();
        let Some(mut engine) = live::start(probe.engine(context), &mut stop).await? else {
            return Ok(());
        };
        engine.leave_out(load.cpu_clocks());
        let title = format!("demo: {}", first.netns);
        let recorder = Recorder::start(&title, probe.interval())?;
        confine::after_start(&mut engine);
        if io::stdout().is_terminal() {
            let incident = Incident::new(incident, args.incident_after);
            let preferences = settings.preferences;
            let screen = top::Screen { title: &title, incident: Some(incident), measuring, preferences };
            return Box::pin(top::show(engine, None, recorder, context, screen, &mut stop)).await;
        }
        let _ = writeln!(
            io::stderr(),
            "stdout is not a terminal: printing the rates of {} for 10 s",
            first.netns
        );
        let watch = WatchArgs { format: Format::Table, ..WatchArgs::default() };
        let mut nobody = None;
        tokio::select! {
            result = watch::print(&mut engine, &mut nobody, context, &watch) => result?,
            () = tokio::time::sleep(DEMO_TIME + probe.interval() / 2) => {}
            () = stop.asked() => {}
        }
        live::end(engine, &mut stop).await;
        Ok(())
    });
    // Privileges for the namespaces are given up by now; what of the lab can still be removed goes now, and the kernel
    // takes the rest when this process ends.
    drop(load.stop());
    let _ = lab::down(&options.prefix);
    result
}
