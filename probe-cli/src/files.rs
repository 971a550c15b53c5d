//! Opening and reading one file without trust in it: bounded, never waiting, never above a root that is given. Which files,
//! and what is in them, is for those who read.

use std::{
    fs::File,
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

/// Opens a regular file to read it; none for anything else, and for a link, which is not followed. Never waits: a pipe would
/// not answer.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        // What open(2) says of a link that it may not follow, and of a socket.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) => return Ok(None),
        file => file?,
    };
    Ok(Some(file).filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file())))
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
        std::fs::write(&path, b"12345").unwrap();
        let read = |longest| read_open(&open(&path).unwrap().unwrap(), longest);
        assert_eq!(read(5).unwrap(), b"12345");
        assert!(read(4).unwrap_err().to_string().contains("longer than 4 bytes"));
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for other in [&pipe, &socket, &link, directory.path()] {
            assert!(open(other).unwrap().is_none(), "{}", other.display());
        }
        assert!(open(&directory.path().join("nothing")).is_err());
    }
}
