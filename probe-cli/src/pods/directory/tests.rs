//! Tests with real directories: what is read, what is read again, what is said of the rest.

use std::{
    cell::Cell,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    path::PathBuf,
    pin::pin,
    task::{Context, Poll, Waker},
};

use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use tempfile::TempDir;

use super::*;

thread_local! {
    /// Files that were parsed by this thread's test.
    static PARSED: Cell<usize> = const { Cell::new(0) };
}

/// Text that begins with `!` is malformed, text that begins with `-` somebody else's.
fn parse(name: &str, text: &str) -> Result<Option<String>, String> {
    PARSED.set(PARSED.get() + 1);
    match text.as_bytes().first() {
        Some(b'!') => Err("it begins with !".to_owned()),
        Some(b'-') => Ok(None),
        _ => Ok(Some(format!("{name}={text}"))),
    }
}

struct Fixture {
    root: TempDir,
    directory: Directory<String>,
}

impl Fixture {
    fn new(most: usize) -> Self {
        let mut directory = Directory::new("/var/lib/x", &["inner"], parse);
        directory.bounds.most = most;
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("var/lib/x")).unwrap();
        Self { root, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("var/lib/x").join(name)
    }

    /// Writes a file, as if `age` seconds ago.
    fn write(&self, name: &str, text: &str, age: i64) {
        fs::write(self.path(name), text).unwrap();
        self.age(name, age);
    }

    fn age(&self, name: &str, age: i64) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let at = nix::sys::time::TimeSpec::new(i64::try_from(now.as_secs()).unwrap() - age, 0);
        utimensat(nix::fcntl::AT_FDCWD, &self.path(name), &at, &at, UtimensatFlags::NoFollowSymlink).unwrap();
    }

    /// Reads; gives what the files said and how many were parsed.
    fn read(&mut self, live: &[&str]) -> (Vec<String>, usize) {
        PARSED.set(0);
        let live = live.iter().copied().collect();
        {
            let mut reading = pin!(self.directory.read(self.root.path(), &live));
            let mut context = Context::from_waker(Waker::noop());
            while reading.as_mut().poll(&mut context) == Poll::Pending {}
        }
        (self.directory.items().cloned().collect(), PARSED.get())
    }

    fn notes(&self) -> String {
        self.directory.notes(self.root.path()).join("\n")
    }
}

/// A file may be written again within a tick of the kernel's clock; later, only what changed is read.
fn settle(fixture: &mut Fixture, live: &[&str]) {
    let start = std::time::Instant::now();
    while fixture.read(live).1 > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "files do not settle");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn only_what_changed_is_read_again() {
    let mut fixture = Fixture::new(100);
    fixture.write("a", "1", 0);
    fixture.write("b", "2", 0);
    fixture.write("c", "-", 0);
    assert_eq!(fixture.read(&[]), (vec!["a=1".to_owned(), "b=2".to_owned()], 3));
    settle(&mut fixture, &[]);
    fixture.write("b", "3", 0);
    let (items, parsed) = fixture.read(&[]);
    assert_eq!((items, parsed), (vec!["a=1".to_owned(), "b=3".to_owned()], 1));
    fs::remove_file(fixture.path("a")).unwrap();
    fixture.write("d", "4", 0);
    assert_eq!(fixture.read(&[]).0, ["b=3", "d=4"]);
    assert_eq!(fixture.notes(), "");
    fs::remove_dir_all(fixture.root.path().join("var")).unwrap();
    assert_eq!(fixture.read(&[]), (Vec::new(), 0));
    assert_eq!(fixture.notes(), "", "a directory that is not there has no files");
}

#[test]
fn of_too_many_files_those_of_sandboxes_are_read() {
    let mut fixture = Fixture::new(5);
    for number in 0..20 {
        fixture.write(&format!("net-id{number}-eth0"), "x", 0);
    }
    let expected = ["net-id11-eth0=x", "net-id7-eth0=x"];
    assert_eq!(fixture.read(&["id7", "id11", "id99"]).0, expected);
    assert!(fixture.notes().contains("has 20 files: only those of sandboxes"), "{}", fixture.notes());
    assert!(fixture.notes().contains("18 are left out"), "{}", fixture.notes());
    settle(&mut fixture, &["id7", "id11", "id99"]);
    assert_eq!(fixture.read(&["id7", "id3"]).0, ["net-id3-eth0=x", "net-id7-eth0=x"]);
    // Even those of sandboxes have a bound.
    let all: Vec<String> = (0..20).map(|number| format!("id{number}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(fixture.read(&all).0.len(), 5);
}

#[test]
fn of_too_many_files_the_newest_are_read_when_no_sandbox_is_known() {
    let mut fixture = Fixture::new(3);
    for (name, age) in [("a", 50), ("b", 10), ("c", 30), ("d", 20), ("e", 40)] {
        fixture.write(name, name, age);
    }
    assert_eq!(fixture.read(&[]).0, ["b=b", "c=c", "d=d"]);
    assert!(fixture.notes().contains("has 5 files: only the newest are read, 2 are left out"));
    // A sandbox whose file is not there makes no difference.
    assert_eq!(fixture.read(&["id7"]).0.len(), 3);
}

#[test]
fn what_is_wrong_is_told_by_kind() {
    let mut fixture = Fixture::new(100);
    fixture.write("empty-1", "", 0);
    fixture.write("empty-2", "", 0);
    fixture.write("good", "1", 0);
    fixture.write("odd", "!", 0);
    fs::write(fixture.path("binary"), b"\xff\xfe\x00").unwrap();
    let long = fs::File::create(fixture.path("long")).unwrap();
    long.set_len(10 << 20).unwrap();
    nix::unistd::mkfifo(&fixture.path("pipe"), Mode::S_IRWXU).unwrap();
    let _listener = UnixListener::bind(fixture.path("socket")).unwrap();
    symlink("/dev/zero", fixture.path("link")).unwrap();
    fs::create_dir(fixture.path("directory")).unwrap();
    fs::create_dir(fixture.path("inner")).unwrap();
    let name = OsStr::from_bytes(b"good-\xff\x1b[2J");
    fs::write(fixture.root.path().join("var/lib/x").join(name), "2").unwrap();
    assert_eq!(fixture.read(&[]).0, ["good=1", "good-\u{fffd}\u{1b}[2J=2"]);
    let notes = fixture.notes();
    assert_eq!(notes.lines().count(), 8, "{notes}");
    for kind in [
        "2 file(s) of ROOT/var/lib/x left out: empty, as after a crash, such as empty-1",
        "1 file(s) of ROOT/var/lib/x left out: not UTF-8, such as binary",
        "1 file(s) of ROOT/var/lib/x left out: longer than 1048576 bytes, such as long",
        "1 file(s) of ROOT/var/lib/x left out: a pipe, not a file, such as pipe",
        "1 file(s) of ROOT/var/lib/x left out: a socket, not a file, such as socket",
        "1 file(s) of ROOT/var/lib/x left out: a link, not a file, such as link",
        "1 file(s) of ROOT/var/lib/x left out: a directory, not a file, such as directory",
        "1 file(s) of ROOT/var/lib/x left out: not in the expected format, such as odd (it begins with !)",
    ] {
        let kind = kind.replace("ROOT", &fixture.root.path().display().to_string());
        assert!(notes.contains(&kind), "{kind}\n{notes}");
    }
}

#[test]
fn all_together_are_bounded() {
    let mut fixture = Fixture::new(100);
    fixture.directory.bounds.total = 10;
    for name in ["a", "b", "c"] {
        fixture.write(name, "1234", 0);
    }
    assert_eq!(fixture.read(&[]).0, ["a=1234", "b=1234"]);
    assert!(fixture.notes().contains("1 file(s)"), "{}", fixture.notes());
    settle(&mut fixture, &[]);
    assert_eq!(fixture.notes(), "", "what had no room has it when the others need not be read again");
}

#[test]
fn what_is_kept_is_bounded_for_good() {
    let mut fixture = Fixture::new(100);
    fixture.directory.bounds.kept = 14;
    for name in ["a", "b", "c"] {
        fixture.write(name, "1234", 0);
    }
    for _ in 0..3 {
        assert_eq!(fixture.read(&[]).0, ["a=1234", "b=1234"]);
        assert!(fixture.notes().contains("1 file(s)"), "{}", fixture.notes());
    }
    fs::remove_file(fixture.path("a")).unwrap();
    assert_eq!(fixture.read(&[]).0, ["b=1234", "c=1234"]);
}

impl Size for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let mut fixture = Fixture::new(100);
    let path = fixture.root.path().join("var/lib/x");
    fs::remove_dir(&path).unwrap();
    symlink("x", &path).unwrap();
    assert_eq!(fixture.read(&[]), (Vec::new(), 0));
    assert!(fixture.notes().starts_with("cannot read "), "{}", fixture.notes());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fixture.write("a", "1", 0);
    assert_eq!(fixture.read(&[]).0, ["a=1"]);
    assert_eq!(fixture.notes(), "");
}
