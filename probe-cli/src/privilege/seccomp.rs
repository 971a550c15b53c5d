//! System calls that the tool never needs, refused by the kernel (seccomp(2)): a list of what is denied, since what libraries call
//! differs by version. A refused call fails with `EPERM` and the run goes on: an entry too many costs a reading, not a run.
//!
//! On x86-64 the x32 variants of system calls are not covered; few kernels have them (`CONFIG_X86_X32_ABI`).

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use thiserror::Error;

use super::{Entering, Role};

/// Why system calls are not refused.
#[derive(Debug, Error)]
pub enum SeccompError {
    /// It could not be written down.
    #[error("cannot make the seccomp filter: {0}")]
    Filter(#[from] BackendError),
    /// The kernel has none, or does not take it.
    #[error("cannot set the seccomp filter: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// Programs, other processes' memory, the kernel's modules and clock, keys, other users, and what is new and large in the
/// kernel.
const NEVER: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mknodat,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_sethostname,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_settimeofday,
    libc::SYS_setuid,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// What aarch64 and others do not have.
#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[libc::c_long] = &[
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_mknod,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[libc::c_long] = &[];

/// What makes and removes namespaces and mounts: for the lab only.
const MOUNTS: &[libc::c_long] = &[
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_umount2,
    libc::SYS_unshare,
];

/// What makes, names or changes files other than by writing to one that is open: a run that has begun makes none.
const FILES: &[libc::c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_linkat,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_mkdirat,
    libc::SYS_removexattr,
    libc::SYS_renameat2,
    libc::SYS_setxattr,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_utimensat,
];

/// The same by the names that only older architectures have, and a process like this one.
#[cfg(target_arch = "x86_64")]
const FILES_HERE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_creat,
    libc::SYS_fork,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_mkdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_symlink,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const FILES_HERE: &[libc::c_long] = &[libc::SYS_renameat];

/// `CLONE_NEW*`, each of which makes a namespace.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Sockets of these families are opened.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Commands of bpf(2) that are used (`enum bpf_cmd`): maps (0 to 4, 22, 24), programs and BTF (5, 18), information (15, 16), links
/// (28), a program on a raw tracepoint (17), statistics (32), a map bound to programs (35).
const BPF: [u64; 15] = [0, 1, 2, 3, 4, 5, 15, 16, 17, 18, 22, 24, 28, 32, 35];
/// From a filter to its program and maps: what earlier runs have left is looked at before this one begins.
const BPF_BY_ID: [u64; 2] = [13, 14];
/// From a program to the next of the machine: what others' programs cost.
const BPF_NEXT_PROGRAM: u64 = 11;

/// Input that is put into another's terminal, and what the console can do beside.
const TERMINAL: [u64; 2] = [0x5412, 0x541c];

/// What is denied: by number, with the arguments for which it is; without any, always.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// From the start of a command on. For the calling thread, and those that it starts.
pub(super) fn at_start(role: Role) -> Result<(), SeccompError> {
    let mut rules = always(NEVER.iter().chain(NEVER_HERE));
    if matches!(role, Role::MeasureCommand | Role::MeasureThereCommand) {
        // What it starts is refused the rest.
        rules.remove(&libc::SYS_execve);
    }
    let builds = matches!(role, Role::Build | Role::Demonstrate | Role::Measure | Role::MeasureCommand);
    if !builds {
        rules.extend(always(MOUNTS.iter()));
        let flag = |flag: libc::c_int| {
            let flag = u64::from(flag.cast_unsigned());
            rule([(0, SeccompCmpOp::MaskedEq(flag), flag)])
        };
        rules.insert(libc::SYS_clone, NEW_NAMESPACES.into_iter().map(flag).collect::<Result<_, _>>()?);
    }
    let others = FAMILIES.map(|family| (0, SeccompCmpOp::Ne, u64::from(family.cast_unsigned())));
    rules.insert(libc::SYS_socket, vec![rule(others)?]);
    let network = u64::from(libc::CLONE_NEWNET.cast_unsigned());
    rules.insert(libc::SYS_setns, vec![rule([(1, SeccompCmpOp::Ne, network)])?]);
    let terminal = TERMINAL.map(|request| rule([(1, SeccompCmpOp::Eq, request)]));
    rules.insert(libc::SYS_ioctl, terminal.into_iter().collect::<Result<_, _>>()?);
    let lists =
        matches!(role, Role::Measure | Role::MeasureCommand | Role::MeasureThere | Role::MeasureThereCommand);
    let counts =
        lists || matches!(role, Role::Follow | Role::FollowAndPing | Role::Clean | Role::Demonstrate);
    let commands = BPF.into_iter().chain(BPF_BY_ID).chain(lists.then_some(BPF_NEXT_PROGRAM));
    rules.insert(
        libc::SYS_bpf,
        if counts { vec![rule(commands.map(|command| (0, SeccompCmpOp::Ne, command)))?] } else { Vec::new() },
    );
    seccompiler::apply_filter(&filter(rules, libc::EPERM)?)?;
    if !builds {
        seccompiler::apply_filter(&without_clone3()?)?;
    }
    Ok(())
}

/// From the moment on that a run has begun. For all threads: those of a demo have begun before.
pub(super) fn after_start(entering: Entering) -> Result<(), SeccompError> {
    let mut rules = always(MOUNTS.iter().chain(FILES).chain(FILES_HERE));
    if entering == Entering::Helper {
        rules.extend(always([libc::SYS_setns].iter()));
    }
    // Threads only: no process like this one.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    rules.insert(libc::SYS_clone, vec![rule([(0, SeccompCmpOp::MaskedEq(thread), 0)])?]);
    rules.insert(libc::SYS_bpf, vec![rule(BPF.map(|command| (0, SeccompCmpOp::Ne, command)))?]);
    seccompiler::apply_filter_all_threads(&filter(rules, libc::EPERM)?)?;
    seccompiler::apply_filter_all_threads(&without_clone3()?)?;
    Ok(())
}

/// Its flags are in memory, where no filter looks: without it the C library starts threads by clone.
fn without_clone3() -> Result<BpfProgram, SeccompError> {
    filter(always([libc::SYS_clone3].iter()), libc::ENOSYS)
}

fn always<'a>(calls: impl Iterator<Item = &'a libc::c_long>) -> Rules {
    calls.map(|call| (*call, Vec::new())).collect()
}

/// A rule that fits when all of these do: which argument, how, to what. The kernel takes 32 bits of each of them.
fn rule(conditions: impl IntoIterator<Item = (u8, SeccompCmpOp, u64)>) -> Result<SeccompRule, SeccompError> {
    let condition = |(argument, operator, value)| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    let conditions = conditions.into_iter().map(condition).collect::<Result<_, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

/// Everything is allowed but this.
fn filter(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, SeccompError> {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let here: TargetArch = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refuse, here)?.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::{io, thread};

    use super::*;

    /// What each of these system calls fails with on a thread of this role: with null pointers, descriptors that are not open
    /// and flags that exclude each other none succeeds.
    fn outcomes(role: Role) -> Vec<(&'static str, i32)> {
        let call = |number: libc::c_long, first: i64, second: i64| {
            // SAFETY: the kernel looks at no memory of ours: pointers are null, and descriptors are not open.
            let result = unsafe { libc::syscall(number, first, second, 0, 0, 0) };
            if result < 0 { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
        };
        thread::scope(|scope| {
            let tried = scope.spawn(|| {
                at_start(role).unwrap();
                vec![
                    ("execve", call(libc::SYS_execve, 0, 0)),
                    ("ptrace", call(libc::SYS_ptrace, -1, 0)),
                    ("mount", call(libc::SYS_umount2, 0, 0)),
                    ("setns of a network", call(libc::SYS_setns, -1, libc::CLONE_NEWNET.into())),
                    ("setns of mounts", call(libc::SYS_setns, -1, libc::CLONE_NEWNS.into())),
                    ("AF_VSOCK", call(libc::SYS_socket, libc::AF_VSOCK.into(), 9999)),
                    ("AF_NETLINK", call(libc::SYS_socket, libc::AF_NETLINK.into(), 9999)),
                    ("bpf map", call(libc::SYS_bpf, 1, 0)),
                    ("bpf pin", call(libc::SYS_bpf, 6, 0)),
                    ("bpf next program", call(libc::SYS_bpf, 11, 0)),
                    ("TIOCSTI", call(libc::SYS_ioctl, -1, 0x5412)),
                    ("TIOCGWINSZ", call(libc::SYS_ioctl, -1, 0x5413)),
                    (
                        "new user namespace",
                        call(libc::SYS_clone, (libc::CLONE_NEWUSER | libc::CLONE_FS).into(), 0),
                    ),
                    ("a thread", i32::from(thread::Builder::new().spawn(|| {}).is_err())),
                ]
            });
            tried.join().unwrap()
        })
    }

    /// Those that the filter refuses: the kernel has another error for each.
    fn refused(role: Role) -> Vec<&'static str> {
        let refused = outcomes(role).into_iter().filter(|(_, errno)| *errno == libc::EPERM);
        refused.map(|(name, _)| name).collect()
    }

    #[test]
    fn a_role_is_refused_what_it_does_not_need() {
        let always = ["execve", "ptrace"];
        let middle = ["setns of mounts", "AF_VSOCK"];
        let last = ["TIOCSTI", "new user namespace"];
        let look = ["bpf map", "bpf pin", "bpf next program"];
        assert_eq!(refused(Role::Look), [&always[..], &["mount"], &middle, &look, &last].concat());
        let follow = [&always[..], &["mount"], &middle, &look[1..], &last].concat();
        assert_eq!(refused(Role::Follow), follow);
        let there = [&always[..], &["mount"], &middle, &["bpf pin"], &last].concat();
        assert_eq!(refused(Role::MeasureThere), there);
        // A lab needs mounts and namespaces.
        assert_eq!(refused(Role::Measure), [&always[..], &middle, &["bpf pin", "TIOCSTI"]].concat());
        // It starts what the user has given, and is refused all else as well.
        let command = [&always[1..], &middle, &["bpf pin", "TIOCSTI"]].concat();
        assert_eq!(refused(Role::MeasureCommand), command);
        assert_eq!(refused(Role::MeasureThereCommand), there[1..]);
        let thread = outcomes(Role::Follow).into_iter().find(|(name, _)| *name == "a thread");
        assert_eq!(thread, Some(("a thread", 0)));
    }
}
