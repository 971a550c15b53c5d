//! Bounds beside capabilities, for what others could make this process do by what they let it read: which system calls there are,
//! which files can be opened, and who enters network namespaces. As much as the kernel has; `-v` says how much, and nothing
//! fails for the lack of it.

use std::{io, os::fd::OwnedFd, path::Path, thread};

use nix::fcntl::OFlag;

use super::live::Context;
use crate::{
    engine::{self, Engine, openable},
    files,
    netns::helper,
    privilege::{self, Entering, Openable, Role},
};

/// Set to `off`, these bounds are left out: to see what they cost, or whether they are the cause of a fault.
const VARIABLE: &str = "OVERLAY_PROBE_CONFINE";

fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_none_or(|value| value != "off")
}

/// From the start of a command on, before anything is read that others write, and while there is one thread.
pub(super) fn at_start(role: Role) {
    if !is_wanted() {
        tracing::warn!("{VARIABLE}=off: neither system calls nor files are confined");
        return;
    }
    match privilege::refuse_calls(role) {
        Ok(()) => tracing::info!("seccomp: system calls that this command does not need are refused"),
        Err(error) => tracing::info!("seccomp: no system call is refused: {error}"),
    }
    let enters = match role {
        Role::Look | Role::Ping | Role::Follow | Role::FollowAndPing | Role::Clean | Role::Demonstrate => {
            true
        }
        // In labs their own threads do, which have no other use for what they may.
        Role::Print
        | Role::Build
        | Role::Measure
        | Role::MeasureCommand
        | Role::MeasureThere
        | Role::MeasureThereCommand => false,
    };
    if !enters || !privilege::may_enter() {
        return;
    }
    match engine::start_helper() {
        Ok(()) => tracing::info!("network namespaces are entered by a process of its own"),
        Err(error) => tracing::warn!(
            "cannot start the process that enters network namespaces: {error}; this one keeps CAP_SYS_ADMIN"
        ),
    }
}

/// Who enters network namespaces for a run.
pub(super) fn entering() -> Entering {
    if helper::is_there() { Entering::Helper } else { Entering::Itself }
}

/// What a command changes that only looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changes<'a> {
    /// Nothing.
    Nothing,
    /// It makes a file in this directory.
    FileIn(&'a Path),
    /// It removes filters, whose runs' maps it reads, and run records.
    Leftovers,
}

/// Before a command reads anything of the node that only looks at it: once it is in the node's network namespace, and while it has
/// one thread.
pub(super) fn looking(context: &Context, changes: Changes<'_>) -> anyhow::Result<()> {
    if !is_wanted() {
        return Ok(());
    }
    let records = if matches!(changes, Changes::Leftovers) { context.notes().all() } else { Vec::new() };
    let directory = if let Changes::FileIn(directory) = changes { Some(directory) } else { None };
    let openable = || openable::for_looking(&records, directory);
    if privilege::may_enter() && !helper::is_there() {
        tracing::info!("Landlock: left out, since it would hide network namespaces of processes");
    } else if hides(context, openable) {
        tracing::info!("Landlock: left out, since --host-root or --cri-socket leads through another process");
    } else {
        // Whose run a filter is of, its maps say, and who opens those has to have it.
        if helper::is_there() && !matches!(changes, Changes::Leftovers) {
            privilege::give_up_entering()?;
        }
        confine(openable());
    }
    if matches!(changes, Changes::Nothing) {
        refuse_more();
    }
    Ok(())
}

/// Whether what the user named could not be opened any more. Tried on a thread, which is confined and gives up capabilities alone.
fn hides(context: &Context, openable: impl Fn() -> io::Result<Openable<OwnedFd>> + Sync) -> bool {
    let named = [context.root(), context.cri_socket.as_deref().unwrap_or(Path::new("/"))];
    if named.iter().all(|path| *path == Path::new("/")) {
        return false;
    }
    let can_see = || named.iter().all(|path| files::look(path, OFlag::empty()).is_ok());
    let confined = || {
        let given_up = privilege::give_up_entering().is_ok();
        given_up && openable().is_ok_and(|openable| privilege::confine_files(openable).is_ok())
    };
    can_see() && thread::scope(|scope| scope.spawn(|| confined() && !can_see()).join().unwrap_or(false))
}

/// Before a recording is printed that is open already.
pub(super) fn replaying(write_in: Option<&Path>) {
    if is_wanted() {
        confine(openable::for_replaying(write_in));
        if write_in.is_none() {
            refuse_more();
        }
    }
}

/// Before a benchmark is served, from when on anybody may connect.
pub(super) fn serving() {
    if is_wanted() {
        confine(openable::for_serving());
        refuse_more();
    }
}

fn confine(openable: io::Result<Openable<OwnedFd>>) {
    let confined = openable
        .map_err(|error| error.to_string())
        .and_then(|openable| privilege::confine_files(openable).map_err(|error| error.to_string()));
    match confined {
        Ok(confined) => tracing::info!("Landlock: {confined}"),
        Err(error) => tracing::info!("Landlock: {error}"),
    }
}

fn refuse_more() {
    match privilege::refuse_more_calls(entering()) {
        Ok(()) => {
            tracing::info!("seccomp: system calls that a run does not need once it has begun are refused");
        }
        Err(error) => tracing::info!("seccomp: no more system calls are refused: {error}"),
    }
}

/// From the moment on that a run has begun. Threads that were started before keep what they may open.
pub(super) fn after_start(engine: &mut Engine) {
    privilege::forget_start();
    if let Err(error) = engine.follow_files(is_wanted()) {
        tracing::warn!(
            "cannot start the thread that reads the host's files again: {error}; they are shown as they are now"
        );
    }
    if !is_wanted() {
        return;
    }
    confine(Ok(engine.openable()));
    refuse_more();
}
