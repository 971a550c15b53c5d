//! Exit codes, as monitoring plugins have them: 0 good, 1 warning (from `check`, `mtu` and `bench gate` only), 2 failure, 3 unknown.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::{
    engine::EngineError, leftovers::SweepError, netns::NetnsError, privilege::PrivilegeError, text,
    tui::TuiError,
};

/// Could not judge: usage errors, missing privilege, nothing to look at.
pub(super) const UNKNOWN: u8 = 3;
/// It works, and worse than it should.
pub(super) const WARNING: u8 = 1;
/// It failed.
pub(super) const FAILURE: u8 = 2;

/// Shows what clap says. `--help` and `--version` are no errors.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // It quotes arguments, which may come from a script that took them from anywhere. Nobody to tell when the terminal is
    // gone.
    let rendered = error.render();
    if error.use_stderr() {
        let _ = write!(io::stderr(), "{}", text::escape_lines(&rendered.to_string()));
        ExitCode::from(UNKNOWN)
    } else {
        let _ = error.print();
        ExitCode::SUCCESS
    }
}

/// The code for a command's result; an error goes to stderr with its causes.
pub(super) fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    if is_closed_pipe(&error) {
        // Whoever read us has seen enough.
        return ExitCode::SUCCESS;
    }
    tell(&error);
    ExitCode::from(if is_unknown(&error) { UNKNOWN } else { FAILURE })
}

/// Says on stderr what went wrong.
pub(super) fn tell(error: &anyhow::Error) {
    // Nobody to tell when the terminal is gone.
    let _ = writeln!(io::stderr(), "overlay-probe: {}", text::escape_lines(&words(error)));
}

/// The error with the causes that it does not already name.
pub(super) fn words(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The code for an error of a command whose other codes are verdicts: it is none of them.
pub(super) fn no_verdict(error: &anyhow::Error) -> ExitCode {
    // Whoever closed the pipe has seen enough, and is told nothing more.
    if !is_closed_pipe(error) {
        tell(error);
    }
    ExitCode::from(UNKNOWN)
}

/// Whoever read us has closed the pipe.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// True for what keeps the node from being looked at: usage, privilege, nothing there.
fn is_unknown(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<PrivilegeError>()
            || cause.is::<NetnsError>()
            || cause.is::<super::show::NothingToShow>()
            || cause.is::<super::live::NotThere>()
            || matches!(cause.downcast_ref::<TuiError>(), Some(TuiError::Dumb))
            || cause.is::<crate::check::Unknown>()
            || cause.is::<crate::mtu::UnknownTarget>()
            || cause.is::<crate::mtu::wire::WireError>()
            || cause.is::<super::check::GivenFile>()
            || cause.is::<super::replay::Unreadable>()
            || matches!(cause.downcast_ref::<EngineError>(), Some(EngineError::NoOverlay))
            || matches!(
                cause.downcast_ref::<SweepError>(),
                Some(SweepError::Unknown { .. } | SweepError::Heartbeat { .. })
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_error_and_nothing_to_look_at_is_unknown() {
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write");
        assert!(is_closed_pipe(&pipe));
        assert!(is_unknown(&EngineError::NoOverlay.into()));
        assert!(!is_unknown(&anyhow::anyhow!("other")));
    }

    #[test]
    fn causes_are_named_once() {
        let error = anyhow::Error::from(io::Error::other("inner")).context("outer");
        assert_eq!(words(&error), "outer: inner");
        let error = anyhow::Error::from(io::Error::other("inner")).context("outer: inner");
        assert_eq!(words(&error), "outer: inner");
    }
}
