//! The host's files, read again while a run goes on, so that a file that somebody repairs is seen to be repaired. On a thread of
//! its own: a file system may not answer. What files there are, and what they say, is for `hostfiles`; here is when they are
//! read, by whom, and what becomes of those that a run may no longer read.

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::fcntl::OFlag;

use super::host::HostOptions;
use crate::{
    facts::{
        files::{HostFiles, Sourced, late as late_note},
        host::Installed,
        pods::Sandbox,
    },
    files, hostfiles,
    observed::Observed,
    privilege::{self, Openable},
    procfs,
};

/// Read this often when nothing happens.
const EVERY: Duration = Duration::from_secs(30);
/// And so long after the last time when something on the node changes: who repairs a file restarts what reads it.
const AFTER_CHANGE: Duration = Duration::from_secs(5);
/// There is a pause of this many times what the last reading took: a hundredth of a core is the most that it costs.
const PAUSE: u32 = 99;
/// What is not read by then is said to be late.
const LATE: Duration = Duration::from_secs(5);
/// How texts about what needs a privilege begin ([`Observed::trouble`]).
const NEEDS: &str = "needs ";

/// What is asked: to read the files, given who pods are.
type Question = Observed<Vec<Sandbox>>;

/// What the files said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) files: HostFiles,
    /// Modules that the kernel could load; absent where its release is unknown.
    pub(super) installed: Observed<BTreeMap<String, Installed>>,
}

/// The thread. It ends with this, or with the process while a file system does not answer.
#[derive(Debug)]
pub(super) struct FilesReader {
    questions: mpsc::Sender<Question>,
    answers: mpsc::Receiver<Told>,
    pace: Pace,
}

impl FilesReader {
    /// Starts it. A thread keeps what its process may open when it is started: it is to be started before that is confined.
    pub(super) fn start(host: &HostOptions, release: Option<String>, is_confined: bool) -> io::Result<Self> {
        let (questions, asked) = mpsc::channel::<Question>();
        let (answer, answers) = mpsc::channel();
        let root = host.root.clone();
        thread::Builder::new().name("host files".to_owned()).spawn(move || {
            // It parses what others write, as the owner of nearly all of it. It needs no capability, and writes nothing.
            if privilege::give_up_all().is_err() {
                return;
            }
            if is_confined && let Err(error) = privilege::confine_files(readable(&root)) {
                tracing::info!("Landlock: the thread that reads the host's files is not confined: {error}");
            }
            while let Ok(sandboxes) = asked.recv() {
                // Nobody waits for it any more when the run ends meanwhile.
                if answer.send(read(&root, &sandboxes, release.as_deref())).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers, pace: Pace::new(procfs::monotonic()) })
    }

    /// Something on the node has changed.
    pub(super) fn happened(&mut self) {
        self.pace.is_changed = true;
    }

    /// Somebody asked for it.
    pub(super) fn hurry(&mut self) {
        self.pace.is_wanted = true;
    }

    /// What was read meanwhile. Asks for the next reading when it is due; waits for nothing.
    pub(super) fn next(&mut self, sandboxes: impl FnOnce() -> Question) -> Option<Told> {
        let now = procfs::monotonic();
        let told = self.answers.try_recv().ok();
        if told.is_some() {
            self.pace.done(now);
        }
        if self.pace.is_due(now) && self.questions.send(sandboxes()).is_ok() {
            self.pace.begin(now);
        }
        told
    }

    /// It has been reading for too long.
    pub(super) fn is_late(&self) -> bool {
        self.pace.began.is_some_and(|began| procfs::monotonic() >= began + LATE)
    }
}

/// The host's root to read with all that is below, and the file systems by which the kernel tells of itself.
fn readable(root: &Path) -> Openable<OwnedFd> {
    let paths = [root, Path::new("/proc"), Path::new("/sys")].map(PathBuf::from);
    let read = paths.iter().filter_map(|path| files::look(path, OFlag::O_DIRECTORY).ok()).collect();
    Openable { read, remove_in: Vec::new(), write_in: Vec::new(), terminal: None }
}

fn read(root: &Path, sandboxes: &Question, release: Option<&str>) -> Told {
    Told {
        files: hostfiles::read_here(root, sandboxes),
        installed: release.map_or(Observed::Absent, |release| hostfiles::modules(root, release)),
    }
}

/// When to read. Times are of one monotonic clock.
#[derive(Debug)]
struct Pace {
    /// When the last reading ended, and how long it took.
    last: Duration,
    took: Duration,
    /// When the one began that is under way.
    began: Option<Duration>,
    is_changed: bool,
    is_wanted: bool,
}

impl Pace {
    fn new(now: Duration) -> Self {
        Self { last: now, took: Duration::ZERO, began: None, is_changed: false, is_wanted: false }
    }

    fn is_due(&self, now: Duration) -> bool {
        let wait = if self.is_changed { AFTER_CHANGE } else { EVERY };
        let rested = now >= self.last + wait.max(self.took.saturating_mul(PAUSE));
        self.began.is_none() && (self.is_wanted || rested)
    }

    fn begin(&mut self, now: Duration) {
        (self.began, self.is_changed, self.is_wanted) = (Some(now), false, false);
    }

    fn done(&mut self, now: Duration) {
        if let Some(began) = self.began.take() {
            (self.last, self.took) = (now, now.saturating_sub(began));
        }
    }
}

/// What is known of the files: what was read now, and of what only a run that began may read, what it read then. A repair of such
/// a file is not seen; nor is it said that it cannot be read.
pub(super) fn merged(before: &HostFiles, now: HostFiles) -> HostFiles {
    let HostFiles {
        rke2_directory,
        k3s_directory,
        rke2,
        k3s,
        k3s_role,
        charts,
        flannel,
        flannel_cni,
        subnet_env,
        cni,
        multus_networks,
        whereabouts,
        device_plugin,
        calico_nodename,
        calico_mtu,
        hostname,
        hosts,
        network_manager,
        networkd,
        firewalls,
        notes,
    } = now;
    let is_new = |note: &Sourced<String>| !note.value.starts_with(NEEDS) || before.notes.contains(note);
    HostFiles {
        rke2_directory: or_before(rke2_directory, &before.rke2_directory),
        k3s_directory: or_before(k3s_directory, &before.k3s_directory),
        rke2: or_before(rke2, &before.rke2),
        k3s: or_before(k3s, &before.k3s),
        k3s_role,
        charts: or_before(charts, &before.charts),
        flannel: or_before(flannel, &before.flannel),
        flannel_cni: or_before(flannel_cni, &before.flannel_cni),
        subnet_env: or_before(subnet_env, &before.subnet_env),
        cni: or_before(cni, &before.cni),
        multus_networks: or_before(multus_networks, &before.multus_networks),
        whereabouts: or_before(whereabouts, &before.whereabouts),
        device_plugin: or_before(device_plugin, &before.device_plugin),
        calico_nodename: or_before(calico_nodename, &before.calico_nodename),
        calico_mtu: or_before(calico_mtu, &before.calico_mtu),
        hostname: or_before(hostname, &before.hostname),
        hosts: or_before(hosts, &before.hosts),
        network_manager: or_before(network_manager, &before.network_manager),
        networkd: or_before(networkd, &before.networkd),
        firewalls,
        notes: notes.into_iter().filter(is_new).collect(),
    }
}

/// The answer, but for what may no longer be read.
pub(super) fn or_before<T: Clone>(now: Observed<T>, before: &Observed<T>) -> Observed<T> {
    match now {
        Observed::Denied { .. } => before.clone(),
        now @ (Observed::Value(_)
        | Observed::Absent
        | Observed::Unsupported { .. }
        | Observed::Failed { .. }) => now,
    }
}

/// What was read last, with a note that reading does not end.
pub(super) fn late(before: &HostFiles) -> HostFiles {
    let note = late_note();
    let mut files = before.clone();
    if !files.notes.contains(&note) {
        files.notes.push(note);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn files_are_read_now_and_then_and_soon_after_a_change() {
        let mut pace = Pace::new(second(100));
        assert_eq!([110, 129, 130].map(|now| pace.is_due(second(now))), [false, false, true]);
        pace.is_changed = true;
        assert_eq!([104, 105].map(|now| pace.is_due(second(now))), [false, true]);
        pace.begin(second(105));
        assert!(!pace.is_due(second(500)), "one at a time");
        pace.done(second(106));
        // It took a second: the pause is longer than usual.
        assert_eq!([150, 204, 205].map(|now| pace.is_due(second(now))), [false, false, true]);
        pace.is_wanted = true;
        assert!(pace.is_due(second(106)), "who asks does not wait");
    }

    #[test]
    fn what_may_no_longer_be_read_is_as_it_was_and_the_rest_is_new() {
        let note = |value: &str| Sourced { value: value.to_owned(), file: "/x".to_owned(), line: None };
        let before = HostFiles {
            calico_mtu: Observed::Value(Sourced { value: 1450, file: "/mtu".to_owned(), line: None }),
            rke2_directory: Observed::Value("/var/lib/rancher/rke2".to_owned()),
            notes: vec![note("needs root"), note("left out")],
            ..HostFiles::default()
        };
        let now = HostFiles {
            calico_mtu: Observed::Denied { need: "root".to_owned() },
            k3s_directory: Observed::Denied { need: "root".to_owned() },
            notes: vec![note("needs root"), note("needs CAP_SYS_PTRACE"), note("odd")],
            ..HostFiles::default()
        };
        let merged = merged(&before, now);
        assert_eq!(merged.calico_mtu, before.calico_mtu);
        assert_eq!(merged.k3s_directory, Observed::Absent, "as before");
        assert_eq!(merged.rke2_directory, Observed::Absent, "it was removed");
        assert_eq!(merged.notes, [note("needs root"), note("odd")]);
        let late = late(&late(&merged));
        assert_eq!(late.notes.len(), 3);
        assert_eq!(super::merged(&late, merged.clone()).notes, merged.notes, "it is over");
    }

    #[test]
    fn a_file_that_was_repaired_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("var/lib/calico");
        std::fs::create_dir_all(&directory).unwrap();
        let mtu = directory.join("mtu");
        std::fs::write(&mtu, "9000").unwrap();
        let host = HostOptions { root: root.path().to_owned(), ..HostOptions::default() };
        let mut reader = FilesReader::start(&host, None, true).unwrap();
        let mut read = || {
            reader.hurry();
            let waits = std::iter::repeat_with(|| {
                thread::sleep(Duration::from_millis(5));
                reader.next(|| Observed::Absent)
            });
            waits.take(10_000).flatten().next().unwrap().files.calico_mtu.value().map(|mtu| mtu.value)
        };
        assert_eq!(read(), Some(9000));
        std::fs::write(&mtu, "1450").unwrap();
        assert_eq!(read(), Some(1450));
    }
}
