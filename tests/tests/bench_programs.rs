//! What eBPF shows of a benchmark's path, beside what `bpftool` and `ip` say, and `watch` of the same devices; and a program of somebody else
//! that came is named. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fs, path::Path};

use nix::sys::signal::Signal;
use overlay_probe::lab::{
    Family,
    load::{Load, LoadOptions},
};
use probe_tests::{
    kernel::{self, Held},
    lab::TestLab,
    needs::Feature,
    ns, sh,
    tool::{Watch, run},
};
use serde_json::Value;
use xtask::burn::{BURNS_NS, Burn, Hook};

fn measure(lab: &TestLab, output: &Path, rounds: &str) -> Value {
    let fixed =
        ["bench", "run", "--slice", "50ms", "--scenario", "vxlan-v4", "--output", output.to_str().unwrap()];
    let done = run(&[&fixed[..], &["--prefix", lab.prefix(), "--rounds", rounds]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let document: Value = serde_json::from_slice(&fs::read(output).unwrap()).unwrap();
    document["runs"][0]["scenarios"][0]["facts"]["instruments"].clone()
}

fn programs<'a>(seen: &'a Value, name: &str) -> Vec<&'a Value> {
    // Others may run elsewhere on the machine meanwhile.
    let all = seen["programs"].as_array().unwrap().iter().filter(|program| !program["device"].is_null());
    all.filter(|program| program["name"].as_str().unwrap().starts_with(name)).collect()
}

/// A time of the classes of encapsulation in nanoseconds: the bound of the one with the fastest buffers.
fn fastest(seen: &Value, bound: &str) -> f64 {
    seen["encapsulation"]["times"][0][bound].as_f64().unwrap()
}

fn mtu(netns: &str, device: &str) -> f64 {
    let link: Value = serde_json::from_str(&ns(netns, &format!("ip -j link show dev {device}"))).unwrap();
    link[0]["mtu"].as_f64().unwrap()
}

/// What `bpftool` calls a program.
fn name(id: u64) -> Value {
    let told: Value =
        serde_json::from_str(&sh("bpftool", &["-j", "prog", "show", "id", &id.to_string()])).unwrap();
    told["name"].clone()
}

/// A run that watches has all programs on the devices of its tunnel, ours and others', in the order in which they run, and what each
/// costs as soon as it ran while programs were timed.
fn are_watched(lab: &TestLab, burn: &Burn, watch: &Watch) {
    let node = lab.node(1);
    let xdp = Burn::empty(&node, "eth0", Hook::Xdp).unwrap();
    let has_tcx = Feature::Tcx.missing().is_none();
    let first = has_tcx.then(|| Burn::empty(&node, "flannel.1", Hook::Tcx).unwrap());
    let prefix = lab.prefix().to_owned();
    let load =
        Load::start(&LoadOptions { prefix, tcp_mbit: 1, udp_pps: 200, flows: 1, waves: false }).unwrap();
    let on = |line: &Value, device: &str, hook: &str| -> Vec<Value> {
        let programs = line["tunnels"][0]["programs"].as_array().unwrap();
        programs.iter().filter(|one| one["device"] == device && one["hook"] == hook).cloned().collect()
    };
    let [egress, early] = watch.until("every program to be timed", |line| {
        let found = [on(line, "flannel.1", "egress"), on(line, "eth0", "xdp")];
        let is_timed = |one: &Value| one["ns_per_run"].is_number() && one["runs_per_s"].is_number();
        (found.iter().all(|programs| !programs.is_empty()) && found.iter().flatten().all(is_timed))
            .then_some(found)
    });
    drop(load.stop());
    let ids = |programs: &[Value]| -> Vec<u32> {
        programs.iter().map(|one| u32::try_from(one["id"].as_u64().unwrap()).unwrap()).collect()
    };
    // Judges: tc, in its order, for filters, before which TCX runs; ip for XDP; the process's descriptors for whose a program is.
    let (seen, filters) = (ids(&egress), kernel::filter_programs(&node, "flannel.1"));
    match &first {
        Some(first) => {
            assert_eq!((seen[0], &seen[2..]), (first.id, &filters[..]), "{egress:?}");
            assert_eq!(filters, [burn.id]);
        }
        None => assert!(filters.ends_with(&seen) && seen.contains(&burn.id), "{filters:?}, {egress:?}"),
    }
    let link: Value = serde_json::from_str(&ns(&node, "ip -j link show dev eth0")).unwrap();
    assert_eq!(link[0]["xdp"]["prog"]["id"], early[0]["id"], "{link}");
    assert_eq!(ids(&early), [xdp.id]);
    let held = Held::by(watch.pid()).programs;
    for program in egress.iter().chain(&early) {
        let id = program["id"].as_u64().unwrap();
        assert_eq!((&program["name"], &program["own"]), (&name(id), &held.contains(&id).into()), "{program}");
    }
    let own: Vec<&Value> = egress.iter().filter(|one| one["own"] == true).map(|one| &one["name"]).collect();
    assert_eq!(own, ["ovp_tunnel_tx"]);
    let burnt = egress.iter().find(|one| one["id"] == burn.id).unwrap();
    assert!(burnt["ns_per_run"].as_f64().unwrap() >= f64::from(BURNS_NS), "{burnt}");
    // What is taken off is not there any more.
    drop((xdp, first));
    watch.until("the others to go", |line| {
        (on(line, "eth0", "xdp").is_empty() && ids(&on(line, "flannel.1", "egress")).len() == 2).then_some(())
    });
}

#[test]
fn programs_on_the_path_and_what_packets_are_like_are_facts() {
    let lab = TestLab::up(2, 1, Family::V4);
    let [first, second] = [1, 2].map(|number| lab.node(number));
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let burn = Burn::on(&first, "flannel.1", Hook::Egress).unwrap();
    let _xdp = Burn::on(&second, "eth0", Hook::Xdp).unwrap();
    let seen = measure(&lab, &output, "1");
    let is_timed = Feature::Tcx.missing().is_none();
    assert_eq!(seen["missing"].as_array().map_or(0, Vec::len), usize::from(!is_timed), "{seen}");

    let burns = programs(&seen, "burn");
    let places: Vec<[&str; 3]> = burns
        .iter()
        .map(|one| ["place", "name", "hook"].map(|field| one["device"][field].as_str().unwrap()))
        .collect();
    assert_eq!(places, [["node 1", "flannel.1", "egress"], ["node 2", "eth0", "xdp"]]);
    let (runs, time) = (burns[0]["runs"].as_f64().unwrap(), burns[0]["run_time_ns"].as_f64().unwrap());
    assert!(runs > 0.0 && time / runs >= f64::from(BURNS_NS), "{seen}");
    // Judge: bpftool. It has all of the time in which anybody had times taken.
    let told: Value =
        serde_json::from_str(&sh("bpftool", &["-j", "prog", "show", "id", &burn.id.to_string()])).unwrap();
    let told = ["run_cnt", "run_time_ns"].map(|field| told[field].as_f64().unwrap());
    assert!(runs <= told[0] && time <= told[1], "{told:?}: {seen}");

    // Ours, which counted for this, are marked as such, and ran for the same buffers as the other one.
    let ours = programs(&seen, "ovp_tunnel_tx");
    assert_eq!((ours.len(), &ours[0]["is_own"]), (1, &true.into()), "{seen}");
    assert_eq!(ours[0]["device"]["name"], "flannel.1");
    let (buffers, own) = (seen["tunnel"]["buffers"].as_f64().unwrap(), ours[0]["runs"].as_f64().unwrap());
    // But for what belongs to the connection and not to the stream: on a slow machine there is little else.
    let is_alike = |other: f64| (other - runs).abs() <= 0.1 * runs + 10.0;
    assert!(is_alike(buffers) && is_alike(own), "{seen}");
    // One in so many of these buffers was timed by each processor. The program that burns is on the way, and all of it less than a
    // request and its response.
    if is_timed {
        let times = seen["encapsulation"]["times"].as_array().unwrap();
        let timed: f64 = times.iter().map(|class| class["buffers"].as_f64().unwrap()).sum();
        let expected = runs / f64::from(probe_encap::EVERY);
        let processors = std::thread::available_parallelism().unwrap().get() as f64;
        assert!((timed - expected).abs() <= 0.1 * expected + processors, "{expected}: {seen}");
        assert!(fastest(&seen, "to_ns") > f64::from(BURNS_NS), "{seen}");
        let document: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
        let slices = document["runs"][0]["rounds"][0]["slices"].as_array().unwrap();
        let answered = |slice: &&Value| slice["load"] == "requests" && slice["side"] == "overlay";
        // The fastest of the ones, and the slowest of the others.
        let round_trip = slices.iter().find(answered).unwrap()["p999_s"].as_f64().unwrap() * 1e9;
        assert!(fastest(&seen, "from_ns") < round_trip, "{round_trip}: {seen}");
    }
    // Judge: ip. What is full in the tunnel is full on the NIC.
    let tunnel = &seen["tunnel"];
    let number = |field: &str| tunnel[field].as_f64().unwrap();
    let overhead = (number("outer_bytes") - number("inner_bytes")) / number("packets");
    assert_eq!(
        (number("mtu"), mtu(&first, "flannel.1") + overhead),
        (mtu(&first, "flannel.1"), mtu(&first, "eth0"))
    );
    // A segment has what fits the tunnel: its MTU less IP and TCP with timestamps; the last ones are shorter.
    let (payload, most) = (number("payload_bytes") / number("packets"), number("mtu") - 52.0);
    assert!(payload <= most && payload > 0.5 * most, "{seen}");

    let watch = Watch::start(&first);
    are_watched(&lab, &burn, &watch);

    // Without them the path has none of others, and what another run of ours counts there is somebody else's.
    drop(burn);
    let seen = measure(&lab, &output, "1");
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    assert_eq!(programs(&seen, "burn").len(), 1, "{seen}");
    let ours = programs(&seen, "ovp_tunnel_tx");
    let mut own: Vec<bool> = ours.iter().map(|one| one["is_own"].as_bool().unwrap()).collect();
    own.sort_unstable();
    assert_eq!(own, [false, true], "{seen}");
    // Nothing of ours is left.
    assert_eq!(kernel::filters(&first, "flannel.1"), Vec::<String>::new());
}

/// How much slower it makes packets is for a quiet machine to say (docs/bench.md); that it came is a fact whatever the figures are.
#[test]
fn a_program_that_came_between_two_results_is_named() {
    let lab = TestLab::up(2, 1, Family::V4);
    let directory = tempfile::tempdir().unwrap();
    let [base, new] = ["base.json", "new.json"].map(|name| directory.path().join(name));
    measure(&lab, &base, "6");
    let burn = Burn::on(&lab.node(1), "flannel.1", Hook::Egress).unwrap();
    measure(&lab, &new, "6");
    drop(burn);
    let [base, new] = [&base, &new].map(|path| path.to_str().unwrap());
    let gate = run(&["bench", "gate", "--baseline", base, "--new", new, "--format", "json"]);
    let said: Value = serde_json::from_slice(&gate.stdout).unwrap();
    let fact = &said["facts"][0];
    let words = "eBPF program burn on egress of flannel.1 of node 1 (new: ";
    assert!(fact["text"].as_str().unwrap().starts_with(words) && fact["weight"] == "warn", "{said}");
    assert!(said["summary"].as_str().unwrap().contains(words), "{said}");
}
