//! cargo-deny: licences, duplicates and sources from the lock file alone, advisories from a database on the network.

use anyhow::Result;

use super::report::Outcome;
use crate::{
    command::{self, cargo},
    ui,
};

/// What needs no network.
pub(super) fn offline() -> Result<()> {
    command::run(cargo("deny").args(["--locked", "--all-features", "check", "licenses", "bans", "sources"]))
}

/// Known holes in the crates. Without the database nothing can be said, and that is not the project's fault.
pub(super) fn advisories() -> Result<Outcome> {
    // A network that swallows everything must not hold up the rest.
    let mut fetch = command::program("timeout");
    if let Err(error) = command::capture(fetch.args(["120", "cargo", "deny", "fetch", "db"])) {
        ui::error(&error);
        return Ok(Outcome::Skipped("the advisory database cannot be reached".to_owned()));
    }
    command::run(cargo("deny").args([
        "--locked",
        "--all-features",
        "check",
        "--disable-fetch",
        "advisories",
    ]))?;
    Ok(Outcome::Passed)
}
