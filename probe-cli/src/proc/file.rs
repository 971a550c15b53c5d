//! Reads one file of `/proc`: bounded, and with the reason when it cannot be read. What is in it is for the callers.

use std::{io, path::Path};

use crate::{files, observed::Observed};

/// Longest file that is read. One line per CPU and per counter is some kilobytes, with a thousand CPUs some hundreds.
const LONGEST: u64 = 2 << 20;

/// The text of a file; absent when the kernel has no such file.
#[expect(clippy::wildcard_enum_match_arm, reason = "the system has an error for everything")]
pub(super) fn text(path: &str) -> Observed<String> {
    match files::kernel_text(Path::new(path), LONGEST) {
        Ok(text) => Observed::Value(text),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Observed::Absent,
            io::ErrorKind::PermissionDenied => Observed::Denied { need: format!("root, to read {path}") },
            _ => failed(path, &error.to_string()),
        },
    }
}

/// The value that a file's text is parsed to.
pub(super) fn parsed<T>(path: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Observed<T> {
    text(path).and_then(|text| match parse(&text) {
        Ok(value) => Observed::Value(value),
        Err(cause) => failed(path, &cause),
    })
}

/// The number that a file is.
pub(super) fn number<T: std::str::FromStr>(path: &str) -> Observed<T> {
    parsed(path, |text| {
        let text = text.trim();
        text.parse()
            .ok()
            .ok_or_else(|| format!("{:?} is not a number", text.chars().take(40).collect::<String>()))
    })
}

fn failed<T>(path: &str, cause: &str) -> Observed<T> {
    Observed::Failed { error: format!("cannot read {path}: {cause}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_absent_and_nonsense_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        assert_eq!(number::<u32>(&path("none")), Observed::Absent);
        std::fs::write(path("number"), "42\n").unwrap();
        assert_eq!(number::<u32>(&path("number")), Observed::Value(42));
        std::fs::write(path("text"), [b'x'; 100]).unwrap();
        let trouble = number::<u32>(&path("text")).trouble().unwrap();
        assert!(trouble.contains("is not a number") && trouble.len() < 200, "{trouble}");
        std::fs::write(path("bytes"), [0xff, 0xfe]).unwrap();
        assert!(text(&path("bytes")).trouble().unwrap().contains("not text"));
        std::fs::File::create(path("long")).unwrap().set_len(LONGEST + 1).unwrap();
        assert!(text(&path("long")).trouble().unwrap().contains("longer than"));
        nix::unistd::mkfifo(path("pipe").as_str(), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(text(&path("pipe")).trouble().unwrap().contains("a pipe, not a file"));
    }
}
