//! The one door for opening files: what is opened is looked at first, bounded when it is read, and never waited for. A path
//! that somebody else may have made leads where it says and nowhere else: below a root that is given, to a regular file, on a
//! file system that holds files. Which files, and what is in them, is for those who read.

mod filesystem;
pub mod root;
mod tree;

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{FileStat, Mode, SFlag, fstat},
};
use thiserror::Error;

pub use self::{
    filesystem::On,
    root::{Names, Root},
    tree::Tree,
};

/// How often a path is tried again that somebody changes at the same moment (openat2(2), `EAGAIN`).
const TRIES: usize = 16;

/// Why a file is not opened or not read.
#[derive(Debug, Error)]
pub enum Refused {
    /// The kernel said so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path leads to something else.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// Its contents are made up by the kernel or by a process, and reading may wait or do something.
    #[error("it is on {0}, where no file is expected")]
    FileSystem(&'static str),
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl Refused {
    /// There is nothing of that name.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if is_absent(error))
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Io(error) => error,
            other @ (Refused::NotAFile(_) | Refused::FileSystem(_)) => {
                Self::new(io::ErrorKind::InvalidInput, other.to_string())
            }
        }
    }
}

/// There is nothing of that name.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Opens `path` below the directory `root`, without reading: nothing happens to a pipe or a device. A link that is absolute
/// leads to that root and not to ours. Needs openat2, of Linux 5.6.
fn look_below(root: impl AsFd, path: &Path, flags: OFlag, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | resolve);
    let mut outcome = Err(Errno::EAGAIN);
    for _ in 0..TRIES {
        outcome = openat2(root.as_fd(), path, how);
        if !matches!(outcome, Err(Errno::EAGAIN | Errno::EINTR)) {
            break;
        }
    }
    outcome
}

/// Opens a path of our own, links and all, without reading: nothing happens to a pipe or a device.
pub fn look(path: &Path, more: OFlag) -> io::Result<OwnedFd> {
    Ok(nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_CLOEXEC | more, Mode::empty())?)
}

/// A path that means what is open, however long and linked its own one is.
pub fn through(open: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_fd().as_raw_fd()))
}

/// Opens for reading what was looked at.
pub fn reopen(handle: impl AsFd) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    match nix::fcntl::open(&through(handle), flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        // It is open already, so that it is the way to it which is not there.
        Err(Errno::ENOENT) => Err(io::Error::other("needs /proc, to open it again")),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens for reading what was looked at, if it is a regular file where files are expected.
fn reopen_file(handle: &OwnedFd, on: On) -> Result<(File, FileStat), Refused> {
    let stat = fstat(handle)?;
    if let Some(kind) = other_than_file(&stat) {
        return Err(Refused::NotAFile(kind));
    }
    if let Some(name) = filesystem::refused(handle, on)? {
        return Err(Refused::FileSystem(name));
    }
    Ok((reopen(handle)?, stat))
}

/// Opens a regular file to read it. A link is none: it is not followed. Never waits.
pub fn open(path: &Path, on: On) -> Result<File, Refused> {
    let handle = look(path, OFlag::O_NOFOLLOW)?;
    reopen_file(&handle, on).map(|(file, _)| file)
}

/// Opens a regular file that the user has named, links and all, to read it. Never waits.
pub fn open_given(path: &Path) -> Result<File, Refused> {
    reopen_file(&look(path, OFlag::empty())?, On::Disk).map(|(file, _)| file)
}

/// Looks whether a file that the user has named may be put at this path: there is none, or a regular one. A rename would put it in
/// the place of a device or a pipe as well.
pub fn check_place(path: &Path) -> Result<(), Refused> {
    let handle = match look(path, OFlag::empty()) {
        Err(error) if is_absent(&error) => return Ok(()),
        other => other?,
    };
    other_than_file(&fstat(&handle)?).map_or(Ok(()), |kind| Err(Refused::NotAFile(kind)))
}

/// Makes a file that nobody has made before, and opens it to write and read it. The mode is what is said, whatever the umask.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let file = File::options().create_new(true).read(true).write(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Makes a file that nobody has made before and only its owner may read, to write it. It may be made while a run goes on, which may
/// change no modes: a umask only takes rights away.
pub fn create_private(path: &Path) -> io::Result<File> {
    File::options().create_new(true).write(true).mode(0o600).open(path)
}

/// Adds to a file of ours, which is made where it is not there.
pub fn append(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).append(true).mode(mode).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.open(path)?.write_all(bytes)
}

/// Makes a directory that others may read and only we may write, with those above it. One that is there keeps its mode but for
/// the right of others to write.
pub fn private_directory(path: &Path) -> io::Result<()> {
    const MODE: u32 = 0o755;
    let above: Vec<&Path> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
    for directory in above.into_iter().rev() {
        match DirBuilder::new().mode(MODE).create(directory) {
            // Whatever the umask.
            Ok(()) => fs::set_permissions(directory, Permissions::from_mode(MODE))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let mode = fs::symlink_metadata(path)?.mode() & 0o7777;
    if mode & 0o022 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & !0o022))?;
    }
    Ok(())
}

/// Writes a setting of the kernel, a file of `/proc/sys`.
pub fn write_setting(path: &Path, value: &str) -> io::Result<()> {
    let mut file = File::options().write(true).custom_flags(libc::O_NOCTTY).open(path)?;
    file.write_all(value.as_bytes())
}

/// The text of a file by which the kernel tells of itself, at most `longest` bytes.
pub fn kernel_text(path: &Path, longest: u64) -> io::Result<String> {
    let bytes = kernel_bytes(path, longest)?;
    String::from_utf8(bytes).map_err(|_not_text| io::Error::other("it is not text"))
}

/// The same for what is no text.
pub fn kernel_bytes(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    read_open(&open(path, On::Kernel)?, longest)
}

/// The rest of an open file, at most `longest` bytes.
pub fn read_open(file: &File, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > longest {
        return Err(io::Error::other(format!("longer than {longest} bytes")));
    }
    Ok(bytes)
}

/// What a path leads to that is no regular file.
fn other_than_file(stat: &FileStat) -> Option<&'static str> {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => None,
        SFlag::S_IFDIR => Some("a directory"),
        SFlag::S_IFIFO => Some("a pipe"),
        SFlag::S_IFSOCK => Some("a socket"),
        SFlag::S_IFLNK => Some("a link"),
        _ => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_bound_and_a_pipe_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        let read = |longest| read_open(&open(&path, On::Disk).unwrap(), longest);
        assert_eq!(read(5).unwrap(), b"12345");
        assert!(read(4).unwrap_err().to_string().contains("longer than 4 bytes"));
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for (other, is) in
            [(&*pipe, "a pipe"), (&socket, "a socket"), (&link, "a link"), (directory.path(), "a directory")]
        {
            let refused = open(other, On::Disk).unwrap_err();
            assert_eq!(refused.to_string(), format!("it is {is}, not a file"));
        }
        for (other, is) in [
            (&*pipe, "a pipe"),
            (&socket, "a socket"),
            (directory.path(), "a directory"),
            (Path::new("/dev/full"), "a device"),
        ] {
            assert_eq!(check_place(other).unwrap_err().to_string(), format!("it is {is}, not a file"));
        }
        for place in [&*path, &link, &directory.path().join("nothing"), &path.join("below")] {
            check_place(place).unwrap();
        }
        assert!(open(Path::new("/dev/null"), On::Kernel).unwrap_err().to_string().contains("a device"));
        assert!(open(&directory.path().join("nothing"), On::Disk).unwrap_err().is_absent());
    }

    #[test]
    fn a_file_of_the_kernel_is_read_by_those_who_ask_for_one() {
        let path = Path::new("/proc/sys/kernel/osrelease");
        assert!(open(path, On::Kernel).is_ok());
        assert!(matches!(open(path, On::Disk), Err(Refused::FileSystem("proc"))));
    }
}
