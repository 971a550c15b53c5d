//! What the labs of this machine are, in files below `/run/overlay-probe/lab`: written while a lab is built and read to
//! take it down. The probe reads them to name the lab's pods ([`crate::pods::registry`]).
//!
//! A crash may leave a file half made or describing what is gone: readers take what they understand, and taking a lab
//! down goes by the names of namespaces too.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{error::LabError, plan::LabOptions};
use crate::{
    files::{self, On},
    pods::registry::DIRECTORY,
};

/// A file this long is not one of ours: 16 nodes with 300 pods take less than one MiB.
const MAX_BYTES: u64 = 8 << 20;

/// Mode of a lab's file: what is in it, a probe believes.
const MODE: u32 = 0o644;

/// One lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lab {
    /// What it was asked to be.
    pub options: LabOptions,
    /// Its nodes, as far as they are built.
    pub nodes: Vec<Node>,
    /// Where its nodes' files were written.
    #[serde(default)]
    pub host_files: Option<PathBuf>,
    /// Faults that it was given, in order.
    #[serde(default)]
    pub faults: Vec<Injected>,
}

/// A fault that a node was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// Name of the fault.
    pub fault: String,
    /// Number of the node.
    pub node: u16,
}

/// A node of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Number, from 1.
    pub number: u16,
    /// Name of its network namespace.
    pub netns: String,
    /// Device and inode of its network namespace.
    pub identity: (u64, u64),
    /// Addresses of its NIC.
    pub addresses: Vec<IpAddr>,
    /// Its pods, as far as they are built.
    pub pods: Vec<Pod>,
}

/// A pod of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Name of the host end of its veth.
    pub host_ifname: String,
    /// Name of its network namespace.
    pub netns: String,
}

/// The file of a lab.
fn path(prefix: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{prefix}.json"))
}

/// Writes a lab's file, whole or not at all.
pub(super) fn write(lab: &Lab) -> Result<(), LabError> {
    let path = path(&lab.options.prefix);
    let failed = |source| LabError::Registry { path: path.clone(), source };
    files::private_directory(Path::new(DIRECTORY)).map_err(failed)?;
    let unfinished = path.with_extension("json.new");
    let text = serde_json::to_vec(lab).map_err(|error| failed(error.into()))?;
    // What a crash left.
    let _ = fs::remove_file(&unfinished);
    files::create_new(&unfinished, MODE).and_then(|mut file| file.write_all(&text)).map_err(failed)?;
    fs::rename(&unfinished, &path).map_err(failed)
}

/// The file of the namespaces of a lab.
fn namespaces_path(prefix: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{prefix}.namespaces"))
}

/// Notes that a namespace of this device and inode is a lab's, before it has its name.
pub(super) fn note(prefix: &str, name: &str, (device, inode): (u64, u64)) -> io::Result<()> {
    files::private_directory(Path::new(DIRECTORY))?;
    files::append(&namespaces_path(prefix), MODE, format!("{device} {inode} {name}\n").as_bytes())
}

/// The namespaces that were noted, by name: a name may have been a lab's several times.
pub(super) fn noted(prefix: &str) -> BTreeSet<(String, (u64, u64))> {
    let read = files::open(&namespaces_path(prefix), On::Disk).map_err(io::Error::from);
    let text = read.and_then(|file| files::read_open(&file, MAX_BYTES)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let identity = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((parts.next()?.to_owned(), identity))
    };
    text.lines().filter_map(line).collect()
}

/// Reads a lab's file; none when there is none or it makes no sense.
pub fn read(prefix: &str) -> Option<Lab> {
    read_file(&path(prefix)).ok()
}

/// Removes a lab's file.
pub(super) fn remove(prefix: &str) -> Result<(), LabError> {
    let path = path(prefix);
    // Gone already is as good; so is the unfinished one of a crash.
    let _ = fs::remove_file(path.with_extension("json.new"));
    let _ = fs::remove_file(namespaces_path(prefix));
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LabError::Registry { path, source }),
        _ => Ok(()),
    }
}

fn read_file(path: &Path) -> io::Result<Lab> {
    let text = files::read_open(&files::open(path, On::Disk)?, MAX_BYTES)?;
    Ok(serde_json::from_slice(&text)?)
}
