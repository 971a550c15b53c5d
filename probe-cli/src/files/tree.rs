//! Writing a tree of files where others may have been before: nothing that is there is followed or written over, and the directory
//! is one that only we write. What is in the files is for those who write.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::{Component, Path},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, geteuid, symlinkat, unlinkat},
};

use super::{look, through};

const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// A directory to write below.
#[derive(Debug)]
pub struct Tree(OwnedFd);

impl Tree {
    /// Makes the directory `path`; or takes one that is there, if it is ours, nobody else may write it, and it is empty or has a
    /// file called `mark`, as those that were made by this have.
    pub fn make(path: &Path, mark: &str) -> io::Result<Self> {
        DirBuilder::new().mode(DIRECTORY_MODE).recursive(true).create(path)?;
        let directory = look(path, OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW)?;
        let here = through(&directory);
        let metadata = fs::metadata(&here)?;
        if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other(
                "other users may write this directory; use a new one, or one that only you may write",
            ));
        }
        let is_marked = fs::symlink_metadata(here.join(mark)).is_ok_and(|mark| mark.is_file());
        if !is_marked && fs::read_dir(&here)?.next().is_some() {
            return Err(io::Error::other("this directory has other files in it; use a new or an empty one"));
        }
        let tree = Self(directory);
        tree.write(Path::new(mark), b"")?;
        Ok(tree)
    }

    /// Writes a file in place of one that is there, with the directories on the way to it.
    pub fn write(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&directory, name, flags, Mode::from_bits_truncate(FILE_MODE))?;
        File::from(file).write_all(text)
    }

    /// Makes a link in place of what is there.
    pub fn link(&self, path: &Path, target: &Path) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        Ok(symlinkat(target, &directory, name)?)
    }

    /// Removes a file or a link, if it is there.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.place(path).map(drop)
    }

    /// The directory that a path is in, made where it is not there, and a name in it that is free.
    fn place<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a Path)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let mut directory = self.0.try_clone()?;
        for part in parent.components() {
            let Component::Normal(part) = part else {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            };
            directory = inner(&directory, Path::new(part))?;
        }
        match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok((directory, Path::new(name))),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Opens a directory in another one, which is made where it is not there. A link is none.
fn inner(directory: impl AsFd, name: &Path) -> io::Result<OwnedFd> {
    match mkdirat(&directory, name, Mode::from_bits_truncate(DIRECTORY_MODE)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(&directory, name, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{PermissionsExt as _, symlink},
        path::PathBuf,
    };

    use super::*;

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("tree");
        (above, path)
    }

    #[test]
    fn a_tree_is_written_again() {
        let (_above, path) = directory();
        for text in ["one", "two"] {
            let tree = Tree::make(&path, ".mark").unwrap();
            tree.write(Path::new("a/b/file"), text.as_bytes()).unwrap();
            tree.link(Path::new("a/link"), Path::new("/nowhere")).unwrap();
            assert_eq!(fs::read_to_string(path.join("a/b/file")).unwrap(), text);
            assert_eq!(fs::read_link(path.join("a/link")).unwrap(), Path::new("/nowhere"));
        }
        assert!(Tree::make(&path, ".mark").unwrap().write(Path::new("../out"), b"").is_err());
    }

    #[test]
    fn no_link_is_followed() {
        let (above, path) = directory();
        let victim = above.path().join("victim");
        fs::write(&victim, "victim").unwrap();
        let elsewhere = above.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let tree = Tree::make(&path, ".mark").unwrap();
        symlink(&victim, path.join("file")).unwrap();
        symlink(&elsewhere, path.join("directory")).unwrap();
        tree.write(Path::new("file"), b"ours").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
        assert!(!fs::symlink_metadata(path.join("file")).unwrap().is_symlink());
        assert!(tree.write(Path::new("directory/file"), b"ours").is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        symlink(&elsewhere, above.path().join("linked")).unwrap();
        assert!(Tree::make(&above.path().join("linked"), ".mark").is_err());
    }

    #[test]
    fn a_directory_of_others_is_left_alone() {
        let (_above, path) = directory();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Tree::make(&path, ".mark").unwrap_err().to_string().contains("other users may write"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("theirs"), "").unwrap();
        assert!(Tree::make(&path, ".mark").unwrap_err().to_string().contains("other files in it"));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
}
