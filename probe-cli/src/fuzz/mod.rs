//! What the fuzzer runs: one function for each kind of hostile input. It takes any bytes, and panics where something does not hold
//! that must hold of all. Compiled for the fuzzer (`fuzz/` at the root of the repository, `--cfg fuzzing`) and for tests, which
//! replay the corpus.
//!
//! Here belong the list and what must hold of every text. What must hold of a kind of input is beside its parser, in the `fuzz` of
//! each source.

mod packets;
#[cfg(test)]
mod tests;

use crate::{bench, hostfiles, leftovers, mtu, netlink, pods, record, text};

/// One kind of input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Takes an input.
    pub run: fn(&[u8]),
}

/// All kinds.
pub const TARGETS: [Target; 9] = [
    Target { name: "netlink", run: netlink },
    Target { name: "packets", run: packets },
    Target { name: "yaml", run: yaml },
    Target { name: "json", run: json },
    Target { name: "lines", run: lines },
    Target { name: "grpc", run: grpc },
    Target { name: "records", run: records },
    Target { name: "bench", run: bench },
    Target { name: "recordings", run: recordings },
];

/// A text that nobody may quote whose words are ours: files hold passwords. Inputs have it in many places.
const SECRET: &str = "MARKER0f5e";

/// Replies of the kernel.
fn netlink(bytes: &[u8]) {
    check_shown(netlink::fuzz::answer(bytes));
}

/// Packets, as the programs in the kernel see them and as answers to probes.
fn packets(bytes: &[u8]) {
    packets::any(bytes);
    mtu::fuzz::answers(bytes);
}

/// Replies of the container runtime and of the kubelet.
fn grpc(bytes: &[u8]) {
    check_shown(pods::fuzz::answers(bytes));
}

/// YAML of a node's files.
fn yaml(bytes: &[u8]) {
    let found = hostfiles::fuzz::yaml(&String::from_utf8_lossy(bytes));
    check_shown(found.texts);
    check_said(found.said);
}

/// JSON of a node's files, and of those that CNI plugins leave.
fn json(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = hostfiles::fuzz::json(&text);
    check_shown(found.texts);
    check_said(found.said);
    let found = pods::fuzz::files(&text);
    check_shown(found.texts);
    check_said(found.said);
}

/// Other files of a node: lines with keys, units, TOML.
fn lines(bytes: &[u8]) {
    let found = hostfiles::fuzz::lines(&String::from_utf8_lossy(bytes));
    check_shown(found.texts);
    check_said(found.said);
}

/// Records of runs.
fn records(bytes: &[u8]) {
    check_said(leftovers::fuzz::record(bytes));
}

/// What the other end of a benchmark says, and files with results. An error may quote them: nothing in them is secret but the token,
/// which has no error of its own.
fn bench(bytes: &[u8]) {
    check_shown(bench::fuzz::any(bytes));
}

/// Files that are to be replayed.
fn recordings(bytes: &[u8]) {
    check_said(record::fuzz::recording(bytes));
}

/// Whatever somebody else wrote can be printed.
fn check_shown(texts: impl IntoIterator<Item = String>) {
    for text in texts {
        let shown = text::shown(&text);
        assert!(!shown.contains(char::is_control), "a control character reaches the terminal");
        // Each of 256 characters as an escape, `\u{10ffff}`.
        assert!(shown.len() <= 256 * 10 + 3, "a text without end is shown");
    }
}

/// What is said of an input that is broken is short, and quotes nothing of it.
fn check_said(texts: impl IntoIterator<Item = String>) {
    for text in texts {
        assert!(!text.contains(SECRET), "an error quotes the file: {text}");
        assert!(text.chars().count() <= 300, "an error without end");
        check_shown([text]);
    }
}
