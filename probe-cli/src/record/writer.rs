//! Writing a recording: frames behind each other in a file, and a new file when one is large or old enough. What was written is there
//! when the process is killed, and a frame that is cut then ends the file.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    delta::{EncodeError, Encoder},
    format::{Header, Kind, write_frame, write_header},
    pack::pack,
};
use crate::{facts, files, sample::Frame};

/// Every so many frames one is written in full: to jump to a time, so many are read at most.
const FULL_EVERY: usize = 120;

/// When to begin a new file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// When it has this many bytes.
    pub size: Option<u64>,
    /// When its first frame is this old.
    pub age: Option<Duration>,
    /// How many files are kept, at least one; the oldest of this recording are removed. All of them without.
    pub keep: Option<usize>,
}

/// Why a frame is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The kernel said so.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It cannot be written as bytes.
    #[error("{0}")]
    Frame(#[from] EncodeError),
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    rotation: Rotation,
    header: Header,
    file: File,
    /// Bytes in the file.
    size: u64,
    /// When the file's first frame was, on the monotonic clock.
    since: Option<Duration>,
    /// Frames since the last one in full.
    since_full: usize,
    encoder: Encoder,
    /// Files of this recording that are there, the oldest first.
    files: Vec<PathBuf>,
    /// How many there have been.
    count: usize,
}

impl Writer {
    /// Makes the first file, which must not be there. It goes again if no frame is written.
    pub fn create(path: &Path, interval: Duration, rotation: Rotation) -> Result<Self, WriteError> {
        let file = create(path)?;
        Ok(Self {
            path: path.to_owned(),
            rotation,
            header: Header {
                schema: facts::SCHEMA,
                tool: env!("CARGO_PKG_VERSION").to_owned(),
                interval,
                ..Header::default()
            },
            file,
            size: 0,
            since: None,
            since_full: 0,
            encoder: Encoder::default(),
            files: vec![path.to_owned()],
            count: 1,
        })
    }

    /// What the node is called; before the first frame.
    pub fn name(&mut self, node: &str) {
        node.clone_into(&mut self.header.node);
    }

    /// The file that is being written.
    pub fn path(&self) -> &Path {
        self.files.last().unwrap_or(&self.path)
    }

    /// Bytes in the file that is being written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes a frame.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let now = frame.sample.monotonic;
        let is_large = self.rotation.size.is_some_and(|size| self.size >= size);
        let age = self.since.and_then(|since| now.checked_sub(since));
        let is_old = self.rotation.age.zip(age).is_some_and(|(most, age)| age >= most);
        if self.since.is_some() && (is_large || is_old) {
            self.rotate(frame.sample.time)?;
        }
        if self.size == 0 {
            self.header.started = frame.sample.time;
            let bytes = write_header(&self.header).map_err(EncodeError::from)?;
            self.append(&bytes)?;
        }
        let in_full = self.since.is_none() || self.since_full + 1 >= FULL_EVERY;
        let bytes = self.encoder.encode(frame, in_full)?;
        let kind = if in_full { Kind::Full } else { Kind::Delta };
        self.append(&write_frame(kind, frame.sample.time, &pack(&bytes)))?;
        self.since_full = if in_full { 0 } else { self.since_full + 1 };
        self.since.get_or_insert(now);
        Ok(())
    }

    /// All or nothing, as far as that can be had: on a full disk the frames before are left whole.
    fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if let Err(source) = self.file.write_all(bytes) {
            // What is cut is not read either.
            let _ = self.file.set_len(self.size);
            return Err(failed(self.path(), source));
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file, and begins another one.
    fn rotate(&mut self, time: Duration) -> Result<(), WriteError> {
        self.append(&write_frame(Kind::End, time, &[]))?;
        self.count += 1;
        let path = numbered(&self.path, self.count);
        self.file = create(&path)?;
        self.size = 0;
        self.files.push(path);
        self.since = None;
        let most = self.rotation.keep.unwrap_or(usize::MAX).max(1);
        while self.files.len() > most {
            let oldest = self.files.remove(0);
            match fs::remove_file(&oldest) {
                Ok(()) => {}
                // Somebody else was faster.
                Err(error) if files::is_absent(&error) => {}
                Err(source) => return Err(failed(&oldest, source)),
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    /// Says that recording was ended. A file without is one that was killed, and can be read all the same.
    fn drop(&mut self) {
        if self.since.is_none() {
            // Nothing is in it.
            let _ = fs::remove_file(self.path());
            return;
        }
        let _ = self.append(&write_frame(Kind::End, Duration::ZERO, &[]));
        let _ = self.file.sync_data();
    }
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io { path: path.to_owned(), source }
}

/// Only its owner may read it: a node's names and addresses are in it.
fn create(path: &Path) -> Result<File, WriteError> {
    files::create_private(path).map_err(|source| failed(path, source))
}

/// `night.ovp`, `night-2.ovp`, `night-3.ovp`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
