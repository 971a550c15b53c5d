//! `mtu` on paths whose sizes are known, since they were built with them.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use nix::sys::signal::Signal;
use overlay_probe::{
    lab::{Dataplane, Family, LabOptions, send},
    netns,
};
use probe_tests::{
    equal::{EqualPaths, LINKS},
    lab::{TestLab, TestNetns},
    measured::{measured, path, result},
    needs, ns,
    routed::Routed,
    tool::{NOBODY, binary, run, send_signal, with_privileges},
    wait_for,
};
use serde_json::{Value, json};

/// Its exit code with what it says on stderr; nothing is on stdout.
fn refused(netns: &str, more: &[&str]) -> (i32, String) {
    let output = run(&[&["--netns", netns, "mtu"], more].concat());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{more:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Echo requests that came to a node, as its kernel counts them.
fn pinged(netns: &str) -> u64 {
    let table = ns(netns, "cat /proc/self/net/snmp");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix("Icmp: "));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let at = names.split(' ').position(|name| name == "InEchos").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// What routes a node has learned.
fn learned(netns: &str) -> String {
    ns(netns, "ip route show cache") + &ns(netns, "ip -6 route show cache")
}

#[test]
fn in_a_healthy_lab_everything_fits_and_nothing_is_left() {
    let lab = TestLab::up(3, 1, Family::Dual);
    let (node, other) = (lab.node(1), lab.node(2));
    let before = pinged(&other);
    let planned = run(&["--netns", &node, "mtu", "--dry-run"]);
    assert_eq!(planned.status.code(), Some(0));
    let words = String::from_utf8(planned.stdout).unwrap();
    assert!(words.contains("Nothing was sent.") && words.contains("10.42.2.0"), "{words}");
    assert_eq!(pinged(&other), before, "a dry run sends");

    let (code, document) = measured(&node, &[]);
    assert_eq!((code, &document["verdict"]), (0, &json!("ok")), "{document}");
    let paths = document["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 8, "two nodes, both families, below and through the tunnel");
    for number in [2, 3] {
        for (address, mtu) in [
            (format!("172.31.77.{number}"), 1500),
            (format!("fd77::{number}"), 1500),
            (format!("10.42.{number}.0"), lab.lab.options.v4_tunnel_mtu()),
            (format!("fd00:42:0:{number}::"), lab.lab.options.v6_tunnel_mtu()),
        ] {
            assert_eq!(result(&document, &address), json!(["fits", mtu, mtu]), "{address}");
            assert_eq!(path(&document, &address)["reverse"], "same-size", "{address}");
        }
    }
    let sent = document["sent"].as_u64().unwrap();
    assert!(pinged(&other) > before && sent >= 8, "{document}");
    assert_eq!(learned(&node) + &learned(&other), "");

    // One node by its address, a pod, and both at once.
    let pod = lab.address(2, 1, false).to_string();
    let (code, document) = measured(&node, &["172.31.77.3", &pod]);
    let addresses: Vec<&Value> =
        document["paths"].as_array().unwrap().iter().map(|path| &path["address"]).collect();
    assert_eq!(
        (code, addresses.contains(&&json!(pod)), addresses.contains(&&json!("172.31.77.2"))),
        (0, true, false)
    );
    let mtu = lab.lab.options.pod_mtu();
    assert_eq!(result(&document, &pod), json!(["fits", mtu, mtu]));

    let (code, said) = refused(&node, &["node9"]);
    assert_eq!(code, 3);
    assert!(said.contains("no node is called \"node9\": the nearest known: "), "{said}");
    let (code, said) = refused(&node, &["172.31.77.1"]);
    assert_eq!((code, said.contains("an address of this node")), (3, true), "{said}");
}

/// What [`hole`] lets pass: the kernel leaves room for a VLAN tag (`is_skb_forwardable`), so that four bytes more than the port's
/// MTU pass.
const PASSES: u32 = 1400;

/// A switch that drops what is too large for node 2's port, and says nothing: it is no router.
fn hole(lab: &TestLab) {
    let underlay = lab.lab.options.underlay();
    // Where the machine has br_netfilter, the bridge cuts packets like a router.
    ns(
        &underlay,
        "sysctl -q -e -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0",
    );
    ns(&underlay, &format!("ip link set node2 mtu {}", PASSES - 4));
}

/// And a node that is off, and an interface that goes away.
#[test]
fn a_black_hole_has_its_exact_size_and_who_is_off_is_unreachable() {
    let lab = TestLab::up(3, 1, Family::Dual);
    hole(&lab);
    ns(&lab.node(3), "ip link set eth0 down");
    let node = lab.node(1);
    // Two runs measure at once, and the neighbour entries that one leaves tell the other which addresses are of one node: known
    // to both before they begin.
    let other = ns(&lab.node(2), "ip -br link show eth0");
    let mac = other.split_whitespace().nth(2).unwrap();
    for address in ["172.31.77.2", "fd77::2"] {
        ns(&node, &format!("ip neigh replace {address} lladdr {mac} dev eth0"));
    }
    let ((code, document), output) = thread::scope(|scope| {
        let table =
            scope.spawn(|| run(&["--netns", &node, "mtu", "172.31.77.2", "fd77::2", "--deadline", "120s"]));
        (measured(&node, &[]), table.join().unwrap())
    });
    assert_eq!((code, &document["verdict"]), (2, &json!("fail")), "{document}");
    for (address, expected, overhead) in
        [("172.31.77.2", 1500, 0), ("fd77::2", 1500, 0), ("10.42.2.0", 1450, 50), ("fd00:42:0:2::", 1430, 70)]
    {
        assert_eq!(
            result(&document, address),
            json!(["black-hole", expected, PASSES - overhead]),
            "{address}"
        );
    }
    for address in ["172.31.77.3", "fd77::3", "10.42.3.0", "fd00:42:0:3::"] {
        let path = path(&document, address);
        assert_eq!((&path["verdict"], &path["measured"]), (&json!("unreachable"), &Value::Null), "{path}");
    }
    // At 80 columns, and it reads at once.
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.lines().all(|line| line.chars().count() <= 80), "{words}");
    let row = words.lines().nth(1).unwrap();
    assert!(row.contains("1400") && row.ends_with("black hole"), "{words}");
    // The black hole is told once, and then what it leaves in each tunnel.
    let told = words.replace("\n  ", " ");
    assert!(told.contains("! 172.31.77.2 underlay IPv4 and IPv6: packets of more than 1400"), "{words}");
    assert_eq!(told.matches("are lost silently").count(), 1, "{words}");
    let left = "! 172.31.77.2 overlay IPv4 and IPv6: the black hole between the nodes leaves 1350 of 1450 bytes inside \
                flannel.1 and 1330 of 1430 inside flannel-v6.1. Until it is mended, set their MTUs to that, and the MTU of pods to \
                1330.";
    assert!(told.contains(left), "{words}");

    // What is not answered after the device is gone says nothing of the way.
    let before = pinged(&lab.node(2));
    let child = Command::new(binary())
        .args(["--netns", &node, "mtu", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("probes", || (pinged(&lab.node(2)) > before).then_some(()));
    // It finds out nothing more before the device is gone, however long that takes.
    send_signal(&child, Signal::SIGSTOP);
    ns(&node, "ip link del eth0");
    send_signal(&child, Signal::SIGCONT);
    let output = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{document}");
    for path in document["paths"].as_array().unwrap() {
        assert_eq!(
            (&path["verdict"], &path["interrupted_by"]),
            (&json!("interrupted"), &json!("eth0")),
            "{path}"
        );
    }
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("eth0 was deleted"), "{said}");
}

/// WireGuard pads packets to 16 bytes before it adds its 60: of what the way carries, up to 15 bytes are of no use.
#[test]
fn a_black_hole_below_wireguard_has_its_exact_size() {
    needs!(Wireguard);
    let lab = TestLab::with(&LabOptions {
        nodes: 2,
        pods: 1,
        dataplane: Dataplane::Wireguard,
        family: Family::V4,
        ..LabOptions::default()
    });
    let node = lab.node(1);
    let inside = lab.lab.options.wireguard_mtu();
    let (code, document) = measured(&node, &[]);
    assert_eq!((code, result(&document, "10.42.2.0")), (0, json!(["fits", inside, inside])), "{document}");
    hole(&lab);
    let (code, document) = measured(&node, &[]);
    assert_eq!((code, result(&document, "172.31.77.2")), (2, json!(["black-hole", 1500, PASSES])));
    let most = (PASSES - 60) / 16 * 16;
    assert_eq!(result(&document, "10.42.2.0"), json!(["black-hole", inside, most]), "{document}");
}

/// What a router passes on.
const ROUTED: u32 = 1400;

/// Does the same with both, at the same time: most of it is waiting for answers that do not come.
fn with_both<T: Copy + Send + Sync>(both: [T; 2], work: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        for one in both {
            scope.spawn(move || work(one));
        }
    });
}

fn limited(mtu: u32, is_v6: bool) -> Routed {
    let routed = Routed::new(is_v6, "");
    routed.limit(mtu);
    routed
}

#[test]
fn a_router_that_says_so_is_named_and_teaches_nothing() {
    let routed = limited(ROUTED, false);
    let (code, document) = measured(routed.near.name(), &[]);
    assert_eq!((code, &document["verdict"]), (1, &json!("warn")), "{document}");
    assert_eq!(result(&document, "192.0.2.2"), json!(["too-big", 1500, ROUTED]));
    assert_eq!(path(&document, "192.0.2.2")["limited_by"], "192.0.1.254");
    // Outer packets may be cut, and are.
    assert_eq!(result(&document, "10.7.2.0"), json!(["fits", 1450, 1450]));
    assert_eq!(path(&document, "10.7.2.0")["outer_fragments"], true);
    assert_eq!(learned(routed.near.name()), "", "probes teach this node's kernel a path MTU");
    assert_eq!(document["learned"], json!([]));
}

#[test]
fn a_router_that_says_so_is_named_in_ipv6() {
    let routed = limited(ROUTED, true);
    let (code, document) = measured(routed.near.name(), &["fd99:2::2"]);
    assert!(code > 0, "{document}");
    assert_eq!(result(&document, "fd99:2::2"), json!(["too-big", 1500, ROUTED]));
    assert_eq!(path(&document, "fd99:2::2")["limited_by"], "fd99:1::254");
    // Outer packets of IPv6 are cut by nobody: 70 bytes less fit inside.
    assert_eq!(path(&document, "10.7.2.0")["measured"], ROUTED - 70, "{document}");
    // The kernel learns what it is told about ICMPv6; then the tool says so.
    let learned = document["learned"].as_array().unwrap();
    assert!(
        learned.iter().any(|row| row["destination"] == "fd99:2::2" && row["mtu"] == ROUTED),
        "{document}"
    );

    // The least that IPv6 requires of a link.
    routed.limit(1280);
    let (_, document) = measured(routed.near.name(), &[]);
    assert_eq!(result(&document, "fd99:2::2"), json!(["too-big", 1500, 1280]), "{document}");
    assert_eq!(path(&document, "10.7.2.0")["measured"], 1280 - 70, "{document}");
}

#[test]
fn a_router_that_says_nothing_is_a_black_hole() {
    with_both([false, true], |is_v6| {
        let routed = limited(ROUTED, is_v6);
        routed.silence();
        let (code, document) = measured(routed.near.name(), &[]);
        let far = routed.address(2, 2);
        assert_eq!(code, 2, "{document}");
        assert_eq!(result(&document, &far), json!(["black-hole", 1500, ROUTED]), "{document}");
        assert_eq!(path(&document, &far)["forward"], "loses", "{document}");
        let inside =
            if is_v6 { json!(["black-hole", 1430, ROUTED - 70]) } else { json!(["fits", 1450, 1450]) };
        assert_eq!(result(&document, "10.7.2.0"), inside, "{document}");
        assert_eq!((learned(routed.near.name()).as_str(), &document["learned"]), ("", &json!([])));
    });
}

/// Answers are cut on the way back: the largest piece is a multiple of eight bytes and a header.
#[test]
fn less_on_the_way_back_is_told_from_less_on_the_way_there() {
    const LARGEST: u32 = (ROUTED - 20) / 8 * 8 + 20;
    let routed = Routed::new(false, "");
    routed.limit_to(1, ROUTED);
    let (code, document) = measured(routed.near.name(), &["192.0.2.2"]);
    assert_eq!(code, 1, "{document}");
    assert_eq!(result(&document, "192.0.2.2"), json!(["fits", 1500, 1500]));
    let path = path(&document, "192.0.2.2");
    assert_eq!(
        (&path["reverse"], &path["reverse_fragment"]),
        (&json!("fragments"), &json!(LARGEST)),
        "{path}"
    );
}

/// Larger answers are lost, and larger packets are not.
#[test]
fn a_black_hole_on_the_way_back_is_told_from_one_on_the_way_there() {
    with_both([false, true], |is_v6| {
        let routed = Routed::new(is_v6, "");
        // What the far node sends and is larger, its end of the link drops: it is no router's.
        routed.router.ip(&format!("link set r2 mtu {}", ROUTED - 4));
        routed.limit_to(2, 1500);
        let far = routed.address(2, 2);
        let (code, document) = measured(routed.near.name(), &[&far]);
        assert_eq!(result(&document, &far), json!(["black-hole", 1500, ROUTED]), "{document}");
        assert_eq!((code, &path(&document, &far)["forward"]), (2, &json!("carries")), "{document}");
    });
}

/// The kernel says of IPv6 that the device has dropped it, and of IPv4 nothing.
#[test]
fn what_the_nodes_own_device_drops_is_a_black_hole() {
    with_both([false, true], |is_v6| {
        let routed = Routed::new(is_v6, "");
        routed.router.ip(&format!("link set r1 mtu {}", ROUTED - 4));
        routed.limit_to(1, 1500);
        let far = routed.address(2, 2);
        let (code, document) = measured(routed.near.name(), &[&far]);
        assert_eq!(result(&document, &far), json!(["black-hole", 1500, ROUTED]), "{document}");
        assert_eq!(code, 2);
    });
}

/// What this node's kernel once learned, and keeps to, where more fits by now.
#[test]
fn a_path_mtu_that_was_learned_and_is_wrong_is_found() {
    let routed = limited(ROUTED, false);
    let near = routed.near.name();
    // An own packet that is too large teaches it.
    let socket = send::udp_socket(&netns::open(near).unwrap(), false, 0).unwrap();
    wait_for("a learned path MTU", || {
        let _ = socket.send_to(&[0; 1472], "192.0.2.2:9");
        learned(near).contains("mtu 1400").then_some(())
    });
    let shown = run(&["--netns", near, "show", "mtu", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let rows = &shown["paths"][0]["learned"];
    assert_eq!((&rows[0]["destination"], &rows[0]["mtu"]), (&json!("192.0.2.2"), &json!(ROUTED)), "{shown}");
    assert!(rows[0]["expires_s"].is_u64(), "{shown}");
    routed.limit(1500);
    let (code, document) = measured(near, &["192.0.2.2"]);
    assert_eq!(code, 1, "{document}");
    assert_eq!(result(&document, "192.0.2.2"), json!(["fits", 1500, 1500]));
    let path = path(&document, "192.0.2.2");
    assert_eq!((&path["learned"], &path["held_to"]), (&json!(ROUTED), &json!(ROUTED)), "{path}");
    assert!(learned(near).contains("mtu 1400"), "what the kernel has learned is left alone");
}

/// Every third packet that the router forwards is lost.
#[test]
fn loss_is_told_from_size() {
    with_both([1500, ROUTED], |mtu| {
        let routed = limited(mtu, false);
        routed.silence();
        ns(routed.router.name(), "iptables -A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP");
        let (code, document) = measured(routed.near.name(), &["192.0.2.2"]);
        let verdict = if mtu == 1500 { "fits" } else { "black-hole" };
        assert_eq!(path(&document, "192.0.2.2")["verdict"], verdict, "{document}");
        assert_eq!(path(&document, "192.0.2.2")["measured"], mtu, "{document}");
        assert!(path(&document, "192.0.2.2")["fitting_lost"].as_u64().unwrap() >= 2, "{document}");
        assert_eq!(code, if mtu == 1500 { 1 } else { 2 });
    });
}

/// Flows of 64, of which a quarter takes each of four equal links: that none takes one of them happens once in a hundred million runs.
const FLOWS: [&str; 2] = ["--flows", "64"];

/// The first measurement of paths that lose nothing: while neighbours look for each other on so many links, packets are lost.
fn lossless(measured: impl Fn() -> (i32, Value)) -> Value {
    wait_for("paths that lose nothing", || {
        let (code, document) = measured();
        (code == 0).then_some(document)
    })
}

#[test]
fn one_of_four_equal_paths_that_carries_less_is_found_to_the_byte() {
    with_both([false, true], |is_v6| {
        let paths = EqualPaths::new(is_v6);
        let near = paths.routed.near.name();
        let (most, less) = if is_v6 { (1430, ROUTED - 70) } else { (1450, ROUTED - 50) };
        let far = paths.routed.address(2, 2);
        let measured = || measured(near, &[&[far.as_str()][..], &FLOWS].concat());
        let document = lossless(measured);
        assert_eq!(result(&document, "10.7.2.0"), json!(["fits", most, most]), "{document}");
        assert_eq!(result(&document, &far), json!(["fits", 1500, 1500]), "{document}");
        assert_eq!(path(&document, "10.7.2.0")["flows"], 64, "{document}");

        paths.limit_one(ROUTED);
        let (code, document) = measured();
        assert_eq!(code, 2, "{document}");
        for (address, most, less) in [("10.7.2.0", most, less), (far.as_str(), 1500, ROUTED)] {
            assert_eq!(result(&document, address), json!(["some-flows", most, less]), "{document}");
            let path = path(&document, address);
            assert_eq!((&path["flows_most"], &path["flows_dead"]), (&json!(most), &json!(0)), "{path}");
            let limited = path["flows_limited"].as_u64().unwrap();
            assert!((1..64).contains(&limited), "{path}");
        }
        if !is_v6 {
            let (found, _, document) = checked(near, &[], &[&["--probe"][..], &FLOWS].concat());
            assert_eq!(found, ["mtu-flows-differ"], "{document}");
            let evidence = document["findings"][0]["evidence"].to_string();
            assert!(evidence.contains("1500 of 1500, 1400 in "), "{document}");
        }
    });
}

#[test]
fn one_of_four_equal_paths_that_carries_nothing_is_found() {
    let paths = EqualPaths::new(false);
    let near = paths.routed.near.name();
    lossless(|| measured(near, &[&["10.7.2.0"][..], &FLOWS].concat()));
    ns(paths.exit.name(), &format!("iptables -t raw -A PREROUTING -i p{} -j DROP", LINKS - 1));
    let (code, document) = measured(near, &[&["10.7.2.0"][..], &FLOWS].concat());
    assert_eq!(result(&document, "10.7.2.0"), json!(["some-flows", 1450, 1450]), "{document}");
    let path = path(&document, "10.7.2.0");
    assert_eq!((code, &path["flows_limited"]), (2, &path["flows_dead"]), "{path}");
    assert!(path["flows_dead"].as_u64().unwrap() > 0, "{path}");
}

#[test]
fn what_keeps_it_from_measuring_is_said() {
    let empty = TestNetns::new("alone");
    let (code, said) = refused(empty.name(), &[]);
    assert_eq!((code, said.contains("nothing to measure: no other node is known")), (3, true), "{said}");
    let (code, document) = measured(empty.name(), &["192.0.2.9"]);
    assert_eq!((code, &path(&document, "192.0.2.9")["error"]), (2, &json!("no route")), "{document}");

    let routed = Routed::new(false, "");
    let output = with_privileges(routed.near.name(), &NOBODY, &["mtu", "--deadline", "120s"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("needs CAP_NET_RAW; run with sudo"), "{said}");
    // Nothing else is needed.
    let output = with_privileges(
        routed.near.name(),
        &["--bounding-set", "-all,+net_raw"],
        &["mtu", "--deadline", "120s"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Once its sockets are open, it has no capability left; and it ends when it is asked to.
#[test]
fn while_it_sends_it_has_no_privilege_and_a_signal_ends_it() {
    let routed = Routed::new(false, "");
    ns(routed.far.name(), "ip link set u0 down");
    let mut child = Command::new(binary())
        .args(["--netns", routed.near.name(), "mtu", "--deadline", "60s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    wait_for("capabilities that were given up", || {
        let status = fs::read_to_string(&status).unwrap();
        let has_none = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:\t")));
            line.is_some_and(|set| u64::from_str_radix(set.trim(), 16) == Ok(0))
        };
        (has_none("CapEff") && has_none("CapPrm")).then_some(())
    });
    send_signal(&child, Signal::SIGTERM);
    let code = wait_for("its end", || child.try_wait().unwrap());
    // It may have measured everything just before.
    assert!(matches!(code.code(), Some(2 | 3)), "{code}");
}

/// Ids of findings of `check --probe`, and of checks that were judged and found nothing.
fn checked(netns: &str, before: &[&str], probe: &[&str]) -> (Vec<Value>, Vec<Value>, Value) {
    let options = ["check", "--only", "mtu", "--window", "50ms", "--format", "json"];
    let output = with_privileges(netns, before, &[&options[..], probe].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().map(|finding| finding["id"].clone()).collect();
    (found, document["passed"].as_array().unwrap().clone(), document)
}

/// What `mtu` measures, as findings of `check --probe`.
#[test]
fn the_check_judges_by_what_is_measured() {
    const OF_PROBES: [&str; 2] = ["mtu-black-hole", "mtu-path-measured-smaller"];
    let of = |ids: &[Value]| OF_PROBES.map(|id| ids.contains(&json!(id)));
    let routed = Routed::new(false, "");
    let near = routed.near.name();
    let (found, passed, document) = checked(near, &[], &["--probe"]);
    assert_eq!((of(&found), of(&passed)), ([false; 2], [true; 2]), "{document}");

    routed.limit(ROUTED);
    let (found, _, document) = checked(near, &[], &["--probe"]);
    assert_eq!(of(&found), [false, true], "{document}");
    let summary = "Packets of up to 1400 bytes get to 192.0.2.2 in one piece; 1500 are expected.";
    let findings = document["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["summary"] == summary), "{document}");
    assert_eq!(learned(near), "", "probes teach this node's kernel a path MTU");

    routed.silence();
    let (found, _, document) = checked(near, &[], &["--probe"]);
    assert_eq!(of(&found), [true, false], "{document}");

    // Who may not send is told so, and the other checks are judged all the same.
    let (found, passed, document) = checked(near, &["--bounding-set", "-all"], &["--probe"]);
    let not_judged = document["not_judged"].to_string();
    assert_eq!((of(&found), of(&passed)), ([false; 2], [false; 2]), "{document}");
    assert!(not_judged.contains("CAP_NET_RAW") && !passed.is_empty(), "{document}");
}
