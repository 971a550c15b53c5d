//! Where the node's files and sockets are. No reading.

use std::path::{Path, PathBuf};

/// The host that the node is.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Its root directory, as it is seen from here.
    pub root: PathBuf,
    /// Its files are this node's, whatever network namespace the node is looked at in.
    pub insists: bool,
    /// Where its container runtime listens, as a path from here; none to look for it below the root.
    pub cri_socket: Option<PathBuf>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { root: Path::new("/").to_owned(), insists: false, cri_socket: None }
    }
}
