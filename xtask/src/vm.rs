//! `cargo xtask vm`: the tests in network namespaces, on the kernels of `kernels.toml`, in virtual machines. What the
//! development machine's kernel lacks (WireGuard, SR-IOV, other ages of the kernel) is tested here.
//!
//! A machine boots with the host's own file system, read-only, below a file system in memory: every program that the tests
//! call is there, and nothing that they do outlives them.

mod binaries;
mod cache;
mod guest;
mod initramfs;
mod kernels;
mod machine;
mod modules;
mod verdict;

use std::{num::NonZero, process::ExitCode, sync::Mutex, thread};

use anyhow::{Context as _, Result, bail};

use self::{
    binaries::Binaries,
    kernels::Kernel,
    machine::Machine,
    verdict::{Ending, Verdict},
};
use crate::{
    debian,
    install::{self, Consent, Purpose},
    test::tally::Results,
    ui::{self, Align},
};

/// Run the tests in network namespaces on the kernels of kernels.toml, in virtual machines.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this kernel of kernels.toml, such as 6.12; may be given several times.
    #[arg(long, value_name = "VERSION")]
    kernel: Vec<String>,
    /// Only this file of tests, such as numbers; may be given several times.
    #[arg(long, value_name = "NAME")]
    test: Vec<String>,
    /// Boot one kernel and give a shell, with the tool in the path. Leave it with `exit`.
    #[arg(long)]
    shell: bool,
    /// Fetch the kernels again instead of taking those that are cached.
    #[arg(long)]
    refresh: bool,
    /// Machines at the same time. Unless given, as many as this machine has processors.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=8))]
    jobs: Option<u8>,
    /// How often to run each file of tests, to find out whether one fails now and then.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Do not install what is missing: say in one line what to install, and end.
    #[arg(long)]
    no_install: bool,
    /// What the test binaries are told, such as a part of a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

/// What of the matrix is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every test on every kernel.
    Everything,
    /// On the oldest and on the newest kernel, without the tests that say the same on every kernel.
    OldestAndNewest,
}

/// What all machines found.
pub(crate) struct Found(Vec<Verdict>);

impl Found {
    /// All tests on all kernels.
    pub(crate) fn results(&self) -> Results {
        self.0.iter().map(|verdict| verdict.results().clone()).sum()
    }

    /// Each kernel with what it counted.
    pub(crate) fn summary(&self) -> String {
        let each = self.0.iter().map(|verdict| format!("{}: {}", verdict.release(), verdict.tally()));
        each.collect::<Vec<_>>().join("; ")
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    install::ensure(&[Purpose::Machines, Purpose::Namespaces], Consent::unless(args.no_install))?;
    if args.shell {
        return shell(args);
    }
    Ok(matrix(&chosen(args)?, args)?.results().conclude())
}

/// Why there can be no machines here; none when there can.
pub(crate) fn impossible() -> Option<String> {
    (!debian::is_debian())
        .then(|| "the other kernels are Debian's packages, which this system cannot fetch".to_owned())
}

/// What CI wants of the matrix.
pub(crate) fn run_all(extent: Extent) -> Result<Found> {
    let kernels = match extent {
        Extent::Everything => kernels::all()?,
        Extent::OldestAndNewest => {
            kernels::oldest_and_newest(|kernel| cache::prepare(kernel, false).is_ok())?
        }
    };
    let args = Args {
        kernel: Vec::new(),
        test: Vec::new(),
        shell: false,
        refresh: false,
        jobs: None,
        repeat: 1,
        no_install: false,
        filter: Vec::new(),
    };
    matrix(&kernels, &args)
}

fn chosen(args: &Args) -> Result<Vec<Kernel>> {
    let all = kernels::all()?;
    if let Some(unknown) = args.kernel.iter().find(|name| all.iter().all(|kernel| kernel.version != **name)) {
        let known: Vec<&str> = all.iter().map(|kernel| kernel.version.as_str()).collect();
        bail!("kernels.toml has no kernel {unknown}: it has {}", known.join(", "));
    }
    Ok(all
        .into_iter()
        .filter(|kernel| args.kernel.is_empty() || args.kernel.contains(&kernel.version))
        .collect())
}

fn shell(args: &Args) -> Result<ExitCode> {
    let mut kernels = chosen(args)?;
    // Without a wish the last one: the list goes from old to new.
    let kernel = kernels.pop().context("kernels.toml names no kernel")?;
    let binaries = Binaries::tool_only()?;
    let image = cache::prepare(&kernel, args.refresh)?;
    ui::note(&format!("booting Linux {}; leave the shell with exit", image.release));
    Machine::new(&kernel, &image, &binaries).shell()?;
    Ok(ExitCode::SUCCESS)
}

fn matrix(kernels: &[Kernel], args: &Args) -> Result<Found> {
    let binaries = Binaries::build(&args.test, &args.filter, args.repeat)?;
    // A machine's processors run by turns on one of this machine's: more machines at a time would take each other's.
    let jobs = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    let waiting: Mutex<Vec<Kernel>> = Mutex::new(kernels.to_vec());
    let verdicts: Mutex<Vec<Verdict>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(kernel) = take(&waiting) {
                    let verdict = one(&kernel, args.refresh, &binaries);
                    if let Ok(mut verdicts) = verdicts.lock() {
                        verdicts.push(verdict);
                    }
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_default();
    if verdicts.len() != kernels.len() {
        bail!("{} of {} machines gave a verdict", verdicts.len(), kernels.len());
    }
    let place =
        |verdict: &Verdict| kernels.iter().position(|kernel| kernel.version == verdict.kernel.version);
    verdicts.sort_by_key(place);
    print(&verdicts);
    Ok(Found(verdicts))
}

fn take(waiting: &Mutex<Vec<Kernel>>) -> Option<Kernel> {
    waiting.lock().ok()?.pop()
}

/// One kernel, from fetching to the verdict.
fn one(kernel: &Kernel, refresh: bool, binaries: &Binaries) -> Verdict {
    let image = match cache::prepare(kernel, refresh) {
        Ok(image) => image,
        Err(error) if kernel.required => return Verdict::new(kernel, None, Ending::broken(&error)),
        Err(error) => return Verdict::missing(kernel, &error),
    };
    let ending = Machine::new(kernel, &image, binaries).test();
    let ending = ending.unwrap_or_else(|error| Ending::broken(&error));
    Verdict::new(kernel, Some(&image.release), ending)
}

fn print(verdicts: &[Verdict]) {
    for verdict in verdicts {
        for line in verdict.remarks() {
            ui::note(&format!("{}: {line}", verdict.kernel.version));
        }
    }
    let heading = ["kernel", "release", "seconds", "verdict"].map(str::to_owned).to_vec();
    let rows = [heading].into_iter().chain(verdicts.iter().map(Verdict::row)).collect::<Vec<_>>();
    ui::table(&[Align::Left, Align::Left, Align::Right, Align::Left], &rows);
}
