//! The files of one directory, read with bounds and read again only when they changed. A directory of leftovers may have
//! hundreds of thousands, a file may be empty after a crash or no file at all. What is in a file is for those who ask.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, Read as _},
    mem,
    os::{linux::fs::MetadataExt as _, unix::fs::FileTypeExt as _},
    path::Path,
    time::{Duration, SystemTime},
};

use nix::fcntl::OFlag;
use tokio::task::yield_now;

use super::limits::{self, Size};
use crate::files::{self, On, Refused, Root, root::shown, through};

/// Longest file that is read. libcni's are some kilobytes.
const LONGEST: u64 = 1 << 20;
/// Most files that are read. A node has a few hundred pods, but leftovers pile up.
const MOST: usize = 20_000;
/// Bytes that are read of all files in one go.
const TOTAL: u64 = 32 << 20;
/// Most names that are looked at.
const MOST_NAMES: usize = 1_000_000;
/// Files after which others of the thread have a turn, and names.
const BATCH: usize = 64;
const BATCH_OF_NAMES: usize = 1024;
/// A file that was written this shortly before it was read may be written again without looking other: the kernel's clock
/// ticks every few milliseconds.
const SETTLED: Duration = Duration::from_secs(1);

/// What is made of a file, by its name and text; none when it is somebody else's; else what is wrong with it.
type Parse<T> = fn(&str, &str) -> Result<Option<T>, String>;

/// A directory, with what its files said when they were read last.
#[derive(Debug)]
pub(super) struct Directory<T> {
    path: &'static Path,
    /// Names of directories in it that belong there.
    inner: &'static [&'static str],
    parse: Parse<T>,
    bounds: Bounds,
    /// What the directory was when its names were read last, and the sandboxes then, where they decide what is left out.
    listed: Option<(Stamp, BTreeSet<String>)>,
    files: BTreeMap<OsString, Entry<T>>,
    left_out: Option<LeftOut>,
    /// It could not be read.
    trouble: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    most: usize,
    total: u64,
    kept: usize,
}

/// Bytes for which there is room.
struct Left {
    /// Of what is read in one go.
    read: u64,
    /// Of what is kept of all files.
    kept: usize,
}

/// A file, as it was when it was read.
#[derive(Debug)]
struct Entry<T> {
    /// None before it was read, and when it has to be read again whatever it looks like.
    stamp: Option<Stamp>,
    outcome: Result<Option<T>, Wrong>,
}

/// What changes when a file or directory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Files that were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LeftOut {
    files: usize,
    kept: Kept,
}

/// Which of too many files were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Those of the runtime's sandboxes.
    Live,
    /// The newest.
    Newest,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    NoFile(&'static str),
    Empty,
    TooLong,
    NoText,
    Unreadable(String),
    Malformed(String),
    /// The total of bytes was reached before.
    NoRoom,
}

impl<T: Size> Directory<T> {
    pub(super) fn new(path: &'static str, inner: &'static [&'static str], parse: Parse<T>) -> Self {
        Self {
            path: Path::new(path),
            inner,
            parse,
            bounds: Bounds { most: MOST, total: TOTAL, kept: limits::ALL },
            listed: None,
            files: BTreeMap::new(),
            left_out: None,
            trouble: None,
        }
    }

    /// What its files said, by name.
    pub(super) fn items(&self) -> impl Iterator<Item = &T> {
        self.files.values().filter_map(|file| file.outcome.as_ref().ok()?.as_ref())
    }

    /// Reads what changed. Of too many files those are read that have one of `live` in their name, container IDs of sandboxes;
    /// without any, the newest. Between the files of others have a turn on this thread.
    pub(super) async fn read(&mut self, root: &Path, live: &BTreeSet<&str>) {
        self.trouble = None;
        let read = match Root::open(root) {
            Ok(root) => self.try_read(&root, live).await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            self.files.clear();
            self.listed = None;
            self.left_out = None;
            if !files::is_absent(&error) {
                self.trouble = Some(format!("cannot read {}: {error}", shown(root, self.path)));
            }
        }
    }

    async fn try_read(&mut self, root: &Root, live: &BTreeSet<&str>) -> io::Result<()> {
        let directory = File::from(root.look(self.path, OFlag::O_DIRECTORY)?);
        let here = through(&directory);
        let stamp = Stamp::of(&directory.metadata()?);
        let is_same = self.listed.as_ref().is_some_and(|(before, of)| {
            let decide = self.left_out.is_some();
            *before == stamp && (!decide || live.iter().copied().eq(of.iter().map(String::as_str)))
        });
        if !is_same {
            let (names, left_out) = self.choose(&here, live).await?;
            let mut before = mem::take(&mut self.files);
            let unread = |name: OsString| {
                let known = before.remove(&name);
                (name, known.unwrap_or(Entry { stamp: None, outcome: Ok(None) }))
            };
            self.files = names.into_iter().map(unread).collect();
            self.left_out = left_out;
            let of = if left_out.is_some() {
                live.iter().map(|&id| id.to_owned()).collect()
            } else {
                BTreeSet::new()
            };
            self.listed = Some((stamp, of)).filter(|(stamp, _)| stamp.is_settled());
        }
        let mut left = Left { read: self.bounds.total, kept: self.bounds.kept };
        let mut gone = Vec::new();
        for (count, (name, entry)) in self.files.iter_mut().enumerate() {
            if count % BATCH == BATCH - 1 {
                yield_now().await;
            }
            if !entry.read(&here.join(name), root.disk(), name, self.parse, self.inner, &mut left) {
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.files.remove(&name);
        }
        Ok(())
    }

    /// The names of the files to read, and what is left out.
    async fn choose(
        &self,
        here: &Path,
        live: &BTreeSet<&str>,
    ) -> io::Result<(BTreeSet<OsString>, Option<LeftOut>)> {
        let most = self.bounds.most;
        let (mut chosen, mut others, mut count) = (BTreeSet::new(), Vec::new(), 0);
        for entry in fs::read_dir(here)?.flatten().take(MOST_NAMES) {
            count += 1;
            if count % BATCH_OF_NAMES == 0 {
                yield_now().await;
            }
            let name = entry.file_name();
            if chosen.len() < most && is_of(&name, live) {
                chosen.insert(name);
            } else if others.len() < most {
                others.push(name);
            }
        }
        if count <= most {
            chosen.extend(others);
            return Ok((chosen, None));
        }
        let kept = if chosen.is_empty() { Kept::Newest } else { Kept::Live };
        if kept == Kept::Newest {
            drop(others);
            chosen = newest(here, most).await?;
        }
        let files = count - chosen.len();
        Ok((chosen, (files > 0).then_some(LeftOut { files, kept })))
    }

    /// What is wrong, in words: each kind with how many there are and one of them.
    pub(super) fn notes(&self, root: &Path) -> Vec<String> {
        let directory = shown(root, self.path);
        let mut notes: Vec<String> = self.trouble.iter().cloned().collect();
        if let Some(LeftOut { files, kept }) = self.left_out {
            let kept = match kept {
                Kept::Live => "those of sandboxes that the runtime has",
                Kept::Newest => "the newest",
            };
            notes.push(format!(
                "{directory} has {} files: only {kept} are read, {files} are left out; remove those whose pods are gone",
                files + self.files.len(),
            ));
        }
        let mut kinds: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (name, file) in &self.files {
            let Err(wrong) = &file.outcome else { continue };
            let (kind, cause) = wrong.words();
            let name = name.to_string_lossy();
            let example =
                || cause.map_or_else(|| name.clone().into_owned(), |cause| format!("{name} ({cause})"));
            kinds.entry(kind).or_insert_with(|| (0, example())).0 += 1;
        }
        notes.extend(kinds.into_iter().map(|(kind, (count, example))| {
            format!("{count} file(s) of {directory} left out: {kind}, such as {example}")
        }));
        notes
    }
}

impl<T: Size> Entry<T> {
    /// Reads the file again when it looks other than before; false when it is gone.
    fn read(
        &mut self,
        path: &Path,
        on: On,
        name: &OsStr,
        parse: Parse<T>,
        inner: &[&str],
        left: &mut Left,
    ) -> bool {
        let metadata = match fs::symlink_metadata(path) {
            Err(error) if files::is_absent(&error) => return false,
            Err(error) => {
                self.stamp = None;
                self.outcome = Err(Wrong::Unreadable(error.to_string()));
                return true;
            }
            Ok(metadata) => metadata,
        };
        let stamp = Stamp::of(&metadata);
        if self.stamp == Some(stamp) {
            self.keep(left);
            return true;
        }
        self.stamp = Some(stamp).filter(Stamp::is_settled);
        if metadata.is_dir() && inner.iter().any(|inner| name == *inner) {
            self.outcome = Ok(None);
            return true;
        }
        let text = text(path, on, &metadata, &mut left.read);
        if matches!(text, Err(Wrong::NoRoom)) {
            self.stamp = None;
        }
        self.outcome = text.and_then(|text| parse(&name.to_string_lossy(), &text).map_err(Wrong::Malformed));
        self.keep(left);
        true
    }

    /// Lets go of what the file says where there is no room for it beside the others.
    fn keep(&mut self, left: &mut Left) {
        let Ok(Some(item)) = &self.outcome else { return };
        if let Some(rest) = left.kept.checked_sub(item.bytes()) {
            left.kept = rest;
        } else {
            self.stamp = None;
            self.outcome = Err(Wrong::NoRoom);
        }
    }
}

/// The text of a regular file. Opened without waiting: a pipe would never answer.
fn text(path: &Path, on: On, metadata: &Metadata, left: &mut u64) -> Result<String, Wrong> {
    let kind = metadata.file_type();
    if !kind.is_file() {
        return Err(Wrong::NoFile(match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_symlink() => "a link",
            () if kind.is_fifo() => "a pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        }));
    }
    if metadata.len() == 0 {
        return Err(Wrong::Empty);
    }
    if metadata.len() > LONGEST {
        return Err(Wrong::TooLong);
    }
    if metadata.len() > *left {
        return Err(Wrong::NoRoom);
    }
    let unreadable = |error: io::Error| Wrong::Unreadable(error.to_string());
    // Somebody may have put something else in its place meanwhile.
    let file = files::open(path, on).map_err(|refused| match refused {
        Refused::NotAFile(kind) => Wrong::NoFile(kind),
        Refused::Io(error) => unreadable(error),
        Refused::FileSystem(_) => Wrong::Unreadable(refused.to_string()),
    })?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    *left = left.saturating_sub(length);
    if length > LONGEST {
        return Err(Wrong::TooLong);
    }
    String::from_utf8(bytes).map_err(|_not_text| Wrong::NoText)
}

/// A part of the name is one of these.
fn is_of(name: &OsStr, live: &BTreeSet<&str>) -> bool {
    name.to_str().is_some_and(|name| name.split(['-', '_']).any(|part| live.contains(part)))
}

/// The names of the files that were written last.
async fn newest(here: &Path, most: usize) -> io::Result<BTreeSet<OsString>> {
    let mut newest = BinaryHeap::new();
    for (count, entry) in fs::read_dir(here)?.flatten().take(MOST_NAMES).enumerate() {
        if count % BATCH == BATCH - 1 {
            yield_now().await;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        newest.push(Reverse((metadata.modified().ok(), entry.file_name())));
        if newest.len() > most {
            newest.pop();
        }
    }
    Ok(newest.into_iter().map(|Reverse((_, name))| name).collect())
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.st_ino(),
            size: metadata.st_size(),
            modified: (metadata.st_mtime(), metadata.st_mtime_nsec()),
            changed: (metadata.st_ctime(), metadata.st_ctime_nsec()),
        }
    }

    /// What is written from now on gives it another stamp.
    fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or_default();
        let changed = Duration::new(u64::try_from(seconds).unwrap_or_default(), nanoseconds);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.abs_diff(changed) > SETTLED
    }
}

impl Wrong {
    /// The kind, and what is particular to one file.
    fn words(&self) -> (String, Option<&str>) {
        match self {
            Self::NoFile(kind) => (format!("{kind}, not a file"), None),
            Self::Empty => ("empty, as after a crash".to_owned(), None),
            Self::TooLong => (format!("longer than {LONGEST} bytes"), None),
            Self::NoText => ("not UTF-8".to_owned(), None),
            Self::Unreadable(cause) => ("cannot be read".to_owned(), Some(cause)),
            Self::Malformed(cause) => ("not in the expected format".to_owned(), Some(cause)),
            Self::NoRoom => (format!("all together have more than {TOTAL} bytes"), None),
        }
    }
}

#[cfg(test)]
mod tests;
