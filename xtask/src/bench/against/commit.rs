//! The commit that a change begins at, and its compiled objects, from git: nothing is built or checked out.

use anyhow::{Context as _, Result};
use xtask::{object::KernelObject, tree};

use crate::command;

/// Branches that changes are for, the nearer one first.
const MAIN: [&str; 2] = ["main", "origin/main"];

fn git(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = command::program("git").current_dir(tree::root()).args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn name(arguments: &[&str]) -> Option<String> {
    let text = String::from_utf8(git(arguments)?).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Where this branch left `main`; on `main` itself the commit before. None where git does not know one: there is no repository, or only
/// its last commit.
pub(super) fn base() -> Option<String> {
    let head = name(&["rev-parse", "--verify", "HEAD"])?;
    let left = MAIN.iter().find_map(|branch| name(&["merge-base", "HEAD", branch]));
    left.filter(|commit| *commit != head).or_else(|| name(&["rev-parse", "--verify", "--quiet", "HEAD^"]))
}

/// The limits of the objects: who changes them means what the objects became.
pub(super) const BUDGET: &str = "probe-ebpf/prebuilt/budget.toml";

/// The limits differ from those of a commit.
pub(super) fn changes_budget(commit: &str) -> bool {
    git(&["diff", "--quiet", commit, "--", BUDGET]).is_none()
}

/// An object of a commit; none where it did not have that one yet.
pub(super) fn object(commit: &str, object: &KernelObject) -> Result<Option<Vec<u8>>> {
    let path = object.path();
    let path = path.strip_prefix(tree::root()).context("an object outside of the repository")?;
    let path = path.to_str().context("an object without a name")?;
    Ok(git(&["cat-file", "blob", &format!("{commit}:{path}")]))
}

#[cfg(test)]
mod tests {
    use xtask::object;

    use super::*;

    #[test]
    fn what_git_has_is_read_and_what_it_has_not_is_none() {
        // Of a source archive without a repository nothing is known.
        let Some(head) = name(&["rev-parse", "--verify", "HEAD"]) else { return };
        let found = object(&head, &object::PROBE).unwrap().unwrap();
        assert!(found.starts_with(b"\x7fELF"));
        assert_eq!(object("0000000000000000000000000000000000000000", &object::PROBE).unwrap(), None);
        assert_ne!(base(), Some(head));
        assert!(tree::root().join(BUDGET).exists());
    }
}
