//! `record`, `replay`, and what `check` and `show` see of a recording: with the tool itself, killed in the middle, on broken files, in
//! a terminal. That models are the same is in `recorded.rs`, and that no byte of a broken file is believed in the unit tests.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Command, Output, Stdio},
};

use overlay_probe::{
    lab::Family,
    record::{End, Recording},
};
use probe_tests::{
    lab::TestLab,
    terminal::Terminal,
    tool::{NOBODY, binary, run, with_privileges},
    wait_for,
};
use serde_json::Value;
use tempfile::TempDir;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the tool, which must end with this code.
fn ended(args: &[&str], code: i32) -> Output {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    output
}

fn record(node: &str, path: &Path, more: &[&str]) {
    let line = ["--netns", node, "record", path.to_str().unwrap(), "--interval", "100ms"];
    ended(&[&line[..], more].concat(), 0);
}

fn lines(path: &str) -> Vec<Value> {
    let output = ended(&["replay", path, "--format", "jsonl"], 0);
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lines that a file gives now, which may not be a recording yet.
fn printed(path: &Path) -> usize {
    text(&run(&["replay", path.to_str().unwrap(), "--format", "jsonl"]).stdout).lines().count()
}

#[test]
fn a_recording_is_the_node_for_show_check_and_replay() {
    let lab = TestLab::up(2, 2, Family::Dual);
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("node.ovp");
    record(&lab.node(1), &path, &["--count", "6"]);
    let path = path.to_str().unwrap();
    assert_eq!(lines(path).len(), 5, "the first frame has no rates");
    // What exists is what the node itself is shown to have; ages and states may be others.
    for (what, list, name) in
        [("peers", "peers", "tunnel"), ("links", "links", "name"), ("pods", "pods", "name")]
    {
        let of = |node: &[&str], of: &[&str]| {
            let output = ended(&[node, &["show", what, "--format", "json"], of].concat(), 0);
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let rows = document[list].as_array().unwrap().iter();
            let mut names: Vec<String> = rows.map(|row| row[name].to_string()).collect();
            names.sort();
            names
        };
        let live = of(&["--netns", &lab.node(1)], &[]);
        assert!(!live.is_empty(), "{what}");
        assert_eq!(of(&[], &["--replay", path, "--at", "-0"]), live, "{what}");
    }
    // A lab's node has no files, which the verdict says; live and recorded alike.
    let judged = |node: &[&str], of: &[&str]| {
        let output = run(&[node, &["check", "--window", "200ms", "--format", "json"], of].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), document["verdict"].clone(), document["findings"].clone())
    };
    let live = judged(&["--netns", &lab.node(1)], &[]);
    assert_eq!(judged(&[], &["--replay", path]), live);
    // Nobody needs a right to look at a file that is theirs.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(path, Some(65534), Some(65534)).unwrap();
    let output = with_privileges(&lab.node(2), &NOBODY, &["show", "peers", "--replay", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // It is not written over.
    ended(&["--netns", &lab.node(1), "record", path], 2);
    ended(&["--netns", &lab.node(1), "check", "--replay", path], 3);
    ended(&["check", "--probe", "--replay", path], 3);
}

#[test]
fn a_recording_that_is_killed_is_good_up_to_there_and_files_are_begun_anew() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("killed.ovp");
    let mut child = Command::new(binary())
        .args(["--netns", &lab.node(1), "record", path.to_str().unwrap(), "--interval", "50ms"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let frames = |path: &str| lines(path).len();
    wait_for("a few frames", || (printed(&path) >= 3).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    let path = path.to_str().unwrap();
    let whole = frames(path);
    assert!(whole >= 3, "{whole}");
    // In the middle of a write is where a kill may fall at any time: the last frame is cut here.
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 7]).unwrap();
    let output = ended(&["replay", path, "--format", "jsonl"], 0);
    let said = text(&output.stderr);
    assert!(said.contains("damaged from byte") && said.contains("cut within a frame"), "{said}");
    let left = frames(path);
    assert!(left == whole || left + 1 == whole, "{left} of {whole}");
    for (name, bytes, words) in [
        ("foreign", b"\x1f\x8b\x08 something else".to_vec(), "not a recording"),
        ("header", bytes[..60].to_vec(), "within its header"),
        ("newer", [&bytes[..8], &[9, 0], &bytes[10..]].concat(), "a later version wrote it"),
        ("empty", Vec::new(), "not a recording"),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        for command in [
            &["replay", path, "--format", "jsonl"][..],
            &["show", "node", "--replay", path],
            &["check", "--replay", path],
        ] {
            let output = ended(command, 3);
            let said = text(&output.stderr);
            assert!(said.contains(words), "{command:?}: {said}");
        }
    }
    ended(&["replay", "/nowhere/x", "--format", "jsonl"], 3);
    // The filters of the killed run are gone with TCX, and are swept by the next run without.
    let many = TempDir::new().unwrap();
    let line = ["--count", "12", "--rotate-age", "300ms", "--keep", "2"];
    record(&lab.node(1), many.path(), &line);
    let names: Vec<_> = fs::read_dir(many.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in &names {
        let recording = Recording::open(fs::File::open(name).unwrap()).unwrap();
        assert_eq!(recording.end(), &End::Ended, "{}", name.display());
        assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o777, 0o600, "{}", name.display());
    }
}

#[test]
fn a_recording_is_written_and_played_on_screen() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = TempDir::new().unwrap();
    let node = lab.node(1);
    let command = format!(
        "cd {}; {} --netns {node} top --interval 200ms",
        directory.path().display(),
        binary().display()
    );
    let terminal = Terminal::run("record", (100, 30), &command);
    terminal.wait_for("flannel.1");
    terminal.keys(&["w"]);
    terminal.wait_for("Recording to ");
    let file = || fs::read_dir(directory.path()).unwrap().next().map(|entry| entry.unwrap().path());
    let path = wait_for("the file", file);
    wait_for("a few frames", || (printed(&path) >= 8).then_some(()));
    terminal.keys(&["w"]);
    terminal.wait_for("Recorded to ");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);

    let command = format!("{} replay {}", binary().display(), path.display());
    let terminal = Terminal::run("replay", (120, 30), &command);
    let screen = terminal.wait_for("RECORDING of 20");
    assert!(screen.contains(&format!("Overlay Probe {node}")), "{screen}");
    // To its end, back by a minute to the beginning, and on by a frame.
    wait_for("the end", || terminal.screen().contains(", paused ").then_some(()));
    terminal.keys(&["<"]);
    terminal.wait_for("frame 1 of ");
    terminal.keys(&["."]);
    terminal.wait_for("frame 2 of ");
    terminal.keys(&["+"]);
    terminal.wait_for("paused 2x");
    terminal.keys(&["2"]);
    terminal.wait_for("VNI 1, port 8472");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);
}
