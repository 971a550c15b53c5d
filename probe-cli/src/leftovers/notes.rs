//! Where the notes of runs are, and whose run lives. What a note says is in `record`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use super::record::{Record, read};
use crate::files;

/// Where they are on a node.
pub const DIRECTORY: &str = "/run/overlay-probe/run";

/// The directories of notes that are looked at. New notes go into the first that takes them.
#[derive(Clone, Debug)]
pub struct Notes {
    host_root: Option<PathBuf>,
    own: PathBuf,
}

/// A note that nobody holds any more. Locked while this lives, so that no new run takes its file.
#[derive(Debug)]
pub struct Dead {
    pub(super) path: PathBuf,
    pub(super) record: Record,
    _file: Flock<File>,
}

impl Notes {
    /// Those of [`DIRECTORY`], and before them those of the host whose root directory is mounted here: a container then
    /// sees what runs on the host wrote, and they see what it writes.
    pub fn new(host_root: Option<&Path>) -> Self {
        Self { host_root: host_root.map(Path::to_owned), own: DIRECTORY.into() }
    }

    #[cfg(test)]
    pub(super) fn of(own: &Path) -> Self {
        Self { host_root: None, own: own.to_owned() }
    }

    /// True when others than this machine's processes, as seen from here, may have written some of them.
    pub(super) fn are_shared(&self) -> bool {
        self.host_root.is_some()
    }

    /// The directories that there are, made where they can be; the host's first.
    pub(super) fn writable(&self) -> impl Iterator<Item = io::Result<PathBuf>> {
        let below_root = self.host_root.iter().map(|root| {
            // Nothing above it: without a `run` it is no root directory.
            let mut path = root.join("run");
            for name in ["overlay-probe", "run"] {
                path.push(name);
                match fs::create_dir(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            below(root).ok_or_else(|| io::Error::other("not a directory below --host-root"))
        });
        below_root.chain([fs::create_dir_all(&self.own).map(|()| self.own.clone())])
    }

    /// Notes of runs that live, and of runs that died. A file that is no note counts as dead and empty: it can be
    /// removed.
    pub fn live_and_dead(&self) -> io::Result<(Vec<Record>, Vec<Dead>)> {
        let mut directories = vec![self.own.clone()];
        let host = self.host_root.as_deref().and_then(below);
        directories.extend(host.filter(|path| *path != self.own));
        let mut live = Vec::new();
        let mut dead = Vec::new();
        for directory in directories {
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let path = entry?.path();
                // Gone or unreadable since: not ours to judge. What is no file is nobody's note.
                let Ok(Some(file)) = files::open(&path) else { continue };
                match Flock::lock(file, FlockArg::LockSharedNonblock) {
                    Ok(file) => dead.push(Dead { path, record: read(&file), _file: file }),
                    Err((file, _)) => live.push(read(&file)),
                }
            }
        }
        Ok((live, dead))
    }

    /// Interfaces of a network namespace whose clsact qdisc was made by a run of ours, this one included. Runs share
    /// it, and whoever ends last removes it.
    pub fn made_qdiscs(&self, netns: (u64, u64)) -> BTreeSet<u32> {
        let (live, dead) = self.live_and_dead().unwrap_or_default();
        let records = live.into_iter().chain(dead.into_iter().map(|note| note.record));
        records
            .filter(|record| record.netns == netns)
            .flat_map(|record| record.places)
            .filter(|place| place.made_qdisc)
            .map(|place| place.ifindex)
            .collect()
    }
}

/// The host's directory. A symbolic link would lead out of the host's root, and is not followed.
fn below(root: &Path) -> Option<PathBuf> {
    let mut path = root.to_owned();
    for name in Path::new(DIRECTORY).iter().skip(1) {
        path.push(name);
        fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_dir)?;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::{
        super::record::{Placed, RunRecord},
        *,
    };

    const PLACE: Placed =
        Placed { ifindex: 7, egress: true, priority: 1, handle: 1, program: 40, made_qdisc: true };

    #[test]
    fn a_run_that_lives_holds_its_note_and_a_dead_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let notes = Notes::of(directory.path());
        let mut run = RunRecord::create(&notes, (4, 5)).unwrap();
        assert!(notes.live_and_dead().unwrap().0[0].attaching, "until it says where its filters are");
        run.update(vec![PLACE, PLACE]).unwrap();
        run.update(vec![PLACE]).unwrap();
        let dead_text = serde_json::to_string(run.record()).unwrap();
        fs::write(directory.path().join("dead1.json"), &dead_text).unwrap();
        fs::write(directory.path().join("dead2.json"), [0xff, 0]).unwrap();
        fs::write(directory.path().join("dead3.json"), "").unwrap();
        let (live, dead) = notes.live_and_dead().unwrap();
        assert_eq!(live, [Record { netns: (4, 5), places: vec![PLACE], attaching: false }]);
        let mut places: Vec<_> = dead.into_iter().map(|note| note.record.places.len()).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 0, 1]);
        drop(run);
        assert_eq!(notes.live_and_dead().unwrap().0, []);
    }

    #[test]
    fn runs_with_one_process_id_in_two_containers_have_a_note_each() {
        let directory = tempfile::tempdir().unwrap();
        let notes = Notes::of(directory.path());
        let runs = [1, 2].map(|netns| RunRecord::create(&notes, (4, netns)).unwrap());
        assert_eq!(notes.live_and_dead().unwrap().0.len(), 2);
        let [first, second] = runs;
        drop(first);
        assert_eq!(notes.live_and_dead().unwrap().0, [second.record().clone()]);
    }

    #[test]
    fn the_hosts_directory_comes_first_and_is_reached_by_no_link() {
        let (root, own, elsewhere) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let notes = Notes { host_root: Some(root.path().to_owned()), own: own.path().to_owned() };
        let host = root.path().join("run/overlay-probe/run");
        let count = |directory: &Path| fs::read_dir(directory).map_or(0, Iterator::count);

        let without = RunRecord::create(&notes, (4, 5)).unwrap();
        assert_eq!((count(&host), count(own.path())), (0, 1), "no `run` below the root");
        fs::create_dir(root.path().join("run")).unwrap();
        let with = RunRecord::create(&notes, (4, 6)).unwrap();
        assert_eq!((count(&host), count(own.path())), (1, 1));
        assert_eq!(notes.live_and_dead().unwrap().0.len(), 2, "both are read");
        drop((without, with));

        fs::remove_dir_all(root.path().join("run/overlay-probe")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("run/overlay-probe")).unwrap();
        let _run = RunRecord::create(&notes, (4, 7)).unwrap();
        assert_eq!((count(&elsewhere.path().join("run")), count(own.path())), (0, 1));
    }
}
