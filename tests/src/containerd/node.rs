//! A node's own root directory and processes around a network namespace, so that a container runtime works there as on a
//! machine of its own. Not which runtime that is.
//!
//! The root is the machine's, but for the places where runtimes, CNI plugins and Kubernetes keep their files: those are
//! empty, and in memory. The processes are in a PID namespace. So with its first process everything is gone, whatever
//! ended that process: a SIGKILL of the test, too.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt as _, symlink},
    },
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::{chroot, fchdir, pivot_root},
};
use overlay_probe::netns;

/// What a node has of its own.
pub(super) const OWN: [&str; 12] = [
    "etc/NetworkManager",
    "etc/cni",
    "etc/containerd",
    "etc/rancher",
    "etc/sriov-operator",
    "opt/cni",
    "run",
    "var/lib/calico",
    "var/lib/cni",
    "var/lib/containerd",
    "var/lib/kubelet",
    "var/lib/rancher",
];

/// File systems of the kernel, mounted anew.
const KERNEL: [&str; 2] = ["proc", "sys"];

/// What is mounted below `/sys`.
const BELOW_SYS: [&str; 4] = ["fs/bpf", "fs/cgroup", "kernel/debug", "kernel/tracing"];

/// Where a node's files are in a container that looks at its node.
const HOST: &str = "host";

/// Where the new root is built: there is nothing below it that a node shares with the machine.
const BUILT_AT: &str = "/run";

/// Where the first process' words go.
const LOG: &str = "run/log";

/// How the node looks to what runs in its namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// To a process on the node.
    Host,
    /// To a container on the node's network that has the node's files below [`HOST`] and files of its own elsewhere.
    Container,
}

/// A node. All of it goes when this is dropped.
pub(super) struct Node {
    first: Child,
    /// What it says.
    log: File,
    /// The thread that made the first process, which is killed when that thread ends.
    parked: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Node {
    /// Makes one in a network namespace. `fill` gets the path of the new root, `command` is a line for the shell.
    pub(super) fn start(netns: &str, fill: impl FnOnce(&Path) + Send + 'static, command: &str) -> Self {
        let netns = netns::open(netns).unwrap();
        let script = format!("mount -t proc proc /proc && ip link set lo up && exec {command}");
        let (sender, first) = mpsc::channel();
        let (unpark, parked) = mpsc::channel();
        let thread = thread::spawn(move || {
            netns::enter(&netns).unwrap();
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).unwrap();
            change("/", MsFlags::MS_PRIVATE);
            build(Path::new(BUILT_AT));
            fill(Path::new(BUILT_AT));
            enter_root(BUILT_AT);
            sender.send(spawn(&script)).unwrap();
            // Nothing ever comes.
            let _ = parked.recv();
        });
        match first.recv() {
            Ok((first, log)) => Self { first, log, parked: Some((unpark, thread)) },
            Err(_) => resume_unwind(thread.join().unwrap_err()),
        }
    }

    /// The first process.
    pub(super) fn pid(&self) -> u32 {
        self.first.id()
    }

    /// The node's root directory, seen from the machine.
    pub(super) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid()))
    }

    /// What the first process said so far.
    pub(super) fn log(&self) -> String {
        let mut text = vec![0; usize::try_from(self.log.metadata().unwrap().len()).unwrap()];
        self.log.read_exact_at(&mut text, 0).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// True when the first process has not ended.
    pub(super) fn lives(&mut self) -> bool {
        self.first.try_wait().unwrap().is_none()
    }

    /// Runs `work` in the node's network and mount namespaces. Not in its PID namespace, where a thread that has entered
    /// one can start no other thread: `/proc` is the machine's, and what `work` starts has the same number there and here.
    pub(super) fn enter<T: Send>(&self, view: View, work: impl FnOnce() -> T + Send) -> T {
        let namespace = |kind| File::open(format!("/proc/{}/ns/{kind}", self.pid())).unwrap();
        let (net, mnt) = (namespace("net"), namespace("mnt"));
        let root = File::open(self.root()).unwrap();
        thread::scope(|scope| {
            let handle = scope.spawn(|| {
                // Threads share their root directory, and no such thread may change its mount namespace.
                unshare(CloneFlags::CLONE_FS).unwrap();
                setns(net.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
                setns(mnt.as_fd(), CloneFlags::CLONE_NEWNS).unwrap();
                // Where the machine itself runs below another root, that one is where a mount namespace begins.
                fchdir(&root).unwrap();
                chroot(".").unwrap();
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                // What the node mounts from now on, such as namespaces of pods, is seen here, but not the reverse.
                change("/", MsFlags::MS_SLAVE);
                file_system("proc", Path::new("/proc"));
                if view == View::Container {
                    bind(Path::new("/"), &Path::new("/").join(HOST));
                    for own in OWN {
                        file_system("tmpfs", &Path::new("/").join(own));
                    }
                }
                work()
            });
            handle.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself. Waiting for the first process of a PID namespace is waiting for all of them.
        let _ = self.first.kill();
        let _ = self.first.wait();
        if let Some((unpark, thread)) = self.parked.take() {
            drop(unpark);
            let _ = thread.join();
        }
    }
}

/// The first process, and the file that its words go to.
fn spawn(script: &str) -> (Child, File) {
    let log = File::options().read(true).append(true).create(true).open(Path::new("/").join(LOG)).unwrap();
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log.try_clone().unwrap())
        .spawn();
    (child.unwrap(), log)
}

/// Puts a node's root together, for the calling thread's network namespace.
fn build(root: &Path) {
    file_system("tmpfs", root);
    borrow(root, Path::new(""));
    for own in OWN.iter().chain(&KERNEL).chain(&[HOST, "run/netns"]) {
        fs::create_dir_all(root.join(own)).unwrap();
    }
    file_system("sysfs", &root.join("sys"));
    for below in BELOW_SYS {
        let to = root.join("sys").join(below);
        if to.exists() {
            bind(&Path::new("/sys").join(below), &to);
        }
    }
}

/// Makes what is in a directory of the machine, apart from what a node has of its own, appear in the new root.
fn borrow(root: &Path, directory: &Path) {
    for entry in fs::read_dir(Path::new("/").join(directory)).unwrap().flatten() {
        let path = directory.join(entry.file_name());
        let (from, to) = (entry.path(), root.join(&path));
        let kind = entry.file_type().unwrap();
        if OWN.iter().chain(&KERNEL).chain(&[HOST]).any(|own| path == Path::new(own)) {
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else if !kind.is_dir() {
            File::create(&to).unwrap();
            bind(&from, &to);
        } else {
            fs::create_dir(&to).unwrap();
            if OWN.iter().any(|own| Path::new(own).starts_with(&path)) {
                borrow(root, &path);
            } else {
                bind(&from, &to);
            }
        }
    }
}

/// Makes a directory the calling thread's root, and forgets the old one.
fn enter_root(root: &str) {
    std::env::set_current_dir(root).unwrap();
    // The old root ends up on top of the new one (pivot_root(2)).
    pivot_root(".", ".").unwrap();
    umount2(".", MntFlags::MNT_DETACH).unwrap();
    std::env::set_current_dir("/").unwrap();
    change("/", MsFlags::MS_SHARED);
}

/// Changes how mounts spread, of a directory and of all below it.
fn change(directory: &str, propagation: MsFlags) {
    mount(None::<&str>, directory, None::<&str>, propagation | MsFlags::MS_REC, None::<&str>).unwrap();
}

fn file_system(kind: &str, at: &Path) {
    let options = (kind == "tmpfs").then_some("mode=0755");
    mount(Some(kind), at, Some(kind), MsFlags::empty(), options).unwrap();
}

fn bind(from: &Path, to: &Path) {
    match mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>) {
        Ok(()) => {}
        // A file that somebody has just replaced.
        Err(error) if io::Error::from(error).kind() == io::ErrorKind::NotFound => {}
        Err(error) => panic!("cannot bind {} to {}: {error}", from.display(), to.display()),
    }
}
