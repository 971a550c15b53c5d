//! What the corpora leave uncovered of the parsers' sources: regions as the compiler counts them, which change with the sources and
//! little with the compiler. The tests that replay the corpora are built once more, counting.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::tree;

use super::corpus;
use crate::{
    command::{self, cargo, program},
    ebpf::toolchain,
    ui,
};

/// The sources that each target is about: files, and folders with a slash.
const SOURCES: [(&str, &[&str]); 9] = [
    ("netlink", &["probe-cli/src/netlink/decode/", "probe-cli/src/netlink/relevance.rs"]),
    ("packets", &["probe-ebpf/src/"]),
    ("yaml", &["probe-cli/src/hostfiles/yaml.rs", "probe-cli/src/hostfiles/tree.rs"]),
    (
        "json",
        &[
            "probe-cli/src/pods/device_info.rs",
            "probe-cli/src/pods/libcni.rs",
            "probe-cli/src/pods/network_config.rs",
            "probe-cli/src/pods/sriov_cni.rs",
        ],
    ),
    ("lines", &["probe-cli/src/hostfiles/keys.rs", "probe-cli/src/hostfiles/launch.rs"]),
    ("grpc", &["probe-cli/src/pods/cri/annotations.rs", "probe-cli/src/pods/cri/status.rs"]),
    ("records", &["probe-cli/src/leftovers/record.rs"]),
    (
        "bench",
        &["probe-cli/src/bench/facts.rs", "probe-cli/src/bench/result.rs", "probe-cli/src/bench/wire.rs"],
    ),
    (
        "recordings",
        &[
            "probe-cli/src/record/delta.rs",
            "probe-cli/src/record/numbers.rs",
            "probe-cli/src/record/reader.rs",
            "probe-cli/src/record/split.rs",
        ],
    ),
];

/// Compiles with counters; a wrapper, so that the crates of others are those that are compiled already.
const WRAPPER: &str = "xtask/src/fuzz/counted.sh";

/// Why nothing can be measured here; none where it can.
pub(crate) fn impossible() -> Option<String> {
    tools().err().map(|error| format!("{error:#}"))
}

/// Measures each target, and fails where there is more than before. Returns a line about all. With `record`, less is written down.
pub(crate) fn uncovered(record: bool) -> Result<String> {
    let tools = tools()?;
    let names: BTreeSet<String> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
    if names != corpus::names()?.into_iter().collect() {
        bail!("the folders of fuzz/corpus are not the targets that xtask/src/fuzz/coverage.rs knows");
    }
    let before = recorded()?;
    let binary = counted()?;
    let mut now = BTreeMap::new();
    for (name, sources) in SOURCES {
        now.insert(name.to_owned(), of_target(name, sources, &tools, &binary)?);
    }
    let line = |counts: &BTreeMap<String, u64>| {
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!("uncovered regions: {}", counts.join(", "))
    };
    let more: Vec<String> =
        now.iter().filter_map(|(name, &now)| more(name, now, before.get(name).copied())).collect();
    if !more.is_empty() {
        bail!(
            "the corpus covers less than before: {}. Run `cargo xtask fuzz TARGET`, then the same with --minimise",
            more.join(", ")
        );
    }
    if now != before {
        if record {
            let lines = now.iter().map(|(name, count)| format!("{name} = {count}")).collect::<Vec<_>>();
            let text = lines.join("\n");
            fs::write(record_file(), format!("{HEAD}{text}\n")).context("writing fuzz/uncovered.toml")?;
        } else {
            ui::note(
                "fewer than fuzz/uncovered.toml says: `cargo xtask fuzz --check --record` writes them down",
            );
        }
    }
    Ok(line(&now))
}

/// What is wrong with a count. A target that was not measured before has none to hold it against.
fn more(name: &str, now: u64, before: Option<u64>) -> Option<String> {
    let before = before?;
    (now > before).then(|| format!("{name} leaves {now} regions, not {before}"))
}

const HEAD: &str = "# Regions of each target's sources that its corpus does not reach; they may only become fewer.\n\
                    # Written by `cargo xtask fuzz --check --record`.\n";

fn record_file() -> PathBuf {
    tree::root().join("fuzz/uncovered.toml")
}

fn recorded() -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(record_file()).context("reading fuzz/uncovered.toml")?;
    toml::from_str(&text).context("reading fuzz/uncovered.toml")
}

/// Where LLVM's programs are that read what the compiler's LLVM writes.
fn tools() -> Result<PathBuf> {
    let sysroot = command::capture(program("rustc").args(["--print", "sysroot"]))?;
    let version = command::capture(program("rustc").arg("-vV"))?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?");
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let own = format!("{}/lib/rustlib/{}/bin", sysroot.trim(), field("host: "));
    let package = Path::new(toolchain::LLVM_PREFIX);
    let fits = toolchain::LLVM_PREFIX.ends_with(&format!("-{}", major(field("LLVM version: "))));
    let places = [Some(PathBuf::from(own)), Some(package.join("bin")).filter(|_| fits)];
    let found = places.into_iter().flatten().find(|place| place.join("llvm-cov").is_file());
    found.with_context(|| {
        format!(
            "no llvm-cov for the LLVM {} of this compiler: rustup component add llvm-tools",
            field("LLVM version: ")
        )
    })
}

/// The unit tests of the tool, which count what runs.
fn counted() -> Result<PathBuf> {
    let mut build = cargo("test");
    build.env("RUSTC_WORKSPACE_WRAPPER", tree::root().join(WRAPPER));
    build.args(["--locked", "--package", "overlay-probe", "--lib", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics").stderr(std::process::Stdio::inherit());
    let messages = command::capture(&mut build)?;
    let mut binary = messages.lines().filter_map(|message| {
        let message: Value = serde_json::from_str(message).ok()?;
        let is_it = message["target"]["name"] == "overlay_probe" && message["profile"]["test"] == true;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    binary.next_back().context("cargo built no unit tests of overlay-probe")
}

/// Regions of `sources` that the corpus of one target does not reach.
fn of_target(name: &str, sources: &[&str], tools: &Path, binary: &Path) -> Result<u64> {
    let folder = tempfile::tempdir().context("making a folder")?;
    let (raw, merged) = (folder.path().join("raw"), folder.path().join("merged"));
    let test = format!("fuzz::tests::{name}");
    let told = command::capture(program(binary).args(["--exact", &test]).env("LLVM_PROFILE_FILE", &raw))?;
    if !told.contains("1 passed") {
        bail!("there is no test {test}");
    }
    command::run(
        program(tools.join("llvm-profdata")).args(["merge", "-sparse", "-o"]).args([&merged, &raw]),
    )?;
    let mut export = program(tools.join("llvm-cov"));
    export.args(["export", "--skip-expansions"]).arg("--instr-profile").arg(&merged).arg(binary);
    let export: Value =
        serde_json::from_str(&command::capture(&mut export)?).context("what llvm-cov says")?;
    let (reached, all) = regions(&export, sources);
    if reached == 0 {
        bail!("the corpus of {name} reaches nothing of {}", sources.join(", "));
    }
    Ok(all - reached)
}

/// How many regions of `sources` are reached, and how many there are. A function that is compiled for several types counts once.
fn regions(export: &Value, sources: &[&str]) -> (u64, u64) {
    let root = format!("{}/", tree::root().display());
    let is_meant = |file: &str| {
        let file = file.strip_prefix(&root).unwrap_or(file);
        sources.iter().any(|source| file == *source || (source.ends_with('/') && file.starts_with(source)))
    };
    let mut found: BTreeMap<(&str, Vec<u64>), bool> = BTreeMap::new();
    let functions = export["data"][0]["functions"].as_array().into_iter().flatten();
    // Modules of tests, as they are in a mangled name.
    let functions = functions.filter(|one| !one["name"].as_str().unwrap_or_default().contains("5tests"));
    for function in functions {
        for region in function["regions"].as_array().into_iter().flatten() {
            let numbers: Vec<u64> =
                region.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            // Lines and columns of both ends, how often it ran, the file's index, that of an expansion, the kind: code is 0.
            let &[_, _, _, _, count, file, _, 0] = numbers.as_slice() else { continue };
            let file = usize::try_from(file).ok().and_then(|file| function["filenames"][file].as_str());
            if let (Some(file), Some(place)) = (file.filter(|file| is_meant(file)), numbers.get(..4)) {
                *found.entry((file, place.to_vec())).or_default() |= count > 0;
            }
        }
    }
    let count = |regions: usize| u64::try_from(regions).unwrap_or(u64::MAX);
    (count(found.values().filter(|reached| **reached).count()), count(found.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn regions_count_once_and_without_tests() {
        let function = |name: &str, file: &str, regions: Value| json!({"name": name, "filenames": [file], "regions": regions});
        let file = format!("{}/a/x.rs", tree::root().display());
        let code = |line: u64, count: u64| json!([line, 1, line, 9, count, 0, 0, 0]);
        let export = json!({"data": [{"functions": [
            function("one", &file, json!([code(1, 0), code(2, 7), [3, 1, 3, 2, 0, 0, 0, 3]])),
            function("one_more_type", &file, json!([code(1, 3), code(2, 0), code(4, 0)])),
            function("_RN5tests", &file, json!([code(9, 0)])),
            function("other", "/elsewhere/y.rs", json!([code(1, 0)])),
        ]}]});
        assert_eq!(regions(&export, &["a/"]), (2, 3));
        assert_eq!(regions(&export, &["a/x.rs"]), (2, 3));
        assert_eq!(regions(&export, &["a/y.rs", "a"]), (0, 0));
    }

    #[test]
    fn more_is_too_much() {
        assert_eq!(more("x", 3, Some(2)).unwrap(), "x leaves 3 regions, not 2");
        assert_eq!(more("x", 2, Some(2)).or(more("x", 1, Some(2))).or(more("x", 9, None)), None);
    }
}
