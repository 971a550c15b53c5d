//! What a killed run leaves, and who may remove it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use nix::sys::signal::Signal;
use overlay_probe::{
    lab::send,
    leftovers::{DIRECTORY, RunDirectory, RunRecord},
    procfs,
};
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, filters, has_clsact},
    needs, ns,
    tool::{NOBODY, Watch, binary, entry, number, run, run_apart, with_privileges},
    wait_for,
};

use super::{
    CLSACT, ONCE, OURS_TUNNEL, OURS_UNDERLAY, age, cleanup, foreign, killed, nothing_is_left, older,
    rejuvenate, said_by_cleanup, told,
};

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
    assert_eq!(cleanup(pair.node(1)), "nothing to clean up\n");
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
    assert_eq!(cleanup(pair.node(1)), "nothing to clean up\n");
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
    assert_eq!(cleanup(pair.node(1)), "nothing to clean up\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    // Nor are those of another namespace, killed or not.
    assert_eq!(cleanup(pair.node(2)), "nothing to clean up\n");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(cleanup(pair.node(2)), "nothing to clean up\n");
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
/// What is told of filters that could be somebody's.
const UNCLAIMED: &str = "4 ovp_* filters without a run record on ";

/// What `cleanup` says of those that it leaves for their heartbeat.
const LIVES: &str = ": their run is alive, or ended less than 10 s ago\n";

#[test]
fn a_killed_run_without_its_note_is_told_and_left_to_cleanup() {
    let pair = Pair::new("knote");
    let pid = killed(&pair);
    fs::remove_file(format!("{DIRECTORY}/{pid}.json")).unwrap();
    rejuvenate(&pair);
    let said = cleanup(pair.node(1));
    assert!(said.starts_with("nothing to clean up; 4 ovp_* filters") && said.ends_with(LIVES), "{said}");
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
        assert!(said.starts_with("nothing to clean up; ") && said.ends_with(LIVES), "{said}");
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
    assert!(said.starts_with("nothing to clean up; ") && said.ends_with(LIVES), "{said}");
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
    assert_eq!(cleanup(), "nothing to clean up\n");
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
    let note = RunRecord::create(&RunDirectory::new(None), pair.open(1).identity().unwrap()).unwrap();
    let output = run(&["--netns", pair.node(1), "cleanup"]);
    let said = told(&output);
    assert!(said.contains("1 ovp_* filter without a run record on u0"), "{said}");
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
    assert!(said.starts_with("nothing to clean up; ") && said.ends_with(LIVES), "{said}");
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
    assert_eq!(said_by_cleanup(&output), "nothing to clean up\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    drop(dead);
    assert!(files.iter().all(|path| !path.exists()), "nobody's records are removed");
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}
