//! `mtu --watch`: small and large probes that go on, and what they come to, again and again.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;

use super::print;
use crate::{
    cli::{
        args::{MtuArgs, ShowFormat},
        exit,
        live::{Context, Stop},
    },
    model::{Model, PeerProbes, Signal},
    mtu::{
        self, Path, Watcher,
        wire::{Wire, WireError},
    },
    observed::Observed,
    privilege,
    report::measured::{self as report, Watched},
};

/// Until somebody stops it or `--count` is reached; the exit code is that of the last table.
pub(super) async fn run(
    context: &Context,
    args: &MtuArgs,
    (model, paths): (&Model, Vec<Path>),
    stop: &mut Stop,
) -> anyhow::Result<ExitCode> {
    let mut wire = Wire::open_both()?;
    privilege::give_up_all()?;
    let start = Instant::now();
    let mut watcher = Watcher::new(&targets(&paths), start.elapsed());
    let mut next = tokio::time::Instant::now() + args.interval;
    let mut code = exit::UNKNOWN;
    let (mut printed, mut gone) = (0, BTreeSet::new());
    while args.count.is_none_or(|count| printed < count) {
        tokio::select! {
            biased;
            () = stop.asked() => break,
            () = tokio::time::sleep_until(next) => {
                next += args.interval;
                let probes = read(&watcher, start.elapsed());
                code = of_signals(&probes);
                let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let watched = Watched { time, paths: &paths, probes: &probes, ignored: watcher.ignored() };
                print(&match args.format {
                    ShowFormat::Table => context.paint(report::watched(&watched)),
                    ShowFormat::Json => report::watched_line(&watched).context("cannot write JSON")? + "\n",
                })?;
                printed += 1;
                gone = super::gone(model, &paths, &gone);
            }
            more = wire.step(&mut watcher, start) => {
                more?;
            }
        }
    }
    Ok(ExitCode::from(code))
}

fn targets(paths: &[Path]) -> Vec<(std::net::IpAddr, u32)> {
    paths.iter().map(|path| (path.address, path.expected)).collect()
}

fn read(watcher: &Watcher, now: Duration) -> PeerProbes {
    PeerProbes {
        every: watcher.interval(),
        paths: watcher.read(now),
        left_out: u64::try_from(watcher.left_out()).unwrap_or(u64::MAX),
    }
}

/// By the worst path: what is not known yet is worse than what is well only.
fn of_signals(probes: &PeerProbes) -> u8 {
    let worst = probes.paths.iter().map(|path| path.signal).max().unwrap_or(Signal::Unknown);
    let is_unknown = probes.paths.iter().any(|path| path.signal == Signal::Unknown);
    match worst {
        Signal::LargeLost | Signal::Unanswered => exit::FAILURE,
        Signal::SomeLost | Signal::RefusedHere | Signal::TooBig { .. } => exit::WARNING,
        Signal::Unknown | Signal::Answered if is_unknown || probes.paths.is_empty() => exit::UNKNOWN,
        Signal::Unknown | Signal::Answered => 0,
    }
}

/// `watch --probe-peers`: the same beside the counting of a run, for whoever takes its samples.
pub(in crate::cli) struct PeerProber {
    wire: Wire,
    watcher: Watcher,
    start: Instant,
    /// The model whose peers are probed.
    known: Option<Arc<crate::model::Inventory>>,
    /// Why nothing is sent any more.
    trouble: Option<String>,
}

impl PeerProber {
    /// Opens sockets, if that is wanted. Before privileges are given up, in the node's network namespace.
    pub(in crate::cli) fn open(is_wanted: bool) -> Result<Option<Self>, WireError> {
        is_wanted
            .then(|| {
                let start = Instant::now();
                let watcher = Watcher::new(&[], start.elapsed());
                Ok(Self { wire: Wire::open_both()?, watcher, start, known: None, trouble: None })
            })
            .transpose()
    }

    /// Probes the peers of this model from now on.
    pub(in crate::cli) fn follow(&mut self, model: &Model) {
        if self.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &model.inventory)) {
            return;
        }
        self.known = Some(Arc::clone(&model.inventory));
        match mtu::plan(model, &[], &mut mtu::wire::route_mtu) {
            Ok(paths) => self.watcher.follow(&targets(&paths), self.start.elapsed()),
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// Sends and receives, and never ends. Dropping the future loses nothing.
    pub(in crate::cli) async fn go_on(&mut self) -> Infallible {
        while self.trouble.is_none() {
            match self.wire.step(&mut self.watcher, self.start).await {
                Ok(true) => {}
                // There is no peer.
                Ok(false) => break,
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        std::future::pending().await
    }

    /// What it has come to.
    pub(in crate::cli) fn read(&self) -> Observed<Box<PeerProbes>> {
        match &self.trouble {
            Some(error) => Observed::Failed { error: error.clone() },
            None => Observed::Value(Box::new(read(&self.watcher, self.start.elapsed()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PathProbes, ProbeCounts};

    #[test]
    fn the_exit_code_is_that_of_the_worst_path() {
        let of = |signals: &[Signal]| {
            let path = |signal: &Signal| PathProbes {
                address: "192.0.2.2".parse().unwrap(),
                size: 1500,
                small: ProbeCounts::default(),
                large: ProbeCounts::default(),
                round_trips: None,
                answered_ago: None,
                signal: *signal,
            };
            of_signals(&PeerProbes { paths: signals.iter().map(path).collect(), ..PeerProbes::default() })
        };
        let told = Signal::TooBig { from: "192.0.2.254".parse().unwrap(), mtu: 1400 };
        for (signals, code) in [
            (&[][..], 3),
            (&[Signal::Answered], 0),
            (&[Signal::Answered, Signal::Unknown], 3),
            (&[Signal::SomeLost, Signal::Unknown], 1),
            (&[told, Signal::Answered], 1),
            (&[told, Signal::LargeLost], 2),
            (&[Signal::Unanswered, Signal::Answered], 2),
        ] {
            assert_eq!(of(signals), code, "{signals:?}");
        }
    }
}
