//! `cargo xtask fuzz`: feeds what the tool parses with inputs that reach new code, keeps the least that reaches as much, and holds
//! what the corpus does not reach against what it did not reach before.

mod build;
mod corpus;
mod coverage;

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use xtask::tree;

pub(crate) use self::coverage::{impossible, uncovered};
use crate::{
    command,
    install::{self, Consent, Purpose},
    ui,
};

/// Fuzz one of the parsers with libFuzzer, or tell what the corpus leaves uncovered of all.
///
/// Inputs that reach new code are kept in fuzz/target/work, and those that show a fault in fuzz/target/found: they belong into
/// fuzz/corpus under a name that says what the fault was, and stay there.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The parser: the name of a folder in fuzz/corpus.
    #[arg(required_unless_present = "check")]
    target: Option<String>,
    /// How many inputs.
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// Instead of running new inputs, replace the corpus by the least of it and of what was found that reaches as much.
    #[arg(long)]
    minimise: bool,
    #[command(flatten)]
    measure: Measure,
    /// Do not install what is missing: say in one line what to install, and end.
    #[arg(long)]
    no_install: bool,
}

/// Telling what the corpus covers.
#[derive(clap::Args)]
struct Measure {
    /// Fail where the corpus leaves more regions of the sources uncovered than fuzz/uncovered.toml says.
    #[arg(long, conflicts_with_all = ["target", "minimise"])]
    check: bool,
    /// With --check, write down where it leaves fewer.
    #[arg(long, requires = "check")]
    record: bool,
}

/// Longest input, in bytes: a frame of a recording is. Parsers meet longer ones, with more of the same.
const LONGEST: u32 = 16_384;
/// Seconds that one input may take.
const SLOWEST: u32 = 10;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let consent = Consent::unless(args.no_install);
    let Some(name) = args.target.as_deref().filter(|_| !args.measure.check) else {
        install::ensure(&[Purpose::Coverage], consent)?;
        ui::line(&uncovered(args.measure.record)?);
        return Ok(ExitCode::SUCCESS);
    };
    let known = corpus::names()?;
    if !known.iter().any(|known| known == name) {
        bail!("there is no {name} in fuzz/corpus; there are {}", known.join(", "));
    }
    install::ensure(&[Purpose::Fuzzing], consent)?;
    let fuzzer = build::fuzzer()?;
    let (kept, work) = (corpus::kept(name), tree::root().join("fuzz/target/work").join(name));
    let found = tree::root().join("fuzz/target/found");
    for folder in [&work, &found] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut command = command::program(&fuzzer);
    command.env(VARIABLE, name).arg(format!("-max_len={LONGEST}")).arg(format!("-timeout={SLOWEST}"));
    if args.minimise {
        let least = tempfile::tempdir().context("making a folder")?;
        let merge = ["-set_cover_merge=1", "-use_counters=0"];
        command::run(command.args(merge).arg(least.path()).args([&kept, &work]))?;
        ui::line(&corpus::replace(name, least.path())?);
    } else {
        command.arg(format!("-runs={}", args.runs)).arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/{name}-", found.display()));
        command::run(command.args([&work, &kept])).with_context(|| {
            format!("a fault: the input is in {}, and what it does is said above", found.display())
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the fuzzer its target.
const VARIABLE: &str = "OVERLAY_PROBE_FUZZ";
