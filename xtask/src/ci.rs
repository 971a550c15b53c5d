//! `cargo xtask ci`: everything that must hold, on a bare machine too. What it does is a list, and a step that fails
//! does not hide the later ones.

mod deny;
mod install;
mod lint;
mod report;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;

use self::report::{Outcome, Report};
use crate::{ebpf, test, test::tally::Tally, ui, vm};

/// Everything that must hold: format, lints, licences, the kernel object, tests, documentation.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Do not install what is missing; the steps that need it fail.
    #[arg(long)]
    no_install: bool,
}

/// A name, and what is done under it.
type Step = (&'static str, fn() -> Result<Outcome>);

/// What is done, in this order: what fails fast comes first, once there is what it needs.
const STEPS: [Step; 9] = [
    ("install", || install::run().map(Outcome::from)),
    ("format", || lint::format().map(Outcome::from)),
    ("clippy", || lint::clippy().map(Outcome::from)),
    ("licences, bans, sources", || deny::offline().map(Outcome::from)),
    ("advisories", deny::advisories),
    ("kernel object", kernel_object),
    ("tests", || test::everything().map(Outcome::Tests)),
    ("kernels", || vm::everything().map(Outcome::Tests)),
    ("documentation", || lint::documentation().map(Outcome::from)),
];

pub(crate) fn run(args: &Args) -> ExitCode {
    let mut report = Report::default();
    for (name, step) in STEPS {
        if args.no_install && name == "install" {
            continue;
        }
        ui::header(name);
        let start = Instant::now();
        let outcome = step().unwrap_or_else(|error| {
            ui::error(&error);
            Outcome::Failed
        });
        report.add(name, outcome, start.elapsed());
    }
    ui::header("result");
    report.print();
    let tally: Tally = report.tally();
    ui::line(&tally.to_string());
    tally.exit_code()
}

fn kernel_object() -> Result<Outcome> {
    ebpf::run(&ebpf::Args { check: true, verify: false })?;
    Ok(Outcome::Passed)
}
