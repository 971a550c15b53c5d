//! Reading one file without trust in it: bounded, never waiting, regular files only. Which files, and what is in them, is
//! for those who read.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

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
