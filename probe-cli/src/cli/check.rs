//! `check`: looks at the node twice, judges, prints, and ends with the verdict's exit code.

mod file;
mod probe;
mod watch;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::ValueEnum as _;

pub(super) use self::file::GivenFile;
use super::{
    args::{CheckArgs, CheckFormat, FailOn, ForBackend},
    bundle::Bundle,
    confine::{self, Changes},
    exit,
    live::{self, Context, Stop},
    replay,
};
use crate::{
    check::{self, Acceptances, Check, REGISTRY, Unknown, Verdict},
    ebpf,
    engine::{self, Counting, CountingOptions},
    model::{self, PlannedBackend},
    observed::Observed,
    privilege::{self, PrivilegeError},
    report::check::{self as report, Health},
    sample::{Frame, Sample},
    text,
};

pub(super) fn run(context: &Context, args: &CheckArgs, verbose: bool) -> anyhow::Result<ExitCode> {
    if args.list {
        print(&report::list())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(id) = &args.explain {
        print(&report::explain(named(id)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    match judge(context, args, verbose) {
        Err(error) => {
            tell_unknown(args.format, &exit::words(&error))?;
            if error.is::<Unknown>() {
                return Err(error);
            }
            exit::tell(&error);
            Ok(ExitCode::from(code(Verdict::Unknown, args)))
        }
        result => result,
    }
}

/// Says to who reads a document or a line that these arguments are no command, where they ask for a check: clap itself knows nothing of
/// what it could not parse.
pub(super) fn tell_usage(arguments: impl Iterator<Item = String>, error: &clap::Error) {
    let said = error.to_string();
    let words = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
    if let Some(format) = asked_format(arguments)
        && let Err(error) = tell_unknown(format, words)
    {
        exit::tell(&error);
    }
}

fn asked_format(arguments: impl Iterator<Item = String>) -> Option<CheckFormat> {
    let arguments: Vec<String> = arguments.skip(1).collect();
    arguments.iter().find(|argument| *argument == "check")?;
    let together = arguments.iter().find_map(|argument| argument.strip_prefix("--format="));
    let mut before = arguments.iter().skip_while(|argument| *argument != "--format");
    let word = together.or_else(|| before.nth(1).map(String::as_str))?;
    CheckFormat::from_str(word, false).ok()
}

/// Who reads a document or a line gets one, also of a node that cannot be looked at.
fn tell_unknown(format: CheckFormat, words: &str) -> anyhow::Result<()> {
    let words = text::escape(words);
    match format {
        CheckFormat::Json => print(&report::unknown(&words).context("cannot write JSON")?),
        CheckFormat::Nagios => print(&format!("OVERLAY UNKNOWN - {}\n", words.replace('|', "/"))),
        CheckFormat::Npd => print("unknown: the node could not be looked at\n"),
        CheckFormat::Table | CheckFormat::Junit | CheckFormat::Sarif | CheckFormat::Markdown => Ok(()),
    }
}

fn judge(context: &Context, args: &CheckArgs, verbose: bool) -> anyhow::Result<ExitCode> {
    let checks = check::select(&args.only, &args.skip)?;
    context.check()?;
    let accepted = args.accept.as_deref().map_or_else(|| Ok(Acceptances::default()), file::accepted)?;
    if let Some(interval) = args.watch {
        return watch::run(context, args, &checks, &accepted, interval);
    }
    let earlier = args.since.as_deref().map(file::earlier).transpose()?;
    let mut bundle = args.support_bundle.as_deref().map(Bundle::prepare).transpose()?;
    let started = Instant::now();
    let directory = bundle.as_ref().map(Bundle::directory);
    let seen = match &args.recording.replay {
        Some(path) => Some(replay::window(&args.recording, path, args.window, directory)?),
        None => look(context, args, directory)?,
    };
    let Some((before, after)) = seen else { return Ok(ExitCode::from(exit::UNKNOWN)) };
    if let Some(bundle) = &mut bundle {
        bundle.record(&before, &after)?;
    }
    let mut model = model::over(before, after);
    if args.probe {
        // After the window: what is counted in it has no probes in it.
        match probe::probed(&model, args.flows) {
            Ok(probed) => Arc::make_mut(&mut model).probed = probed,
            Err(code) => return Ok(code),
        }
    }
    if let Some(ForBackend::Wireguard) = args.planned {
        Arc::make_mut(&mut model).planned_backend = Some(PlannedBackend::Wireguard);
    }
    let judgement = check::run_with(&model, checks, &accepted);
    let verdict = judgement.verdict(args.strict);
    let changes = earlier.map(|mut earlier| earlier.known.compare(&judgement));
    let health = Health {
        model: &model,
        judgement: &judgement,
        verdict,
        took_s: started.elapsed().as_secs_f64(),
        since: changes.as_ref(),
    };
    let bundled = bundle.map_or(Ok(()), |bundle| bundle.write(&health));
    print(&match args.format {
        CheckFormat::Table if args.quiet => report::last_line(&health),
        CheckFormat::Table => match &changes {
            Some(changes) => report::since(&health, changes),
            None => report::table(&health, verbose),
        },
        CheckFormat::Json => report::json(&health).context("cannot write JSON")?,
        CheckFormat::Junit => report::junit(&health),
        CheckFormat::Sarif => report::sarif(&health).context("cannot write SARIF")?,
        CheckFormat::Markdown => report::markdown(&health),
        CheckFormat::Nagios => report::nagios(&health),
        CheckFormat::Npd => report::npd(&health),
    })?;
    if let Err(error) = bundled {
        // The document is complete, and the archive is not there.
        exit::tell(&error);
        return Ok(ExitCode::from(exit::UNKNOWN));
    }
    Ok(ExitCode::from(code(verdict, args)))
}

/// Looks at the node twice; none when somebody stops it.
fn look(
    context: &Context,
    args: &CheckArgs,
    bundle: Option<&Path>,
) -> anyhow::Result<Option<(Sample, Frame)>> {
    context.enter()?;
    // What attaches may have to make a run record, in a directory that is not there yet.
    if !args.with_traffic {
        confine::looking(context, bundle.map_or(Changes::Nothing, Changes::FileIn))?;
    }
    let progress = Progress::start(args.window);
    let host = context.host();
    let seen = live::block_on(async {
        let mut stop = Stop::catch()?;
        let mut counting = counting(context, args).await;
        let seen = tokio::select! {
            seen = engine::look_over(&host, args.window, &mut counting) => seen.map(Some),
            () = stop.asked() => Ok(None),
        };
        tokio::select! {
            biased;
            () = counting.stop() => {}
            () = stop.asked() => {}
        }
        Ok(seen?)
    })?;
    progress.end();
    Ok(seen)
}

/// What is to be counted. What keeps it from being so is a matter of the checks that need it, and of no other.
async fn counting(context: &Context, args: &CheckArgs) -> Counting {
    if !args.with_traffic {
        return Counting::none();
    }
    let notes = context.notes();
    Counting::new(match privilege::check_attach() {
        Err(PrivilegeError::Missing { missing }) => {
            Observed::Denied { need: format!("{missing} to attach eBPF programs (run as root)") }
        }
        Err(error @ (PrivilegeError::Process { .. } | PrivilegeError::Failed { .. })) => {
            Observed::Failed { error: error.to_string() }
        }
        Ok(()) => match live::sweep(&notes).await {
            Err(error) => Observed::Failed { error: exit::words(&error) },
            Ok(()) => Observed::Value(CountingOptions {
                probe: ebpf::ProbeOptions { interval: args.window, ..ebpf::ProbeOptions::default() },
                notes,
            }),
        },
    })
}

/// 0 good, 1 warning, 2 failure, 3 unknown. node-problem-detector wants 0 good, 1 a problem, 2 unknown.
fn code(verdict: Verdict, args: &CheckArgs) -> u8 {
    if args.format == CheckFormat::Npd {
        return match verdict {
            Verdict::Ok => 0,
            Verdict::Warn if args.fail_on != FailOn::Warn => 0,
            Verdict::Fail if args.fail_on == FailOn::Never => 0,
            Verdict::Warn | Verdict::Fail => 1,
            Verdict::Unknown => 2,
        };
    }
    match verdict {
        _ if args.fail_on == FailOn::Never => 0,
        Verdict::Ok => 0,
        Verdict::Warn => u8::from(args.fail_on == FailOn::Warn),
        Verdict::Fail => exit::FAILURE,
        Verdict::Unknown => exit::UNKNOWN,
    }
}

fn named(id: &str) -> Result<&'static Check, Unknown> {
    if let Some(check) = REGISTRY.iter().find(|check| check.id == id) {
        return Ok(check);
    }
    // A family is no check, but a near miss of one is worth a name.
    Err(match check::select(&[id.to_owned()], &[]) {
        Err(unknown) => unknown,
        Ok(_) => Unknown { word: id.to_owned(), near: None },
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

/// What is being done, on a terminal only.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn start(window: Duration) -> Self {
        let is_shown = io::stderr().is_terminal();
        if is_shown {
            // Nobody to tell when the terminal is gone.
            let _ = write!(
                io::stderr(),
                "\rreading the node, then its counters for {:.1} s",
                window.as_secs_f64()
            );
        }
        Self { is_shown }
    }

    fn end(self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckArgs,
    }

    #[test]
    fn exit_codes() {
        use Verdict::{Fail, Ok, Unknown, Warn};
        for (line, codes) in [
            ("", [0, 1, 2, 3]),
            ("--fail-on fail", [0, 0, 2, 3]),
            ("--fail-on never", [0, 0, 0, 0]),
            ("--format npd", [0, 1, 1, 2]),
            ("--format npd --fail-on fail", [0, 0, 1, 2]),
            ("--format json", [0, 1, 2, 3]),
        ] {
            let line_of = std::iter::once("check").chain(line.split_whitespace());
            let args = Line::try_parse_from(line_of).unwrap().args;
            assert_eq!([Ok, Warn, Fail, Unknown].map(|verdict| code(verdict, &args)), codes, "{line}");
        }
    }

    /// node-problem-detector runs what the command line knows, and gives it time enough.
    #[test]
    fn what_is_deployed_can_be_run() {
        let text = include_str!("../../../deploy/node-problem-detector/overlay-probe.json");
        let config: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(config["pluginConfig"]["max_output_length"], 80);
        let conditions: Vec<&str> = config["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["type"].as_str().unwrap())
            .collect();
        assert_eq!(conditions, ["OverlayUnhealthy", "OverlayMTUProblem"]);
        let mut checks = Vec::new();
        for (rule, condition) in config["rules"].as_array().unwrap().iter().zip(conditions) {
            assert_eq!(rule["condition"], condition);
            let words = rule["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
            let args = Line::try_parse_from(words).unwrap().args;
            assert_eq!((args.format, args.fail_on), (CheckFormat::Npd, FailOn::Fail));
            assert!(args.window <= Duration::from_secs(1) && rule["timeout"] == "5s");
            checks.extend(check::select(&args.only, &args.skip).unwrap());
        }
        // Each check is in one of the conditions.
        assert_eq!(checks.len(), REGISTRY.len());
    }

    #[test]
    fn the_format_is_known_of_arguments_that_are_no_command() {
        let of =
            |line: &str| asked_format(line.split(' ').map(str::to_owned)).map(|format| format!("{format:?}"));
        for (line, format) in [
            ("o check --format json --bogus", Some("Json")),
            ("o --netns x check --bogus --format=nagios", Some("Nagios")),
            ("o check --format", None),
            ("o check --format other", None),
            ("o watch --format json --bogus", None),
        ] {
            assert_eq!(of(line).as_deref(), format, "{line}");
        }
    }

    #[test]
    fn an_unknown_id_names_the_nearest() {
        assert_eq!(named("mtu-pod-exceeds-tunnel").unwrap().id, "mtu-pod-exceeds-tunnel");
        assert_eq!(named("pod-exceeds-mtu").unwrap_err().near, Some("mtu-pod-exceeds-tunnel"));
        assert_eq!(named("xyz").unwrap_err().near, None);
        assert_eq!(named("mtu").unwrap_err().near, None);
    }
}
