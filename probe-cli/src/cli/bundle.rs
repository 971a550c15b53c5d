//! `check --support-bundle`: what the node was like and what was found, in one archive to hand to somebody who cannot look.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use tempfile::NamedTempFile;

use crate::{
    files,
    report::check::{self as report, Health},
    sample::{Frame, Sample},
    text,
};

/// Directory of all that is in the archive.
const DIRECTORY: &str = "overlay-probe";

const README: &str = "\
What `overlay-probe check --support-bundle` found on a node.

check.txt     what the check prints, everything about each finding
check.json    the same as a document: docs/json.md has its fields
node.json     what it was made of: what the kernel's tables, the node's files and the container
              runtime said, and counters
before.json   the counters at the beginning of the check's window

Passwords, tokens and keys are not read. Names of pods, nodes and interfaces and their addresses are
in it, and lines of configuration that concern the network.
";

/// An archive that is written beside its place and takes its name in one step: no link is followed, and nothing half written is
/// left under that name.
pub(super) struct Bundle {
    path: PathBuf,
    file: NamedTempFile,
    before: String,
    node: String,
    time: Duration,
}

impl Bundle {
    /// Makes its file, before anything is looked at. Only its owner may read it: a node's names and addresses are in it.
    pub(super) fn prepare(path: &Path) -> anyhow::Result<Self> {
        files::check_place(path).with_context(|| format!("cannot write {}", path.display()))?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(directory);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            before: String::new(),
            node: String::new(),
            time: Duration::ZERO,
        })
    }

    /// Where it is written.
    pub(super) fn directory(&self) -> &Path {
        self.file.path().parent().unwrap_or(Path::new("."))
    }

    /// Takes what the check is made of: counters, and the node with its counters a window later.
    pub(super) fn record(&mut self, before: &Sample, after: &Frame) -> anyhow::Result<()> {
        const FAILED: &str = "cannot write JSON";
        self.before = text::escape_json(serde_json::to_string(before).context(FAILED)?);
        self.node = text::escape_json(serde_json::to_string(after).context(FAILED)?);
        self.time = after.sample.time;
        Ok(())
    }

    /// Writes it.
    pub(super) fn write(self, health: &Health<'_>) -> anyhow::Result<()> {
        let check = report::json(health).context("cannot write JSON")?;
        let members = [
            ("README.txt", README.as_bytes()),
            ("check.txt", report::table(health, true).as_bytes()),
            ("check.json", check.as_bytes()),
            ("node.json", self.node.as_bytes()),
            ("before.json", self.before.as_bytes()),
        ]
        .map(|(name, text)| (name, text.to_vec()));
        let failed = || format!("cannot write {}", self.path.display());
        archive(self.file.as_file(), &members, self.time).with_context(failed)?;
        self.file.persist(&self.path).map(drop).map_err(|error| error.error).with_context(failed)
    }
}

fn archive(to: impl io::Write, members: &[(&str, Vec<u8>)], time: Duration) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::default()));
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_mtime(time.as_secs());
        archive.append_data(&mut header, format!("{DIRECTORY}/{name}"), text.as_slice())?;
    }
    archive.into_inner()?.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let members = [("a.txt", b"one".to_vec()), ("b.json", vec![b'x'; 100_000])];
        let mut bytes = Vec::new();
        archive(&mut bytes, &members, Duration::from_secs(1_000_000)).unwrap();
        assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
        let mut read = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
        let mut found = Vec::new();
        for entry in read.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = Vec::new();
            entry.read_to_end(&mut text).unwrap();
            let path = entry.path().unwrap().display().to_string();
            found.push((path, text, entry.header().mode().unwrap(), entry.header().mtime().unwrap()));
        }
        let [(one, one_text)] = [members[0].clone()];
        assert_eq!(found[0], (format!("overlay-probe/{one}"), one_text, 0o600, 1_000_000));
        assert_eq!((found.len(), found[1].1.len()), (2, 100_000));
    }
}
