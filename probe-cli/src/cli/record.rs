//! `record`: frames into a file.

use std::{
    future::Future,
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;

use super::{
    args::RecordArgs,
    confine,
    live::{self, Context, Stop},
    writer::{Offered, Writer},
};
use crate::{
    engine::Engine,
    privilege,
    record::{self, Rotation},
    sample::{Frame, ToldOnce},
    text,
};

/// What recordings are called.
const EXTENSION: &str = "ovp";

pub(super) fn run(context: &Context, args: &RecordArgs) -> anyhow::Result<()> {
    let rotation = Rotation {
        size: args.rotate_size,
        age: args.rotate_age,
        keep: args.keep.and_then(|keep| usize::try_from(keep).ok()),
    };
    // Before anything is attached: what cannot be written ends it at once.
    let path = named(&args.file);
    let file = record::Writer::create(&path, args.probe.interval(), rotation)?;
    context.enter()?;
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let Some(mut engine) = live::start(args.probe.engine(context), &mut stop).await? else {
            return Ok(());
        };
        let mut recorder = Recorder::start(file, context)?;
        confine::after_start(&mut engine);
        tell(&format!("recording to {}; Ctrl-C ends it", path.display()));
        let mut was_asked = false;
        let done = tokio::select! {
            result = record(&mut engine, &mut recorder, args.count) => result,
            () = stop.asked() => {
                was_asked = true;
                Ok(())
            }
        };
        // First what is on the node's interfaces: the file may be on a disk that does not answer.
        live::end(engine, &mut stop).await;
        done.and(recorder.end(stop.overdue(was_asked)).await)
    })
}

/// Until so many frames are written, or the file cannot be.
async fn record(engine: &mut Engine, recorder: &mut Recorder, count: Option<u64>) -> anyhow::Result<()> {
    recorder.offer(engine.first());
    while recorder.is_taking() && count.is_none_or(|count| recorder.taken < count) {
        recorder.offer(engine.tick().await?);
    }
    Ok(())
}

/// The thread that writes a recording.
pub(super) struct Recorder {
    writer: Writer<Frame>,
    /// Frames that were handed on.
    pub(super) taken: u64,
    /// Frames that were not, because the disk was too slow.
    left_out: u64,
    /// What those say once that were left out since the last that was not.
    untold: ToldOnce,
    has_ended: bool,
}

impl Recorder {
    /// Starts it, before what can be opened is confined: it makes new files later. It has no capability.
    fn start(mut file: record::Writer, context: &Context) -> anyhow::Result<Self> {
        let netns = context.netns.clone();
        let mut is_new = true;
        let begin = || privilege::give_up_all().map_err(io::Error::other);
        let writer = Writer::with("recorder", begin, move |frame: &Frame| {
            if mem::take(&mut is_new) {
                let hostname = frame.snapshot.host.hostname.value().map(String::as_str);
                file.name(netns.as_deref().or(hostname).unwrap_or("this node"));
            }
            file.write(frame).map_err(io::Error::other)
        });
        let writer = writer.context("cannot start the thread that records")?;
        Ok(Self { writer, taken: 0, left_out: 0, untold: ToldOnce::default(), has_ended: false })
    }

    /// Has a frame written. One that comes while two others are still on their way is left out.
    pub(super) fn offer(&mut self, mut frame: Frame) {
        frame.sample.tell(mem::take(&mut self.untold));
        let said = frame.sample.told_once();
        match self.writer.offer(frame) {
            Offered::Taken => self.taken += 1,
            Offered::Late => (self.left_out, self.untold) = (self.left_out + 1, said),
            Offered::Ended => self.has_ended = true,
        }
    }

    /// The file can be written.
    pub(super) fn is_taking(&self) -> bool {
        !self.has_ended
    }

    /// Waits until all is written, unless that is given up, and says how much that was.
    pub(super) async fn end(self, given_up: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { writer, taken, left_out, .. } = self;
        writer.end_unless(given_up).await.context("recording has stopped")?;
        let frames = text::counted(usize::try_from(taken).unwrap_or(usize::MAX), "frame");
        tell(&match left_out {
            0 => format!("{frames} recorded"),
            _ => format!("{frames} recorded, {left_out} left out: the disk is too slow"),
        });
        Ok(())
    }
}

/// A file, or one in a directory.
fn named(path: &Path) -> PathBuf {
    if path.is_dir() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        return path.join(file_name(now));
    }
    path.to_owned()
}

/// What a recording is called that has no name yet.
pub(super) fn file_name(time: Duration) -> String {
    format!("overlay-probe-{}.{EXTENSION}", record::in_name(time))
}

fn tell(words: &str) {
    // Nobody to tell when the terminal is gone.
    let _ = writeln!(io::stderr(), "{}", text::escape(words));
}
