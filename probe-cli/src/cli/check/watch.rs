//! `check --watch`: looks at the node again and again, and prints what became of findings.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use super::{code, print};
use crate::{
    check::{self, Acceptances, Check, Known},
    cli::{
        args::CheckArgs,
        confine::{self, Changes},
        exit,
        live::{self, Context, Stop},
    },
    engine::{self, Counting},
    model,
    report::check::{self as report, Health},
    text,
};

/// Until somebody stops it; the exit code is that of the last look. The first look prints what is wrong as new.
pub(super) fn run(
    context: &Context,
    args: &CheckArgs,
    checks: &[&'static Check],
    accepted: &Acceptances,
    interval: Duration,
) -> anyhow::Result<ExitCode> {
    context.enter()?;
    confine::looking(context, Changes::Nothing)?;
    let host = context.host();
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let mut known = Known::default();
        let mut verdict = None;
        loop {
            let started = Instant::now();
            let mut nothing = Counting::none();
            let seen = tokio::select! {
                seen = engine::look_over(&host, args.window, &mut nothing) => seen,
                () = stop.asked() => break,
            };
            match seen {
                Ok((before, after)) => {
                    let model = model::over(before, after);
                    let judgement = check::run_with(&model, checks.iter().copied(), accepted);
                    let changes = known.compare(&judgement);
                    let is_first = verdict.is_none();
                    let judged = judgement.verdict(args.strict);
                    verdict = Some(judged);
                    print(&report::changes(&changes, Some(model.time)))?;
                    if is_first {
                        let took_s = started.elapsed().as_secs_f64();
                        let health = Health {
                            model: &model,
                            judgement: &judgement,
                            verdict: judged,
                            took_s,
                            since: None,
                        };
                        // Nobody to tell when the terminal is gone.
                        let _ = write!(io::stderr(), "{}", report::last_line(&health));
                    }
                }
                // The next look may find the node as it was: what is known stays.
                Err(error) if verdict.is_some() => {
                    let words = exit::words(&error.into());
                    print(&format!(
                        "{}  ? the node could not be read: {}\n",
                        text::clock(now()),
                        text::escape(&words)
                    ))?;
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(interval.saturating_sub(started.elapsed())) => {}
                () = stop.asked() => break,
            }
        }
        Ok(ExitCode::from(verdict.map_or(exit::UNKNOWN, |verdict| code(verdict, args))))
    })
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
