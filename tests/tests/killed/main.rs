//! How it ends: by a signal that it can answer, and by one that it cannot. Foreign filters are never touched.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

mod ends;
mod leftovers;

use std::{
    process::Output,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::sys::signal::Signal;
use overlay_probe::{
    ebpf::{Heart, Limits, test_run::Bench},
    inventory::Inventory,
    procfs,
};
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, filter_programs, filters},
    ns, sh,
    tool::{INTERVAL, Watch, run},
    wait_for,
};

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
    beat(pair, procfs::node_monotonic().checked_sub(Duration::from_secs(11)).unwrap());
}

/// Makes them as young as those of a run that ended just now, however long ago that was on a slow machine.
fn rejuvenate(pair: &Pair) {
    beat(pair, procfs::node_monotonic());
}

fn beat(pair: &Pair, at: Duration) {
    for interface in [TUNNEL, "u0"] {
        for program in filter_programs(pair.node(1), interface) {
            let mut heart = Heart::of_program(program).unwrap().unwrap();
            heart.set(at, INTERVAL).unwrap();
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

const ONCE: [&str; 7] = ["watch", "--attach", "clsact", "--interval", "200ms", "--count", "1"];

fn told(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    str::from_utf8(&output.stderr).unwrap().trim()
}
