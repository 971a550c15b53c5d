//! How it ends: by a signal that it can answer, and by one that it cannot. Foreign filters are never touched.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use overlay_probe::{
    ebpf::{Heart, Limits, test_run::Bench},
    inventory::Inventory,
    lab::send,
    leftovers::{DIRECTORY, Notes, RunRecord},
    procfs,
};
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, filter_programs, filters, has_clsact},
    needs,
    needs::ways,
    ns, sh,
    tool::{INTERVAL, NOBODY, Watch, binary, entry, number, run, run_apart, with_privileges},
    wait_for,
};
use serde_json::Value;

const OURS_TUNNEL: [&str; 2] = ["ovp_tunnel_rx", "ovp_tunnel_tx"];
const OURS_UNDERLAY: [&str; 2] = ["ovp_underlay_rx", "ovp_underlay_tx"];
const CLSACT: [&str; 2] = ["--attach", "clsact"];

fn nothing_is_left(held: &Held) {
    // The kernel frees programs when their last user is gone, a little later.
    wait_for("programs and links to go", || (held.left() == Held::default()).then_some(()));
}

/// A filter of somebody else, on a qdisc of somebody else.
fn foreign(pair: &Pair, interface: &str) {
    ns(pair.node(1), &format!("tc qdisc add dev {interface} clsact"));
    ns(pair.node(1), &format!("tc filter add dev {interface} ingress pref 100 u32 match u32 0 0 flowid 1:1"));
}

fn cleanup(netns: &str) -> String {
    said_by_cleanup(&run(&["--netns", netns, "cleanup"]))
}

fn said_by_cleanup(output: &Output) -> String {
    let [said, told] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert_eq!((output.status.code(), &*told), (Some(0), ""));
    said.into_owned()
}

/// Makes the heartbeats of filters on [`TUNNEL`] and `u0` as old as those of a run that ended long ago.
fn age(pair: &Pair) {
    let long_ago = procfs::node_monotonic().checked_sub(Duration::from_secs(11)).unwrap();
    for interface in [TUNNEL, "u0"] {
        for program in filter_programs(pair.node(1), interface) {
            let mut heart = Heart::of_program(program).unwrap().unwrap();
            heart.set(long_ago, INTERVAL).unwrap();
        }
    }
}

/// Puts on an interface what a killed run of an older version leaves: a filter of our name, without a heartbeat.
fn older(pair: &Pair, interface: &str) {
    // Whose programs this process holds is known while one test only loads some.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _bench = Bench::load(&Inventory::default(), Limits { pods: 1, peers: 1 }).unwrap();
    let program = *Held::by(std::process::id()).programs.first().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let steps = format!(
        "mount -t bpf bpf {at} && bpftool prog pin id {program} {at}/ovp_older && \
         tc filter add dev {interface} ingress pref 9 bpf direct-action object-pinned {at}/ovp_older"
    );
    let netns = format!("--net=/run/netns/{}", pair.node(1));
    sh("nsenter", &[&netns, "unshare", "--mount", "sh", "-c", &steps]);
    let names = filters(pair.node(1), interface);
    assert!(names.iter().any(|name| name.starts_with("ovp_older")), "{names:?}");
}

/// A `watch` with clsact filters on [`TUNNEL`] and `u0`, killed. Its process id.
fn killed(pair: &Pair) -> u32 {
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let pid = watch.pid();
    assert_eq!(watch.end(Signal::SIGKILL), None);
    pid
}

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
                .contains("somebody removed the programs of this run from")
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
    watch.until("a word about it", |value| {
        let notes = value["notes"].to_string();
        let is_said = notes.contains("somebody removed the programs of this run from");
        assert!(!is_said || (notes.contains(TUNNEL) && notes.contains("u0")), "{notes}");
        assert!(!is_said || rate(value).is_null(), "{value}");
        is_said.then_some(())
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

/// A start of `watch` with clsact filters whose stdout is `stdout`.
fn started(pair: &Pair, stdout: Stdio) -> Child {
    let mut command = Command::new(binary());
    command.args(["--netns", pair.node(1), "watch", "--format", "jsonl", "--interval", "50ms"]).args(CLSACT);
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

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn an_end_while_attaching_leaves_nothing() {
    let pair = Pair::new("early");
    let mut seen = 0;
    for round in 0..20 {
        let mut child = started(&pair, Stdio::null());
        // The first filter of several: the rest is still to come, or has just come.
        wait_for("the first filter", || {
            let filters = filters(pair.node(1), TUNNEL).len() + filters(pair.node(1), "u0").len();
            (filters > 0).then(|| seen += usize::from(filters < 4))
        });
        let with = [Signal::SIGTERM, Signal::SIGQUIT][round % 2];
        signal(&child, with);
        let status = wait_for("watch to end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{with}: {status}");
        for interface in [TUNNEL, "u0"] {
            assert!(!has_clsact(pair.node(1), interface), "{with}: {interface}");
        }
    }
    // On a machine that attaches all of them at once the test sees less, and that is not wrong.
    println!("{seen} of 20 ended between the first filter and the last");
}

#[test]
fn an_end_is_an_end_while_nobody_reads() {
    let pair = Pair::new("stuck");
    let (reader, writer) = std::io::pipe().unwrap();
    // Full before the first line: every write waits.
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while (&writer).write(&[b' '; 4096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut child = started(&pair, writer.into());
    until_it_waits_for_a_reader(&child);
    signal(&child, Signal::SIGTERM);
    let status = wait_for("watch to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{status}");
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
    drop(reader);
}

/// Bytes that a pipe holds (pipe(7)), and fewer than any line of JSON has.
const PIPE: usize = 65_536;
const SHORTEST_LINE: usize = 1024;

/// A reader that was late gets new numbers, and is told of the lines that it missed.
#[test]
fn a_late_reader_is_told_what_it_missed() {
    let pair = Pair::new("late");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = started(&pair, writer.into());
    let mut lines = BufReader::new(reader).lines().map(|line| line.unwrap());
    let mut pause = INTERVAL;
    let told = wait_for("a line that says so", || {
        until_it_waits_for_a_reader(&child);
        // One line waits behind it. How soon one more is due depends on the machine.
        thread::sleep(pause);
        pause *= 2;
        // What is in the pipe, what waited, and the first after that.
        lines.by_ref().take(PIPE / SHORTEST_LINE + 3).find_map(|line| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let notes = line["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
            notes.into_iter().find(|note| note.contains("left out before this one")).map(str::to_owned)
        })
    });
    assert!(told.ends_with("as the reader of stdout was late"), "{told}");
    signal(&child, Signal::SIGTERM);
    wait_for("watch to end", || child.try_wait().unwrap());
}

#[test]
fn killed_with_tcx_nothing_is_left() {
    needs!(Tcx);
    let pair = Pair::new("ktcx");
    let watch = Watch::start_with(pair.node(1), &["--attach", "tcx"]);
    let held = Held::by(watch.pid());
    assert_eq!((held.programs.len() >= 4, held.links.len()), (true, 4), "{held:?}");
    assert_eq!(held.left(), held, "all of it is there while it runs");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    nothing_is_left(&held);
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
}

#[test]
fn killed_with_clsact_cleanup_removes_what_is_left() {
    let pair = Pair::new("kcls");
    killed(&pair);
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "this is what cleanup is for");
    assert_eq!(filters(pair.node(1), "u0"), OURS_UNDERLAY);
    assert_eq!(cleanup(pair.node(1)), "removed 6 filters and qdiscs\n");
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "the qdisc that the killed run made");
    }
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
}

#[test]
fn killed_with_clsact_the_next_start_removes_what_is_left() {
    let pair = Pair::new("knext");
    killed(&pair);
    // Each program is there once when that start attaches the same way again.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    assert!(!has_clsact(pair.node(1), TUNNEL));
}

#[test]
fn killed_with_clsact_a_start_with_tcx_removes_what_is_left() {
    needs!(Tcx);
    let pair = Pair::new("kother");
    killed(&pair);
    let watch = Watch::start_with(pair.node(1), &["--attach", "tcx"]);
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), Vec::<String>::new());
        assert!(!has_clsact(pair.node(1), interface));
    }
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_foreign_filter_and_its_qdisc_stay() {
    let pair = Pair::new("alien");
    foreign(&pair, TUNNEL);
    // On the underlay the qdisc is ours, and somebody else comes to use it.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let late = "tc filter add dev u0 egress pref 100 u32 match u32 0 0 flowid 1:1";
    ns(pair.node(1), late);
    assert_eq!(filters(pair.node(1), TUNNEL), ["ovp_tunnel_rx", "ovp_tunnel_tx", "u32"]);
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(filters(pair.node(1), "u0"), ["ovp_underlay_rx", "ovp_underlay_tx", "u32"]);
    assert_eq!(cleanup(pair.node(1)), "removed 4 filters and qdiscs\n");
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), ["u32"], "{interface}");
    }
    // The orderly end spares them too.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), ["u32"], "{interface}");
    }
}

#[test]
fn a_foreign_qdisc_without_filters_stays() {
    let pair = Pair::new("empty");
    ns(pair.node(1), &format!("tc qdisc add dev {TUNNEL} clsact"));
    killed(&pair);
    assert_eq!(cleanup(pair.node(1)), "removed 5 filters and qdiscs\n");
    assert!(has_clsact(pair.node(1), TUNNEL), "it was there before us");
    assert!(!has_clsact(pair.node(1), "u0"));
}

#[test]
fn the_filters_of_a_living_run_are_not_leftovers() {
    let pair = Pair::new("alive");
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    // Nor are those of another namespace, killed or not.
    assert_eq!(cleanup(pair.node(2)), "nothing was left behind\n");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(cleanup(pair.node(2)), "nothing was left behind\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(cleanup(pair.node(1)), "removed 6 filters and qdiscs\n");
}

#[test]
fn of_two_runs_the_last_removes_the_qdisc_that_the_first_made() {
    let pair = Pair::new("klast");
    let first = Watch::start_with(pair.node(1), &CLSACT);
    let second = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(first.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface).len(), 2, "the second still counts on {interface}");
    }
    assert_eq!(second.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
}

/// One interval of a `watch` with clsact filters: what it says on stderr.
const ONCE: [&str; 7] = ["watch", "--attach", "clsact", "--interval", "200ms", "--count", "1"];

fn told(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    str::from_utf8(&output.stderr).unwrap().trim()
}

/// What is told of filters that could be somebody's.
const UNCLAIMED: &str = "4 filters named like ours that no note claims are on ";

/// What `cleanup` says of those that it leaves for their heartbeat.
const LIVES: &str = ": their run lives, or ended less than 10 s ago\n";

#[test]
fn a_killed_run_without_its_note_is_told_and_left_to_cleanup() {
    let pair = Pair::new("knote");
    let pid = killed(&pair);
    fs::remove_file(format!("{DIRECTORY}/{pid}.json")).unwrap();
    let said = cleanup(pair.node(1));
    assert!(said.starts_with("nothing was left behind; 4 filters") && said.ends_with(LIVES), "{said}");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "nobody can tell yet that it was killed");
    age(&pair);
    let output = run(&[&["--netns", pair.node(1)], &ONCE[..]].concat());
    let said = told(&output);
    assert!(said.contains(UNCLAIMED) && said.contains("`overlay-probe cleanup` removes"), "{said}");
    assert!(said.contains(TUNNEL) && said.contains("u0") && said.lines().count() == 1, "{said}");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(filters(pair.node(1), "u0"), OURS_UNDERLAY);
    assert_eq!(cleanup(pair.node(1)), "removed 4 filters and qdiscs\n", "nobody knows whose the qdiscs are");
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), Vec::<String>::new());
        assert!(has_clsact(pair.node(1), interface));
    }
}

#[test]
fn a_run_with_another_run_directory_takes_nothing_from_one_that_lives() {
    let pair = Pair::new("kapart");
    let first = Watch::start_with(pair.node(1), &CLSACT);
    let second = Watch::start_apart(pair.node(1), &CLSACT);
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface).len(), 4, "both are on {interface}");
    }
    assert_eq!(told(&run(&[&["--netns", pair.node(1)], &ONCE[..]].concat())), "", "both live");
    assert_eq!(told(&run_apart(pair.node(1), &ONCE)), "", "both live");
    // Neither has the other's note.
    for said in [cleanup(pair.node(1)), said_by_cleanup(&run_apart(pair.node(1), &["cleanup"]))] {
        assert!(said.starts_with("nothing was left behind; ") && said.ends_with(LIVES), "{said}");
    }
    assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), 40, 100).unwrap(), 40);
    for watch in [&first, &second] {
        let value = watch.settled();
        let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
        assert_eq!(number(tunnel, "tx", "packets"), 40);
        assert_eq!(tunnel["tx"]["underlay"]["packets"], 40);
    }
    assert_eq!(second.end(Signal::SIGTERM), Some(0));
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "the first's");
    assert_eq!(first.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
}

/// A container may have a clock of its own, which is behind the node's.
#[test]
fn a_run_with_another_clock_lives() {
    let pair = Pair::new("kclock");
    // No clock may be set back behind the machine's start, which in a virtual machine was just now.
    wait_for("a machine that is up long enough", || {
        (procfs::node_monotonic() > Duration::from_secs(15)).then_some(())
    });
    let clock = ["unshare", "--time", "--fork", "--kill-child", "--monotonic", "-12"];
    let watch = Watch::start_apart_in(pair.node(1), &clock, &CLSACT);
    let said = cleanup(pair.node(1));
    assert!(said.starts_with("nothing was left behind; ") && said.ends_with(LIVES), "{said}");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    drop(watch);
}

/// Of two runs without a note, the one that ended loses its filters and the one that lives keeps them.
#[test]
fn cleanup_tells_a_run_that_lives_from_one_that_ended() {
    let pair = Pair::new("kheart");
    let pid = killed(&pair);
    fs::remove_file(format!("{DIRECTORY}/{pid}.json")).unwrap();
    age(&pair);
    let living = Watch::start_apart(pair.node(1), &CLSACT);
    assert_eq!(filters(pair.node(1), TUNNEL).len(), 4);
    let said = cleanup(pair.node(1));
    assert!(said.starts_with(&format!("removed 4 filters and qdiscs; {UNCLAIMED}")), "{said}");
    assert!(said.ends_with(LIVES), "{said}");
    assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), 40, 100).unwrap(), 40);
    let value = living.settled();
    assert_eq!(number(entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap(), "tx", "packets"), 40);
    assert_eq!(living.end(Signal::SIGTERM), Some(0));
    assert_eq!(filters(pair.node(1), TUNNEL), Vec::<String>::new());
}

/// A dead run's note and the place in it, which another run's filter has taken meanwhile.
#[test]
fn a_filter_where_a_dead_one_was_is_not_the_dead_one() {
    let pair = Pair::new("kplace");
    let pid = killed(&pair);
    let note = format!("{DIRECTORY}/{pid}.json");
    let text = fs::read(&note).unwrap();
    assert_eq!(cleanup(pair.node(1)), "removed 6 filters and qdiscs\n");
    let other = Watch::start_apart(pair.node(1), &CLSACT);
    fs::write(&note, text).unwrap();
    assert_eq!(told(&run(&[&["--netns", pair.node(1)], &ONCE[..]].concat())), "");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert!(!Path::new(&note).exists());
    assert_eq!(other.end(Signal::SIGTERM), Some(0));
}

#[test]
fn notes_below_the_hosts_root_are_seen_by_all_who_have_it() {
    let pair = Pair::new("khost");
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("run")).unwrap();
    let host = ["--host-root", root.path().to_str().unwrap()];
    let notes = || fs::read_dir(root.path().join("run/overlay-probe/run")).unwrap().count();
    let cleanup = || said_by_cleanup(&run_apart(pair.node(1), &[&host[..], &["cleanup"]].concat()));

    let watch = Watch::start_apart(pair.node(1), &[&CLSACT[..], &host].concat());
    assert_eq!(notes(), 1);
    assert_eq!(cleanup(), "nothing was left behind\n");
    assert_eq!(told(&run_apart(pair.node(1), &[&host[..], &ONCE].concat())), "");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "it lives");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(notes(), 1);

    let watch = Watch::start_apart(pair.node(1), &[&CLSACT[..], &host].concat());
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "the killed run's are gone");
    assert_eq!(notes(), 1);
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(cleanup(), "removed 6 filters and qdiscs\n");
    assert_eq!(notes(), 0);
}

#[test]
fn cleanup_takes_nothing_by_name_alone_while_a_run_attaches() {
    let pair = Pair::new("kattach");
    let pid = killed(&pair);
    fs::remove_file(format!("{DIRECTORY}/{pid}.json")).unwrap();
    age(&pair);
    older(&pair, "u0");
    let note = RunRecord::create(&Notes::new(None), pair.open(1).identity().unwrap()).unwrap();
    let output = run(&["--netns", pair.node(1), "cleanup"]);
    let said = told(&output);
    assert!(said.contains("1 filter named like ours that no note claims is on u0"), "{said}");
    assert!(said.contains("a run is attaching just now"), "{said}");
    assert_eq!(output.stdout, b"removed 4 filters and qdiscs\n", "what attaches has a heartbeat already");
    assert_eq!(filters(pair.node(1), "u0").len(), 1);
    drop(note);
    assert_eq!(cleanup(pair.node(1)), "removed 1 filter or qdisc\n");
}

/// `cleanup` that could not tell whose filters there are: it removes none, and says what it could not read.
fn refuses(output: &Output, unread: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stdout)), (Some(3), ""), "{told}");
    assert!(told.contains("so none is removed") && told.contains(unread), "{told}");
}

#[test]
fn where_a_living_runs_record_cannot_be_understood_its_heartbeat_decides() {
    let pair = Pair::new("knew");
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let path = format!("{DIRECTORY}/{}.json", watch.pid());
    // As another version might write it; into the file that the run holds.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"places\"", "\"filters\"")).unwrap();
    let output = run(&["--netns", pair.node(1), "cleanup"]);
    assert!(told(&output).contains(&path), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("nothing was left behind; ") && said.ends_with(LIVES), "{said}");
    // A start goes on, and takes nothing either.
    let output = run(&[&["--netns", pair.node(1)], &ONCE[..]].concat());
    assert!(told(&output).contains(&path), "{output:?}");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    // One without a heartbeat may be that run's.
    older(&pair, "u0");
    refuses(&run(&["--netns", pair.node(1), "cleanup"]), &path);
    assert_eq!(filters(pair.node(1), "u0").len(), 3);
    fs::write(&path, text).unwrap();
    assert_eq!(cleanup(pair.node(1)), "removed 1 filter or qdisc\n");
    assert_eq!(filters(pair.node(1), "u0"), OURS_UNDERLAY);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn others_than_root_neither_list_nor_lock_records_and_need_the_heartbeats_to_clean_up() {
    let with = |capabilities: &'static str| ["--inh-caps", capabilities, "--ambient-caps", capabilities];
    let pair = Pair::new("kmode");
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let path = format!("{DIRECTORY}/{}.json", watch.pid());
    for command in [["ls", DIRECTORY], ["cat", &path]] {
        let output = Command::new("setpriv").args(NOBODY).args(command).output().unwrap();
        assert!(!output.status.success(), "{command:?}: {output:?}");
    }
    let capable = [&NOBODY[..], &with("+net_admin")].concat();
    let output = with_privileges(pair.node(1), &capable, &["cleanup"]);
    refuses(&output, "cannot read the heartbeat of program ");
    refuses(&output, "needs CAP_SYS_ADMIN");
    let capable = [&NOBODY[..], &with("+net_admin,+sys_admin")].concat();
    let output = with_privileges(pair.node(1), &capable, &["cleanup"]);
    assert!(told(&output).contains(DIRECTORY), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(LIVES), "{output:?}");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(filters(pair.node(1), "u0"), OURS_UNDERLAY);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn more_records_than_a_process_may_open_files_are_read() {
    let pair = Pair::new("kmany");
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let dead = tempfile::Builder::new().prefix("many").tempdir_in(DIRECTORY).unwrap();
    let files: Vec<PathBuf> =
        (0..300).map(|number| Path::new(DIRECTORY).join(format!("many{number}.json"))).collect();
    for path in &files {
        fs::write(path, "{}").unwrap();
    }
    let limited = format!("ulimit -n 64; exec {} --netns {} cleanup", binary().display(), pair.node(1));
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    assert_eq!(said_by_cleanup(&output), "nothing was left behind\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    drop(dead);
    assert!(files.iter().all(|path| !path.exists()), "nobody's records are removed");
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_ready_file_follows_no_link_and_waits_for_no_pipe() {
    let pair = Pair::new("ready");
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("victim"), "victim").unwrap();
    std::os::unix::fs::symlink(at("victim"), at("link")).unwrap();
    mkfifo(&at("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    for name in ["link", "pipe"] {
        let path = at(name);
        let ready = ["--ready-file", path.to_str().unwrap()];
        let output = run(&[&["--netns", pair.node(1)], &ONCE[..], &ready].concat());
        assert_eq!(told(&output), "", "{name}");
        let text: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(text["attach"], "clsact", "{name}");
    }
    assert_eq!(fs::read(at("victim")).unwrap(), b"victim");
    let missing = at("missing/ready");
    let ready = ["--ready-file", missing.to_str().unwrap()];
    let output = run(&[&["--netns", pair.node(1)], &ONCE[..], &ready].concat());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "no temporary file is left");
}
