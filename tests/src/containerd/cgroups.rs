//! The cgroup that the processes of a run's pods are in. The kernel does not remove it with them, so what a killed run left
//! is removed by the next.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::PATIENCE;

/// Where hierarchies are mounted: one here (version 2), or one in each of the directories here (version 1, or both).
const MOUNTED: &str = "/sys/fs/cgroup";

/// What all runs have in common.
const PARENT: &str = "overlay-probe-tests";

/// A run's cgroup, gone when dropped. The runtime makes it, in every hierarchy.
pub(super) struct Cgroup(String);

impl Cgroup {
    /// One of its own.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for (parent, name) in runs() {
            let pid = name.split_once('x').map(|(pid, _)| pid.to_owned());
            let lives = pid.is_some_and(|pid| Path::new("/proc").join(pid).exists());
            if !lives {
                // Somebody else may be at it.
                let _ = remove(&parent.join(name));
            }
        }
        Self(format!("{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Its path below the root of a hierarchy.
    pub(super) fn path(&self) -> String {
        format!("/{PARENT}/{}", self.0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let start = Instant::now();
        for (parent, _) in runs().into_iter().filter(|(_, name)| *name == self.0) {
            // A process is in its cgroup until a little after it can be waited for.
            while remove(&parent.join(&self.0)).is_err() && start.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(20));
            }
            // Others may have theirs in it.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// All runs' cgroups: the directory that they are in, and their name.
fn runs() -> Vec<(PathBuf, String)> {
    let hierarchies = [PathBuf::from(MOUNTED)].into_iter().chain(directories(Path::new(MOUNTED)));
    let parents = hierarchies.map(|hierarchy| hierarchy.join(PARENT));
    let runs = parents.flat_map(|parent| {
        let names =
            directories(&parent).into_iter().filter_map(|run| Some(run.file_name()?.to_str()?.to_owned()));
        names.map(|name| (parent.clone(), name)).collect::<Vec<_>>()
    });
    runs.collect()
}

/// Removes a cgroup with those below it. Only directories can be removed there.
fn remove(cgroup: &Path) -> std::io::Result<()> {
    for below in directories(cgroup) {
        remove(&below)?;
    }
    fs::remove_dir(cgroup)
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
