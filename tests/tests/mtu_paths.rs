//! `mtu` on paths that lose packets, lie, answer twice or answer small pings only; and probes that go on (`mtu --watch`,
//! `watch --probe-peers`). What a path carries is known, since it was built so.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use nix::sys::signal::Signal;
use probe_tests::{
    Patience,
    liar::{Liar, lies, repeats},
    measured::{measured, path, result},
    ns,
    routed::Routed,
    tool::{Watch, binary, run, send_signal},
    wait_for,
};
use serde_json::{Value, json};

/// What the router passes on where it is limited.
const ROUTED: u32 = 1400;

/// Does the same with both families, at the same time: most of it is waiting for answers that do not come.
fn with_both(work: impl Fn(bool) + Sync) {
    thread::scope(|scope| {
        for is_v6 in [false, true] {
            let work = &work;
            scope.spawn(move || work(is_v6));
        }
    });
}

/// Names of packet filters' programs and protocols.
fn words(is_v6: bool) -> (&'static str, &'static str, &'static str) {
    if is_v6 {
        ("ip6tables", "ipv6-icmp", "--icmpv6-type echo-request")
    } else {
        ("iptables", "icmp", "--icmp-type echo-request")
    }
}

/// All links carry 9000 bytes, and further addresses of the far node may be treated otherwise.
fn jumbo(is_v6: bool, more: &[u8]) -> Routed {
    let routed = Routed::new(is_v6, "");
    for (node, device) in
        [(&routed.near, "u0"), (&routed.router, "r1"), (&routed.router, "r2"), (&routed.far, "u0")]
    {
        node.ip(&format!("link set {device} mtu 9000"));
    }
    let (length, nodad) = if is_v6 { (64, " nodad") } else { (24, "") };
    for host in more {
        routed.far.ip(&format!("addr add {}/{length} dev u0{nodad}", routed.address(2, *host)));
    }
    routed
}

/// A jumbo path with one hop of 1500 bytes that says nothing; to some addresses packets of every size are lost by chance in both
/// directions, one answers small pings only, and one is told what fits.
#[test]
fn a_hop_of_1500_bytes_among_jumbo_frames_is_found_beside_loss() {
    const LOST: [(u8, &str); 3] = [(11, "0.01"), (12, "0.10"), (13, "0.30")];
    const SMALL_ONLY: u8 = 14;
    const MOST: u32 = 128;
    with_both(|is_v6| {
        let routed = jumbo(is_v6, &[11, 12, 13, SMALL_ONLY]);
        let (tables, protocol, request) = words(is_v6);
        let far = |host| routed.address(2, host);
        routed.limit(1500);
        let (code, document) = measured(routed.near.name(), &[&far(2)]);
        assert_eq!(result(&document, &far(2)), json!(["too-big", 9000, 1500]), "{document}");
        assert_eq!((code, &path(&document, &far(2))["limited_by"]), (1, &json!(routed.address(1, 254))));
        // What the kernel has learned of it is of its own: it is not asked.
        routed.silence();
        for (host, share) in LOST {
            for direction in ["-s", "-d"] {
                let rule = format!(
                    "{tables} -A FORWARD {direction} {} -m statistic --mode random --probability {share} -j DROP",
                    far(host)
                );
                ns(routed.router.name(), &rule);
            }
        }
        // The length of an IP packet in both families.
        ns(
            routed.far.name(),
            &format!(
                "{tables} -A INPUT -d {} -p {protocol} {request} -m length --length {}:65535 -j DROP",
                far(SMALL_ONLY),
                MOST + 1
            ),
        );
        let targets = [2, 11, 12, 13, SMALL_ONLY].map(far);
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let (code, document) = measured(routed.near.name(), &targets);
        assert_eq!(code, 2, "{document}");
        for host in [2, 11, 12, 13] {
            assert_eq!(
                result(&document, &far(host)),
                json!(["black-hole", 9000, 1500]),
                "{host}: {document}"
            );
        }
        assert_eq!(path(&document, &far(2))["fitting_lost"], 0, "{document}");
        assert!(path(&document, &far(13))["fitting_lost"].as_u64().unwrap() >= 2, "{document}");
        let small_only = far(SMALL_ONLY);
        assert_eq!(result(&document, &small_only), json!(["black-hole", 9000, MOST]), "{document}");

        // Without the hop nothing but loss is left, and small pings.
        routed.limit(9000);
        let (_, document) = measured(routed.near.name(), &[&far(13), &small_only]);
        assert_eq!(result(&document, &far(13)), json!(["fits", 9000, 9000]), "{document}");
        // Its size gets there, as datagrams show: it is answers that do not come.
        assert_eq!(
            (&path(&document, &small_only)["measured"], &path(&document, &small_only)["forward"]),
            (&json!(MOST), &json!("carries")),
            "{document}"
        );
    });
}

/// The far node is told nothing of answers that are too large for the way back, and then it is. A router cuts those of IPv4.
#[test]
fn messages_that_are_filtered_in_one_direction_only_are_told_from_those_that_pass() {
    let routed = Routed::new(true, "");
    let far = routed.address(2, 2);
    routed.limit_to(1, ROUTED);
    ns(routed.far.name(), "ip6tables -A INPUT -p ipv6-icmp --icmpv6-type packet-too-big -j DROP");
    let (code, document) = measured(routed.near.name(), &[&far]);
    assert_eq!(result(&document, &far), json!(["black-hole", 1500, ROUTED]), "{document}");
    assert_eq!((code, &path(&document, &far)["forward"]), (2, &json!("carries")), "{document}");
    ns(routed.far.name(), "ip6tables -F INPUT");
    let (code, document) = measured(routed.near.name(), &[&far]);
    assert_eq!(result(&document, &far), json!(["fits", 1500, 1500]), "{document}");
    assert_eq!((code, &path(&document, &far)["reverse"]), (1, &json!("fragments")), "{document}");
}

/// A black hole, while somebody sends a flood of messages that cannot be true, and every answer comes twice.
#[test]
fn a_flood_of_lies_and_answers_that_come_twice_change_nothing() {
    with_both(|is_v6| {
        let routed = Routed::new(is_v6, "");
        routed.limit(ROUTED);
        routed.silence();
        let far = routed.address(2, 2);
        let liar = Liar::start(routed.router.name(), "r1", lies);
        let twice = Liar::start(routed.router.name(), "r1", repeats);
        let (code, document) = measured(routed.near.name(), &[&far]);
        assert_eq!(result(&document, &far), json!(["black-hole", 1500, ROUTED]), "{document}");
        assert!(code == 2 && liar.sent() > 100 && twice.sent() > 0, "{} {document}", liar.sent());
        let ignored = &path(&document, &far)["ignored"];
        for kind in ["too_small", "too_large", "foreign", "repeated"] {
            assert!(ignored[kind].as_u64().unwrap() > 0, "{kind}: {document}");
        }
        // Of IPv6 the kernel itself believes those that can be true.
        assert!(is_v6 || document["learned"] == json!([]), "{document}");
    });
}

/// A running `mtu --watch`.
struct Going {
    child: Child,
    lines: Receiver<Value>,
}

impl Going {
    fn start(netns: &str, more: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["--netns", netns, "mtu", "--watch", "--format", "json", "--interval", "500ms"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The first line in which the path to an address has this signal.
    fn until(&self, address: &str, signal: &str) -> Value {
        wait_for(&format!("{signal} of {address}"), || {
            let line: Value = Patience::start().receive("mtu --watch", &self.lines);
            (path(&line, address)["signal"] == signal).then_some(line)
        })
    }

    fn end(mut self) -> i32 {
        send_signal(&self.child, Signal::SIGTERM);
        wait_for("its end", || self.child.try_wait().unwrap()).code().unwrap()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Echo requests that came to a node, as its kernel counts them.
fn pinged(netns: &str, is_v6: bool) -> u64 {
    let (file, name) = if is_v6 { ("snmp6", "Icmp6InEchos") } else { ("snmp", "InEchos") };
    let table = ns(netns, &format!("cat /proc/self/net/{file}"));
    if is_v6 {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        return line.split_whitespace().nth(1).unwrap().parse().unwrap();
    }
    let mut rows = table.lines().filter_map(|line| line.strip_prefix("Icmp: "));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let at = names.split(' ').position(|field| field == name).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// Loss of large packets only begins and ends while `mtu --watch` and `watch --probe-peers` look.
#[test]
fn a_black_hole_that_begins_and_ends_is_seen_by_probes_that_go_on() {
    with_both(|is_v6| {
        let routed = Routed::new(is_v6, "");
        let (near, far) = (routed.near.name(), routed.address(2, 2));
        let before = pinged(routed.far.name(), is_v6);
        let going = Going::start(near, &[&far]);
        let line = going.until(&far, "answered");
        // What was sent so far comes, and more may have since.
        let of = |line: &Value, name: &str| path(line, &far)[name].as_u64().unwrap();
        wait_for("what is said to be sent", || {
            let arrived = pinged(routed.far.name(), is_v6) - before;
            (of(&line, "sent") + of(&line, "large_sent") <= arrived).then_some(())
        });
        assert_eq!((of(&line, "lost"), of(&line, "large_lost")), (0, 0), "{line}");
        let of_path = path(&line, &far);
        assert!(of_path["rtt_p50_s"].as_f64().unwrap() <= of_path["rtt_p99_s"].as_f64().unwrap(), "{line}");
        assert!(of_path["size"] == 1500 && of_path["answered_ago_s"].is_f64(), "{line}");

        let watch = Watch::start_with(near, &["--probe-peers"]);
        let probes = |value: &Value| -> Option<Value> {
            let peers = value["peers"].as_array().unwrap().iter();
            let mut all = peers.filter_map(|peer| peer["probes"].as_array()).flatten();
            all.find(|probe| probe["address"] == far.as_str()).cloned()
        };
        let until = |signal: &str| {
            watch.until(signal, |value| {
                probes(value).filter(|probe| probe["signal"] == signal).map(|_| value.clone())
            })
        };
        until("answered");
        let host = routed.router.name();
        let (tables, _, _) = words(is_v6);
        ns(host, &format!("{tables} -A FORWARD -m length --length 1300:65535 -j DROP"));
        let value = until("black-hole");
        let probe = probes(&value).unwrap();
        assert_eq!((&probe["way"], &probe["lost"]), (&json!("underlay"), &json!(0)), "{probe}");
        assert!(probe["large_lost"].as_u64().unwrap() >= 3, "{probe}");
        let notes = value["notes"].to_string();
        assert!(notes.contains("a black hole: packets of 1500 bytes are lost"), "{notes}");
        let line = going.until(&far, "black-hole");
        assert_eq!(of(&line, "lost"), 0, "{line}");
        ns(host, &format!("{tables} -F FORWARD"));
        going.until(&far, "answered");
        until("answered");
        assert_eq!((going.end(), watch.end(Signal::SIGTERM)), (0, Some(0)));
    });
}

/// What is told cannot be done is told before anything is sent.
#[test]
fn probes_that_go_on_end_by_their_number_and_need_the_privilege() {
    let routed = Routed::new(false, "");
    let near = routed.near.name();
    // Long enough for answers on both paths before the first table.
    let output = run(&["--netns", near, "mtu", "--watch", "--interval", "5s", "--count", "2"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words}");
    assert!(words.lines().all(|line| line.chars().count() <= 80), "{words}");
    assert_eq!(words.matches("STATE").count(), 2, "{words}");
    assert_eq!(words.lines().filter(|line| line.ends_with(" ok")).count(), 4, "{words}");
    let output = probe_tests::tool::with_privileges(
        near,
        &probe_tests::tool::NOBODY,
        &["mtu", "--watch", "--count", "1"],
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.contains("CAP_NET_RAW")), (Some(3), true), "{said}");
}
