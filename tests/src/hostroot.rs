//! A node's files below a directory of a test's own, for `--host-root`: what the test writes, and links to what the kernel
//! of this machine shows.

use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

/// Seen through a link.
const KERNEL: [&str; 3] = ["proc", "run/netns", "sys"];

/// The directory, gone when dropped.
pub struct HostRoot(TempDir);

impl HostRoot {
    /// One with these files: path without a leading slash, and contents.
    pub fn new(files: &[(&str, String)]) -> Self {
        let this = Self(TempDir::new().unwrap());
        for path in KERNEL {
            this.link(path, &format!("/{path}"));
        }
        for (path, contents) in files {
            this.write(path, contents);
        }
        this
    }

    /// Writes one more file.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.place(path), contents).unwrap();
    }

    /// Takes one of the links to what the kernel shows away: below it files of the test's own can be written then.
    pub fn unlink(&self, path: &str) {
        fs::remove_file(self.place(path)).unwrap();
    }

    /// Makes a symbolic link.
    pub fn link(&self, path: &str, to: &str) {
        symlink(to, self.place(path)).unwrap();
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The same, for a command line.
    pub fn arg(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// A path below it, with all directories on the way.
    fn place(&self, path: &str) -> std::path::PathBuf {
        let place = self.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }
}
