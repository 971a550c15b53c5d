//! The note that a run with clsact filters keeps, locked while it lives. Where notes are is in `notes`.

use std::{
    fs::{self, File},
    io::{self, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::directory::RunDirectory;
use crate::files;

/// A note this long is not one of ours.
const MAX_BYTES: u64 = 1 << 20;

/// Mode of a note, see the mode of its directory.
const MODE: u32 = 0o600;

/// Names that are tried for a note.
const TRIES: u32 = 1000;

/// Where one filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Interface index.
    pub ifindex: u32,
    /// Egress, else ingress.
    pub egress: bool,
    /// Priority.
    pub priority: u16,
    /// Handle.
    pub handle: u32,
    /// The kernel's number of the program. A filter of another run may come to the same place later, and interface
    /// indices and namespaces come again; this number does not, before it has gone through all of them.
    pub program: u32,
    /// A run of ours created the qdisc.
    pub made_qdisc: bool,
}

/// What this version writes. A note of a later one that lives is not understood: it may name its filters in another way.
pub(super) const VERSION: u32 = 1;

/// What one run has where. Fields that are not known are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Of the fields' meaning; notes without it are of the first.
    #[serde(default = "version")]
    pub version: u32,
    /// Device and inode of the network namespace.
    pub netns: (u64, u64),
    /// Its filters.
    pub places: Vec<Placed>,
    /// It is putting filters on and cannot say yet where: the kernel chooses their handles.
    pub attaching: bool,
}

fn version() -> u32 {
    VERSION
}

impl Default for Record {
    fn default() -> Self {
        Self { version: VERSION, netns: (0, 0), places: Vec::new(), attaching: false }
    }
}

/// The note of this run. Removed when dropped; after a SIGKILL it stays, unlocked.
#[derive(Debug)]
pub struct RunRecord {
    file: Flock<File>,
    path: PathBuf,
    written: Record,
}

impl RunRecord {
    /// Makes the note of this process, which is about to attach.
    pub fn create(notes: &RunDirectory, netns: (u64, u64)) -> io::Result<Self> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for directory in notes.writable() {
            match directory.and_then(|directory| new_file(&directory)) {
                Ok((file, path)) => {
                    let mut record = Self { file, path, written: Record::default() };
                    record.write(Record { netns, attaching: true, ..Record::default() })?;
                    return Ok(record);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Says that filters are about to be put on.
    pub fn attaching(&mut self) -> io::Result<()> {
        self.write(Record { attaching: true, ..self.written.clone() })
    }

    /// Says where the filters are now.
    pub fn update(&mut self, places: Vec<Placed>) -> io::Result<()> {
        self.write(Record { places, attaching: false, ..self.written.clone() })
    }

    fn write(&mut self, record: Record) -> io::Result<()> {
        if record == self.written {
            return Ok(());
        }
        let mut text = serde_json::to_vec(&record)?;
        // Over the whole of what was there in one step: half a note would claim nothing.
        let length = usize::try_from(self.file.metadata()?.len()).unwrap_or(0);
        text.resize(text.len().max(length), b' ');
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.written = record;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub fn record(&self) -> &Record {
        &self.written
    }
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// A new file, locked. Process ids are unique in one container only.
fn new_file(directory: &Path) -> io::Result<(Flock<File>, PathBuf)> {
    let id = std::process::id();
    for number in 0..TRIES {
        let name = if number == 0 { format!("{id}.json") } else { format!("{id}-{number}.json") };
        let path = directory.join(name);
        let file = match files::create_new(&path, MODE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        // Somebody who looks for dead notes may be faster than the lock, and remove the file.
        if let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            && file.metadata()?.nlink() > 0
        {
            return Ok((file, path));
        }
    }
    Err(io::Error::other(format!("no free name for a note in {}", directory.display())))
}

/// What a note says, or why it cannot be understood.
pub(super) fn read(file: &File) -> Result<Record, String> {
    understood(&files::read_open(file, MAX_BYTES).map_err(|error| error.to_string())?)
}

/// The same of a note's text.
pub(super) fn understood(text: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(text).map_err(|error| {
        // Not serde_json's own words: they quote the file.
        format!("it is not a run record (line {}, column {})", error.line(), error.column())
    })?;
    if record.version > VERSION {
        return Err(format!("its version is {}, of a newer overlay-probe", record.version));
    }
    Ok(record)
}
