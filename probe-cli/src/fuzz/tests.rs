//! The corpus, once more: each input that the fuzzer found worth keeping, and each that showed a fault. A test for each target, so
//! that `cargo xtask fuzz --check` can tell what each one covers.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{SECRET, TARGETS};

/// Where the corpora are.
fn corpora() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"))
}

fn replay(name: &str) {
    let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(corpora().join(name)).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        let run = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        assert!(run.is_ok(), "a fault with {}", path.display());
        // A property that nothing can break tells nothing: halves of inputs are inputs, too.
        (target.run)(&input[..input.len() / 2]);
        count += 1;
    }
    assert!(count > 0, "the corpus of {name} is empty");
}

#[test]
fn netlink() {
    replay("netlink");
}

#[test]
fn packets() {
    replay("packets");
}

#[test]
fn yaml() {
    replay("yaml");
}

#[test]
fn json() {
    replay("json");
}

#[test]
fn lines() {
    replay("lines");
}

#[test]
fn grpc() {
    replay("grpc");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn bench() {
    replay("bench");
}

#[test]
fn recordings() {
    replay("recordings");
}

#[test]
fn every_target_has_a_corpus_and_a_test() {
    let names = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("replay(\"")?.strip_suffix("\");"))
            .map(str::to_owned)
            .collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(include_str!("tests.rs")), targets);
    let found =
        fs::read_dir(corpora()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.collect::<BTreeSet<_>>(), targets);
}

/// Inputs without the marker would let an error quote them.
#[test]
fn files_in_the_corpus_have_a_secret() {
    for name in ["yaml", "json", "lines", "records"] {
        let inputs =
            fs::read_dir(corpora().join(name)).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let mut inputs = inputs.map(|input| String::from_utf8_lossy(&input).into_owned());
        assert!(inputs.any(|input| input.contains(SECRET)), "{name}");
    }
}
