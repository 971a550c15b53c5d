//! Names that would do something to a terminal: shown escaped, never sent as they are.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use overlay_probe::lab::{Family, live, send};
use probe_tests::{
    hand::{Pair, TUNNEL},
    lab::TestLab,
    needs::ways,
    ns,
    tool::{Watch, binary, entry, number, run},
};

/// Clears a screen, and what ESC [ 3 1 m in one character.
const CURSED: [&str; 3] = ["vx\x1b[2J", "\u{9b}31m\u{202e}x", "\x07\x7f\\x"];

/// What a terminal could act on, but for the line end.
fn is_harmless(text: &str) -> bool {
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    !text.chars().any(acts)
}

fn rename(pair: &Pair, from: &str, to: &OsStr) {
    ns(pair.node(1), &format!("ip link set {from} down"));
    let status = Command::new("ip")
        .args(["-n", pair.node(1), "link", "set", from, "name"])
        .arg(to)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// Name of the tunnel and of its underlay, and their entries again, which went when the device was down.
fn cursed(pair: &Pair, name: &str) {
    rename(pair, TUNNEL, OsStr::new(name));
    pair.at(1).ip(&format!(
        "link set {name} up
         neigh replace 10.7.2.0 lladdr 0a:00:00:00:00:02 dev {name} nud permanent
         route replace 10.7.2.0/24 via 10.7.2.0 dev {name} onlink"
    ));
}

#[test]
fn a_name_with_control_characters_is_escaped_in_the_table() {
    let pair = Pair::new("table");
    let shown = ["vx\\u{1b}[2J", "\\u{9b}31m\\u{202e}x", "\\u{7}\\u{7f}\\\\x"];
    for (name, shown) in CURSED.into_iter().zip(shown) {
        cursed(&pair, name);
        let output = run(&["-v", "--netns", pair.node(1), "watch", "--count", "1", "--interval", "100ms"]);
        assert_eq!(output.status.code(), Some(0));
        let (table, said) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(is_harmless(&table), "{table:?}");
        // A long name loses its middle, never its beginning.
        let beginning: String = shown.chars().take(14).collect();
        assert!(
            table.lines().any(|line| line.starts_with(&beginning) && line.contains("mtu 1450)")),
            "{table}"
        );
        assert!(table.contains(&format!("\n{shown} 192.0.2.2")), "{table}");
        // tracing colours its levels where it may; the name in its line is ours to escape.
        assert!(said.contains(shown) && !said.contains(name), "{said:?}");
        rename(&pair, name, OsStr::new(TUNNEL));
    }
}

#[test]
fn json_holds_the_name_and_no_character_that_acts() {
    let pair = Pair::new("json");
    for name in CURSED {
        cursed(&pair, name);
        let arguments = ["watch", "--format", "jsonl", "--count", "2", "--interval", "100ms"];
        let output = run(&[&["--netns", pair.node(1)][..], &arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(0), 2));
        assert!(is_harmless(&text), "{text:?}");
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(entry(&value, "tunnels", &[("name", name)]).is_some(), "a parser gets the name itself");
        }
        rename(&pair, name, OsStr::new(TUNNEL));
    }
}

#[test]
fn such_an_interface_is_attached_to_and_counts() {
    for attach in ways() {
        let pair = Pair::new("count");
        cursed(&pair, CURSED[0]);
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), 21, 100).unwrap(), 21);
        let value = watch.settled();
        let tunnel = entry(&value, "tunnels", &[("name", CURSED[0])]).unwrap();
        assert_eq!(number(tunnel, "tx", "packets"), 21, "{attach}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

#[test]
fn a_name_that_is_no_text_is_refused_and_not_shown_as_silent() {
    let pair = Pair::new("bytes");
    rename(&pair, TUNNEL, OsStr::from_bytes(b"vx\xff\x1b[2J"));
    let output = run(&["--netns", pair.node(1), "watch", "--count", "1", "--interval", "100ms"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{said}");
    assert!(is_harmless(&said), "{said:?}");
    assert!(said.contains("vx\u{fffd}\\u{1b}[2J") && said.contains("not valid UTF-8"), "{said}");
    // One that comes later must not end a watch that runs.
    rename_bytes(&pair, b"vx\xff\x1b[2J", TUNNEL);
    let watch = Watch::start(pair.node(1));
    // It has the name from the start: one that is attached to already has nothing to fail.
    let added = Command::new("ip")
        .args(["-n", pair.node(1), "link", "add", "name"])
        .arg(OsStr::from_bytes(b"\xffx"))
        .args("type vxlan id 8 dev u0 local 192.0.2.1 dstport 8473".split(' '))
        .status();
    assert!(added.unwrap().success());
    watch.until("a note about it", |value| {
        let notes = value["notes"].as_array().unwrap();
        notes.iter().any(|note| note.as_str().unwrap().contains("not valid UTF-8")).then_some(())
    });
}

fn rename_bytes(pair: &Pair, from: &[u8], to: &str) {
    let status = Command::new("ip")
        .args(["-n", pair.node(1), "link", "set"])
        .arg(OsStr::from_bytes(from))
        .args(["name", to])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn error_messages_are_escaped() {
    for (netns, shown) in [("no\x1b[2Jsuch", "no\\u{1b}[2Jsuch"), ("/tmp/\x1b]0;x\x07", "\\u{1b}]0;x\\u{7}")]
    {
        let output = run(&["--netns", netns, "watch"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(is_harmless(&said) && said.contains(shown), "{said:?}");
    }
    // A file that is there and is no namespace: it gets as far as entering.
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("f\x1b[2J");
    std::fs::write(&path, "").unwrap();
    let output = Command::new(binary()).arg("--netns").arg(&path).arg("watch").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(is_harmless(&said) && said.contains("f\\u{1b}[2J"), "{said:?}");
}

#[test]
fn names_of_pods_are_escaped() {
    let lab = TestLab::up(2, 1, Family::V4);
    let address = vec!["10.42.1.77".parse().unwrap()];
    live::add_pod(lab.prefix(), 1, 7, "ns\x1b[2J", "pod\u{202e}\x07", address).unwrap();
    let arguments = ["watch", "--count", "1", "--interval", "100ms"];
    for format in ["table", "jsonl"] {
        let output = run(&[&["--netns", &lab.node(1)][..], &arguments, &["--format", format]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(is_harmless(&text), "{text:?}");
        let shown = if format == "table" { "ns\\u{1b}[2J/pod\\u{202e}\\u{7}" } else { "ns\\u001b[2J" };
        assert!(text.contains(shown), "{text:?}");
    }
}
