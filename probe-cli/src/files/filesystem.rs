//! Which file systems a file may be on. A file of a host's configuration is on a disk or in memory; where a link leads to a
//! file that the kernel or a process makes up, reading it may never end, or do something. Which files are read where is for
//! those who read.

use std::os::fd::AsFd;

use nix::sys::statfs::{
    BPF_FS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, FUSE_SUPER_MAGIC, FsType,
    NSFS_MAGIC, PROC_SUPER_MAGIC, SECURITYFS_MAGIC, SYSFS_MAGIC, TRACEFS_MAGIC, fstatfs,
};

/// Where a file is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// On a file system that keeps files.
    Disk,
    /// There, or on one of those by which the kernel tells of itself: proc, sysfs, cgroup.
    Kernel,
    /// On a file system that keeps files, or on FUSE, as the whole host is.
    DiskOrFuse,
}

/// `PIPEFS_MAGIC` and `SOCKFS_MAGIC`, include/uapi/linux/magic.h.
const PIPEFS: FsType = FsType(0x5049_5045);
const SOCKFS: FsType = FsType(0x534f_434b);

/// The name of the file system that something open is on, when no file is expected there.
pub(super) fn refused(open: impl AsFd, on: On) -> nix::Result<Option<&'static str>> {
    Ok(name(fstatfs(open)?.filesystem_type(), on))
}

/// True for something open on a file system that a process makes up.
pub(super) fn is_fuse(open: impl AsFd) -> bool {
    fstatfs(open).is_ok_and(|found| found.filesystem_type() == FUSE_SUPER_MAGIC)
}

/// True for something open on the file system by which the kernel tells of its devices.
pub(super) fn is_sysfs(open: impl AsFd) -> bool {
    fstatfs(open).is_ok_and(|found| found.filesystem_type() == SYSFS_MAGIC)
}

fn name(kind: FsType, on: On) -> Option<&'static str> {
    let told = match kind {
        PROC_SUPER_MAGIC => Some("proc"),
        SYSFS_MAGIC => Some("sysfs"),
        CGROUP_SUPER_MAGIC | CGROUP2_SUPER_MAGIC => Some("cgroup"),
        _ => None,
    };
    let never = match kind {
        TRACEFS_MAGIC => Some("tracefs"),
        DEBUGFS_MAGIC => Some("debugfs"),
        SECURITYFS_MAGIC => Some("securityfs"),
        BPF_FS_MAGIC => Some("bpf"),
        FUSE_SUPER_MAGIC if on != On::DiskOrFuse => Some("FUSE"),
        NSFS_MAGIC => Some("nsfs"),
        PIPEFS => Some("pipefs"),
        SOCKFS => Some("sockfs"),
        _ => None,
    };
    never.or(told.filter(|_| on != On::Kernel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_are_for_those_who_ask() {
        for (kind, disk, kernel) in [
            (PROC_SUPER_MAGIC, Some("proc"), None),
            (SYSFS_MAGIC, Some("sysfs"), None),
            (CGROUP2_SUPER_MAGIC, Some("cgroup"), None),
            (TRACEFS_MAGIC, Some("tracefs"), Some("tracefs")),
            (FUSE_SUPER_MAGIC, Some("FUSE"), Some("FUSE")),
            (nix::sys::statfs::TMPFS_MAGIC, None, None),
            (nix::sys::statfs::OVERLAYFS_SUPER_MAGIC, None, None),
        ] {
            assert_eq!((name(kind, On::Disk), name(kind, On::Kernel)), (disk, kernel), "{kind:?}");
        }
    }
}
