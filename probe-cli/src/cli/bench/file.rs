//! Results in files: read with a bound, and written whole or not at all.

use std::{
    ffi::OsString,
    fmt,
    fs::{File, Permissions},
    io::{self, Write as _},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::fcntl::OFlag;

use crate::{bench::result::Document, cli::check::GivenFile, files};

/// Longest file that is read: 64 runs of 80 rounds are shorter.
const LONGEST: u64 = 64 << 20;

/// Reads a result.
pub(super) fn read(option: &'static str, path: &Path) -> anyhow::Result<Document> {
    let wrong = |why: String| GivenFile::new(option, path, why);
    let file = files::open_given(path).map_err(|error| {
        let way_out = if path.exists() { "" } else { "; `overlay-probe bench run --output FILE` makes one" };
        wrong(format!("{error}{way_out}"))
    })?;
    let text = files::read_open(&file, LONGEST).map_err(|error| wrong(error.to_string()))?;
    Document::read(&text).map_err(|error| wrong(error.to_string()).into())
}

/// A file that takes its place in one step: what was written before stays until the next is complete, also when the disk is full.
pub(super) struct Output {
    /// Its directory, which is found also after this process has a `/run` of its own.
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Output {
    /// Looks whether there can be a file, before anything is measured.
    pub(super) fn prepare(option: &'static str, path: &Path) -> anyhow::Result<Self> {
        let wrong = |why: String| GivenFile::new(option, path, why);
        let name = path.file_name().ok_or_else(|| wrong("this is not the name of a file".to_owned()))?;
        files::check_place(path).map_err(|refused| wrong(refused.to_string()))?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = files::look(directory.unwrap_or(Path::new(".")), OFlag::O_DIRECTORY);
        let failed = |error: &dyn fmt::Display| wrong(format!("cannot write there: {error}"));
        let directory = directory.map_err(|error| failed(&error))?;
        let output = Self { directory, name: name.to_owned(), path: path.to_owned() };
        output.temporary().map_err(|error| failed(&error))?;
        Ok(output)
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        // Anybody may read it: nothing in it is secret, and CI keeps it.
        let permissions = Permissions::from_mode(0o644);
        let file = tempfile::Builder::new()
            .permissions(permissions.clone())
            .tempfile_in(files::through(&self.directory))
            .map_err(without_path)?;
        // Whatever the umask.
        file.as_file().set_permissions(permissions)?;
        Ok(file)
    }

    /// Writes it.
    pub(super) fn write(&self, document: &Document) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        let text = document.to_json().with_context(failed)?;
        let mut file = self.temporary().with_context(failed)?;
        let written = file.write_all(text.as_bytes()).map_err(without_path);
        written.and_then(|()| file.as_file().sync_data()).with_context(failed)?;
        let place = files::through(&self.directory).join(&self.name);
        let _: File = file.persist(place).map_err(|error| error.error).with_context(failed)?;
        Ok(())
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// What went wrong, without the path of a temporary file that nobody has named.
fn without_path(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { error.kind().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_cannot_be_is_known_before_anything_is_measured() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(Output::prepare("--output", &at("new.json")).is_ok());
        assert!(!at("new.json").exists(), "nothing is there before something was measured");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        for (path, why) in [
            (at("no/such/file"), "cannot write there"),
            (directory.path().to_owned(), "it is a directory, not a file"),
            // Root could put a file in its place.
            (PathBuf::from("/dev/full"), "it is a device, not a file"),
            (at(".."), "not the name of a file"),
        ] {
            let error = Output::prepare("--output", &path).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        }
        let none = read("BASE", &at("none")).unwrap_err().to_string();
        assert!(
            none.starts_with("BASE ") && none.ends_with("`overlay-probe bench run --output FILE` makes one")
        );
    }
}
