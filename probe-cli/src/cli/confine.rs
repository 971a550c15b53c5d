//! Bounds beside capabilities, for what others could make this process do by what they let it read: which system calls there are,
//! which files can be opened, and who enters network namespaces. As much as the kernel has; `-v` says how much, and nothing
//! fails for the lack of it.

use crate::{
    engine::{self, Engine},
    netns::helper,
    privilege::{self, Entering, Role},
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
    if !matches!(role, Role::Follow | Role::FollowAndPing | Role::Demonstrate) || !privilege::may_enter() {
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
    match privilege::confine_files(engine.openable()) {
        Ok(confined) => tracing::info!("Landlock: {confined}"),
        Err(error) => tracing::info!("Landlock: {error}"),
    }
    match privilege::refuse_more_calls(entering()) {
        Ok(()) => {
            tracing::info!("seccomp: system calls that a run does not need once it has begun are refused");
        }
        Err(error) => tracing::info!("seccomp: no more system calls are refused: {error}"),
    }
}
