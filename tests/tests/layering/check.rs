//! Holds the imports of source files against the tables.

use std::path::Path;

use crate::{
    imports::{handed_on, paths},
    rules::{DOORS, IMPURE, MAY_BE_WRITTEN, MAY_OPEN, MODULES, Module, OPENERS, WRITERS},
};

/// One source file.
pub(crate) struct Source {
    /// Where it is, for people.
    name: String,
    /// Its module: `["netlink", "decode", "link"]`.
    module: Vec<String>,
    /// The paths it uses; those of the tool itself begin with `crate`.
    paths: Vec<Vec<String>>,
    /// Those of them that it hands on.
    handed_on: Vec<Vec<String>>,
}

impl Source {
    /// Reads a file by its path below `src`.
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let parts = path.with_extension("");
        let mut module: Vec<String> = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let test_code = module.iter().any(|name| name == "tests" || name == "testdata");
        if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
            module.pop();
        }
        let found = |of: fn(&str) -> Vec<Vec<String>>| -> Vec<Vec<String>> {
            let found = if test_code { Vec::new() } else { of(text) };
            found.into_iter().map(|path| absolute(&module, path)).collect()
        };
        let (paths, handed_on) = (found(paths), found(handed_on));
        Self { name: path.display().to_string(), module, paths, handed_on }
    }

    /// The module below the root; none for the root itself.
    pub(crate) fn top_module(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// The entry of the table that the file falls under.
    fn entry(&self) -> Option<&'static Module> {
        entry(&self.module)
    }
}

/// `self::` and `super::` as seen from the root. A module inside a file is not told apart from the file, so `super`
/// there leads one level too high: to a module of the same part, or to the root, which imports nothing.
fn absolute(module: &[String], path: Vec<String>) -> Vec<String> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let here = usize::from(path.first().is_some_and(|name| name == "self"));
    if ups == 0 && here == 0 {
        return path;
    }
    let base = &module[..module.len().saturating_sub(ups)];
    let rest = path.into_iter().skip(ups.max(here));
    ["crate".to_owned()].into_iter().chain(base.iter().cloned()).chain(rest).collect()
}

/// The longest entry of the table that a path begins with.
fn entry(path: &[String]) -> Option<&'static Module> {
    let fits = |module: &&Module| {
        let mut parts = path.iter();
        module.name.split("::").all(|name| parts.next().is_some_and(|part| part == name))
    };
    MODULES.iter().filter(fits).max_by_key(|module| module.name.len())
}

/// What a file imports of the tool, as entries of the table: from, to.
fn imports_of<'a>(
    source: &Source,
    paths: &'a [Vec<String>],
) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
    let from = source.entry();
    paths.iter().filter_map(move |path| {
        let (root, rest) = path.split_first()?;
        let to = entry(rest).filter(|_| root == "crate")?;
        from.filter(|from| from.name != to.name).map(|from| (from.name, to.name))
    })
}

/// Everything that breaks a rule, one sentence each.
pub(crate) fn violations(sources: &[Source]) -> Vec<String> {
    let mut found: Vec<String> = sources.iter().flat_map(of_one).collect();
    found.sort();
    found.dedup();
    found
}

fn of_one(source: &Source) -> Vec<String> {
    let Some(module) = source.entry() else { return Vec::new() };
    let file = &source.name;
    let backwards = imports_of(source, &source.paths)
        .filter(|(_, to)| !module.may.contains(to))
        .map(|(from, to)| format!("{file}: {from} must not import {to}"));
    // A part of a module is the module's own.
    let is_part = |to: &str| to.split("::").next() == module.name.split("::").next();
    let handed_on = imports_of(source, &source.handed_on)
        .filter(|(_, to)| !module.shows.contains(to) && !is_part(to))
        .map(|(from, to)| format!("{file}: {from} must not hand on what is of {to}"));
    let top = source.top_module().unwrap_or_default();
    let through_the_wall = source.paths.iter().filter_map(|path| {
        let (name, doors) = DOORS.iter().find(|(name, _)| path.first().is_some_and(|first| first == name))?;
        let open = doors.iter().any(|door| *door == "*" || *door == top);
        (!open).then(|| format!("{file}: {name} is for {} only", doors.join(", ")))
    });
    let impure = source.paths.iter().filter(|_| module.pure).filter_map(|path| {
        let used = path.join("::");
        let rule = IMPURE.iter().find(|rule| used == **rule || used.starts_with(&format!("{rule}::")))?;
        Some(format!("{file}: {} is pure and must not use {rule}", module.name))
    });
    let here = source.module.join("::");
    let opens = source.paths.iter().filter_map(|path| {
        let used = path.join("::");
        let opener =
            OPENERS.iter().find(|opener| used == **opener || used.ends_with(&format!("::{opener}")))?;
        let is_of = |module: &str| here == module || here.starts_with(&format!("{module}::"));
        let may = MAY_OPEN.iter().any(|(module, openers)| is_of(module) && openers.contains(opener));
        (!may).then(|| format!("{file}: {opener} is for files only, which looks at what it opens"))
    });
    let written = source.paths.iter().filter_map(|path| {
        let used = path.join("::");
        let rule = WRITERS.iter().find(|rule| used == **rule || used.starts_with(&format!("{rule}::")))?;
        let may = MAY_BE_WRITTEN.contains(&top);
        (!may).then(|| {
            format!("{file}: {rule} is for what is recorded and for documents, which have types of their own")
        })
    });
    backwards.chain(handed_on).chain(through_the_wall).chain(impure).chain(opens).chain(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        violations(&[Source::new(Path::new(path), text)])
    }

    #[test]
    fn a_backward_import_is_found_however_it_is_written() {
        let wrong = ["model/build.rs: model must not import tui"];
        for text in [
            "use crate::tui::Action;",
            "use crate::{sample::Sample, tui};",
            "use super::super::tui::Action;",
            "fn f() { crate::tui::show() }",
        ] {
            assert_eq!(check("model/build.rs", text), wrong, "{text}");
        }
        assert_eq!(check("model/mod.rs", "use super::tui;"), ["model/mod.rs: model must not import tui"]);
    }

    #[test]
    fn what_is_handed_on_does_not_hide_where_it_is_from() {
        assert_eq!(
            check("text.rs", "pub use crate::netlink::Source;"),
            ["text.rs: text must not hand on what is of netlink", "text.rs: text must not import netlink",]
        );
        for text in ["pub use crate::text::escape;", "pub(crate) use crate::{text, mac::Mac};"] {
            assert_eq!(
                check("inventory/mod.rs", text),
                ["inventory/mod.rs: inventory must not hand on what is of text"]
            );
        }
        let own = "pub use crate::{facts::netlink::PublicKey, mac::Mac}; pub use self::types::Tunnel;";
        assert!(check("inventory/mod.rs", own).is_empty());
    }

    #[test]
    fn an_allowed_import_is_none() {
        assert!(check("model/build.rs", "use crate::sample::Sample; use super::types::Model;").is_empty());
        assert!(check("cli/top.rs", "use crate::tui; use clap::Parser; use super::args::Args;").is_empty());
        assert!(check("inventory/join.rs", "use crate::facts::netlink::Facts;").is_empty());
        assert!(check("inventory/join/tests.rs", "use crate::{model, netlink::Source, tui};").is_empty());
        assert!(check("lib.rs", "pub mod cli;").is_empty());
    }

    #[test]
    fn a_source_is_no_fact() {
        assert_eq!(
            check("inventory/join.rs", "use crate::{facts::netlink::Facts, netlink::Source};"),
            ["inventory/join.rs: inventory must not import netlink"]
        );
        assert_eq!(
            check("facts/netlink.rs", "use crate::netlink::Source; use std::fs;"),
            [
                "facts/netlink.rs: facts is pure and must not use std::fs",
                "facts/netlink.rs: facts must not import netlink",
            ]
        );
    }

    #[test]
    fn a_crate_comes_through_its_door() {
        assert_eq!(check("engine/run.rs", "use aya::Ebpf;"), ["engine/run.rs: aya is for ebpf only"]);
        assert_eq!(check("report/table.rs", "fn f() { ratatui::init(); }").len(), 1);
        assert!(check("ebpf/probe.rs", "use aya::Ebpf;").is_empty());
        // A module or a group that is called like a crate is not the crate.
        assert!(check("engine/run.rs", "use std::{fs, time::Duration}; use super::time::x;").is_empty());
    }

    #[test]
    fn only_facts_samples_and_documents_are_written() {
        for text in [
            "use serde::Serialize; #[derive(Serialize)] struct Pod;",
            "use serde::{Deserialize, Serialize};",
            "#[derive(serde::Serialize)] struct Pod;",
            "use serde::ser::SerializeMap;",
        ] {
            let found = check("pods/cri.rs", text);
            assert!(found.iter().any(|wrong| wrong.contains("documents")), "{text}: {found:?}");
            assert!(check("report/json/pods.rs", text).is_empty(), "{text}");
        }
        assert!(check("pods/cri.rs", "use serde::Deserialize;").is_empty());
        assert_eq!(
            check("model/types.rs", "use serde::Deserialize;"),
            [
                "model/types.rs: serde is for bench, facts, hostfiles, lab, leftovers, mac, observed, pods, record, report, sample only"
            ]
        );
    }

    #[test]
    fn files_are_opened_in_one_place() {
        for text in [
            "fn f() { std::fs::File::open(x) }",
            "use std::fs::{self, File}; fn f() { File::options().read(true).open(x) }",
            "use std::fs; fn f() { fs::read_to_string(x) }",
            "use std::fs::OpenOptions;",
            "use nix::fcntl::{OFlag, open};",
        ] {
            let found = check("pods/cri.rs", text);
            assert!(found.iter().any(|wrong| wrong.contains("is for files only")), "{text}: {found:?}");
            assert!(check("files/root.rs", text).is_empty(), "{text}");
        }
        assert!(check("netns.rs", "use std::fs; fn f() { fs::read_dir(x) }").is_empty());
        assert!(!check("netns.rs", "use std::fs; fn f() { fs::write(x, y) }").is_empty());
    }

    #[test]
    fn a_pure_module_touches_nothing() {
        for text in [
            "use std::{fs, time::Duration};",
            "use std::time::Instant;",
            "fn f() { let _ = std::time::SystemTime::now(); }",
            "use std::net::{IpAddr, UdpSocket};",
            "async fn f() { tokio::time::sleep(x).await }",
        ] {
            assert_ne!(check("sample/mod.rs", text), Vec::<String>::new(), "{text}");
        }
        assert!(check("sample/mod.rs", "use std::{net::IpAddr, time::Duration};").is_empty());
        assert!(check("procfs.rs", "use std::{fs, time::Instant};").is_empty());
    }
}
