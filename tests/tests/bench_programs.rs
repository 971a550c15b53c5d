//! What eBPF shows of a benchmark's path, beside what `bpftool` and `ip` say; and a program of somebody else that came is named.
//! Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fs, path::Path};

use nix::sys::signal::Signal;
use overlay_probe::lab::Family;
use probe_tests::{
    kernel,
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
    assert!((0.9..1.1).contains(&(buffers / runs)) && (0.9..1.1).contains(&(own / runs)), "{seen}");
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
        let round_trip = slices.iter().find(answered).unwrap()["p50_s"].as_f64().unwrap() * 1e9;
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

    // Without them the path has none of others, and what another run of ours counts there is somebody else's.
    drop(burn);
    let watch = Watch::start(&first);
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
