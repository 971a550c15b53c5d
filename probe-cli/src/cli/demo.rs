//! `demo`: lab, load and terminal UI in one.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;

use super::{
    args::{DemoArgs, Format, WatchArgs},
    confine,
    lab::{DEMO_TIME, build, load_options, options},
    live::{self, Context, Stop},
    recorder::Recorder,
    top, watch,
};
use crate::{
    lab::{self, DEFAULT_PREFIX, load::Load},
    netns, privilege, tui,
};

/// Rates of the demo's flows: lively, and no burden for two cores.
const TCP_MBIT: u32 = 80;
const UDP_PPS: u32 = 800;

pub(super) fn run(context: &Context, args: &DemoArgs) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        tui::check_terminal()?;
    }
    privilege::check_attach()?;
    // Before anything has a second thread. The namespaces' names are then ours alone, and however we end, the kernel
    // removes everything with us.
    netns::private_run()
        .context("cannot make a private /run for the demo; needs CAP_SYS_ADMIN: run with sudo")?;
    let options = options(DEFAULT_PREFIX, &args.shape);
    let lab = build(&options)?;
    let first = lab.nodes.first().context("the lab has no node")?;
    let load =
        Load::start(&load_options(&options.prefix, TCP_MBIT, UDP_PPS)).context("cannot send traffic")?;
    context.go_to(&netns::open(&first.netns)?)?;
    let result = live::block_on(async {
        let mut stop = Stop::catch()?;
        let Some(mut engine) = live::start(args.probe.engine(context), &mut stop).await? else {
            return Ok(());
        };
        engine.leave_out(load.cpu_clocks());
        let title = format!("demo: {}", first.netns);
        let recorder = Recorder::start(&title, args.probe.interval)?;
        confine::after_start(&engine);
        if io::stdout().is_terminal() {
            return Box::pin(top::show(engine, recorder, context, &title, &mut stop)).await;
        }
        let _ = writeln!(
            io::stderr(),
            "stdout is not a terminal: printing the rates of {} for 10 s",
            first.netns
        );
        let watch = WatchArgs { format: Format::Table, ..WatchArgs::default() };
        tokio::select! {
            result = watch::print(&mut engine, context, &watch) => result?,
            () = tokio::time::sleep(DEMO_TIME + args.probe.interval / 2) => {}
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
