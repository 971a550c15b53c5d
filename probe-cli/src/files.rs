//! Opening and reading one file without trust in it: bounded, never waiting, never above a root that is given. Which files,
//! and what is in them, is for those who read.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};

/// How often a path is tried again that somebody changes at the same moment (openat2(2), `EAGAIN`).
const TRIES: usize = 16;

/// Opens `path` below the directory `root`, without reading: nothing happens to a pipe or a device. A link that is absolute
/// leads to that root and not to ours. Needs openat2, of Linux 5.6.
pub fn look_below(root: impl AsFd, path: &Path, flags: OFlag, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
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

/// A path that means what is open, however long and linked its own one is.
pub fn through(open: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_fd().as_raw_fd()))
}

/// The bytes of a regular file, at most `longest`; none for what is no regular file. Opened without waiting: a pipe would
/// never answer. A link is not followed.
pub fn read(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    read_open(&file, longest).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_bound_and_a_pipe_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert!(read(&path, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(read(&pipe, 5).unwrap(), None);
        std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
        assert_eq!(read(&directory.path().join("link"), 5).unwrap(), None);
    }
}
