//! Files below the root of a host: whatever a path or a link says, nothing above the root is reached, nothing but regular
//! files is opened, and what is read in all is bounded. What is in the files is for those who read.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, ResolveFlag, open, openat},
    sys::{
        stat::{FileStat, Mode, SFlag, fstat},
        statfs,
    },
};

use crate::{files, observed::Observed};

/// Longest file that is read, in bytes. An object of Kubernetes has at most 1.5 MiB (etcd's `--max-request-bytes`).
pub(super) const LONGEST: u64 = 2 << 20;
/// Bytes that are read in all.
const TOTAL: u64 = 32 << 20;
/// Entries of one directory that are looked at.
const ENTRIES: usize = 200_000;

/// A host's root.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    left: Cell<u64>,
}

/// Names in a directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Those that were asked for, sorted by bytes, as `os.ReadDir` and libcni sort.
    pub(super) first: Vec<String>,
    /// Further ones that were left out.
    pub(super) further: usize,
    /// The directory has more entries than are looked at.
    pub(super) is_cut: bool,
    /// Names that are not UTF-8.
    pub(super) odd: usize,
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let directory = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { directory, left: Cell::new(TOTAL) })
    }

    /// Opens without reading: nothing happens to a pipe or a device.
    fn look(&self, path: &str, more: OFlag) -> nix::Result<OwnedFd> {
        // Magic links (`/proc/<pid>/root`) lead out of any root, so they are not followed either.
        files::look_below(&self.directory, Path::new(path), more, ResolveFlag::RESOLVE_NO_MAGICLINKS)
    }

    /// A file's bytes and when it was written.
    fn read(&self, path: &str) -> Result<(Vec<u8>, FileStat), Trouble> {
        let handle = self.look(path, OFlag::empty())?;
        let stat = fstat(&handle)?;
        if let Some(kind) = no_file(&stat) {
            return Err(Trouble::NoFile(kind));
        }
        let left = self.left.get();
        if u64::try_from(stat.st_size).unwrap_or_default().min(LONGEST) > left {
            return Err(Trouble::Exhausted);
        }
        let file = File::open(files::through(&handle)).map_err(no_proc)?;
        let bytes = files::read_open(&file, LONGEST.min(left))?;
        self.left.set(left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        Ok((bytes, stat))
    }

    /// A file's text, and when it was written in seconds since the Unix epoch.
    pub(super) fn text_and_time(&self, path: &str) -> Observed<(String, i64)> {
        match self.read(path) {
            Err(trouble) => trouble.told("read", path),
            Ok((bytes, stat)) => match String::from_utf8(bytes) {
                Ok(text) => Observed::Value((text, stat.st_mtime)),
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    let error = format!("cannot read {path}: it is not text: byte {} is not UTF-8", at + 1);
                    Observed::Failed { error }
                }
            },
        }
    }

    /// A file's text.
    pub(super) fn text(&self, path: &str) -> Observed<String> {
        self.text_and_time(path).map(|(text, _)| text)
    }

    /// Is there anything of this name?
    pub(super) fn exists(&self, path: &str) -> Observed<()> {
        match self.look(path, OFlag::empty()) {
            Ok(_) => Observed::Value(()),
            Err(errno) => Trouble::from(errno).told("look for", path),
        }
    }

    /// Where a link points to, as it is written.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let handle = self.look(path, OFlag::O_NOFOLLOW).ok()?;
        let target = nix::fcntl::readlinkat(handle, "").ok()?;
        target.into_string().ok()
    }

    /// The first `most` names of a directory that fit, in order, however many there are.
    pub(super) fn names(
        &self,
        path: &str,
        most: usize,
        fits: impl Fn(&str, fs::FileType) -> bool,
    ) -> Observed<Names> {
        match self.list(path, most, fits) {
            Ok(names) => Observed::Value(names),
            Err(trouble) => trouble.told("list", path),
        }
    }

    fn list(
        &self,
        path: &str,
        most: usize,
        fits: impl Fn(&str, fs::FileType) -> bool,
    ) -> Result<Names, Trouble> {
        let handle = self.look(path, OFlag::O_DIRECTORY)?;
        let mut first = BTreeSet::new();
        let mut found = Names::default();
        for (count, entry) in fs::read_dir(files::through(&handle)).map_err(no_proc)?.enumerate() {
            if count >= ENTRIES {
                found.is_cut = true;
                break;
            }
            let entry = entry?;
            let Ok(kind) = entry.file_type() else { continue };
            match entry.file_name().into_string() {
                Ok(name) if fits(&name, kind) => {
                    first.insert(name);
                    if first.len() > most {
                        first.pop_last();
                        found.further += 1;
                    }
                }
                Ok(_) => {}
                Err(_) => found.odd += 1,
            }
        }
        found.first = first.into_iter().collect();
        Ok(found)
    }

    /// The root of a process, as `/proc/<pid>/root` below this root shows it. The kernel asks for `CAP_SYS_PTRACE`
    /// (`PTRACE_MODE_READ` of another user's process).
    pub(super) fn of_process(&self, pid: u32) -> Observed<Root> {
        let path = format!("proc/{pid}");
        let opened = self.look(&path, OFlag::O_DIRECTORY).and_then(|process| {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            // Only the kernel's own link may lead out of the root; elsewhere it is a directory or a link like others.
            let is_proc = statfs::fstatfs(&process)?.filesystem_type() == statfs::PROC_SUPER_MAGIC;
            if is_proc {
                openat(&process, "root", flags, Mode::empty())
            } else {
                self.look(&format!("{path}/root"), OFlag::O_DIRECTORY)
            }
        });
        match opened {
            Ok(directory) => Observed::Value(Root { directory, left: Cell::new(LONGEST) }),
            Err(Errno::EACCES | Errno::EPERM) => {
                Observed::Denied { need: format!("CAP_SYS_PTRACE to look into /{path}/root") }
            }
            Err(errno) => Trouble::from(errno).told("open", &format!("/{path}/root")),
        }
    }
}

/// What is open is there: that it cannot be found is not about it.
fn no_proc(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("needs /proc, to open it again"),
        _ => error,
    }
}

/// Why something could not be read.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    NoFile(&'static str),
    Exhausted,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl Trouble {
    fn told<T>(self, operation: &str, path: &str) -> Observed<T> {
        let cause = match self {
            Self::NoFile(kind) => format!("it is {kind}, not a file"),
            Self::Exhausted => format!("more than {TOTAL} bytes of configuration files"),
            Self::Io(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT | Errno::ENOTDIR) => return Observed::Absent,
                Some(Errno::EACCES | Errno::EPERM) => {
                    return Observed::Denied {
                        need: format!("root, or CAP_DAC_READ_SEARCH, to {operation} {path}"),
                    };
                }
                Some(Errno::ENOSYS) => {
                    return Observed::Unsupported { why: "needs openat2, of Linux 5.6".to_owned() };
                }
                Some(Errno::ELOOP) => "its links go in a circle, or through /proc".to_owned(),
                _ => error.to_string(),
            },
        };
        Observed::Failed { error: format!("cannot {operation} {path}: {cause}") }
    }
}

/// What a path leads to that is no regular file.
fn no_file(stat: &FileStat) -> Option<&'static str> {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => None,
        SFlag::S_IFDIR => Some("a directory"),
        SFlag::S_IFIFO => Some("a pipe"),
        SFlag::S_IFSOCK => Some("a socket"),
        _ => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_process_is_a_root() {
        let root = Root::open(Path::new("/")).unwrap();
        let own = root.of_process(std::process::id());
        assert!(own.value().unwrap().exists("/proc").value().is_some(), "{own:?}");
        assert!(matches!(root.of_process(u32::MAX), Observed::Absent));
        // Magic links are not followed on the way to a file.
        let magic = format!("/proc/{}/cwd", std::process::id());
        assert!(root.exists(&magic).trouble().unwrap().contains("through /proc"));
    }

    #[test]
    fn names_are_the_first_ones_in_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["c", "a", "d", "b", "x"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let root = Root::open(directory.path()).unwrap();
        let Observed::Value(names) = root.names("/", 3, |name, _| name != "x") else { panic!("{root:?}") };
        assert_eq!(
            (names.first, names.further, names.is_cut),
            (vec!["a".into(), "b".into(), "c".into()], 1, false)
        );
    }
}
