//! Network namespaces: found by name or path, entered per thread, made and removed as `ip netns` does.
//!
//! A namespace belongs to a thread, not to the process: everything that enters one either is the whole process's only
//! thread or runs on a thread of its own.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, linux::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};
use thiserror::Error;

use crate::text::escape;

/// Where named namespaces are, as `ip netns` has them.
pub const DIRECTORY: &str = "/run/netns";

/// What can go wrong with a namespace.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// There is none of that name.
    #[error("no network namespace {name}: {source}; those that exist: {known}", name = escape(name))]
    Open {
        /// Name or path asked for.
        name: String,
        /// Names that exist, or "none".
        known: String,
        /// The cause.
        #[source]
        source: io::Error,
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
        Some(libc::EINVAL) => "; it is no network namespace",
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

/// Opens a namespace by its name below [`DIRECTORY`] or by a path, for those who tell nobody why it cannot be opened.
pub fn try_open(name: &str) -> io::Result<Namespace> {
    let path = if name.contains('/') { PathBuf::from(name) } else { Path::new(DIRECTORY).join(name) };
    File::open(path).map(|file| Namespace { name: name.to_owned(), file })
}

/// Opens a namespace by its name below [`DIRECTORY`] or by a path. The error lists those that exist.
pub fn open(name: &str) -> Result<Namespace, NetnsError> {
    try_open(name).map_err(|source| {
        let names = list();
        let known = if names.is_empty() { "none".to_owned() } else { escape(&names.join(", ")) };
        NetnsError::Open { name: name.to_owned(), known, source }
    })
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

/// Device and inode of the calling thread's namespace.
pub fn current_identity() -> io::Result<(u64, u64)> {
    fs::metadata("/proc/thread-self/ns/net").map(|metadata| (metadata.st_dev(), metadata.st_ino()))
}

/// True when some process or name still holds the namespace.
pub fn exists(identity: (u64, u64)) -> bool {
    let is = |path: &Path| {
        fs::metadata(path).is_ok_and(|metadata| (metadata.st_dev(), metadata.st_ino()) == identity)
    };
    let named = list().iter().any(|name| is(&Path::new(DIRECTORY).join(name)));
    named
        || fs::read_dir("/proc")
            .is_ok_and(|processes| processes.flatten().any(|process| is(&process.path().join("ns/net"))))
}

/// Names below [`DIRECTORY`], sorted.
pub fn list() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(DIRECTORY)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort_unstable();
    names
}

/// Makes a namespace of this name, with its loopback device down, as `ip netns add` does.
pub fn create(name: &str) -> Result<Namespace, NetnsError> {
    let failed = |step| {
        let name = name.to_owned();
        move |source: io::Error| NetnsError::Create { name, step, source }
    };
    let path = Path::new(DIRECTORY).join(name);
    share_directory().map_err(failed("share the directory of names"))?;
    File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed("make its file; remove a leftover with `overlay-probe lab down`"))?;
    let bound = thread::scope(|scope| {
        let handle = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        });
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if let Err(error) = bound {
        // The empty file is all there is of it.
        let _ = fs::remove_file(&path);
        return Err(failed("unshare and bind")(error.into()));
    }
    open(name)
}

/// Removes the name. The namespace goes when nobody uses it any more. A name that is gone already is no error.
pub fn remove(name: &str) -> Result<(), NetnsError> {
    let path = Path::new(DIRECTORY).join(name);
    // Not a mount point: a crash between making the file and binding it.
    let _ = umount2(&path, MntFlags::MNT_DETACH);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(NetnsError::Remove { name: name.to_owned(), source }),
    }
}

/// Makes [`DIRECTORY`] a shared mount, so that names made here are seen in every mount namespace and can be removed
/// from any (`create_netns_dir` and `netns_add` in iproute2 do the same).
fn share_directory() -> io::Result<()> {
    fs::create_dir_all(DIRECTORY)?;
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
        assert!(error.contains("no\\u{1b}such") && error.contains("those that exist"), "{error}");
    }

    #[test]
    fn our_own_namespace_exists() {
        let own = current_identity().unwrap();
        assert!(exists(own));
        assert_eq!(open("/proc/thread-self/ns/net").unwrap().identity().unwrap(), own);
        assert!(!exists((0, 1)));
    }
}
