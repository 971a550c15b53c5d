//! The architecture, as a test: which module of the tool may import which, and through which module each outside crate
//! comes in. The tables are in `rules.rs`; a change of the picture is a change there.
//!
//! Test code is exempt: it may build its data with whatever it likes.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

mod check;
mod imports;
mod rules;

use std::{collections::BTreeSet, fs};

use check::{Source, violations};
use rules::{DOORS, MODULES};
use xtask::tree;

/// The tool's own sources.
fn sources() -> Vec<Source> {
    let directory = tree::root().join("probe-cli/src");
    let files = tree::files(&directory).unwrap().into_iter();
    let rust = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| Source::new(&path, &fs::read_to_string(directory.join(&path)).unwrap())).collect()
}

#[test]
fn every_import_follows_the_picture() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_module_is_in_the_picture() {
    let known: BTreeSet<&str> = MODULES.iter().map(|module| module.name).collect();
    let real: BTreeSet<String> =
        sources().iter().filter_map(|source| source.top_module().map(str::to_owned)).collect();
    let missing: Vec<_> = real.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "modules that tests/tests/layering/rules.rs says nothing of: {missing:?}");
    let gone: Vec<_> = known.iter().filter(|name| !name.contains("::") && !real.contains(**name)).collect();
    assert!(gone.is_empty(), "modules of tests/tests/layering/rules.rs that are no more: {gone:?}");
}

#[test]
fn every_crate_has_a_door() {
    let text = fs::read_to_string(tree::root().join("probe-cli/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let real: BTreeSet<String> =
        manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect();
    let known: BTreeSet<String> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let difference: Vec<_> = real.symmetric_difference(&known).collect();
    assert!(difference.is_empty(), "in the manifest or in the table of doors, not in both: {difference:?}");
}

/// The modules can be put in an order in which each imports only what comes before it.
#[test]
fn nothing_points_backwards() {
    let mut rest: Vec<_> = MODULES.iter().collect();
    while !rest.is_empty() {
        let waiting: BTreeSet<&str> = rest.iter().map(|module| module.name).collect();
        let before = rest.len();
        rest.retain(|module| module.may.iter().any(|import| waiting.contains(import)));
        assert!(rest.len() < before, "these import each other in a circle: {waiting:?}");
    }
}
