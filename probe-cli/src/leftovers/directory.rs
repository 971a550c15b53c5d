//! Where the notes of runs are, and whose run lives. What a note says is in `record`.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, DirBuilder, File, Metadata, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};

use super::record::{self, Record};
use crate::{
    files::{self, On, Refused},
    text,
};

/// Where they are on a node.
pub const DIRECTORY: &str = "/run/overlay-probe/run";

/// The directories of notes that are looked at. New notes go into the first that takes them.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    host_root: Option<PathBuf>,
    own: PathBuf,
}

/// Mode of the directories: whoever can open a note can lock it, and so make a dead run look alive.
const DIRECTORY_MODE: u32 = 0o700;

/// What all notes together say.
#[derive(Debug, Default)]
pub struct Found {
    /// Of runs that live.
    pub live: Vec<Record>,
    /// Of runs that died.
    pub dead: Vec<Dead>,
    /// Runs of which it is not known whether they live or where their filters are.
    pub unknown: Vec<Unknown>,
}

/// A note that nobody holds.
#[derive(Debug)]
pub struct Dead {
    path: PathBuf,
    /// Device and inode of the file.
    identity: (u64, u64),
    pub(super) record: Record,
}

/// A note, or a directory of notes, that does not say what it should. A run that lives may be behind it.
#[derive(Debug)]
pub struct Unknown {
    path: PathBuf,
    why: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", text::escape(&self.path.to_string_lossy()), self.why)
    }
}

impl Dead {
    /// Removes the note, if it is still the same and still nobody's. Gone already is as good.
    pub(super) fn remove(&self) {
        let Ok(file) = files::open(&self.path, On::Disk) else { return };
        let Ok(file) = Flock::lock(file, FlockArg::LockSharedNonblock) else { return };
        if file.metadata().is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl RunDirectory {
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
                match DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            below(root).ok_or_else(|| io::Error::other("not a directory below --host-root"))
        });
        let own = || {
            DirBuilder::new().mode(DIRECTORY_MODE).recursive(true).create(&self.own)?;
            Ok(self.own.clone())
        };
        // An earlier version left what the umask gave.
        let only_ours = |path: PathBuf| {
            fs::set_permissions(&path, Permissions::from_mode(DIRECTORY_MODE))?;
            Ok(path)
        };
        below_root.chain([own()]).map(move |path| path.and_then(only_ours))
    }

    /// All of them, whether they are there or not.
    pub fn all(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.own.clone()];
        let host = self.host_root.as_deref().and_then(below);
        directories.extend(host.filter(|path| *path != self.own));
        directories
    }

    /// What all notes say. A file that nobody holds and that is no note counts as dead and empty: it can be removed. One
    /// that is held and cannot be understood is a run that lives, of another version perhaps.
    pub fn read(&self) -> Found {
        let mut found = Found::default();
        for directory in self.all() {
            if let Err(error) = found.add_directory(&directory) {
                found.unknown.push(Unknown { path: directory, why: error.to_string() });
            }
        }
        found
    }

    /// Interfaces of a network namespace whose clsact qdisc was made by a run of ours, this one included. Runs share
    /// it, and whoever ends last removes it. What cannot be read claims none: a qdisc that is left is better than one
    /// that goes while somebody uses it.
    pub fn made_qdiscs(&self, netns: (u64, u64)) -> BTreeSet<u32> {
        let Found { live, dead, unknown: _ } = self.read();
        let records = live.into_iter().chain(dead.into_iter().map(|note| note.record));
        records
            .filter(|record| record.netns == netns)
            .flat_map(|record| record.places)
            .filter(|place| place.made_qdisc)
            .map(|place| place.ifindex)
            .collect()
    }
}

impl Found {
    fn add_directory(&mut self, directory: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            match files::open(&path, On::Disk) {
                Ok(file) => self.add(path, file),
                // What is no file is nobody's note.
                Err(Refused::NotAFile(_)) => {}
                // Gone since.
                Err(error) if error.is_absent() => {}
                Err(error) => self.unknown.push(Unknown { path, why: error.to_string() }),
            }
        }
        Ok(())
    }

    /// Adds one note. Its file is closed again: there may be more notes than a process may have open.
    fn add(&mut self, path: PathBuf, file: File) {
        let judged = file.metadata().map_err(|error| error.to_string()).and_then(|metadata| {
            only_we_write(&metadata).then_some(identity(&metadata)).ok_or_else(|| {
                "users other than root may write it, so it is not trusted; remove it if no run needs it"
                    .to_owned()
            })
        });
        let identity = match judged {
            Ok(identity) => identity,
            Err(why) => return self.unknown.push(Unknown { path, why }),
        };
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(file) => {
                let record = record::read(&file).unwrap_or_default();
                self.dead.push(Dead { path, identity, record });
            }
            Err((file, _)) => match record::read(&file) {
                Ok(record) => self.live.push(record),
                Err(why) => self.unknown.push(Unknown { path, why: format!("a run holds it, and {why}") }),
            },
        }
    }
}

/// Nobody but root, or whoever this runs as, can have written it.
fn only_we_write(metadata: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    let owner = metadata.uid();
    (owner == 0 || owner == geteuid().as_raw()) && metadata.mode() & OTHERS_WRITE == 0
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
        let notes = RunDirectory::of(directory.path());
        let mut run = RunRecord::create(&notes, (4, 5)).unwrap();
        assert!(notes.read().live[0].attaching, "until it says where its filters are");
        run.update(vec![PLACE, PLACE]).unwrap();
        run.update(vec![PLACE]).unwrap();
        let dead_text = serde_json::to_string(run.record()).unwrap();
        fs::write(directory.path().join("dead1.json"), &dead_text).unwrap();
        fs::write(directory.path().join("dead2.json"), [0xff, 0]).unwrap();
        fs::write(directory.path().join("dead3.json"), "").unwrap();
        let Found { live, dead, unknown } = notes.read();
        assert_eq!(live, [Record { netns: (4, 5), places: vec![PLACE], ..Record::default() }]);
        let mut places: Vec<_> = dead.iter().map(|note| note.record.places.len()).collect();
        places.sort_unstable();
        assert_eq!((places, unknown.len()), (vec![0, 0, 1], 0));
        dead.iter().for_each(Dead::remove);
        drop(run);
        let Found { live, dead, .. } = notes.read();
        assert_eq!((live.len(), dead.len()), (0, 0));
    }

    #[test]
    fn a_note_that_is_held_and_not_understood_is_a_run_that_lives() {
        let directory = tempfile::tempdir().unwrap();
        let notes = RunDirectory::of(directory.path());
        let newer = Record { version: record::VERSION + 1, netns: (4, 5), ..Record::default() };
        for text in ["{\"netns\": 7}".to_owned(), String::new(), serde_json::to_string(&newer).unwrap()] {
            let path = directory.path().join("1.json");
            fs::write(&path, text).unwrap();
            let held = Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
            let Found { live, dead, unknown } = notes.read();
            assert_eq!((live.len(), dead.len()), (0, 0));
            let [unknown] = unknown.as_slice() else { panic!("{unknown:?}") };
            assert!(unknown.to_string().contains("1.json: a run holds it, and "), "{unknown}");
            drop(held);
            assert_eq!(notes.read().dead.len(), 1);
        }
    }

    #[test]
    fn a_note_that_others_may_write_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let notes = RunDirectory::of(directory.path());
        let path = directory.path().join("1.json");
        fs::write(&path, serde_json::to_string(&Record::default()).unwrap()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let Found { live, dead, unknown } = notes.read();
        assert_eq!((live.len(), dead.len(), unknown.len()), (0, 0, 1));
        assert!(unknown[0].to_string().contains("users other than root may write it"), "{}", unknown[0]);
    }

    #[test]
    fn the_umask_decides_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let notes = RunDirectory::of(&directory.path().join("run"));
        fs::create_dir(directory.path().join("run")).unwrap();
        fs::set_permissions(directory.path().join("run"), Permissions::from_mode(0o777)).unwrap();
        let _run = RunRecord::create(&notes, (4, 5)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&directory.path().join("run")), 0o700);
        let note = fs::read_dir(directory.path().join("run")).unwrap().flatten().next().unwrap().path();
        assert_eq!(mode(&note), 0o600);
    }

    #[test]
    fn runs_with_one_process_id_in_two_containers_have_a_note_each() {
        let directory = tempfile::tempdir().unwrap();
        let notes = RunDirectory::of(directory.path());
        let runs = [1, 2].map(|netns| RunRecord::create(&notes, (4, netns)).unwrap());
        assert_eq!(notes.read().live.len(), 2);
        let [first, second] = runs;
        drop(first);
        assert_eq!(notes.read().live, [second.record().clone()]);
    }

    #[test]
    fn the_hosts_directory_comes_first_and_is_reached_by_no_link() {
        let (root, own, elsewhere) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let notes = RunDirectory { host_root: Some(root.path().to_owned()), own: own.path().to_owned() };
        let host = root.path().join("run/overlay-probe/run");
        let count = |directory: &Path| fs::read_dir(directory).map_or(0, Iterator::count);

        let without = RunRecord::create(&notes, (4, 5)).unwrap();
        assert_eq!((count(&host), count(own.path())), (0, 1), "no `run` below the root");
        fs::create_dir(root.path().join("run")).unwrap();
        let with = RunRecord::create(&notes, (4, 6)).unwrap();
        assert_eq!((count(&host), count(own.path())), (1, 1));
        assert_eq!(notes.read().live.len(), 2, "both are read");
        drop((without, with));

        fs::remove_dir_all(root.path().join("run/overlay-probe")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("run/overlay-probe")).unwrap();
        let _run = RunRecord::create(&notes, (4, 7)).unwrap();
        assert_eq!((count(&elsewhere.path().join("run")), count(own.path())), (0, 1));
    }
}
