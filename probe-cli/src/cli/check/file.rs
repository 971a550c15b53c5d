//! Files that the user gives to `check`: accepted findings, and an earlier document.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{
    check::Acceptances,
    files,
    report::check::{self as report, Earlier},
};

/// Longest file of accepted findings: ten thousand lines.
const ACCEPTED: u64 = 1 << 20;

/// Longest earlier document: each of 4,000 peers may be in it, in full.
const DOCUMENT: u64 = 64 << 20;

/// Something about a file that the user gave.
#[derive(Debug, Error)]
#[error("{option} {}: {why}", path.display())]
pub(in crate::cli) struct GivenFile {
    option: &'static str,
    path: PathBuf,
    why: String,
}

impl GivenFile {
    /// What is wrong with the file that an option has named.
    pub(in crate::cli) fn new(option: &'static str, path: &Path, why: String) -> Self {
        Self { option, path: path.to_owned(), why }
    }
}

/// `--accept`.
pub(super) fn accepted(path: &Path) -> anyhow::Result<Acceptances> {
    let wrong = |why| GivenFile { option: "--accept", path: path.to_owned(), why };
    let text = String::from_utf8(read(path, ACCEPTED).map_err(wrong)?);
    let text = text.map_err(|_not_text| wrong("it is not text".to_owned()))?;
    Acceptances::parse(&text).map_err(|line| wrong(line.to_string()).into())
}

/// `--since`.
pub(super) fn earlier(path: &Path) -> anyhow::Result<Earlier> {
    let wrong = |why| GivenFile { option: "--since", path: path.to_owned(), why };
    let text = read(path, DOCUMENT).map_err(wrong)?;
    report::read(&text).map_err(|error| wrong(error.to_string()).into())
}

fn read(path: &Path, longest: u64) -> Result<Vec<u8>, String> {
    let file = files::open_given(path).map_err(|error| error.to_string())?;
    files::read_open(&file, longest).map_err(|error| error.to_string())
}
