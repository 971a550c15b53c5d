//! Opens a path below a root: a link that is absolute there, as `/var/run` may be, leads to the same root and not to ours.
//! What is read through it is for others.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use nix::{
    fcntl::{OFlag, ResolveFlag, open},
    sys::stat::Mode,
};

use crate::files::look_below;
pub(super) use crate::files::through;

/// Opens `path`, absolute as the host has it, below `root`, without reading or writing: nothing happens to a pipe or a
/// device. Needs openat2, of Linux 5.6, for a root that is not our own.
pub(super) fn look(root: &Path, path: &Path, more: OFlag) -> io::Result<File> {
    if root == Path::new("/") {
        return Ok(open(path, OFlag::O_PATH | OFlag::O_CLOEXEC | more, Mode::empty())?.into());
    }
    let below = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(look_below(below, path, more, ResolveFlag::empty())?.into())
}

/// What people call `path` below `root`.
pub(super) fn shown(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix("/").unwrap_or(path);
    root.join(path).display().to_string()
}

/// Most names of a directory.
const MOST_NAMES: usize = 65_536;

/// Names in a directory below a root; none when it is not there, or has more than anybody needs.
pub(super) fn names(root: &Path, path: &Path) -> io::Result<Option<Vec<String>>> {
    let directory = match look(root, path, OFlag::O_DIRECTORY) {
        Err(error) if is_absent(&error) => return Ok(None),
        opened => opened?,
    };
    let entries = fs::read_dir(through(&directory))?.flatten().take(MOST_NAMES + 1);
    let names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    Ok(Some(names).filter(|names| names.len() <= MOST_NAMES))
}

/// There is nothing of that name.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn absolute_links_stay_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("run").join("a-directory-with-a-long-name".repeat(8));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        fs::create_dir(root.path().join("var")).unwrap();
        symlink("/run", root.path().join("var/run")).unwrap();
        symlink("/../../run", root.path().join("up")).unwrap();
        let inside = Path::new("/var/run").join(deep.file_name().unwrap());
        assert_eq!(names(root.path(), &inside).unwrap(), Some(vec!["file".to_owned()]));
        assert!(look(root.path(), Path::new("/up"), OFlag::O_DIRECTORY).is_ok());
        assert_eq!(names(root.path(), Path::new("/etc")).unwrap(), None);
        assert_eq!(names(root.path(), &inside.join("file/x")).unwrap(), None);
        assert!(look(Path::new("/"), Path::new("/proc/self"), OFlag::O_DIRECTORY).is_ok());
    }
}
