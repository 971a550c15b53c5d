//! What the labs of this machine are, in files below `/run/overlay-probe/lab`: written while a lab is built, read to
//! take it down, and by the probe to name the lab's pods.
//!
//! A crash may leave a file half made or describing what is gone: readers take what they understand, and taking a lab
//! down goes by the names of namespaces too.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{error::LabError, plan::LabOptions};
use crate::{inventory::NamedPod, netns};

/// Where the files are.
pub const DIRECTORY: &str = "/run/overlay-probe/lab";
/// A file this long is not one of ours: 16 nodes with 300 pods take less than one MiB.
const MAX_BYTES: u64 = 8 << 20;

/// One lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lab {
    /// What it was asked to be.
    pub options: LabOptions,
    /// Its nodes, as far as they are built.
    pub nodes: Vec<Node>,
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
    fs::create_dir_all(DIRECTORY).map_err(failed)?;
    let unfinished = path.with_extension("json.new");
    let text = serde_json::to_vec(lab).map_err(|error| failed(error.into()))?;
    File::create(&unfinished).and_then(|mut file| file.write_all(&text)).map_err(failed)?;
    fs::rename(&unfinished, &path).map_err(failed)
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
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LabError::Registry { path, source }),
        _ => Ok(()),
    }
}

fn read_file(path: &Path) -> io::Result<Lab> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Follows the pods of one node.
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    node: Option<(u64, u64)>,
    seen: Vec<(PathBuf, u64, Option<SystemTime>)>,
    started: bool,
}

impl Reader {
    /// For the node that lives in the calling thread's network namespace.
    pub fn for_current_node() -> Self {
        Self::new(Path::new(DIRECTORY), netns::current_identity().ok())
    }

    fn new(directory: &Path, node: Option<(u64, u64)>) -> Self {
        Self { directory: directory.to_owned(), node, seen: Vec::new(), started: false }
    }

    /// The node's pods, when a file changed since the last call.
    pub fn pods_if_changed(&mut self) -> Option<Vec<NamedPod>> {
        let mut seen: Vec<_> = fs::read_dir(&self.directory)
            .map(|entries| {
                entries
                    .flatten()
                    .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
                    .filter_map(|entry| {
                        let metadata = entry.metadata().ok()?;
                        Some((entry.path(), metadata.len(), metadata.modified().ok()))
                    })
                    .collect()
            })
            .unwrap_or_default();
        seen.sort();
        if self.started && seen == self.seen {
            return None;
        }
        self.started = true;
        self.seen = seen;
        let pods = self
            .seen
            .iter()
            .filter_map(|(path, _, _)| read_file(path).ok())
            .flat_map(|lab| lab.nodes)
            .filter(|node| Some(node.identity) == self.node)
            .flat_map(|node| node.pods)
            .map(|pod| NamedPod {
                namespace: pod.namespace,
                name: pod.name,
                addresses: pod.addresses,
                host_ifname: Some(pod.host_ifname),
            })
            .collect();
        Some(pods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_takes_what_it_understands_and_only_its_node() {
        let directory = tempfile::tempdir().unwrap();
        let pod = |name: &str| Pod {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            addresses: vec![],
            host_ifname: "cali1".to_owned(),
            netns: "x".to_owned(),
        };
        let node = |number, identity, name: &str| Node {
            number,
            netns: format!("x-node{number}"),
            identity,
            addresses: vec![],
            pods: vec![pod(name)],
        };
        let mut lab = Lab {
            options: LabOptions::default(),
            nodes: vec![node(1, (4, 10), "mine"), node(2, (4, 11), "theirs")],
        };
        let write = |lab: &Lab| {
            fs::write(directory.path().join("good.json"), serde_json::to_vec(lab).unwrap()).unwrap();
        };
        let mut reader = Reader::new(directory.path(), Some((4, 10)));
        assert_eq!(reader.pods_if_changed(), Some(vec![]), "the first answer, of an empty directory");
        write(&lab);
        for (name, bytes) in
            [("empty.json", &b""[..]), ("half.json", b"{\"options\":"), ("binary.json", &[0xff, 0, 1])]
        {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let names = |pods: Option<Vec<NamedPod>>| {
            pods.map(|pods| pods.into_iter().map(|pod| pod.name).collect::<Vec<_>>())
        };
        assert_eq!(names(reader.pods_if_changed()), Some(vec!["mine".to_owned()]));
        assert_eq!(reader.pods_if_changed(), None, "nothing changed");
        lab.nodes[0].pods.push(pod("hostile\u{1b}[2J"));
        write(&lab);
        assert_eq!(names(reader.pods_if_changed()).map(|names| names.len()), Some(2));
        fs::remove_file(directory.path().join("good.json")).unwrap();
        assert_eq!(reader.pods_if_changed(), Some(vec![]));
    }
}
