//! The note that a run with clsact filters keeps in `/run/overlay-probe/run`, locked while it lives.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

/// Where the notes are.
pub const DIRECTORY: &str = "/run/overlay-probe/run";

/// A note this long is not one of ours.
const MAX_BYTES: u64 = 1 << 20;

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
    /// A run of ours created the qdisc.
    pub made_qdisc: bool,
}

/// What one run has where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Device and inode of the network namespace.
    pub netns: (u64, u64),
    /// Its filters.
    pub places: Vec<Placed>,
}

/// The note of this run. Removed when dropped; after a SIGKILL it stays, unlocked.
#[derive(Debug)]
pub struct RunRecord {
    file: Flock<File>,
    path: PathBuf,
    written: Record,
}

impl RunRecord {
    /// Makes the note of this process.
    pub fn create(directory: &Path, netns: (u64, u64)) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}.json", std::process::id()));
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| io::Error::from(error))?;
        let mut record = Self { file, path, written: Record::default() };
        record.write(Record { netns, places: Vec::new() })?;
        Ok(record)
    }

    /// Says where the filters are now.
    pub fn update(&mut self, places: Vec<Placed>) -> io::Result<()> {
        if places == self.written.places {
            return Ok(());
        }
        self.write(Record { netns: self.written.netns, places })
    }

    fn write(&mut self, record: Record) -> io::Result<()> {
        let text = serde_json::to_vec(&record)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
        self.written = record;
        Ok(())
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

/// A note that nobody holds any more.
pub type Dead = (PathBuf, Record);

/// Notes of runs that live, and of runs that died with the path of each. A file that is no note counts as dead and
/// empty: it can be removed.
pub fn live_and_dead(directory: &Path) -> io::Result<(Vec<Record>, Vec<Dead>)> {
    let mut live = Vec::new();
    let mut dead = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((live, dead)),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        // Gone or unreadable since: not ours to judge.
        let Ok(file) = File::open(&path) else { continue };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(file) => dead.push((path, read(&file))),
            Err((file, _)) => live.push(read(&file)),
        }
    }
    Ok((live, dead))
}

/// Interfaces of a network namespace whose clsact qdisc was made by a run of ours, this one included. Runs share it, and
/// whoever ends last removes it.
pub fn made_qdiscs(directory: &Path, netns: (u64, u64)) -> BTreeSet<u32> {
    let (live, dead) = live_and_dead(directory).unwrap_or_default();
    let records = live.into_iter().chain(dead.into_iter().map(|(_, record)| record));
    records
        .filter(|record| record.netns == netns)
        .flat_map(|record| record.places)
        .filter(|place| place.made_qdisc)
        .map(|place| place.ifindex)
        .collect()
}

fn read(file: &File) -> Record {
    let mut text = Vec::new();
    let read = file.take(MAX_BYTES).read_to_end(&mut text);
    read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_lives_holds_its_note_and_a_dead_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let place = Placed { ifindex: 7, egress: true, priority: 1, handle: 1, made_qdisc: true };
        let mut run = RunRecord::create(directory.path(), (4, 5)).unwrap();
        run.update(vec![place, place]).unwrap();
        run.update(vec![place]).unwrap();
        let dead_text = serde_json::to_string(run.record()).unwrap();
        fs::write(directory.path().join("1.json"), &dead_text).unwrap();
        fs::write(directory.path().join("2.json"), [0xff, 0]).unwrap();
        fs::write(directory.path().join("3.json"), "").unwrap();
        let (live, dead) = live_and_dead(directory.path()).unwrap();
        assert_eq!(live, [Record { netns: (4, 5), places: vec![place] }]);
        let mut places: Vec<_> = dead.into_iter().map(|(_, record)| record.places.len()).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 0, 1]);
        drop(run);
        assert_eq!(live_and_dead(directory.path()).unwrap().0, []);
    }
}
