//! `cargo xtask ci`: everything that must hold, in three tiers. What is done is a list, from what fails fast to what takes
//! long, and a step that fails does not hide the later ones.

mod deny;
mod lint;
mod record;
mod report;

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use self::report::{Outcome, Report};
use crate::{
    bench::against::{self, Beside},
    ebpf, fuzz,
    install::{self, Consent, Purpose},
    test, ui, vm,
};

/// Everything that must hold: format, lints, licences, documentation, tests, the kernel object.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How much of it.
    #[arg(long, value_enum, default_value_t = Tier::Pr)]
    tier: Tier,
    /// Do not install what is missing: say in one line what to install, and end.
    #[arg(long)]
    no_install: bool,
    /// When all of tier full passed, add a row to docs/kernels.md.
    #[arg(long)]
    record: bool,
}

impl Args {
    /// What CI runs for a change.
    pub(crate) fn of_a_change(no_install: bool) -> Self {
        Self { tier: Tier::Pr, no_install, record: false }
    }
}

/// How much is done. Each tier does what the one before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Tier {
    /// Without root, before each commit: format, clippy, cargo-deny where it is installed, documentation, unit tests,
    /// tests of the repository.
    Quick,
    /// What `cargo xtask test` and .ci/run do, as root: also every test in namespaces of this kernel, and on the oldest
    /// and the newest kernel of kernels.toml those that depend on the kernel.
    Pr,
    /// Before an issue is called done and before a release: also every test on every kernel, the kernel object built anew,
    /// licences and advisories of the crates.
    Full,
}

/// A step: the first tier that has it, its name, and what is done.
type Step = (Tier, &'static str, fn(Tier) -> Result<Outcome>);

/// What is done, in this order: what fails fast comes first.
const STEPS: [Step; 11] = [
    (Tier::Quick, "format", |_| lint::format().map(Outcome::from)),
    (Tier::Quick, "clippy", |_| lint::clippy().map(Outcome::from)),
    (Tier::Quick, "licences, bans, sources", deny::offline),
    (Tier::Full, "advisories", |_| deny::advisories()),
    (Tier::Quick, "documentation", |_| lint::documentation().map(Outcome::from)),
    (Tier::Quick, "unit tests", |_| test::unit().map(Outcome::Tests)),
    (Tier::Full, "coverage of the corpus", |_| coverage()),
    (Tier::Pr, "kernel objects", kernel_objects),
    (Tier::Pr, "kernel objects beside main", |_| beside_main()),
    (Tier::Pr, "tests in namespaces", |_| test::in_namespaces_of_this_kernel().map(Outcome::Tests)),
    (Tier::Pr, "tests in machines", machines),
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.record && args.tier != Tier::Full {
        bail!("only a run of everything is recorded: --tier full --record");
    }
    let mut report = Report::default();
    ui::header("install");
    let start = Instant::now();
    install::ensure(&purposes(args.tier), Consent::unless(args.no_install))?;
    report.add("install", Outcome::Passed, start.elapsed());
    for (tier, name, step) in STEPS {
        if tier > args.tier {
            continue;
        }
        ui::header(name);
        let start = Instant::now();
        let outcome = step(args.tier).unwrap_or_else(|error| {
            ui::error(&error);
            Outcome::Failed
        });
        report.add(name, outcome, start.elapsed());
    }
    ui::header("result");
    report.print();
    let results = report.results();
    if args.record && results.tally.failed == 0 {
        record::add(&results.tally.to_string(), &report.kernels())?;
    }
    Ok(results.conclude())
}

/// What a tier needs of the machine.
fn purposes(tier: Tier) -> Vec<Purpose> {
    let mut purposes = vec![Purpose::Lint];
    if tier >= Tier::Pr {
        purposes.extend([Purpose::Namespaces, Purpose::Machines]);
        if rebuilds(tier) {
            purposes.push(Purpose::Object);
        }
    }
    if tier >= Tier::Full {
        purposes.push(Purpose::Deny);
    }
    purposes
}

/// Whether the objects are compiled again. Their sources decide their bytes, so that once is enough for all commits that do not
/// change them, and the compiler for it takes minutes to install.
fn rebuilds(tier: Tier) -> bool {
    tier == Tier::Full || !ebpf::were_rebuilt_by_a_full_run().unwrap_or(false)
}

fn kernel_objects(tier: Tier) -> Result<Outcome> {
    if rebuilds(tier) {
        ebpf::run(&ebpf::Args { check: true, verify: false })?;
        return Ok(Outcome::Passed);
    }
    ebpf::compare_digests()?;
    Ok(Outcome::PassedAs("unchanged since a full run compiled it".to_owned()))
}

/// The project's own gate: what is exact, and no time.
fn beside_main() -> Result<Outcome> {
    Ok(match against::objects()? {
        Beside::Commit(how) => Outcome::PassedAs(how),
        Beside::Nothing(why) => Outcome::Skipped(why),
    })
}

/// What the fuzzer's corpus covers, where the machine can tell: nothing is installed for it.
fn coverage() -> Result<Outcome> {
    match fuzz::impossible() {
        Some(why) => Ok(Outcome::Skipped(why)),
        None => fuzz::uncovered(false).map(Outcome::PassedAs),
    }
}

fn machines(tier: Tier) -> Result<Outcome> {
    if let Some(why) = vm::impossible() {
        return Ok(Outcome::Skipped(why));
    }
    let extent = if tier == Tier::Full { vm::Extent::Everything } else { vm::Extent::OldestAndNewest };
    let result = vm::run_all(extent)?;
    Ok(Outcome::Machines(result.results(), result.summary()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_needs_what_the_one_before_needs() {
        let [quick, pr, full] = [Tier::Quick, Tier::Pr, Tier::Full].map(purposes);
        assert!(quick.iter().all(|purpose| pr.contains(purpose)));
        assert!(pr.iter().all(|purpose| full.contains(purpose)));
        assert_eq!(quick, [Purpose::Lint], "quick needs neither root nor packages");
        assert!(full.contains(&Purpose::Object) && full.contains(&Purpose::Deny));
    }
}
