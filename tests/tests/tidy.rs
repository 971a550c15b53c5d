//! The repository's own manners, as text: how files look, what must not be in them, and that what is generated fits
//! what it was generated from.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use overlay_probe::check::WITHOUT_FAULT;
use toml::{Table, Value};
use xtask::{
    digest,
    manifest::{Manifest, Object},
    object, tree,
};

/// A file longer than this holds more than one idea.
const MOST_LINES: usize = 600;

/// Files that people write.
const WRITTEN: [&str; 7] = ["rs", "toml", "md", "sh", "yml", "yaml", "service"];

/// Hosts that may be named: places to read. Nobody's package mirror, nobody's internal machine.
const HOSTS: [&str; 19] = [
    "crates.io",
    "docs.kernel.org",
    "docs.rke2.io",
    "docs.rs",
    "docs.tigera.io",
    "elixir.bootlin.com",
    "datatracker.ietf.org",
    "git.kernel.org",
    "github.com",
    "kernel.org",
    "kubernetes.io",
    "lore.kernel.org",
    "no-color.org",
    "prometheus.io",
    "rustup.rs",
    "www.apache.org",
    "www.w3.org",
    "www.rfc-editor.org",
    "www.kernel.org",
];

/// Every text file of the repository, with its name.
fn texts() -> Vec<(String, String)> {
    let files = tree::files(tree::root()).unwrap().into_iter();
    files
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(tree::root().join(&path)).unwrap()).ok()?;
            Some((path.display().to_string(), text))
        })
        .collect()
}

/// Texts whose name ends in one of these.
fn texts_in(extensions: &[&str]) -> impl Iterator<Item = (String, String)> {
    texts().into_iter().filter(move |(name, _)| {
        Path::new(name).extension().is_some_and(|real| extensions.iter().any(|wanted| real == *wanted))
    })
}

/// Fails with all of them.
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}\n", found.join("\n"));
}

#[test]
fn every_source_says_what_it_is_for() {
    let silent = texts_in(&["rs"]).filter(|(_, text)| !text.starts_with("//! "));
    none(
        "the first line must be `//!` and say what the file is for",
        &silent.map(|(name, _)| name).collect::<Vec<_>>(),
    );
}

#[test]
fn every_source_is_short() {
    let long = texts_in(&["rs"]).filter(|(_, text)| text.lines().count() > MOST_LINES);
    none("files of more than 600 lines", &long.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn every_file_is_clean() {
    let mut found = Vec::new();
    for (name, text) in texts_in(&WRITTEN) {
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            found.push(format!("{name}: does not end with one end of line"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            if line.ends_with(char::is_whitespace) {
                found.push(format!("{name}:{number}: blanks at the end"));
            }
            if line.contains('\t') {
                found.push(format!("{name}:{number}: a tab"));
            }
            if line.contains('\r') {
                found.push(format!("{name}:{number}: a carriage return"));
            }
        }
    }
    none("untidy", &found);
}

/// Where homes are. Nothing in the repository has to know, so such a path came from somebody's machine.
const HOMES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Where work is done. Tests may work there, and words may speak of it.
const SCRATCH: &str = concat!("/t", "mp/");

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut found = Vec::new();
    for (name, text) in texts() {
        let scratch = name.starts_with("tests/") || Path::new(&name).extension().is_some_and(|e| e == "md");
        let places = HOMES.iter().chain([&SCRATCH].into_iter().filter(|_| !scratch));
        for place in places.filter(|place| text.contains(**place)) {
            found.push(format!("{name}: {place}"));
        }
    }
    none("paths of a machine", &found);
}

#[test]
fn the_kernel_objects_know_no_machine() {
    for object in object::ALL {
        let bytes = fs::read(object.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let places = HOMES.iter().chain([&SCRATCH, &"/usr/"]).filter(|place| text.contains(**place));
        none(
            &format!("paths of a machine in {}.o", object.name),
            &places.map(|&place| place.to_owned()).collect::<Vec<_>>(),
        );
    }
}

/// The host of every address in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").filter_map(|(at, mark)| {
        let scheme =
            line[..at].ends_with("http") || line[..at].ends_with("https") || line[..at].ends_with("ssh");
        let rest = &line[at + mark.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-@".contains(c)).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|host| scheme && host.contains('.'))
    })
}

/// An address to bind or to listen at, such as 127.0.0.1, is nobody's host.
fn is_number(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[test]
fn no_file_names_a_host_that_is_not_for_reading() {
    let mut found = Vec::new();
    for (name, text) in texts() {
        for (number, line) in (1..).zip(text.lines()) {
            for host in hosts(line).filter(|host| !HOSTS.contains(host) && !is_number(host)) {
                found.push(format!("{name}:{number}: {host}"));
            }
        }
    }
    none("hosts that tests/tests/tidy.rs does not list", &found);
}

#[test]
fn hosts_are_found() {
    // In parts, so that the test above does not find these.
    let line = ["see https", "://crates.io/x and http", "://mirror.example.net:8080, tcp", "://a.b"].concat();
    assert_eq!(hosts(&line).collect::<Vec<_>>(), ["crates.io", "mirror.example.net"]);
}

#[test]
fn the_kernel_objects_fit_their_manifests_and_their_sources() {
    for object in object::ALL {
        let manifest = Manifest::read(&object.manifest()).unwrap();
        assert_eq!(
            manifest.object,
            Object::of(&fs::read(object.path()).unwrap()),
            "{}.o and its manifest differ: run `cargo xtask ebpf`",
            object.name
        );
        assert_eq!(
            manifest.sources.sha256,
            digest::sources(object, tree::root()).unwrap(),
            "the kernel side changed and {}.o did not: run `cargo xtask ebpf`",
            object.name
        );
    }
}

fn manifest(path: &str) -> Table {
    fs::read_to_string(tree::root().join(path)).unwrap().parse().unwrap()
}

/// The crates that the workspace declares.
fn declared() -> BTreeSet<String> {
    manifest("Cargo.toml")["workspace"]["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// Each dependency of each member: the member, the crate, how it is asked for.
fn asked_for() -> Vec<(String, String, Value)> {
    let members = manifest("Cargo.toml")["workspace"]["members"].as_array().unwrap().clone();
    let members = members.iter().map(|member| member.as_str().unwrap());
    members
        .flat_map(|member| {
            let manifest = manifest(&format!("{member}/Cargo.toml"));
            let tables = ["dependencies", "dev-dependencies", "build-dependencies"].into_iter();
            let dependencies = tables.filter_map(move |table| manifest.get(table)?.as_table().cloned());
            dependencies.flatten().map(|(name, how)| (member.to_owned(), name, how))
        })
        .collect()
}

#[test]
fn versions_are_said_once() {
    let inherited = |how: &Value| how.get("workspace").and_then(Value::as_bool) == Some(true);
    let own = asked_for().into_iter().filter(|(_, _, how)| !inherited(how));
    none(
        "not taken from [workspace.dependencies]",
        &own.map(|(member, name, _)| format!("{member}: {name}")).collect::<Vec<_>>(),
    );
}

#[test]
fn no_declared_crate_is_unused() {
    let used: BTreeSet<String> = asked_for().into_iter().map(|(_, name, _)| name).collect();
    let unused: Vec<String> = declared().difference(&used).cloned().collect();
    none("in [workspace.dependencies] and in no member", &unused);
}

/// What docs/checks/faults.md says to be proven by more than made-up facts has a test that names it.
#[test]
fn what_is_said_to_be_tested_for_real_is() {
    let tests: String = texts_in(&["rs"])
        .filter(|(name, _)| name.starts_with("tests/") && !name.ends_with("tidy.rs"))
        .map(|(_, text)| text)
        .collect();
    let real = WITHOUT_FAULT.iter().filter(|(_, _, place)| *place != "made-up facts only");
    let (named, unnamed): (Vec<&str>, Vec<&str>) =
        real.map(|(check, ..)| *check).partition(|check| tests.contains(&format!("\"{check}\"")));
    assert!(!named.is_empty());
    none("in no test", &unnamed.into_iter().map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn the_readme_says_of_kernels_what_their_table_does() {
    let readme = fs::read_to_string(tree::root().join("README.md")).unwrap();
    for kernel in manifest("kernels.toml")["kernel"].as_array().unwrap() {
        let lacks = kernel.get("lacks").and_then(Value::as_table).into_iter().flatten();
        let lacks: Vec<String> =
            lacks.map(|(name, why)| format!("{name}: {}", why.as_str().unwrap())).collect();
        let lacks = if lacks.is_empty() { "nothing".to_owned() } else { lacks.join("; ") };
        let (version, suite) = (kernel["version"].as_str().unwrap(), kernel["suite"].as_str().unwrap());
        let row = format!("| {version} | {suite} | {lacks} |");
        assert!(readme.contains(&row), "README.md lacks the line\n{row}");
    }
}
