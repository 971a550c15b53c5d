//! The terminal UI in a real terminal: it draws, obeys keys, and gives the terminal back on every way out.

use std::{fs, path::Path, process::Command};

use overlay_probe::lab::{Dataplane, Family};
use probe_tests::{checked::Node, lab::TestLab, sh, terminal::Terminal, tool::binary, wait_for};

#[test]
fn every_tab_is_drawn_and_q_gives_the_terminal_back() {
    let lab = TestLab::up(2, 1, Family::V4);
    let command = format!("{} --netns {} top", binary().display(), lab.node(1));
    let echoes = || sh("ip", &["netns", "exec", &lab.node(1), "nstat", "-asz", "IcmpOutEchos"]);
    let before = echoes();
    let terminal = Terminal::run("tabs", (80, 24), &command);
    terminal.wait_for("flannel.1");
    for (key, words) in [
        ("2", "VNI 1, port 8472"),
        ("3", "POD CIDRS"),
        ("4", "ADDRESSES"),
        ("5", "no NIC of this node has virtual functions"),
        ("6", "flannel.1: VXLAN over IPv4, carries IPv4"),
        ("7", "could be judged"),
        ("8", "No problem found"),
        ("9", "ovp_tunnel_tx"),
        ("?", "9 Cost: what to do"),
    ] {
        terminal.keys(&[key]);
        if key == "3" || key == "4" {
            // Titles of wide columns show in the details at this size.
            let words = words.to_lowercase();
            wait_for(&words, || terminal.screen().to_lowercase().contains(&words).then_some(()));
        } else {
            terminal.wait_for(words);
        }
    }
    terminal.keys(&["Escape"]);
    // Nothing is sent before somebody asks, and then only to the selected node.
    assert_eq!(echoes(), before);
    terminal.keys(&["3"]);
    let screen = terminal.wait_for("FDB entry");
    let (node, words) = (lab.node(1), |name: &str| {
        let line = screen.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {screen}")).trim().to_owned()
    });
    let (route, neighbour, entry) = (words("route "), words("neighbour "), words("FDB entry "));
    let to = route.split(' ').next().unwrap_or_default();
    let gateway = neighbour.split(' ').next().unwrap_or_default();
    assert!(sh("ip", &["-n", &node, "route", "show", to]).starts_with(&route), "{screen}");
    assert!(sh("ip", &["-n", &node, "neigh", "show", gateway]).starts_with(&neighbour), "{screen}");
    let entries = sh("bridge", &["-n", &node, "fdb", "show"]);
    assert!(entries.lines().any(|line| line.starts_with(&entry)), "{entry} is not among {entries}");
    terminal.keys(&["P"]);
    terminal.wait_for("2 paths: 2 good; ");
    let screen = terminal.wait_for(" overlay  4  1450     1450     fits");
    assert!(screen.contains(" underlay 4  1500     1500     fits"), "{screen}");
    assert_ne!(echoes(), before);
    // What is not answered after the device is gone says nothing of the way.
    sh("ip", &["-n", &lab.node(2), "link", "set", "eth0", "down"]);
    terminal.keys(&["P"]);
    terminal.wait_for("Measured 0 of 2 paths, trying");
    sh("ip", &["-n", &node, "link", "set", "eth0", "down"]);
    terminal.wait_for("2 paths: 2 not judged; ");
    terminal.wait_for("  interrupted");
    terminal.keys(&["1"]);
    terminal.wait_for("all tunnels");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);
}

/// What breaks is in the header and on the overview, with what to do in its tab; and a node that is well again is said to be so.
#[test]
fn what_breaks_is_on_the_screen_until_it_is_mended() {
    let node = Node::up(Dataplane::Vxlan, Family::Dual);
    let (name, root) = (node.name(), node.root());
    let command = format!("{} --netns {name} --host-root {} top", binary().display(), root.display());
    let terminal = Terminal::run("health", (100, 30), &command);
    let is_well = || terminal.wait_for(&format!("Overlay Probe {name}  OK"));
    is_well();
    for (fault, check) in [
        ("tunnels-deleted", "dataplane-missing"),
        ("tunnel-made-again", "dataplane-tunnel-unconfigured"),
        ("tunnel-down", "dataplane-tunnel-down"),
        ("nic-down", "dataplane-underlay-down"),
        ("nic-mtu-lowered", "mtu-tunnel-exceeds-underlay"),
        ("fdb-entry-missing", "peer-neighbour-without-fdb"),
        ("route-missing", "peer-fdb-without-route"),
    ] {
        node.inject(fault);
        // A fault is made step by step, and a sample may fall between two.
        let words = [format!(" FAIL {check} "), format!("Overlay Probe {name}  FAIL 1 ")];
        wait_for(&format!("{fault}: {check} alone"), || {
            let screen = terminal.screen();
            words.iter().all(|words| screen.contains(words)).then_some(())
        });
        node.undo();
        is_well();
    }
    // Files are read again now and then, and when somebody asks.
    for (is_broken, words) in [(true, " FAIL cni-file-broken "), (false, "  OK")] {
        if is_broken {
            node.inject("cni-file-broken");
        } else {
            node.undo();
        }
        terminal.keys(&["r"]);
        terminal.wait_for(words);
    }
    is_well();
    node.inject("fdb-entry-missing");
    terminal.keys(&["7"]);
    let screen = terminal.wait_for("check --explain peer-neighbour-without-fdb");
    assert!(screen.contains("      fix    Restart the CNI's agent on this node"), "{screen}");
    terminal.keys(&["e"]);
    terminal.wait_for("      how    ");
    // What is copied is what the terminal gets, here tmux for its buffer.
    node.undo();
    is_well();
    node.inject("tunnel-down");
    terminal.tmux(&["set-option", "-s", "set-clipboard", "on"]);
    terminal.wait_for("FAIL dataplane-tunnel-down");
    terminal.keys(&["y"]);
    let command = "ip link set flannel.1 up";
    terminal.wait_for(&format!("given to the terminal's clipboard: {command}"));
    let copied = || String::from_utf8(terminal.tmux(&["show-buffer"]).stdout).unwrap();
    wait_for("the copy", || copied().starts_with(command).then_some(()));
    assert!(!copied().contains(char::is_control), "nothing that is pasted runs before Enter: {:?}", copied());
    terminal.keys(&["8"]);
    terminal.wait_for("changed  tunnel flannel.1: set down");
    let screen = terminal.wait_for("cleared  peer-neighbour-without-fdb after");
    assert!(screen.contains("FAIL     dataplane-tunnel-down: "), "{screen}");
    terminal.keys(&["r"]);
    terminal.wait_for("files are read again");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);
}

#[test]
fn a_pod_shows_its_secondary_network() {
    let lab = TestLab::up(2, 2, Family::V4);
    let (node, pod) = (lab.node(1), lab.lab.options.pod(1, 2));
    sh("ip", &["-n", &node, "link", "add", "mv0", "link", "eth0", "type", "macvlan"]);
    sh("ip", &["-n", &node, "link", "set", "mv0", "netns", &pod, "name", "net1"]);
    sh("ip", &["-n", &pod, "addr", "add", "192.0.2.9/24", "dev", "net1"]);
    sh("ip", &["-n", &pod, "link", "set", "net1", "up"]);
    let terminal = Terminal::run("net1", (80, 24), &format!("{} --netns {node} top", binary().display()));
    terminal.wait_for("flannel.1");
    terminal.keys(&["4"]);
    // Only that pod is left, wherever it was among the others.
    terminal.keys(&["/", "1", "9", "2", ".", "0", ".", "2", ".", "9", "Enter"]);
    terminal.wait_for("secondary   net1: macvlan on eth0, MTU 1500, network -, 192.0.2.9/24;");
    terminal.keys(&["q"]);
    terminal.assert_given_back(0);
}

/// Whether the first process is the other's parent.
fn started_by(parent: &str, pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line == format!("PPid:\t{parent}"))
}

#[test]
fn a_resize_redraws_and_signals_give_the_terminal_back() {
    let lab = TestLab::up(2, 1, Family::V4);
    for (signal, name) in [("INT", "int"), ("TERM", "term"), ("HUP", "hup")] {
        let command = format!("{} --netns {} top", binary().display(), lab.node(1));
        let terminal = Terminal::run(name, (80, 24), &command);
        terminal.wait_for("flannel.1");
        terminal.tmux(&["resize-window", "-x", "130", "-y", "40"]);
        // The column that is there only when there is room.
        terminal.wait_for("KIND");
        let pattern = format!("overlay-probe --netns {} top", lab.node(1));
        let pids = Command::new("pgrep").args(["-f", "-x", &format!(".*{pattern}")]).output().unwrap();
        let pids = String::from_utf8(pids.stdout).unwrap();
        // The last that none of them has started: the process that enters namespaces has the same words.
        let is_started_by_one = |pid: &&str| pids.lines().any(|other| started_by(other, pid));
        let pid = pids.lines().rev().find(|pid| !is_started_by_one(pid)).unwrap();
        assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
        terminal.assert_given_back(0);
    }
}

#[test]
fn a_pause_a_filter_and_ctrl_c() {
    let lab = TestLab::up(2, 1, Family::V4);
    let command = format!("{} --netns {} top", binary().display(), lab.node(1));
    let terminal = Terminal::run("pause", (80, 24), &command);
    terminal.wait_for("flannel.1");
    terminal.keys(&["p"]);
    terminal.wait_for("PAUSED");
    terminal.keys(&["p"]);
    wait_for("the pause to end", || (!terminal.screen().contains("PAUSED")).then_some(()));
    // An earlier sample, as soon as there is one, and now again.
    wait_for("an earlier sample", || {
        terminal.keys(&[","]);
        terminal.screen().contains("BACK at").then_some(())
    });
    terminal.keys(&["Escape"]);
    wait_for("now to come back", || (!terminal.screen().contains("BACK at")).then_some(()));
    // Typing a filter takes keys that mean something elsewhere.
    terminal.keys(&["/", "q", "u", "i", "t", "Enter"]);
    terminal.wait_for("no row matches the filter");
    terminal.keys(&["Escape"]);
    terminal.wait_for("flannel.1");
    terminal.keys(&["C-c"]);
    terminal.assert_given_back(0);
}

/// The demo is a node that is well, then one with an incident that the checks find, and well again after the key that it names.
#[test]
fn the_demo_breaks_is_repaired_and_leaves_nothing_when_it_is_killed() {
    let command = format!("{} demo --incident-after 10s", binary().display());
    let terminal = Terminal::run("demo", (100, 30), &command);
    terminal.wait_for("Overlay Probe demo: ovp-node1  OK");
    terminal.wait_for("Soon something will break");
    terminal.wait_for("FAIL mtu-tunnel-exceeds-underlay");
    terminal.wait_for("R to repair it");
    terminal.keys(&["R"]);
    terminal.wait_for("eth0 has its MTU back");
    terminal.wait_for("Overlay Probe demo: ovp-node1  OK");
    // The last that none of them has started: the process that enters namespaces has the same words.
    let output = Command::new("pgrep").args(["-f", "-x", &format!(".*{command}")]).output().unwrap();
    let pids = String::from_utf8(output.stdout).unwrap();
    let pid = pids.lines().rev().find(|pid| !pids.lines().any(|other| started_by(other, pid))).unwrap();
    assert!(Command::new("kill").args(["-s", "KILL", pid]).status().unwrap().success());
    // The cursor is where the last picture left it: what is said next may go over the end of a line.
    let has_ended = || terminal.screen().replace('\n', "").contains("ended with 137").then_some(());
    wait_for("the demo to end", has_ended);
    assert!(!Path::new("/run/overlay-probe-demo").exists(), "its files are in a /run of its own");
    assert!(!overlay_probe::netns::list().iter().any(|name| name.starts_with("ovp-node")));
}
