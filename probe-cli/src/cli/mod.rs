//! The command line: the only place that imports clap.

use std::process::ExitCode;

/// Runs the tool.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
