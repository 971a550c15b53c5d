//! What a run still opens once it has begun: everything else may then be refused. What opens a path in the middle of a run names
//! it here.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::host::HostOptions;
use crate::{
    facts::files::HostFiles,
    files::{self, Root},
    hostfiles, leftovers, netns,
    pods::{self, registry},
    privilege::Openable,
};

/// By which the kernel tells of itself and of this process, names of network namespaces, and records of runs.
const EVERYWHERE: [&str; 4] = ["/proc", "/sys", netns::DIRECTORY, leftovers::DIRECTORY];
/// Of this machine only.
const HERE: [&str; 1] = [registry::DIRECTORY];
/// Where the screen is, and how large.
const TERMINAL: &str = "/dev/tty";

/// What is opened on this machine and below the host's root, and where this run's record is.
pub(super) fn openable(
    host: &HostOptions,
    files: Option<&HostFiles>,
    record: Option<&Path>,
) -> Openable<OwnedFd> {
    let named = files.map(hostfiles::ipam_directories).unwrap_or_default();
    let of_host = EVERYWHERE.into_iter().chain(pods::DIRECTORIES).chain(named.iter().map(String::as_str));
    let here = EVERYWHERE.into_iter().chain(HERE);
    let mut read = below(Path::new("/"), here);
    read.extend(below(&host.root, of_host));
    let look = |path: &Path, more| files::look(path, more).ok();
    Openable {
        read,
        write_in: Vec::new(),
        remove_in: record
            .and_then(Path::parent)
            .and_then(|path| look(path, OFlag::O_DIRECTORY))
            .into_iter()
            .collect(),
        terminal: look(Path::new(TERMINAL), OFlag::empty()),
    }
}

/// What a command opens that only looks: it reads what it finds, wherever that is, and removes files in these directories and writes
/// in those.
pub fn for_looking(remove_in: &[PathBuf], write_in: Option<&Path>) -> io::Result<Openable<OwnedFd>> {
    let directory = |path: &Path| files::look(path, OFlag::O_DIRECTORY);
    Ok(Openable {
        read: vec![directory(Path::new("/"))?],
        remove_in: remove_in.iter().filter_map(|path| directory(path).ok()).collect(),
        write_in: write_in.map(directory).transpose()?.into_iter().collect(),
        terminal: None,
    })
}

/// What is opened by who prints a recording, with its file open already: nothing but the terminal, and files in a directory.
pub fn for_replaying(write_in: Option<&Path>) -> io::Result<Openable<OwnedFd>> {
    let write_in = write_in.map(|path| files::look(path, OFlag::O_DIRECTORY)).transpose()?;
    let terminal = files::look(Path::new(TERMINAL), OFlag::empty()).ok();
    let write_in = write_in.into_iter().collect();
    Ok(Openable { read: Vec::new(), remove_in: Vec::new(), write_in, terminal })
}

/// What is opened by who serves a benchmark, once it listens: what the kernel tells of the machine.
pub fn for_serving() -> io::Result<Openable<OwnedFd>> {
    let read = ["/proc", "/sys"].map(|path| files::look(Path::new(path), OFlag::O_DIRECTORY));
    let read = read.into_iter().collect::<io::Result<_>>()?;
    Ok(Openable { read, remove_in: Vec::new(), write_in: Vec::new(), terminal: None })
}

/// These below a root, or the nearest directory above each that is there: a pod may be the first that needs it. Not the root
/// itself, which would be everything.
fn below<'a>(root: &Path, paths: impl Iterator<Item = &'a str>) -> Vec<OwnedFd> {
    let Ok(root) = Root::open(root) else { return Vec::new() };
    let nearest = |path: &str| {
        let path = PathBuf::from(path);
        let mut above = path.ancestors().filter(|path| path.parent().is_some());
        above.find_map(|path| root.look(path, OFlag::O_DIRECTORY).ok())
    };
    paths.filter_map(nearest).collect()
}
