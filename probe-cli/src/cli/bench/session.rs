//! A session of measuring: a lab, rounds in it, and how far it is, on stderr.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::observe;
use crate::{
    bench::{
        drive::{Bench, To},
        meter,
        metric::{Load, Scenario},
        plan::{Order, Planned},
        result::{Outside, Parameters, Round, Run},
    },
    cli::live::{self, Stop},
    netns, procfs,
};

/// Version of the tool, for the document.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is measured, and how.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) scenarios: Vec<Scenario>,
    /// Of the usual; all of it where this is empty.
    pub(super) only: Vec<Load>,
    /// Beside the usual.
    pub(super) also: Vec<Load>,
    /// Who sends in place of the usual.
    pub(super) load: Option<Outside>,
    pub(super) slice: Duration,
    /// A lab that is there already.
    pub(super) prefix: Option<String>,
    /// Another machine.
    pub(super) to: Option<To>,
}

impl Setup {
    /// Labs are to be built.
    pub(super) fn builds(&self) -> bool {
        self.prefix.is_none() && self.to.is_none()
    }
}

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is in the run.
    Finished,
    /// It was given up, as the user has asked.
    Stopped,
}

/// Does `work` on a thread of its own while this one waits for signals, which set the flag that `work` gets. Where labs are to be built,
/// with a `/run` of this process' own: however it ends, the kernel removes them.
pub(super) fn run<T: Send + 'static>(
    builds: bool,
    work: impl FnOnce(&AtomicBool) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    if builds {
        // Before anything has a second thread.
        netns::private_run()
            .context("cannot make a private /run for the lab; needs CAP_SYS_ADMIN: run with sudo")?;
    }
    let flag = Arc::new(AtomicBool::new(false));
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let (done, mut result) = tokio::sync::oneshot::channel();
        let worker = {
            let flag = Arc::clone(&flag);
            thread::Builder::new().name("bench".to_owned()).spawn(move || {
                // Nobody waits for it when this process is ending.
                let _ = done.send(work(&flag));
            })
        };
        let worker = worker.context("cannot start a thread")?;
        let told = loop {
            tokio::select! {
                told = &mut result => break told,
                () = stop.asked() => flag.store(true, Ordering::Relaxed),
            }
        };
        if let Err(panic) = worker.join() {
            std::panic::resume_unwind(panic);
        }
        told.context("measuring ended without a result")?
    })
}

/// A lab and the rounds that were measured in it.
pub(super) struct Session {
    bench: Bench,
    order: Order,
    slice: Duration,
    progress: Progress,
    /// Facts were looked at, in a round of their own.
    is_observed: bool,
    pub(super) run: Run,
}

impl Session {
    /// Builds the lab, or takes the one that is given.
    pub(super) fn begin(setup: &Setup) -> anyhow::Result<Self> {
        let mut progress = Progress::new();
        let mut bench = match (&setup.to, &setup.prefix) {
            (Some(to), _) => Bench::to(to)?,
            (None, Some(prefix)) => Bench::of_lab(prefix, &setup.scenarios)?,
            (None, None) => Bench::build(&setup.scenarios, &mut |scenario| {
                progress.show(&format!("building the lab of {scenario}"));
            })
            .context("cannot build the lab")?,
        };
        bench.outside.clone_from(&setup.load);
        let now = procfs::wall_clock();
        let (seconds, nanoseconds) = (now.as_secs(), u64::from(now.subsec_nanos()));
        // Another order in each session; nothing is secret about it.
        let seed = (seconds << 30 | nanoseconds) ^ u64::from(std::process::id());
        let run = Run {
            tool_version: VERSION.to_owned(),
            started_at_s: seconds,
            since_boot_s: procfs::since_boot().map(|time| time.as_secs()),
            machine: meter::machine(),
            parameters: Parameters {
                slice_ms: u64::try_from(setup.slice.as_millis()).unwrap_or(u64::MAX),
                underlay_mtu: bench.underlay_mtu,
                seed,
                only: setup.only.clone(),
                also: setup.also.clone(),
                load: setup.load.clone(),
            },
            remote: bench.remote.clone(),
            scenarios: bench.facts()?,
            rounds: Vec::new(),
            accepted: None,
        };
        let order = Order::new(seed, bench.scenarios(), run.parameters.loads());
        for row in run.scenarios.iter().filter(|row| row.unsupported.is_some()) {
            let why = row.unsupported.as_deref().unwrap_or_default();
            progress.line(&format!("{} is not measured: {why}", row.scenario));
        }
        anyhow::ensure!(!bench.scenarios().is_empty(), "none of these data planes can be measured here");
        Ok(Self { bench, order, slice: setup.slice, progress, is_observed: false, run })
    }

    /// Looks at facts that cost time, before anything is timed.
    fn observe(&mut self, stop: &AtomicBool) -> anyhow::Result<Told> {
        for scenario in self.bench.scenarios() {
            self.progress.show(&format!("looking at the path of {scenario}"));
            let seen = observe::observe(&mut self.bench, scenario, self.slice, stop);
            if !seen.inspect_err(|_| self.progress.clear())? {
                self.progress.clear();
                return Ok(Told::Stopped);
            }
        }
        self.is_observed = true;
        Ok(Told::Finished)
    }

    /// Measures a round of so many.
    pub(super) fn round(&mut self, rounds: usize, stop: &AtomicBool) -> anyhow::Result<Told> {
        if !self.is_observed && self.observe(stop)? == Told::Stopped {
            return Ok(Told::Stopped);
        }
        let planned: Vec<Planned> =
            self.order.round().into_iter().filter(|planned| self.bench.has(*planned)).collect();
        let number = self.run.rounds.len();
        let mut round = Round::default();
        for (at, slice) in planned.iter().enumerate() {
            self.progress.round(number * planned.len() + at, rounds * planned.len(), number + 1, rounds);
            let measured = self.bench.slice(*slice, self.slice, stop);
            let Some(measured) = measured.inspect_err(|_| self.progress.clear())? else {
                self.progress.clear();
                return Ok(Told::Stopped);
            };
            round.slices.push(measured);
        }
        self.run.rounds.push(round);
        self.run.scenarios = self.bench.facts()?;
        if self.run.rounds.len() == rounds {
            self.progress.clear();
        }
        Ok(Told::Finished)
    }
}

/// How far it is, on a terminal; elsewhere a line now and then.
struct Progress {
    is_terminal: bool,
    started: Option<(Instant, usize)>,
    said: Option<Instant>,
}

/// Between lines where there is no terminal.
const QUIET: Duration = Duration::from_secs(30);

impl Progress {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), started: None, said: None }
    }

    fn round(&mut self, done: usize, all: usize, round: usize, rounds: usize) {
        let (since, first) = *self.started.get_or_insert((Instant::now(), done));
        let ran = done.saturating_sub(first);
        let left = (ran > 0).then(|| {
            let each = since.elapsed().as_secs_f64() / ran as f64;
            let left = Duration::from_secs_f64(each * all.saturating_sub(done) as f64).as_secs();
            format!(", {} min {} s left", left / 60, left % 60)
        });
        let left = left.unwrap_or_default();
        self.show(&format!("round {round} of {rounds}{left}"));
    }

    fn show(&mut self, text: &str) {
        // Nobody to tell when the terminal is gone.
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        } else if self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            self.said = Some(Instant::now());
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn line(&self, text: &str) {
        self.clear();
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
