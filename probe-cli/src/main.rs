//! The binary `overlay-probe`: hands over to the library. No logic.

use std::process::ExitCode;

fn main() -> ExitCode {
    overlay_probe::cli::main()
}
