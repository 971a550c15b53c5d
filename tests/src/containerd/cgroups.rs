//! The cgroup that the processes of a run's pods are in. The kernel does not remove it with them, so what a killed run left
//! is removed by the next.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use crate::Patience;

/// Where hierarchies are mounted: one here (version 2), or one in each of the directories here (version 1, or both).
const MOUNTED: &str = "/sys/fs/cgroup";

/// What the names of all runs' cgroups start with. They have no parent of their own, which one run would remove under
/// the hands of another.
const PREFIX: &str = "overlay-probe-tests-";

/// A run's cgroup, gone when dropped. The runtime makes it, in every hierarchy.
pub(super) struct Cgroup(String);

impl Cgroup {
    /// One of its own.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for cgroup in all(|name| name.starts_with(PREFIX) && !lives(name)) {
            // Somebody else may be at it.
            let _ = remove(&cgroup);
        }
        Self(format!("{PREFIX}{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Its path below the root of a hierarchy.
    pub(super) fn path(&self) -> String {
        format!("/{}", self.0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for cgroup in all(|name| name == self.0) {
            // A process is in its cgroup until a little after it can be waited for.
            let mut patience = Patience::start();
            while remove(&cgroup).is_err() && patience.left().is_some() {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// The process that a run's cgroup is named after has not ended.
fn lives(name: &str) -> bool {
    let pid = name.trim_start_matches(PREFIX).split('x').next().unwrap_or_default();
    Path::new("/proc").join(pid).exists()
}

/// Cgroups at the top of a hierarchy that have such a name.
fn all(named: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let hierarchies = [PathBuf::from(MOUNTED)].into_iter().chain(directories(Path::new(MOUNTED)));
    let cgroups = hierarchies.flat_map(|hierarchy| directories(&hierarchy));
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| named(&name.to_string_lossy()));
    cgroups.filter(is_named).collect()
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
