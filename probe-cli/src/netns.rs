//! Network namespaces: found by name or path, entered per thread, made and removed as `ip netns` does.
//!
//! A namespace belongs to a thread, not to the process: everything that enters one either is the whole process's only
//! thread or runs on a thread of its own, or is done by the process in `helper`.

pub mod helper;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        linux::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    thread,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, readlinkat},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, fstatfs},
};
use thiserror::Error;

use self::helper::SocketKind;
use crate::{files, text::escape};

/// Where named namespaces are, as `ip netns` has them.
pub const DIRECTORY: &str = "/run/netns";
/// Names that an error lists at most: a node has hundreds.
const SHOWN: usize = 8;

/// Name of a process' network namespace among its others, below `/proc/<pid>/ns`.
const OWN_LINK: &str = "net";
/// The kernel takes no longer one (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;
/// `_IO(NSIO, 0x3)`, include/uapi/linux/nsfs.h.
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// What can go wrong with a namespace.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// There is none of that name.
    #[error("no network namespace {name}: {source}; {known}", name = escape(name))]
    Open {
        /// Name or path asked for.
        name: String,
        /// Which there are, in words.
        known: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// What has that name is something else.
    #[error("{name} is not a network namespace; {known}", name = escape(name))]
    NotOne {
        /// Name or path asked for.
        name: String,
        /// Which there are, in words.
        known: String,
    },
    /// It could not be entered.
    #[error("cannot enter network namespace {name}: {source}{hint}", name = escape(name), hint = hint(source))]
    Enter {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It could not be made.
    #[error("cannot make network namespace {name} ({step}): {source}", name = escape(name))]
    Create {
        /// Its name.
        name: String,
        /// What was being done.
        step: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It could not be removed.
    #[error("cannot remove network namespace {name}: {source}", name = escape(name))]
    Remove {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl NetnsError {
    /// True when privileges are missing.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Enter { source, .. } if source.raw_os_error() == Some(libc::EPERM))
    }
}

/// The way out, where there is one: a file that is no namespace is `EINVAL`, and no privilege helps.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; needs CAP_SYS_ADMIN: run with sudo",
        Some(libc::EINVAL) => "; it is not a network namespace",
        _ => "",
    }
}

/// An open network namespace. It lives while this does, whatever happens to its name.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// The name or path that it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Device and inode: what tells namespaces apart.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        self.file.metadata().map(|metadata| (metadata.st_dev(), metadata.st_ino()))
    }

    /// Its file descriptor, for netlink attributes.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Opens a namespace by its name below [`DIRECTORY`] or by a path, for those who tell nobody why it cannot be opened. The
/// name is somebody's who may choose: its links are followed wherever they lead.
pub fn try_open(name: &str) -> io::Result<Namespace> {
    let path = if name.contains('/') { PathBuf::from(name) } else { Path::new(DIRECTORY).join(name) };
    of_handle(name, &files::look(&path, OFlag::empty())?)
}

/// Opens a namespace by a path that files or a runtime of the host say, below the host's root. Nothing but a network namespace
/// is opened, whatever the path leads to.
///
/// Below Landlock no other process' namespace can be seen (`hook_ptrace_access_check`): the helper then opens it.
pub fn open_below(root: &files::Root, path: &str) -> io::Result<Namespace> {
    match open_itself(root, path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            helper::open_below(root.path(), path).unwrap_or(Err(error))
        }
        opened => opened,
    }
}

/// The same, whatever this process may see.
fn open_itself(root: &files::Root, path: &str) -> io::Result<Namespace> {
    if path.len() > LONGEST_PATH {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its path is too long"));
    }
    // `/var/run` is `/run` wherever containers run, also where no link says so.
    let there = match path.strip_prefix("/var/run/") {
        Some(rest) => Path::new("/run").join(rest),
        None => PathBuf::from(path),
    };
    if let Some(name) = own_name(root, &there) {
        return of_handle(path, &files::look(&Path::new(DIRECTORY).join(name), OFlag::O_NOFOLLOW)?);
    }
    let handle = match of_process(&there) {
        Some(directory) => root.look_at_kernel_link(directory, OWN_LINK, OFlag::empty()),
        None => root.look(&there, OFlag::empty()).or_else(|errno| {
            // `ln -s /proc/<pid>/ns/net /run/netns/x`, as is done for containers without a name: only that, and only once.
            if !matches!(errno, Errno::ELOOP | Errno::EXDEV) {
                return Err(errno);
            }
            let link = root.look(&there, OFlag::O_NOFOLLOW)?;
            let target = PathBuf::from(readlinkat(link, "")?);
            let directory = of_process(&target).filter(|_| target.is_absolute()).ok_or(errno)?;
            root.look_at_kernel_link(directory, OWN_LINK, OFlag::empty())
        }),
    };
    of_handle(path, &handle?)
}

/// The name that a path has in our own [`DIRECTORY`]: a name without a directory is one of `ip netns`, as a lab's file has
/// it, and a tree of files without namespaces of its own, as a lab writes one, has that directory as a link to ours.
fn own_name<'a>(root: &files::Root, path: &'a Path) -> Option<&'a OsStr> {
    let (directory, name) = (path.parent()?, path.file_name()?);
    let is_name = directory == Path::new("");
    let is_linked =
        || directory == Path::new(DIRECTORY) && root.link(DIRECTORY).as_deref() == Some(DIRECTORY);
    (is_name || is_linked()).then_some(name)
}

/// The directory of a process' namespaces, for the path of its network namespace.
fn of_process(path: &Path) -> Option<&Path> {
    let directory = path.parent().filter(|directory| directory.ends_with("ns"))?;
    (path.file_name()? == OWN_LINK).then_some(directory)
}

/// Opens what was looked at, if it is a network namespace.
fn of_handle(name: &str, handle: &OwnedFd) -> io::Result<Namespace> {
    let is_namespace = fstatfs(handle)?.filesystem_type() == NSFS_MAGIC;
    let file = if is_namespace { files::reopen(handle)? } else { return Err(no_namespace()) };
    is_network_namespace(&file)?;
    Ok(Namespace { name: name.to_owned(), file })
}

/// An error if what is open for reading is something else.
fn is_network_namespace(file: impl AsFd) -> io::Result<()> {
    if fstatfs(&file)?.filesystem_type() != NSFS_MAGIC {
        return Err(no_namespace());
    }
    // SAFETY: the request takes no argument, and the descriptor is open.
    let kind = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), NS_GET_NSTYPE) };
    if kind == libc::CLONE_NEWNET { Ok(()) } else { Err(no_namespace()) }
}

fn no_namespace() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a network namespace")
}

/// Opens a namespace by its name below [`DIRECTORY`] or by a path. The error lists those that are called most like it.
pub fn open(name: &str) -> Result<Namespace, NetnsError> {
    try_open(name).map_err(|source| {
        let known = escape(&closest(name, list()));
        let name = name.to_owned();
        if source.kind() == io::ErrorKind::InvalidInput {
            NetnsError::NotOne { name, known }
        } else {
            NetnsError::Open { name, known, source }
        }
    })
}

/// In words, which of `names` there are that are called most like the one that is not there.
fn closest(wanted: &str, mut names: Vec<String>) -> String {
    if names.is_empty() {
        return "there is none below /run/netns".to_owned();
    }
    let wanted = wanted.rsplit('/').next().unwrap_or(wanted);
    let more = names.len().saturating_sub(SHOWN);
    names.sort_by(|a, b| {
        let [a, b] = [a, b].map(|name| strsim::jaro_winkler(wanted, name));
        b.total_cmp(&a)
    });
    names.truncate(SHOWN);
    match more {
        0 => format!("those that exist: {}", names.join(", ")),
        more => format!("the closest of those that exist: {} and {more} more", names.join(", ")),
    }
}

/// Moves the calling thread into the namespace, for good.
pub fn enter(namespace: &Namespace) -> Result<(), NetnsError> {
    setns(namespace.file.as_fd(), CloneFlags::CLONE_NEWNET)
        .map_err(|error| NetnsError::Enter { name: namespace.name.clone(), source: error.into() })
}

/// Runs `work` inside the namespace, on a thread of its own.
pub fn run_in<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    thread::scope(|scope| {
        let handle = scope.spawn(|| {
            enter(namespace)?;
            Ok(work())
        });
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sockets in a namespace that nothing of ours enters for good: by the helper where there is one, else on a thread.
pub fn sockets_in<const COUNT: usize>(
    namespace: &Namespace,
    kinds: [SocketKind; COUNT],
) -> Result<[OwnedFd; COUNT], NetnsError> {
    let failed = |source| NetnsError::Enter { name: namespace.name.clone(), source };
    let sockets: io::Result<Vec<OwnedFd>> = if helper::is_there() {
        kinds.into_iter().filter_map(|kind| helper::socket(namespace, kind)).collect()
    } else {
        run_in(namespace, || kinds.into_iter().map(helper::open_socket).collect())?
    };
    let sockets = sockets.map_err(failed)?;
    sockets.try_into().map_err(|_few| failed(io::Error::other("the helper process is gone")))
}

/// The calling thread's namespace.
pub fn current() -> io::Result<Namespace> {
    try_open("/proc/thread-self/ns/net")
}

/// Device and inode of the calling thread's namespace.
pub fn current_identity() -> io::Result<(u64, u64)> {
    fs::metadata("/proc/thread-self/ns/net").map(|metadata| (metadata.st_dev(), metadata.st_ino()))
}

/// True when some process or name still holds the namespace.
pub fn exists(identity: (u64, u64)) -> bool {
    held().contains(&identity)
}

/// The namespaces that some process or name holds, by device and inode. Looks at every process.
pub fn held() -> BTreeSet<(u64, u64)> {
    let named = list().into_iter().filter_map(|name| identity(&Path::new(DIRECTORY).join(name)));
    let mut held: BTreeSet<_> = named.chain(of_processes_here()).collect();
    // Below Landlock this process sees its own only. The helper's list is bounded, so that it is not asked before.
    let first = fs::metadata("/proc/1/ns/net");
    if first.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        held.extend(helper::of_processes().unwrap_or_default());
    }
    held
}

/// The namespaces of the processes that this one may look at.
fn of_processes_here() -> BTreeSet<(u64, u64)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| identity(&process.path().join("ns/net"))).collect()
}

/// Device and inode of the namespace that a path leads to.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.st_dev(), metadata.st_ino()))
}

/// Names below [`DIRECTORY`], sorted.
pub fn list() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(DIRECTORY)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort_unstable();
    names
}

/// Makes a namespace of this name, with its loopback device down, as `ip netns add` does. `note` is told its device and inode
/// before anything has that name.
pub fn create(
    name: &str,
    note: impl FnOnce((u64, u64)) -> io::Result<()> + Send,
) -> Result<Namespace, NetnsError> {
    let failed = |step| {
        let name = name.to_owned();
        move |source: io::Error| NetnsError::Create { name, step, source }
    };
    let path = Path::new(DIRECTORY).join(name);
    share_directory().map_err(failed("share the directory of names"))?;
    let bound = thread::scope(|scope| {
        let handle = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| ("unshare", error.into()))?;
            current_identity().and_then(note).map_err(|error| ("note it", error))?;
            files::create_new(&path, 0)
                .map_err(|error| ("make its file; remove a leftover with `overlay-probe lab down`", error))?;
            mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .map_err(|error| {
                    // The empty file is all there is of it.
                    let _ = fs::remove_file(&path);
                    ("bind its file", error.into())
                })
        });
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    bound.map_err(|(step, error)| failed(step)(error))?;
    open(name)
}

/// What is at a name below [`DIRECTORY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A network namespace of this device and inode.
    Namespace((u64, u64)),
    /// An empty file: a name that is not bound yet, or not any more.
    Unbound,
    /// Something else.
    Other,
}

/// What is at a name below [`DIRECTORY`]. A link is something else, wherever it leads.
pub fn named(name: &str) -> Named {
    let path = Path::new(DIRECTORY).join(name);
    let Ok(handle) = files::look(&path, OFlag::O_NOFOLLOW) else { return Named::Other };
    match of_handle(name, &handle).and_then(|namespace| namespace.identity()) {
        Ok(identity) => Named::Namespace(identity),
        Err(_) => match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => Named::Unbound,
            _ => Named::Other,
        },
    }
}

/// Removes the name. The namespace goes when nobody uses it any more. A name that is gone already is no error.
pub fn remove(name: &str) -> Result<(), NetnsError> {
    let path = Path::new(DIRECTORY).join(name);
    // Not a mount point: a crash between making the file and binding it.
    let _ = umount2(&path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(NetnsError::Remove { name: name.to_owned(), source }),
    }
}

/// Makes [`DIRECTORY`] a shared mount, so that names made here are seen in every mount namespace and can be removed
/// from any (`create_netns_dir` and `netns_add` in iproute2 do the same).
fn share_directory() -> io::Result<()> {
    files::private_directory(Path::new(DIRECTORY))?;
    let share = MsFlags::MS_SHARED | MsFlags::MS_REC;
    if mount(None::<&str>, DIRECTORY, None::<&str>, share, None::<&str>).is_ok() {
        return Ok(());
    }
    // Not a mount point yet: make it one.
    mount(Some(DIRECTORY), DIRECTORY, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    mount(None::<&str>, DIRECTORY, None::<&str>, share, None::<&str>)?;
    Ok(())
}

/// Gives this process a `/run` of its own. Names made in it are seen by nobody else, and with the process everything
/// that only they held is gone, however it ends: also after a SIGKILL. The process must have one thread.
pub fn private_run() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_SLAVE | MsFlags::MS_REC, None::<&str>)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_namespace_is_named_with_those_that_exist() {
        let error = open("no\x1bsuch").unwrap_err().to_string();
        assert!(error.contains("no\\u{1b}such"), "{error}");
        assert!(error.contains("those that exist") || error.contains("there is none"), "{error}");
    }

    #[test]
    fn the_closest_names_come_first_and_the_others_are_counted() {
        let names = |count: usize| (0..count).map(|n| format!("cni-{n:04}-f00d")).collect::<Vec<_>>();
        assert_eq!(closest("x", Vec::new()), "there is none below /run/netns");
        assert_eq!(closest("x", names(2)), "those that exist: cni-0000-f00d, cni-0001-f00d");
        let many =
            [names(300), vec!["ovp-node2".to_owned(), "node1".to_owned(), "ovp-node1".to_owned()]].concat();
        for wanted in ["ovp-nod1", "/run/netns/ovp-nod1"] {
            let said = closest(wanted, many.clone());
            assert!(said.starts_with("the closest of those that exist: ovp-node1, ovp-node2, "), "{said}");
            assert!(said.ends_with(" and 295 more") && said.matches(", ").count() == 7, "{said}");
        }
    }

    #[test]
    fn what_is_no_network_namespace_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let root = files::Root::open(directory.path()).unwrap();
        let outside = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        nix::unistd::mkfifo(&outside.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::os::unix::fs::symlink(outside.path().join("pipe"), directory.path().join("out")).unwrap();
        std::os::unix::fs::symlink("/proc/1/ns/net", directory.path().join("linked")).unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        fs::create_dir_all(directory.path().join("proc/1/ns")).unwrap();
        fs::write(directory.path().join("proc/1/ns/net"), "").unwrap();
        let up = format!("/..{}/pipe", outside.path().display());
        let long = format!("/{}", "a/".repeat(LONGEST_PATH));
        for path in ["/pipe", "/out", "/file", &up, "/proc/1/ns/net", "/linked", "/", "none", &long, "/a\0b"]
        {
            // A pipe that is opened waits for ever for who writes.
            assert!(open_below(&root, path).is_err(), "{path}");
        }
        let own = files::Root::open(Path::new("/")).unwrap();
        for path in
            ["/dev/null", "/proc/thread-self/ns/mnt", "/proc/thread-self/ns/pid", "/proc/thread-self/cwd"]
        {
            assert!(open_below(&own, path).is_err() && try_open(path).is_err(), "{path}");
        }
        assert!(try_open(&directory.path().join("pipe").to_string_lossy()).is_err());
    }

    #[test]
    fn the_namespace_of_a_process_is_found_below_a_root() {
        let own = current_identity().unwrap();
        let root = files::Root::open(Path::new("/")).unwrap();
        let pid = std::process::id();
        for path in ["/proc/thread-self/ns/net".to_owned(), format!("/proc/{pid}/ns/net")] {
            assert_eq!(open_below(&root, &path).unwrap().identity().unwrap(), own, "{path}");
        }
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("x");
        std::os::unix::fs::symlink(format!("/proc/{pid}/ns/net"), &link).unwrap();
        assert_eq!(open_below(&root, &link.to_string_lossy()).unwrap().identity().unwrap(), own);
    }

    #[test]
    fn our_own_namespace_exists() {
        let own = current_identity().unwrap();
        assert!(exists(own));
        assert_eq!(open("/proc/thread-self/ns/net").unwrap().identity().unwrap(), own);
        assert!(!exists((0, 1)));
    }
}
