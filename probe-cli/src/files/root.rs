//! Files below the root of a host: whatever a path or a link says, nothing above the root is reached, nothing but regular
//! files is opened, and what is read in all is bounded. What is in the files is for those who read.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, ResolveFlag, openat},
    sys::{
        stat::{FileStat, Mode},
        statfs,
    },
};

use super::{On, Refused, filesystem, is_absent, look, look_below, read_open, reopen_file, through};
use crate::observed::Observed;

/// Longest file that is read, in bytes. An object of Kubernetes has at most 1.5 MiB (etcd's `--max-request-bytes`).
const LONGEST: u64 = 2 << 20;
/// Bytes that are read in all.
const TOTAL: u64 = 32 << 20;
/// Entries of one directory that are looked at.
const ENTRIES: usize = 200_000;

/// File systems by which the kernel tells of itself, where a host has them.
const KERNELS: [&str; 2] = ["proc", "sys"];

/// A host's root.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    directory: OwnedFd,
    /// What is not followed on the way to anything below it.
    resolve: ResolveFlag,
    /// In a tree of files the kernel's file systems may be links to this machine's, `sys -> /sys`: those, with what they lead
    /// to. Every other absolute link leads to somewhere in the tree.
    linked: Vec<(&'static str, OwnedFd)>,
    left: AtomicU64,
}

/// Names in a directory.
#[derive(Debug, Default)]
pub struct Names {
    /// Those that were asked for, sorted by bytes, as `os.ReadDir` and libcni sort.
    pub first: Vec<String>,
    /// Further ones that were left out.
    pub further: usize,
    /// The directory has more entries than are looked at.
    pub is_cut: bool,
    /// Names that are not UTF-8.
    pub odd: usize,
}

impl Root {
    /// The directory `path`, which is one of our own.
    pub fn open(path: &Path) -> io::Result<Self> {
        let directory = look(path, OFlag::O_DIRECTORY)?;
        // Magic links (`/proc/<pid>/root`) lead out of any root, so they are not followed either.
        let resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let mut root = Self {
            path: path.to_owned(),
            directory,
            resolve,
            linked: Vec::new(),
            left: AtomicU64::new(TOTAL),
        };
        let is_link =
            |name: &&str| root.link(name).as_deref().and_then(|to| to.strip_prefix('/')) == Some(*name);
        let names: Vec<&'static str> = KERNELS.into_iter().filter(is_link).collect();
        for name in names {
            root.linked.push((name, look(&Path::new("/").join(name), OFlag::O_DIRECTORY)?));
        }
        Ok(root)
    }

    /// Where it is, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What people call `path` below it.
    pub fn shown(&self, path: &Path) -> String {
        shown(&self.path, path)
    }

    /// Opens without reading: nothing happens to a pipe or a device.
    pub fn look(&self, path: &Path, more: OFlag) -> nix::Result<OwnedFd> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let inside = self.linked.iter().find_map(|(name, of)| Some((of, relative.strip_prefix(name).ok()?)));
        match inside.filter(|(_, rest)| !rest.as_os_str().is_empty()) {
            Some((file_system, rest)) => look_below(file_system, rest, more, self.resolve),
            None => look_below(&self.directory, path, more, self.resolve),
        }
    }

    /// Opens without reading what `name` in `directory` is, where the kernel's own links of `/proc` are followed: they lead to
    /// namespaces and roots of processes. Elsewhere a link is one like others.
    pub fn look_at_kernel_link(&self, directory: &Path, name: &str, more: OFlag) -> nix::Result<OwnedFd> {
        if name.contains('/') || name == ".." {
            return Err(Errno::EINVAL);
        }
        let parent = self.look(directory, OFlag::O_DIRECTORY)?;
        if statfs::fstatfs(&parent)?.filesystem_type() == statfs::PROC_SUPER_MAGIC {
            openat(&parent, name, OFlag::O_PATH | OFlag::O_CLOEXEC | more, Mode::empty())
        } else {
            self.look(&directory.join(name), more)
        }
    }

    /// Opens a regular file to read it.
    pub fn open_file(&self, path: &Path, on: On) -> Result<(fs::File, FileStat), Refused> {
        reopen_file(&self.look(path, OFlag::empty())?, on)
    }

    /// Where files of this host are expected. A host may be on FUSE as a whole, as without root or in some virtual machines.
    pub fn disk(&self) -> On {
        if filesystem::is_fuse(&self.directory) { On::DiskOrFuse } else { On::Disk }
    }

    /// A file's bytes and when it was written.
    fn read(&self, path: &str, on: On) -> Result<(Vec<u8>, FileStat), Trouble> {
        let (file, stat) = self.open_file(Path::new(path), on)?;
        let left = self.left.load(Ordering::Relaxed);
        if u64::try_from(stat.st_size).unwrap_or_default().min(LONGEST) > left {
            return Err(Trouble::Exhausted);
        }
        let bytes = read_open(&file, LONGEST.min(left))?;
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left.store(left.saturating_sub(read), Ordering::Relaxed);
        Ok((bytes, stat))
    }

    /// A file's text, and when it was written in seconds since the Unix epoch.
    pub fn text_and_time(&self, path: &str) -> Observed<(String, i64)> {
        self.text_on(path, self.disk())
    }

    fn text_on(&self, path: &str, on: On) -> Observed<(String, i64)> {
        match self.read(path, on) {
            Err(trouble) => trouble.told("read", path),
            Ok((bytes, stat)) => text_of_bytes(bytes, path).map(|text| (text, stat.st_mtime)),
        }
    }

    /// The text of a file that somebody else has opened; `path` is what it is called.
    pub fn text_of(file: &fs::File, path: &str) -> Observed<String> {
        match read_open(file, LONGEST) {
            Ok(bytes) => text_of_bytes(bytes, path),
            Err(error) => Trouble::from(error).told("read", path),
        }
    }

    /// A file's text.
    pub fn text(&self, path: &str) -> Observed<String> {
        self.text_and_time(path).map(|(text, _)| text)
    }

    /// The text of a file by which the kernel tells of itself: of proc, sysfs or a control group.
    pub fn kernel_text(&self, path: &str) -> Observed<String> {
        self.text_on(path, On::Kernel).map(|(text, _)| text)
    }

    /// Is there anything of this name?
    pub fn exists(&self, path: &str) -> Observed<()> {
        match self.look(Path::new(path), OFlag::empty()) {
            Ok(_) => Observed::Value(()),
            Err(errno) => Trouble::from(errno).told("look for", path),
        }
    }

    /// True where a path leads to the kernel's own sysfs: neither a copy of it, nor what is not there.
    pub fn is_on_sysfs(&self, path: &str) -> bool {
        self.look(Path::new(path), OFlag::empty()).is_ok_and(filesystem::is_sysfs)
    }

    /// Where a link points to, as it is written.
    pub fn link(&self, path: &str) -> Option<String> {
        self.link_target(path).value().cloned()
    }

    /// The same, with the reason when it cannot be read. The kernel's own links of another process need `CAP_SYS_PTRACE`.
    pub fn link_target(&self, path: &str) -> Observed<String> {
        let target = self
            .look(Path::new(path), OFlag::O_NOFOLLOW)
            .and_then(|handle| nix::fcntl::readlinkat(handle, ""));
        match target.map(std::ffi::OsString::into_string) {
            Ok(Ok(target)) => Observed::Value(target),
            Ok(Err(_)) => {
                Observed::Failed { error: format!("cannot read the link {path}: its target is not UTF-8") }
            }
            Err(errno) => Trouble::from(errno).told("read the link", path),
        }
    }

    /// The first `most` names of a directory that fit, in order, however many there are.
    pub fn names(
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
        let handle = self.look(Path::new(path), OFlag::O_DIRECTORY)?;
        self.check_directory(&handle)?;
        let mut first = BTreeSet::new();
        let mut found = Names::default();
        for (count, entry) in fs::read_dir(through(&handle)).map_err(no_proc)?.enumerate() {
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

    /// A directory that a process makes up may never answer.
    fn check_directory(&self, handle: &OwnedFd) -> Result<(), Refused> {
        match filesystem::refused(handle, On::Kernel)? {
            Some(name) if self.disk() == On::Disk => Err(Refused::FileSystem(name)),
            _ => Ok(()),
        }
    }

    /// The root of a process, as `/proc/<pid>/root` below this root shows it; the process made what is in it, so that no link
    /// is followed there. The kernel asks for `CAP_SYS_PTRACE` (`PTRACE_MODE_READ` of another user's process).
    pub fn of_process(&self, pid: u32) -> Observed<Root> {
        let path = format!("/proc/{pid}/root");
        let opened = self.look_at_kernel_link(Path::new(&format!("/proc/{pid}")), "root", OFlag::O_DIRECTORY);
        match opened {
            Ok(directory) => Observed::Value(Root {
                path: self.path.join(path.trim_start_matches('/')),
                directory,
                resolve: ResolveFlag::RESOLVE_NO_SYMLINKS,
                linked: Vec::new(),
                left: AtomicU64::new(LONGEST),
            }),
            Err(Errno::EACCES | Errno::EPERM) => {
                Observed::Denied { need: format!("CAP_SYS_PTRACE to look into {path}") }
            }
            Err(errno) => Trouble::from(errno).told("open", &path),
        }
    }
}

fn text_of_bytes(bytes: Vec<u8>, path: &str) -> Observed<String> {
    String::from_utf8(bytes).map_or_else(
        |error| {
            let at = error.utf8_error().valid_up_to();
            Observed::Failed {
                error: format!("cannot read {path}: it is not text: byte {} is not UTF-8", at + 1),
            }
        },
        Observed::Value,
    )
}

/// What people call `path` below the directory `root`.
pub fn shown(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix("/").unwrap_or(path);
    root.join(path).display().to_string()
}

/// What is open is there: that it cannot be found is not about it.
fn no_proc(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        io::Error::other("needs /proc, to open it again")
    } else {
        error
    }
}

/// Why something could not be read.
#[derive(Debug)]
enum Trouble {
    Refused(Refused),
    Exhausted,
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno.into())
    }
}

impl Trouble {
    fn told<T>(self, operation: &str, path: &str) -> Observed<T> {
        let cause = match self {
            Self::Exhausted => format!("more than {TOTAL} bytes of configuration files"),
            Self::Refused(Refused::Io(error)) => match error.raw_os_error().map(Errno::from_raw) {
                _ if is_absent(&error) => return Observed::Absent,
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
            Self::Refused(refused) => refused.to_string(),
        };
        Observed::Failed { error: format!("cannot {operation} {path}: {cause}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_file_systems_may_be_links_and_nothing_else_may() {
        let directory = tempfile::tempdir().unwrap();
        for (name, target) in [("sys", "/sys"), ("proc", "/etc"), ("etc", "/etc")] {
            std::os::unix::fs::symlink(target, directory.path().join(name)).unwrap();
        }
        let root = Root::open(directory.path()).unwrap();
        assert!(root.exists("/sys/class/net/lo/mtu").value().is_some());
        assert_eq!(root.kernel_text("/sys/class/net/lo/mtu").value().map(String::as_str), Some("65536\n"));
        for path in ["/etc/passwd", "/proc/passwd", "/sys/../etc/passwd", "/sys/class/../../etc/passwd"] {
            assert!(root.exists(path).value().is_none(), "{path}");
        }
    }

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

    /// Such files never end, or take from others what they give: messages of the kernel, events of a trace.
    #[test]
    fn a_file_that_the_kernel_makes_up_is_read_by_who_asks_for_one() {
        let host = tempfile::tempdir().unwrap();
        let kernel = host.path().join("kernel");
        fs::create_dir(&kernel).unwrap();
        let bind = nix::mount::MsFlags::MS_BIND;
        // Needs root.
        if nix::mount::mount(Some("/proc"), &kernel, None::<&str>, bind, None::<&str>).is_err() {
            return;
        }
        for (name, target) in [("messages", "/kernel/kmsg"), ("release", "/kernel/sys/kernel/osrelease")] {
            std::os::unix::fs::symlink(target, host.path().join(name)).unwrap();
        }
        let root = Root::open(host.path()).unwrap();
        let (messages, release) = (root.text("/messages"), root.text("/release"));
        let asked = root.kernel_text("/release");
        nix::mount::umount2(&kernel, nix::mount::MntFlags::MNT_DETACH).unwrap();
        for trouble in [messages.trouble(), release.trouble()] {
            assert!(trouble.unwrap().ends_with("it is on proc, where no file is expected"));
        }
        assert!(asked.value().is_some_and(|release| !release.is_empty()), "{asked:?}");
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
