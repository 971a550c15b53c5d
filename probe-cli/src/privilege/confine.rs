//! What may still be opened once a run has begun, or a look (landlock(7)): bounds for what root could open without any capability, as the
//! owner of nearly every file. As much of it as the kernel has: none before Linux 5.13, network and scopes by later versions.
//!
//! Landlock binds the calling thread and those that it starts from then on. With any rule at all it forbids mounting. It also hides other processes' namespaces and
//! roots (`hook_ptrace_access_check`), so that it comes after everything that needs those.

use std::{fmt, os::fd::AsFd};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use thiserror::Error;

/// Up to which version of the kernel's side everything is refused that is not asked for: that of Linux 6.12. Version 9 would
/// refuse to connect to sockets, whose directories may appear later.
const VERSION: ABI = ABI::V6;

/// Why files are not confined.
#[derive(Debug, Error)]
#[error("cannot confine what can be opened: {0}")]
pub struct ConfineError(#[from] RulesetError);

/// What may be opened. Descriptors of directories or files, opened without reading (`O_PATH`).
#[derive(Debug)]
pub struct Openable<F> {
    /// Read, with all that is below.
    pub read: Vec<F>,
    /// Files in these may be removed.
    pub remove_in: Vec<F>,
    /// Files in these may be made, written, given another name there, and removed.
    pub write_in: Vec<F>,
    /// The terminal: read, written, asked for its size.
    pub terminal: Option<F>,
}

/// What the kernel makes of it, in words for `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confined {
    /// All of it.
    Fully,
    /// What this kernel's version can.
    Partly,
    /// Nothing.
    NotAtAll,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "only what this command still opens can be opened",
            Self::Partly => {
                "only what this command still opens can be opened, as far as this kernel's Landlock goes \
                 (all of it since Linux 6.12)"
            }
            Self::NotAtAll => {
                "this kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK, lsm=landlock): files are not confined"
            }
        })
    }
}

/// Confines the calling thread and those that it starts to this.
pub(super) fn confine<F: AsFd>(openable: Openable<F>) -> Result<Confined, ConfineError> {
    let Openable { read, remove_in, write_in, terminal } = openable;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile;
    let speaking: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let rules = read.into_iter().map(|file| (file, reading));
    let rules = rules.chain(remove_in.into_iter().map(|file| (file, AccessFs::RemoveFile.into())));
    let rules = rules.chain(write_in.into_iter().map(|file| (file, writing)));
    let mut rules = rules.chain(terminal.map(|file| (file, speaking)));
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    let ruleset = rules
        .try_fold(ruleset, |ruleset, (file, access)| ruleset.add_rule(PathBeneath::new(file, access)))?;
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => Confined::Fully,
        (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { .. }) => Confined::Partly,
        (RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced, _) => Confined::NotAtAll,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        net::TcpStream,
        os::fd::OwnedFd,
        thread,
    };

    use super::*;

    #[test]
    fn only_what_was_named_can_be_opened() {
        let [readable, removable, writable, other] = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let directories = [readable.path(), removable.path(), writable.path(), other.path()];
        for directory in directories {
            fs::write(directory.join("x"), "x").unwrap();
        }
        let open = |path| OwnedFd::from(File::open(path).unwrap());
        let openable = Openable {
            read: vec![open(readable.path())],
            remove_in: vec![open(removable.path())],
            write_in: vec![open(writable.path())],
            terminal: None,
        };
        let tried = || {
            let confined = confine(openable).unwrap();
            let reads = directories.map(|directory| fs::read(directory.join("x")).is_ok());
            let writes = directories.map(|directory| fs::write(directory.join("x"), "y").is_ok());
            let makes = directories.map(|directory| fs::write(directory.join("y"), "y").is_ok());
            let removes = directories.map(|directory| fs::remove_file(directory.join("x")).is_ok());
            let sees = fs::metadata("/proc/1/ns/net").is_ok();
            // Nobody listens there.
            let connects = TcpStream::connect("127.0.0.1:1").unwrap_err().raw_os_error();
            let below = thread::scope(|scope| {
                scope.spawn(|| fs::read(other.path().join("x")).map_err(|error| error.kind())).join().unwrap()
            });
            (confined, [reads, writes, makes, removes], sees, connects, below)
        };
        let (confined, outcomes, sees, connects, below) =
            thread::scope(|scope| scope.spawn(tried).join().unwrap());
        // The kernel of a build machine may be old, and then there is nothing to see.
        if confined == Confined::NotAtAll {
            assert_eq!(outcomes, [[true; 4]; 4]);
            return;
        }
        // A file that is there is not cut to nothing.
        let (reads, makes) = ([true, false, false, false], [false, false, true, false]);
        assert_eq!(outcomes, [reads, [false; 4], makes, [false, true, true, false]]);
        assert!(!sees, "another process' namespace is seen");
        if confined == Confined::Fully {
            assert_eq!(connects, Some(libc::EACCES));
        }
        assert_eq!(below.unwrap_err(), std::io::ErrorKind::PermissionDenied, "a thread of the thread");
    }
}
