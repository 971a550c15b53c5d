//! The benchmark on real namespaces: what it writes is well formed and right, by other judges; what changed on the path is named. How
//! fast anything is, is nobody's business here. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use overlay_probe::{lab::Family, netns};
use probe_tests::{
    judge::Tcpdump,
    lab::{TestLab, TestNetns},
    needs, ns, sh,
    tool::{NOBODY, binary, run, send_signal, with_privileges},
    wait_for,
};
use serde_json::Value;

/// Measures a few short rounds; returns the document.
fn measure(output: &Path, more: &[&str]) -> Value {
    let fixed = ["bench", "run", "--slice", "50ms", "--output", output.to_str().unwrap()];
    let done = run(&[&fixed[..], more].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    read(output)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The device of the first scenario's path.
fn device<'a>(document: &'a Value, place: &str, name: &str) -> &'a Value {
    let devices = document["runs"][0]["scenarios"][0]["facts"]["devices"].as_array().unwrap();
    devices.iter().find(|device| device["place"] == place && device["name"] == name).unwrap()
}

#[test]
fn a_run_in_its_own_lab_has_every_slice_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let document = measure(&output, &["--rounds", "2"]);
    assert!(netns::list().iter().all(|name| !name.starts_with("bench-")), "{:?}", netns::list());
    let measured = &document["runs"][0];
    assert_eq!((&document["schema_version"], measured["rounds"].as_array().unwrap().len()), (&1.into(), 2));
    let scenarios = measured["scenarios"].as_array().unwrap();
    let names: Vec<&str> = scenarios.iter().map(|row| row["scenario"].as_str().unwrap()).collect();
    assert_eq!(names, ["vxlan-v4", "vxlan-v6", "wireguard"]);
    for row in scenarios {
        let is_measured = row["unsupported"].is_null();
        assert!(is_measured || row["scenario"] == "wireguard", "{row}");
        let of = |round: &Value| {
            let slices = round["slices"].as_array().unwrap().iter();
            slices.filter(|slice| slice["scenario"] == row["scenario"]).cloned().collect::<Vec<Value>>()
        };
        for round in measured["rounds"].as_array().unwrap() {
            let slices = of(round);
            assert_eq!(slices.len(), if is_measured { 6 } else { 0 });
            if !is_measured {
                continue;
            }
            for (load, field) in
                [("stream", "bits_per_s"), ("datagrams", "packets_per_s"), ("requests", "p50_s")]
            {
                for side in ["host", "overlay"] {
                    let slice = slices.iter().find(|slice| slice["load"] == load && slice["side"] == side);
                    assert!(slice.unwrap()[field].as_f64().unwrap() > 0.0, "{slice:?}");
                }
            }
        }
        if !is_measured {
            continue;
        }
        let counts = &row["facts"]["counts"];
        // A segment has what fits the tunnel: its MTU less IP and TCP with timestamps; the last ones are shorter.
        let payload = counts["payload_bytes"].as_f64().unwrap() / counts["segments"].as_f64().unwrap();
        let most = if row["scenario"] == "vxlan-v6" { 1430.0 - 72.0 } else { 1450.0 - 52.0 };
        assert!(payload <= most && payload > 0.5 * most, "{row}");
        assert_eq!((&counts["fragments"], &counts["checksum_errors"]), (&0.into(), &0.into()), "{row}");
    }
    assert_eq!(
        measured["machine"]["kernel"],
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim()
    );
    // A run of two rounds decides nothing, beside itself or not.
    let gate = run(&["bench", "gate", "--baseline", text(&output), "--new", text(&output)]);
    assert_eq!(gate.status.code(), Some(3), "{}", String::from_utf8_lossy(&gate.stdout));
}

#[test]
fn what_is_asked_for_is_measured_beside_the_usual() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("more.json");
    let also = "connection-rate,udp-full,tcp-n,udp-512,latency-under-load";
    let document = measure(&output, &["--rounds", "1", "--scenario", "vxlan-v4-jumbo", "--also", also]);
    let measured = &document["runs"][0];
    assert_eq!(
        measured["parameters"]["also"],
        serde_json::json!(["datagrams_512", "datagrams_full", "streams", "loaded_requests", "connections"])
    );
    let slices = measured["rounds"][0]["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 16);
    for (load, field) in [
        ("datagrams_512", "packets_per_s"),
        ("datagrams_full", "packets_per_s"),
        ("streams", "bits_per_s"),
        ("loaded_requests", "p999_s"),
        ("connections", "connections_per_s"),
    ] {
        for side in ["host", "overlay"] {
            let slice = slices.iter().find(|slice| slice["load"] == load && slice["side"] == side).unwrap();
            assert!(slice[field].as_f64().unwrap() > 0.0, "{slice}");
        }
    }
    for (place, name, mtu) in
        [("node 1", "eth0", 9000), ("node 1", "flannel.1", 8950), ("pod 2", "eth0", 8950)]
    {
        assert_eq!(device(&document, place, name)["mtu"], mtu, "{place} {name}");
    }
    // A segment has what fits: the MTU less IP and TCP with timestamps.
    let counts = &measured["scenarios"][0]["facts"]["counts"];
    let payload = counts["payload_bytes"].as_f64().unwrap() / counts["segments"].as_f64().unwrap();
    assert!(payload <= 8950.0 - 52.0 && payload > 0.3 * 8950.0, "{counts}");
    // One round decides nothing, and each metric has its row.
    let csv = beside_itself(&output);
    assert_eq!(csv.lines().count(), 1 + 11, "{csv}");
    assert!(csv.lines().skip(1).all(|row| row.contains(",inconclusive,")), "{csv}");
}

/// A result beside itself.
fn beside_itself(file: &Path) -> String {
    let compared = run(&["bench", "compare", text(file), text(file), "--format", "csv"]);
    assert_eq!(compared.status.code(), Some(0));
    String::from_utf8(compared.stdout).unwrap()
}

#[test]
fn what_changed_on_the_path_is_named() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = tempfile::tempdir().unwrap();
    let [base, new] = ["base.json", "new.json"].map(|name| directory.path().join(name));
    let in_lab = ["--rounds", "10", "--prefix", lab.prefix(), "--scenario", "vxlan-v4"];
    let document = measure(&base, &in_lab);
    let node = lab.node(1);
    // Judges: ip and ethtool.
    for name in ["flannel.1", "eth0"] {
        let link: Value = serde_json::from_str(&ns(&node, &format!("ip -j link show dev {name}"))).unwrap();
        let found = device(&document, "node 1", name);
        assert_eq!((&found["mtu"], &found["qdisc"]), (&link[0]["mtu"], &link[0]["qdisc"]));
        let listed = ns(&node, &format!("ethtool -k {name}"));
        for feature in ["tx-checksum-ip-generic", "tx-scatter-gather"] {
            let line = listed.lines().find(|line| line.trim().starts_with(&format!("{feature}:"))).unwrap();
            let is_on = line.split(": ").nth(1).unwrap().starts_with("on");
            assert_eq!(found["features"][feature], is_on, "{name} {feature}");
        }
    }
    let itself = run(&["bench", "compare", text(&base), text(&base), "--format", "json"]);
    assert_eq!(itself.status.code(), Some(0));
    let itself: Value = serde_json::from_slice(&itself.stdout).unwrap();
    let rows = itself["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row["verdict"] != "worse" && row["verdict"] != "better"), "{itself}");
    assert_eq!(itself["facts"], Value::Array(Vec::new()));
    datagrams_fill_the_tunnel(&lab, &new);

    ns(&node, "ethtool -K flannel.1 tx off");
    ns(&node, "tc qdisc replace dev flannel.1 root pfifo limit 100000");
    measure(&new, &in_lab);
    let compared = run(&["bench", "compare", text(&base), text(&new), "--format", "json"]);
    let compared: Value = serde_json::from_slice(&compared.stdout).unwrap();
    let facts = compared["facts"].as_array().unwrap();
    let says = |words: &str| facts.iter().any(|fact| fact["text"].as_str().unwrap().contains(words));
    assert!(says("TX checksum offload (tx-checksum-ip-generic) off on flannel.1 of node 1"), "{compared}");
    assert!(says("qdisc noqueue -> pfifo on flannel.1 of node 1"), "{compared}");
    // Without it there is no GSO (netdev_fix_features), and each segment is a buffer of its own.
    assert!(says("segments per buffer"), "{compared}");
    // A fact alone warns, whatever became of the rates; all of them fail where that is asked for.
    let gate = |more: &[&str]| {
        let fixed = ["bench", "gate", "--baseline", text(&base), "--new", text(&new)];
        run(&[&fixed[..], more].concat()).status.code().unwrap()
    };
    // Where it makes a slow machine drop packets, that fails.
    let drops = facts.iter().any(|fact| fact["weight"] == "fail");
    assert!(if drops { gate(&[]) == 2 } else { [1, 3].contains(&gate(&[])) }, "{compared}");
    assert_eq!(gate(&["--facts", "fail"]), 2);
    let accepted = directory.path().join("accepted.json");
    let accept = |file: &Path| {
        let fixed = ["bench", "accept", "--baseline", text(&accepted), text(file), "--reason", "a test"];
        run(&fixed).status.code().unwrap()
    };
    // Each once: a run beside itself would know nothing of days.
    assert_eq!([accept(&base), accept(&new), accept(&base)], [0, 0, 3]);
    let runs = read(&accepted)["runs"].as_array().unwrap().clone();
    assert_eq!((runs.len(), &runs[1]["accepted"]["reason"]), (2, &"a test".into()));

    // One metric by itself: only into a baseline with levels of the others, and only of a result that says something of it.
    let by_itself = |into: &Path, of: &Path| {
        let fixed = ["bench", "accept", "--baseline", text(into), text(of), "--reason", "on purpose"];
        run(&[&fixed[..], &["--metric", "connection_rate"]].concat())
    };
    for (into, words) in [
        (&directory.path().join("none.json"), "accept a whole result first"),
        (&accepted, "it has no level of vxlan-v4 TCP connection rate: not measured"),
    ] {
        let refused = by_itself(into, &new);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!((refused.status.code(), said.contains(words)), (Some(3), true), "{said}");
    }

    // Over time each run is there once, the older one first, whichever files it is in.
    let trend = |format: &str| {
        let shown = run(&["bench", "trend", text(&new), text(&accepted), text(&base), "--format", format]);
        assert_eq!(shown.status.code(), Some(0));
        String::from_utf8(shown.stdout).unwrap()
    };
    let (table, csv, svg) = (trend("table"), trend("csv"), trend("svg"));
    assert!(table.contains("vxlan-v4 TCP throughput") && table.contains("accepted: a test"), "{table}");
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(
        rows[0].starts_with("time,kernel,tool_version,vxlan-v4_throughput,") && rows[1] < rows[2],
        "{csv}"
    );
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
}

#[test]
fn a_tunnel_that_delays_and_loses_packets_is_named() {
    needs!(Netem);
    let lab = TestLab::up(2, 1, Family::V4);
    let node = lab.node(1);
    let directory = tempfile::tempdir().unwrap();
    let [base, new] = ["base.json", "new.json"].map(|name| directory.path().join(name));
    let netem = |of: &str| format!("tc qdisc replace dev flannel.1 root netem limit 100000 {of}");
    for (only, of, fact) in
        [("latency", "delay 10ms", None), ("tcp", "loss 5%", Some("segments retransmitted per 1,000"))]
    {
        let what = ["--rounds", "10", "--prefix", lab.prefix(), "--scenario", "vxlan-v4", "--only", only];
        measure(&base, &what);
        ns(&node, &netem(of));
        let document = measure(&new, &what);
        ns(&node, "tc qdisc del dev flannel.1 root");
        let slices = document["runs"][0]["rounds"].as_array().unwrap().iter();
        let slices = slices.flat_map(|round| round["slices"].as_array().unwrap());
        // Judge: netem, which holds each request for so long; the histogram has three digits.
        for slice in slices.filter(|slice| slice["side"] == "overlay" && slice["load"] == "requests") {
            assert!(slice["p50_s"].as_f64().unwrap() > 0.0099, "{slice}");
        }
        let compared = run(&["bench", "compare", text(&base), text(&new), "--format", "json"]);
        let json: Value = serde_json::from_slice(&compared.stdout).unwrap();
        let facts: Vec<&str> =
            json["facts"].as_array().unwrap().iter().map(|fact| fact["text"].as_str().unwrap()).collect();
        assert_eq!(facts[0], "qdisc noqueue -> netem on flannel.1 of node 1", "{json}");
        assert!(fact.is_none_or(|fact| facts.iter().any(|told| told.starts_with(fact))), "{facts:?}");
        let rows = json["rows"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["verdict"] != "better" && row["verdict"] != "same"), "{json}");
    }
}

/// Judges: tcpdump where packets arrive, in the pod and on the wire, and what each kernel says of fragments. A packet that is longer than
/// the MTU does not arrive, so that with the mean all of them are as long.
fn datagrams_fill_the_tunnel(lab: &TestLab, output: &Path) {
    let [from, to] = [1, 2].map(|node| lab.pod(node, 1).name().to_owned());
    let nodes = [1, 2].map(|node| lab.node(node));
    let fragments = || {
        let all = [&from, &nodes[0], &nodes[1], &to];
        all.map(|netns| ns(netns, "nstat -asz IpFragCreates IpFragFails IpReasmReqds"))
    };
    for (mtu, sizes) in [(1450, [512, 1422]), (500, [472, 472])] {
        ns(&from, &format!("ip link set dev eth0 mtu {mtu}"));
        let before = fragments();
        let long = |overhead: u64| format!("ip[2:2] > {}", mtu + overhead - 60);
        let in_pod = Tcpdump::start(&to, "eth0", "in", &format!("udp and {}", long(0)));
        // The inner packet's protocol, behind the headers of UDP, VXLAN and Ethernet.
        let vxlan = format!("udp dst port 8472 and udp[39] = 17 and {}", long(50));
        let on_wire = Tcpdump::start(&nodes[1], "eth0", "in", &vxlan);
        let also = ["--only", "udp", "--also", "udp-512,udp-full", "--rounds", "1", "--prefix", lab.prefix()];
        let document = measure(output, &[&also[..], &["--scenario", "vxlan-v4"]].concat());
        for (seen, bytes) in [(in_pod.stop(), mtu), (on_wire.stop(), mtu + 50)] {
            assert!(seen.packets > 0 && seen.bytes == seen.packets * bytes, "{mtu}: {seen:?}");
        }
        assert_eq!(fragments(), before);
        let slices = document["runs"][0]["rounds"][0]["slices"].as_array().unwrap();
        assert_eq!(slices.len(), 6);
        for slice in slices {
            let bytes = match slice["load"].as_str().unwrap() {
                "datagrams" => 64,
                "datagrams_512" => sizes[0],
                _ => sizes[1],
            };
            assert_eq!(slice["datagram_bytes"], bytes, "{slice}");
        }
    }
    ns(&from, "ip link set dev eth0 mtu 1450");
}

/// The command is the tool itself, which is there wherever the tests are.
#[test]
fn a_command_sends_in_place_of_the_usual() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (output, token) = (path("base.json"), path("token"));
    fs::write(&token, "a-token-of-the-tests").unwrap();
    let (tool, token) = (binary().display().to_string(), text(&token).to_owned());
    let server = format!("{tool} bench serve --listen {{address}}:9000 --token-file {token}");
    let client = format!(
        "{tool} bench run --to {{address}}:9000 --token-file {token} --rounds 80 --slice 100ms --output {}",
        text(&path("inner.json"))
    );
    let in_lab = ["--rounds", "1", "--prefix", lab.prefix(), "--scenario", "vxlan-v4"];
    let received = || {
        let links = ns(lab.pod(2, 1).name(), "ip -j -s link show dev eth0");
        let links: Value = serde_json::from_str(&links).unwrap();
        links[0]["stats64"]["rx"]["bytes"].as_f64().unwrap()
    };
    let before = received();
    let document = measure(&output, &[&in_lab[..], &["--load", &client, "--load-server", &server]].concat());
    let grown = received() - before;
    let measured = &document["runs"][0];
    assert_eq!(measured["parameters"]["load"]["server"], server.as_str());
    let slices = measured["rounds"][0]["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 2, "{measured}");
    for slice in slices {
        let (bits, seconds) = (slice["bits_per_s"].as_f64().unwrap(), slice["seconds"].as_f64().unwrap());
        assert!(slice["load"] == "command" && bits > 0.0, "{slice}");
        // Judge: ip. In the slice no more arrived than in the whole run.
        assert!(slice["side"] == "host" || bits * seconds / 8.0 <= grown * 1.01, "{grown}: {slice}");
    }
    let csv = beside_itself(&output);
    let rows: Vec<&str> = csv.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    assert_eq!(rows, ["command_throughput", "command_cpu_per_gbit"], "{csv}");
    // Nothing of it runs any more.
    let pods = [1, 2].map(|node| lab.pod(node, 1).name().to_owned());
    for netns in [lab.node(1), lab.node(2)].into_iter().chain(pods) {
        assert_eq!(sh("ip", &["netns", "pids", &netns]), "", "{netns}");
    }
    // What a file names is not run, and what is something else is not compared.
    let gate = run(&["bench", "gate", "--baseline", text(&output), "--prefix", lab.prefix()]);
    let said = String::from_utf8_lossy(&gate.stderr);
    assert!(gate.status.code() == Some(3) && said.contains("its own in the new run"), "{said}");
    for (client, words) in [
        ("true {address}", "the command of --load ended before the slice did: let it run for"),
        ("nosuchprogram {address}", "cannot start nosuchprogram"),
    ] {
        let none = path("none.json");
        let fixed = ["bench", "run", "--slice", "50ms", "--output", text(&none), "--load", client];
        let done = run(&[&fixed[..], &in_lab].concat());
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(3) && said.contains(words) && !none.exists(), "{said}");
    }
}

#[test]
fn interrupted_it_keeps_what_was_finished() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let mut child = Command::new(binary())
        .args(["bench", "run", "--rounds", "80", "--slice", "50ms", "--prefix", lab.prefix()])
        .args(["--scenario", "vxlan-v4", "--output", text(&output)])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a round to be finished", || output.exists().then_some(()));
    send_signal(&child, Signal::SIGINT);
    let status = wait_for("the run to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(3));
    let rounds = read(&output)["runs"][0]["rounds"].as_array().unwrap().len();
    assert!((1..80).contains(&rounds), "{rounds}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing half written is left");

    // A disk that has room for one such file, and not for another beside it.
    let (size, kept) = (fs::metadata(&output).unwrap().len() * 3 / 2, directory.path().join("kept.json"));
    let script = format!(
        "mkdir small && mount -t tmpfs -o size={size} none small && \
         {} bench run --rounds 80 --slice 50ms --prefix {} --scenario vxlan-v4 --only udp --output small/new.json; \
         code=$?; ls -A small; cp small/new.json kept.json; exit $code",
        binary().display(),
        lab.prefix()
    );
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!((done.status.code(), &*done.stdout), (Some(3), &b"new.json\n"[..]), "{said}");
    let written = read(&kept)["runs"][0].clone();
    let rounds = written["rounds"].as_array().unwrap().len();
    let words = format!("{rounds} of 80 rounds are in small/new.json: cannot write small/new.json: ");
    assert!((1..80).contains(&rounds) && said.contains(&words) && !said.contains("/proc/"), "{said}");
    // Only what was asked for, and nothing is claimed of streams that there were not.
    let slices = written["rounds"][0]["slices"].as_array().unwrap();
    assert!(slices.len() == 2 && slices.iter().all(|slice| slice["load"] == "datagrams"), "{slices:?}");
    let counts = &written["scenarios"][0]["facts"]["counts"];
    assert!(counts["drops"].is_null() && counts["fragments"].is_null(), "{counts}");
}

#[test]
fn files_that_are_none_are_no_pass() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("foreign"), "{\"verdict\": \"OK\"}").unwrap();
    for name in ["none", "empty", "foreign", "."] {
        let file = path(name);
        for arguments in [
            vec!["bench", "compare", text(&file), text(&file)],
            vec!["bench", "gate", "--baseline", text(&file), "--new", text(&file)],
            vec!["bench", "gate", "--baseline", text(&file)],
        ] {
            let done = run(&arguments);
            let said = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(3), "{arguments:?}: {said}");
            assert!(said.contains(text(&file)), "{said}");
        }
    }
    for output in ["no/such/directory/file", "."] {
        let done = run(&["bench", "run", "--output", text(&path(output))]);
        assert_eq!(done.status.code(), Some(3), "{output}");
    }
    let none = run(&["bench", "run", "--prefix", "nosuchlab", "--output", text(&path("new"))]);
    let said = String::from_utf8_lossy(&none.stderr);
    assert_eq!(none.status.code(), Some(3), "{said}");
    assert!(said.contains("no lab with prefix nosuchlab"), "{said}");
    // 2 would mean that something is slower.
    let netns = TestNetns::new("bench");
    let output = std::env::temp_dir().join(format!("{}.json", netns.name()));
    let nobody = with_privileges(netns.name(), &NOBODY, &["bench", "run", "--output", text(&output)]);
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert_eq!(nobody.status.code(), Some(3), "{said}");
    assert!(said.contains("run with sudo") && !output.exists(), "{said}");
}
