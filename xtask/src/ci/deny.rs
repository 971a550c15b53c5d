//! cargo-deny: licences, duplicates and sources from the lock file alone, advisories from a database on the network.

use anyhow::Result;

use super::{Tier, report::Outcome};
use crate::{
    command::{self, cargo},
    install::Purpose,
    ui,
};

/// What needs no network. cargo-deny takes minutes to compile: only tier full installs it, the others use it where it is.
pub(super) fn offline(tier: Tier) -> Result<Outcome> {
    if tier < Tier::Full && !Purpose::Deny.is_ready() {
        return Ok(Outcome::Skipped("cargo-deny is not installed; tier full installs it".to_owned()));
    }
    command::run(cargo("deny").args(["--locked", "--all-features", "check", "licenses", "bans", "sources"]))?;
    Ok(Outcome::Passed)
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
