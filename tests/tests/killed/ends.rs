//! Runs that are asked to end, at any moment: nothing is left, and nothing waits.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use overlay_probe::lab::send;
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, filters, has_clsact},
    needs::ways,
    ns,
    raw::{self, frame},
    sh,
    tool::{INTERVAL, Watch, binary, entry, number, run, send_signal},
    wait_for,
};
use serde_json::Value;

use super::{CLSACT, ONCE, nothing_is_left, told};

#[test]
fn an_asked_for_end_leaves_nothing_and_is_no_failure() {
    let pair = Pair::new("asked");
    for attach in ways() {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
            let held = Held::by(watch.pid());
            assert!(held.programs.len() >= 4, "{held:?}");
            assert_eq!(held.links.is_empty(), attach == "clsact", "{held:?}");
            assert_eq!(has_clsact(pair.node(1), TUNNEL), attach == "clsact");
            assert_eq!(watch.end(signal), Some(0), "{attach} {signal}");
            nothing_is_left(&held);
            for interface in [TUNNEL, "u0"] {
                assert!(!has_clsact(pair.node(1), interface), "{attach} {signal} {interface}");
            }
        }
    }
}

/// Counters that stand still since nobody counts must not look like silence.
#[test]
fn a_run_whose_filters_were_taken_says_so() {
    let pair = Pair::new("taken");
    if ways().contains(&"tcx") {
        let watch = Watch::start_with(pair.node(1), &["--attach", "tcx"]);
        let link = *Held::by(watch.pid()).links.first().unwrap();
        sh("bpftool", &["link", "detach", "id", &link.to_string()]);
        watch.until("a word about it", |value| {
            value["notes"]
                .to_string()
                .contains("another program removed this run's programs from")
                .then_some(())
        });
        let links = sh("bpftool", &["-j", "link", "show"]);
        let links: Vec<Value> = serde_json::from_str(&links).unwrap();
        let held = Held::by(watch.pid()).links;
        let attached = |id: &u64| links.iter().any(|link| link["id"] == *id && link["ifindex"] != 0);
        assert!(held.len() == 4 && !held.contains(&link) && held.iter().all(attached), "{held:?}: {links:?}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let rate =
        |value: &Value| entry(value, "tunnels", &[("name", TUNNEL)]).unwrap()["tx"]["packets_per_s"].clone();
    watch.until("a rate", |value| rate(value).is_number().then_some(()));
    // One of the two on the tunnel, and all below it.
    ns(pair.node(1), &format!("tc filter del dev {TUNNEL} ingress"));
    ns(pair.node(1), "tc qdisc del dev u0 clsact");
    // A look may fall between the two commands: then each is told by itself.
    let mut told = BTreeSet::new();
    watch.until("a word about both", |value| {
        let notes = value["notes"].to_string();
        if notes.contains("another program removed this run's programs from") {
            assert!(rate(value).is_null(), "{value}");
            told.extend([TUNNEL, "u0"].into_iter().filter(|interface| notes.contains(interface)));
        }
        (told.len() == 2).then_some(())
    });
    assert_eq!([TUNNEL, "u0"].map(|interface| filters(pair.node(1), interface).len()), [2, 2]);
    let before = watch.next();
    let sent = |value: &Value| number(entry(value, "tunnels", &[("name", TUNNEL)]).unwrap(), "tx", "packets");
    assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), 10, 100).unwrap(), 10);
    watch.until("packets", |value| (sent(value) >= sent(&before) + 10).then_some(()));
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
}

/// More packets than are sent here.
const EXPLAINED: u64 = 100_000;

/// A start of `watch` with clsact filters whose stdout is `stdout`.
fn started(pair: &Pair, stdout: Stdio, more: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(["--netns", pair.node(1), "watch", "--format", "jsonl", "--interval", "50ms"]).args(CLSACT);
    command.args(more);
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a thread of the tool waits in a write to stdout. `syscall` tells it on every kernel; `wchan` does not before
/// Linux 5.16, where kernels without frame pointers have none.
fn until_it_waits_for_a_reader(child: &Child) {
    let writes = format!("{} {:#x} ", libc::SYS_write, libc::STDOUT_FILENO);
    wait_for("a write that waits", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).ok()?.flatten();
        let waits =
            |path: PathBuf| fs::read_to_string(path.join("syscall")).is_ok_and(|at| at.starts_with(&writes));
        tasks.into_iter().any(|task| waits(task.path())).then_some(())
    });
}

#[test]
fn an_end_while_attaching_leaves_nothing() {
    const ROUNDS: usize = 8;
    let pair = Pair::new("early");
    let mut seen = 0;
    for round in 0..ROUNDS {
        let mut child = started(&pair, Stdio::null(), &[]);
        // The first filter of several: the rest is still to come, or has just come.
        let first = wait_for("the first filter", || {
            let filters = filters(pair.node(1), "u0").len();
            (filters > 0).then_some(filters)
        });
        seen += usize::from(first < 2);
        let with = [Signal::SIGTERM, Signal::SIGQUIT][round % 2];
        send_signal(&child, with);
        let status = wait_for("watch to end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{with}: {status}");
        for interface in [TUNNEL, "u0"] {
            assert!(!has_clsact(pair.node(1), interface), "{with}: {interface}");
        }
    }
    // On a machine that attaches all of them at once the test sees less, and that is not wrong.
    println!("{seen} of {ROUNDS} ended between the first filter of the underlay and the last");
}

#[test]
fn an_end_is_an_end_while_nobody_reads() {
    let pair = Pair::new("stuck");
    let (reader, writer) = std::io::pipe().unwrap();
    // Full before the first line: every write waits.
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while (&writer).write(&[b' '; 4096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut child = started(&pair, writer.into(), &[]);
    until_it_waits_for_a_reader(&child);
    send_signal(&child, Signal::SIGTERM);
    let status = wait_for("watch to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{status}");
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
    drop(reader);
}

/// Bytes that the least of pipes holds (pipe(7)), and fewer than any line of JSON has.
const PIPE: usize = 4096;
const SHORTEST_LINE: usize = 1024;

/// A reader that was late gets new numbers, is told of the lines that it missed, and has the packets that they explained.
#[test]
fn a_late_reader_is_told_what_it_missed() {
    let pair = Pair::new("late");
    let (reader, writer) = std::io::pipe().unwrap();
    // Full after a few lines, and again soon when it was emptied.
    assert_eq!(
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(i32::try_from(PIPE).unwrap())).unwrap().unsigned_abs() as usize,
        PIPE
    );
    let mut child = started(&pair, writer.into(), &["--explain-other", &EXPLAINED.to_string()]);
    let mut lines = BufReader::new(reader).lines().map(|line| line.unwrap());
    let mut pause = INTERVAL;
    let mut described = 0;
    let told = wait_for("a line that says so", || {
        until_it_waits_for_a_reader(&child);
        // One line waits behind it. How soon one more is due depends on the machine.
        for _ in 0..4 {
            raw::send(pair.node(1), TUNNEL, &[frame([0xff; 6], [0x0a, 0, 0, 0, 0, 1], 0x0806, &[0; 28])]);
            thread::sleep(pause / 4);
        }
        pause *= 2;
        // What is in the pipe, what waited, and the first after that.
        lines.by_ref().take(PIPE / SHORTEST_LINE + 3).find_map(|line| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let explained = &line["explained"];
            described += explained["packets"].as_array().unwrap().len() as u64;
            assert_eq!(described + explained["left"].as_u64().unwrap(), EXPLAINED, "{explained}");
            let notes = line["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
            notes.into_iter().find(|note| note.contains("dropped before this one")).map(str::to_owned)
        })
    });
    assert!(told.ends_with("the reader of stdout is too slow"), "{told}");
    assert!(described > 0);
    send_signal(&child, Signal::SIGTERM);
    wait_for("watch to end", || child.try_wait().unwrap());
}

#[test]
fn a_ready_file_follows_no_link_and_waits_for_no_pipe() {
    let pair = Pair::new("ready");
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("victim"), "victim").unwrap();
    std::os::unix::fs::symlink(at("victim"), at("link")).unwrap();
    mkfifo(&at("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let with = |path: &Path| {
        let ready = ["--ready-file", path.to_str().unwrap()];
        run(&[&["--netns", pair.node(1)], &ONCE[..], &ready].concat())
    };
    let output = with(&at("link"));
    assert_eq!(told(&output), "");
    let text: Value = serde_json::from_slice(&fs::read(at("link")).unwrap()).unwrap();
    assert_eq!(text["attach"], "clsact");
    let output = with(&at("pipe"));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is a pipe, not a file"), "{output:?}");
    assert_eq!(fs::read(at("victim")).unwrap(), b"victim");
    let output = with(&at("missing/ready"));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "no temporary file is left");
}
