//! `bench serve`, and what both ends need: addresses and the token.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{print, tell};
use crate::{
    bench::{
        drive::{Event, Limits, Server, To, random},
        wire::Token,
    },
    cli::{
        args::{BenchServeArgs, LoadArgs, ToArgs},
        check::GivenFile,
        confine,
        live::{self, Stop},
    },
    files, text,
};

/// Where a token is when no file is named: not on the command line, which everybody on the machine can read.
const VARIABLE: &str = "OVERLAY_PROBE_BENCH_TOKEN";
/// Longest token file.
const LONGEST: u64 = 4096;

/// Longest slice to another machine: the session of the other way asks nothing meanwhile, and the server ends one that is idle.
const LONGEST_SLICE: Duration = Duration::from_secs(60);

/// The other machine, if there is one.
pub(super) fn to(args: &ToArgs, load: &LoadArgs, slice: Duration) -> anyhow::Result<Option<To>> {
    let Some(overlay) = args.to else { return Ok(None) };
    if let Some(server) = &load.load_server {
        anyhow::bail!(
            "--load-server: nothing is started on another machine; start `{}` there yourself, and leave it out here",
            text::escape(server)
        );
    }
    anyhow::ensure!(
        slice <= LONGEST_SLICE,
        "--slice: at most {} s to another machine",
        LONGEST_SLICE.as_secs()
    );
    let token = token(args.token_file.as_deref())?.with_context(|| {
        format!(
            "no token: give --token-file FILE or set {VARIABLE} to what `bench serve` printed or was given"
        )
    })?;
    Ok(Some(To { overlay, underlay: args.underlay, token }))
}

fn token(file: Option<&Path>) -> anyhow::Result<Option<Token>> {
    if let Some(path) = file {
        let wrong = |why: String| GivenFile::new("--token-file", path, why);
        let file = files::open_given(path).map_err(|error| wrong(error.to_string()))?;
        let bytes = files::read_open(&file, LONGEST).map_err(|error| wrong(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_not_text| wrong("this is not text".to_owned()))?;
        return Ok(Some(Token::new(&text).map_err(wrong)?));
    }
    match std::env::var(VARIABLE) {
        Ok(text) => Ok(Some(Token::new(&text).map_err(|why| anyhow::anyhow!("{VARIABLE}: {why}"))?)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).context(VARIABLE),
    }
}

/// Serves until a signal comes.
pub(super) fn run(args: &BenchServeArgs) -> anyhow::Result<ExitCode> {
    let given = token(args.token_file.as_deref())?;
    let is_new = given.is_none();
    let token = match given {
        Some(token) => token,
        None => Token::of_random(random().context("cannot make a token")?),
    };
    let limits = Limits { session: args.max_time, bytes: args.max_gigabytes.saturating_mul(1_000_000_000) };
    let server = Server::bind(&args.listen, token.clone(), limits)?;
    live::block_on(async {
        // From here on a signal ends it as it should.
        let mut stop = Stop::catch()?;
        let flag = Arc::new(AtomicBool::new(false));
        for address in server.addresses() {
            print(&format!("listening at {address}\n"))?;
        }
        if is_new {
            print(&format!("token {}\n", token.reveal()))?;
        }
        confine::serving();
        let (done, mut result) = tokio::sync::oneshot::channel();
        let worker = {
            let flag = Arc::clone(&flag);
            thread::Builder::new().name("bench-serve".to_owned()).spawn(move || {
                // Nobody waits for it when this process is ending.
                let _ = done.send(server.run(&flag, Box::new(Log::default().into_told())));
            })
        };
        worker.context("cannot start a thread")?;
        let ended = loop {
            tokio::select! {
                ended = &mut result => break ended,
                () = stop.asked() => flag.store(true, Ordering::Relaxed),
            }
        };
        ended.context("serving ended without a result")??;
        Ok(ExitCode::SUCCESS)
    })
}

/// Says on stderr what happens. Strangers that come again and again get a line a second.
#[derive(Default)]
struct Log(Mutex<Refused>);

#[derive(Default)]
struct Refused {
    last: Option<Instant>,
    silent: u64,
}

impl Log {
    fn into_told(self) -> impl Fn(Event) + Send + Sync {
        move |event| match event {
            Event::Began(peer) => tell(&format!("{peer}: a session begins")),
            Event::Ended(peer, why) => tell(&format!("{peer}: the session is over: {}", text::escape(&why))),
            Event::Refused(peer, why) => {
                let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if refused.last.is_some_and(|last| last.elapsed() < Duration::from_secs(1)) {
                    refused.silent += 1;
                    return;
                }
                let more = std::mem::take(&mut refused.silent);
                refused.last = Some(Instant::now());
                let more = if more > 0 { format!(" (and {more} others before)") } else { String::new() };
                tell(&format!("{peer}: refused: {}{more}", text::escape(&why)));
            }
        }
    }
}
