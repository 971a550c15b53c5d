//! `cargo xtask vm`: the tests in network namespaces, on the kernels of `kernels.toml`, in virtual machines. What the
//! development machine's kernel lacks (WireGuard, SR-IOV, other ages of the kernel) is tested here.
//!
//! A machine boots with the host's own file system, read-only, below a file system in memory: every program that the tests
//! call is there, and nothing that they do outlives them.

mod binaries;
mod cache;
mod debian;
mod guest;
mod initramfs;
mod kernels;
mod machine;
mod modules;
mod verdict;

use std::{process::ExitCode, sync::Mutex, thread};

use anyhow::{Context as _, Result, bail};

use self::{
    binaries::Binaries,
    kernels::Kernel,
    machine::Machine,
    verdict::{Ending, Verdict},
};
use crate::{
    test::tally::Tally,
    ui::{self, Align},
};
pub(crate) use debian::install_qemu;

/// One for each kernel, also on two cores: a machine waits for nearly half of its time, for links to come up and samples to
/// be taken.
const MACHINES: u8 = 4;

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
    /// Machines at the same time.
    #[arg(long, default_value_t = MACHINES, value_parser = clap::value_parser!(u8).range(1..=8))]
    jobs: u8,
    /// What the test binaries are told, such as a part of a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.shell {
        return shell(args);
    }
    let tally = matrix(args)?;
    ui::line(&tally.to_string());
    Ok(tally.exit_code())
}

/// Every test on every kernel.
pub(crate) fn everything() -> Result<Tally> {
    matrix(&Args {
        kernel: Vec::new(),
        test: Vec::new(),
        shell: false,
        refresh: false,
        jobs: MACHINES,
        filter: Vec::new(),
    })
}

fn chosen(args: &Args) -> Result<Vec<Kernel>> {
    let all = kernels::read()?;
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

fn matrix(args: &Args) -> Result<Tally> {
    let kernels = chosen(args)?;
    let binaries = Binaries::build(&args.test, &args.filter)?;
    let waiting: Mutex<Vec<Kernel>> = Mutex::new(kernels.clone());
    let verdicts: Mutex<Vec<Verdict>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..args.jobs {
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
    Ok(verdicts.iter().fold(Tally::default(), |mut sum, verdict| {
        sum += verdict.tally();
        sum
    }))
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
