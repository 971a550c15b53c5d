//! Where the node's files and sockets are. No reading.

use std::path::{Path, PathBuf};

/// The host that the node is.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Its root directory, as it is seen from here.
    pub root: PathBuf,
    /// Its files are this node's, and not those of a host on which the node is a network namespace beside others.
    pub is_node: bool,
    /// Where its container runtime listens, as a path from here; none to look for it below the root.
    pub cri_socket: Option<PathBuf>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { root: Path::new("/").to_owned(), is_node: true, cri_socket: None }
    }
}
