//! The benchmark between two pods that have a VF each.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use probe_tests::{benched::devices, lab::TestNetns, needs, ns, tool::binary};
use serde_json::Value;

use super::nic::*;

/// The tool in a pod, with the token of both ends.
fn in_pod(pod: &TestNetns, arguments: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", pod.name())).arg(binary()).args(arguments);
    command.env("OVERLAY_PROBE_BENCH_TOKEN", "a-token-of-the-tests").stdin(Stdio::null());
    command
}

/// Judge: `ip`, of what the receiving VF counted.
#[test]
fn a_vf_is_measured_beside_the_pods_other_interface() {
    needs!(Sriov);
    let nic = Nic::up();
    let pods = nic.give_both("bench");
    pods[0].ip(&format!("link add eth0 mtu 1450 type veth peer name eth0 mtu 1450 netns {}", pods[1].name()));
    for (pod, host) in pods.iter().zip(1..) {
        pod.ip(&format!("addr add 198.51.100.{host}/24 dev eth0\nlink set eth0 up"));
    }
    let [to, beside] = ["192.0.2.2:9000", "198.51.100.2:9000"];
    let mut server = in_pod(&pods[1], &["bench", "serve", "--listen", to, "--listen", beside])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let listening = BufReader::new(server.stdout.take().unwrap()).lines().take(2).count();
    let received = || {
        let link: Value = serde_json::from_str(&ns(pods[1].name(), "ip -j -s link show dev net1")).unwrap();
        link[0]["stats64"]["rx"]["bytes"].as_u64().unwrap()
    };
    let before = received();
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("vf.json");
    let more = ["--rounds", "1", "--slice", "50ms", "--only", "tcp", "--output", output.to_str().unwrap()];
    let fixed = ["bench", "run", "--to", to, "--underlay", beside];
    let done = in_pod(&pods[0], &[&fixed[..], &more].concat()).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(listening == 2 && done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let document: Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    let facts = &document["runs"][0]["scenarios"][0]["facts"];
    let expected = [
        ("client", "eth0", 1450),
        ("client", "net1", 1500),
        ("server", "eth0", 1450),
        ("server", "net1", 1500),
    ];
    assert_eq!(devices(facts), expected);
    let slices = document["runs"][0]["rounds"][0]["slices"].as_array().unwrap();
    assert!(
        slices.len() == 2 && slices.iter().all(|slice| slice["bits_per_s"].as_f64() > Some(0.0)),
        "{facts}"
    );
    let payload = facts["counts"]["payload_bytes"].as_u64().unwrap();
    // igbvf reads its counters every two seconds.
    probe_tests::wait_for("the VF to have counted what arrived", || {
        (received() - before > payload).then_some(())
    });
}
