//! `replay`: a recording on screen or as lines; and what `check` and `show` see of one.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use super::{
    args::{OfRecording, ReplayArgs, ReplayFormat},
    confine,
    live::{self, Context, Stop},
    pieces::write_line,
    settings::Settings,
};
use crate::{
    files,
    model::{EventStream, Model, Timeline},
    procfs,
    record::{
        End, Moment, Recording, RecordingError,
        player::{Player, find},
    },
    report::jsonl,
    sample::{Frame, Sample},
    text,
    tui::{self, Asked, Feed, Preferences, TuiOptions},
};

/// Frames that are read before the one that is jumped to: what went meanwhile is known from them.
const BEFORE: usize = 300;

/// A recording that cannot be read, or nothing of it.
#[derive(Debug, Error)]
#[error("{}: {why}", path.display())]
pub(super) struct Unreadable {
    path: PathBuf,
    #[source]
    why: RecordingError,
}

/// A recording that is replayed, and the models up to where it was read.
struct Replay {
    path: PathBuf,
    recording: Recording<File>,
    timeline: Timeline,
    /// The frame that the timeline got last.
    last: Option<usize>,
    /// The first frame that is read for the one that is wanted, and that one; none while none is.
    wanted: Option<(usize, usize)>,
}

impl Replay {
    /// Opens it, and from then on nothing else can be opened but files in a directory.
    fn open(path: &Path, write_in: Option<&Path>) -> anyhow::Result<Self> {
        let unreadable = |why: RecordingError| Unreadable { path: path.to_owned(), why };
        let file = files::open_given(path).map_err(|refused| unreadable(io::Error::from(refused).into()))?;
        confine::replaying(write_in);
        let recording = Recording::open(file).map_err(unreadable)?;
        match recording.end() {
            End::Ended | End::Open => tracing::info!("{}: {}", path.display(), recording.end()),
            damaged @ End::Damaged { .. } => {
                let frames = text::counted(recording.count(), "frame");
                let words = format!("{}: {damaged}; {frames} before that can be used", path.display());
                // Nobody to tell when the terminal is gone.
                let _ = writeln!(io::stderr(), "overlay-probe: {}", text::escape(&words));
            }
        }
        Ok(Self { path: path.to_owned(), recording, timeline: Timeline::default(), last: None, wanted: None })
    }

    fn frame(&mut self, number: usize) -> anyhow::Result<Frame> {
        let frame = self.recording.frame(number);
        frame.map_err(|why| Unreadable { path: self.path.clone(), why }.into())
    }

    /// The frame at a moment; the last one where none is named, the nearest where it is outside.
    fn at(&self, moment: Option<Moment>) -> usize {
        let times: Vec<Duration> = self.recording.times().collect();
        let (Some(start), Some(end)) = (times.first(), times.last()) else { return 0 };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let number = moment.map_or(times.len() - 1, |moment| {
            let time = moment.time(*start, *end, now);
            find(times.iter().copied(), time)
        });
        tracing::info!("frame {} of {}, of {}", number + 1, times.len(), text::clock(times[number]));
        number
    }

    /// The model of a frame, see [`Self::want`].
    fn model(&mut self, number: usize) -> anyhow::Result<Arc<Model>> {
        self.want(number);
        loop {
            let model = self.read()?;
            if self.wanted.is_none() {
                return Ok(model);
            }
        }
    }

    /// Begins to make the model of a frame of those before it: of all of them where the last model was of one a little earlier, or
    /// it is near the beginning; else of some. What is not read yet of another one is left.
    fn want(&mut self, number: usize) {
        let from = match self.last {
            Some(last) if last < number && number - last <= BEFORE => last + 1,
            _ => {
                let start = self.recording.times().next().unwrap_or_default();
                (self.timeline, self.last) = (Timeline::since(start), None);
                self.recording.full_before(number.saturating_sub(BEFORE))
            }
        };
        self.wanted = Some((from, number));
    }

    /// Reads one frame on the way to the one that is wanted, or that one, or the next one where none is; and gives its model.
    fn read(&mut self) -> anyhow::Result<Arc<Model>> {
        let (from, to) = self.wanted.unwrap_or_default();
        let next = self.last.map_or(from, |last| last + 1);
        // An error leaves it in the middle.
        self.last = None;
        let frame = self.frame(next)?;
        self.last = Some(next);
        if next >= to {
            self.wanted = None;
        }
        Ok(self.timeline.push(frame))
    }

    /// Frames that were read of those that are, for the one that is wanted; none when it is there.
    fn reading(&self) -> Option<(usize, usize)> {
        let (from, to) = self.wanted?;
        Some((self.last.map_or(0, |last| (last + 1).saturating_sub(from)), to + 1 - from.min(to)))
    }
}

/// The frame of a recording that `show` looks at.
pub(super) fn frame(of: &OfRecording, path: &Path) -> anyhow::Result<Frame> {
    let mut replay = Replay::open(path, None)?;
    let number = replay.at(of.at);
    replay.frame(number)
}

/// Counters and the frame a window later, for `check`: as if it had looked then. A window that begins before the recording begins
/// with it.
/// The bundle, if there is one, is written in that directory.
pub(super) fn window(
    of: &OfRecording,
    path: &Path,
    length: Duration,
    bundle: Option<&Path>,
) -> anyhow::Result<(Sample, Frame)> {
    let mut replay = Replay::open(path, bundle)?;
    // The first frame has no window before it.
    let number = replay.at(of.at).max(1).min(replay.recording.count() - 1);
    let times: Vec<Duration> = replay.recording.times().collect();
    let from = find(times[..number].iter().copied(), times[number].saturating_sub(length));
    let before = replay.frame(from.min(number.saturating_sub(1)))?;
    Ok((before.sample, replay.frame(number)?))
}

pub(super) fn run(context: &Context, args: &ReplayArgs) -> anyhow::Result<()> {
    if args.format.is_none() {
        tui::check_terminal()?;
    }
    let preferences = match args.format {
        None => Settings::load(args.screen.ascii)?.preferences,
        Some(ReplayFormat::Jsonl) => Preferences::default(),
    };
    let mut replay = Replay::open(&args.file, None)?;
    let from = args.time.map_or(0, |time| replay.at(Some(time)));
    match args.format {
        Some(ReplayFormat::Jsonl) => print(&mut replay, from),
        None => live::block_on(async {
            let mut stop = Stop::catch()?;
            Box::pin(show(&mut replay, from, context, preferences, &mut stop)).await
        }),
    }
}

/// All frames from one on, as lines. The first of a recording has no rates, and no line, as in `watch`.
fn print(replay: &mut Replay, from: usize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut events = EventStream::default();
    if from == 0 {
        events.next(&replay.model(0)?);
    }
    for number in from.max(1)..replay.recording.count() {
        let model = replay.model(number)?;
        let events = events.next(&model);
        write_line(&mut out, |line| serde_json::to_writer(line, &jsonl::document(&model, &events)))
            .context("cannot write to stdout")?;
    }
    out.flush().context("cannot write to stdout")
}

async fn show(
    replay: &mut Replay,
    from: usize,
    context: &Context,
    preferences: Preferences,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let header = replay.recording.header();
    let title = header.node.clone();
    let mut player = Player::new(replay.recording.times().collect(), from);
    replay.want(player.playback().at);
    let (models, shown) = watch::channel(None);
    let (said, feed) = watch::channel(said_of(&player, replay));
    let (_nobody, past) = watch::channel(None);
    let (ask, mut asked) = mpsc::unbounded_channel();
    let no_color = context.plain();
    let options = TuiOptions { no_color, title, is_demo: false, interval: None, preferences, feed, past };
    let screen = tui::run(shown, ask, options);
    tokio::pin!(screen);
    loop {
        let is_reading = replay.wanted.is_some();
        let wait = player.wait().filter(|_| !is_reading);
        let before = player.playback().at;
        tokio::select! {
            result = &mut screen => return result.context("cannot show the terminal UI"),
            () = stop.asked() => return Ok(()),
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => player.next(),
            // Keys have their turn after each frame.
            () = tokio::task::yield_now(), if is_reading => drop(models.send_replace(Some(replay.read()?))),
            Some(asked) = asked.recv() => match asked {
                Asked::Play(play) => player.command(play, procfs::wall_clock()),
                // Nothing more can be found out of a recording.
                Asked::Explain(_)
                | Asked::LookAgain
                | Asked::Record
                | Asked::Repair
                | Asked::Now
                | Asked::Interval(_)
                | Asked::Measure(_) => {}
            },
        }
        if player.playback().at != before {
            replay.want(player.playback().at);
        }
        said.send_replace(said_of(&player, replay));
    }
}

fn said_of(player: &Player, replay: &Replay) -> Feed {
    Feed { playback: Some(player.playback()), reading: replay.reading(), ..Feed::default() }
}

#[cfg(test)]
mod tests;
