//! Recording what is on screen, as long as somebody wants it (`w`).

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::sync::watch;

use super::{
    record::file_name,
    writer::{Offered, Writer},
};
use crate::{
    privilege,
    record::{self, Rotation},
    sample::Frame,
    tui::{Feed, Recording},
};

/// Where a recording is put when the current directory cannot be written, which a run without capabilities often cannot.
const ELSEWHERE: &str = "/var/tmp";

/// What the thread is told.
enum Told {
    Begin(Box<Frame>),
    Frame(Box<Frame>),
    End,
}

/// A thread that writes a recording whenever there is one. It is started before what can be opened is confined, has no capability,
/// and says how it goes to the screen.
pub(super) struct Recorder {
    writer: Writer<Told>,
    is_wanted: bool,
    has_begun: bool,
    /// What it says.
    pub(super) feed: watch::Receiver<Feed>,
}

impl Recorder {
    /// Starts it. Frames will be this far apart.
    pub(super) fn start(title: &str, interval: Duration) -> anyhow::Result<Self> {
        let (said, feed) = watch::channel(Feed::default());
        let mut recording = Current { title: title.to_owned(), interval, file: None };
        let begin = || privilege::give_up_all().map_err(io::Error::other);
        let writer = Writer::with("recorder", begin, move |told| {
            if let Some(recording) = recording.take(told) {
                said.send_replace(Feed { recording: Some(recording), ..Feed::default() });
            }
            Ok(())
        });
        let writer = writer.context("cannot start the thread that records")?;
        Ok(Self { writer, is_wanted: false, has_begun: false, feed })
    }

    /// Begins with the next frame, or ends with it.
    pub(super) fn toggle(&mut self) {
        self.is_wanted = !self.is_wanted;
    }

    /// Takes a frame, if they are wanted. Where two others are still on their way, the next one.
    pub(super) fn offer(&mut self, frame: &Frame) {
        let has_failed = matches!(self.feed.borrow().recording, Some(Recording::Failed(_)));
        if self.has_begun && has_failed {
            (self.is_wanted, self.has_begun) = (false, false);
        }
        let told = match (self.is_wanted, self.has_begun) {
            (false, false) => return,
            (false, true) => Told::End,
            (true, false) => Told::Begin(Box::new(frame.clone())),
            (true, true) => Told::Frame(Box::new(frame.clone())),
        };
        if self.writer.offer(told) == Offered::Taken {
            self.has_begun = self.is_wanted;
        }
    }

    /// Waits until all is written, unless that is given up.
    pub(super) async fn end(self, given_up: impl Future<Output = ()>) -> io::Result<()> {
        self.writer.end_unless(given_up).await
    }
}

/// The recording that is being written.
struct Current {
    title: String,
    interval: Duration,
    file: Option<record::Writer>,
}

impl Current {
    /// Does what it is told; says what there is to say.
    fn take(&mut self, told: &Told) -> Option<Recording> {
        let failed = |why: &dyn ToString| Some(Recording::Failed(why.to_string()));
        match told {
            Told::Begin(frame) => {
                self.file = match self.begin(frame.sample.time) {
                    Ok(file) => Some(file),
                    Err(why) => return failed(&why),
                };
                self.write(frame).map_or_else(|why| failed(&why), Some)
            }
            Told::Frame(frame) => self.write(frame).err().and_then(|why| failed(&why)),
            Told::End => {
                let path = self.file.as_ref().map(|file| file.path().display().to_string());
                self.file = None;
                path.map(Recording::Ended)
            }
        }
    }

    fn begin(&mut self, time: Duration) -> Result<record::Writer, String> {
        let name = file_name(time);
        let here = std::env::current_dir().unwrap_or_default();
        let create = |directory: &Path| -> Result<record::Writer, String> {
            let path: PathBuf = directory.join(&name);
            record::Writer::create(&path, self.interval, Rotation::default())
                .map_err(|error| error.to_string())
        };
        let mut file = create(&here).or_else(|_elsewhere| create(Path::new(ELSEWHERE)))?;
        file.name(&self.title);
        Ok(file)
    }

    fn write(&mut self, frame: &Frame) -> Result<Recording, String> {
        let Some(file) = &mut self.file else { return Err("there is no file".to_owned()) };
        match file.write(frame) {
            Ok(()) => Ok(Recording::To(file.path().display().to_string())),
            Err(error) => {
                self.file = None;
                Err(error.to_string())
            }
        }
    }
}
