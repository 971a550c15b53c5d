//! Pods of labs, from the files in which a lab says what it has built (one for each lab, below [`DIRECTORY`]). A crash may
//! leave a file half made: what cannot be understood is left out. Writing them is the lab's affair.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Deserialize;

use crate::{
    facts::pods::RegisteredPod,
    files::{self, On},
};

/// Where the files are.
pub const DIRECTORY: &str = "/run/overlay-probe/lab";
/// A file this long is not a lab's: 16 nodes with 300 pods take less than one MiB.
const MAX_BYTES: u64 = 8 << 20;

/// What a reader wants of a lab's file.
#[derive(Deserialize)]
struct Lab {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    /// Device and inode of its network namespace.
    identity: (u64, u64),
    pods: Vec<RegisteredPod>,
}

/// Follows the pods of one node.
#[derive(Debug)]
pub struct Registry {
    directory: PathBuf,
    node: Option<(u64, u64)>,
    seen: Vec<(PathBuf, u64, Option<SystemTime>)>,
    started: bool,
}

impl Registry {
    /// For the node whose network namespace has this device and inode.
    pub fn new(directory: &Path, node: Option<(u64, u64)>) -> Self {
        Self { directory: directory.to_owned(), node, seen: Vec::new(), started: false }
    }

    /// The node's pods, when a file changed since the last call.
    pub fn pods_if_changed(&mut self) -> Option<Vec<RegisteredPod>> {
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
            .collect();
        Some(pods)
    }
}

fn read_file(path: &Path) -> io::Result<Lab> {
    let text = files::read_open(&files::open(path, On::Disk)?, MAX_BYTES)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_of_the_own_node_only() {
        let directory = tempfile::tempdir().unwrap();
        let pod = |name: &str| {
            format!(
                r#"{{"namespace":"shop","name":"{name}","addresses":[],"host_ifname":"cali1","netns":"x"}}"#
            )
        };
        let write = |mine: &[&str]| {
            let mine: Vec<String> = mine.iter().map(|name| pod(name)).collect();
            let text = format!(
                r#"{{"options":{{}},"nodes":[{{"number":1,"netns":"a","identity":[4,10],"addresses":[],"pods":[{}]}},
                {{"number":2,"netns":"b","identity":[4,11],"addresses":[],"pods":[{}]}}]}}"#,
                mine.join(","),
                pod("theirs")
            );
            fs::write(directory.path().join("good.json"), text).unwrap();
        };
        let mut registry = Registry::new(directory.path(), Some((4, 10)));
        assert_eq!(registry.pods_if_changed(), Some(vec![]), "the first answer, of an empty directory");
        write(&["mine"]);
        for (name, bytes) in
            [("empty.json", &b""[..]), ("half.json", b"{\"nodes\":"), ("binary.json", &[0xff, 0, 1])]
        {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let names = |pods: Option<Vec<RegisteredPod>>| {
            pods.map(|pods| pods.into_iter().map(|pod| pod.name).collect::<Vec<_>>())
        };
        assert_eq!(names(registry.pods_if_changed()), Some(vec!["mine".to_owned()]));
        assert_eq!(registry.pods_if_changed(), None, "nothing changed");
        write(&["mine", "hostile\\u001b[2J"]);
        assert_eq!(names(registry.pods_if_changed()).map(|names| names.len()), Some(2));
        fs::remove_file(directory.path().join("good.json")).unwrap();
        assert_eq!(registry.pods_if_changed(), Some(vec![]));
    }
}
