//! What makes a path slower, and what undoes it.

use std::process::{Command, Stdio};

use anyhow::Result;
use xtask::burn::{Burn, Hook};

use super::{
    super::world::{Running, World},
    Way,
};
use crate::command;

/// Starts a program that keeps to the first processor.
pub(super) const ONE_PROCESSOR: &[&str] = &["taskset", "-c", "0"];

/// What the gate has to say.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// Slower, and a fact with these words.
    Red(&'static str),
    /// Slower, undecided or a warning, with such a fact: how much it costs depends on the machine.
    NotPassed(&'static str),
    /// Anything but slower: it is the machine.
    NotRed,
}

impl Expected {
    pub(super) fn words(self) -> String {
        match self {
            Self::Red(words) => format!("red: {words}"),
            Self::NotPassed(words) => format!("named: {words}"),
            Self::NotRed => "not red".to_owned(),
        }
    }
}

/// One of them.
pub(super) struct Slowdown {
    pub(super) what: &'static str,
    how: How,
    /// What shows it.
    pub(super) way: Way,
    /// What starts the gate.
    pub(super) before: &'static [&'static str],
    pub(super) expected: Expected,
}

enum How {
    /// Commands of a shell on the first node (`$POD` is its pod's namespace), and what undoes them.
    Shell(&'static str, &'static str),
    /// A program on the tunnel.
    Program,
    /// Something that never rests on the second processor.
    Hog,
    /// Nothing: how the gate is started is all.
    Nothing,
}

/// Goes on until this is dropped.
pub(super) enum Undo {
    Shell { script: &'static str, node: String, pod: String },
    Program { _burn: Burn },
    Hog { _running: Running },
    Nothing,
}

const fn shell(what: &'static str, make: &'static str, undo: &'static str, expected: Expected) -> Slowdown {
    Slowdown { what, how: How::Shell(make, undo), way: Way::OneProcessor, before: &[], expected }
}

/// All of them.
pub(super) const ALL: &[Slowdown] = &[
    shell(
        "TX checksum offload off on the tunnel (`ethtool -K flannel.1 tx off`)",
        "ethtool -K flannel.1 tx off",
        "ethtool -K flannel.1 tx on",
        Expected::Red("TX checksum offload (tx-checksum-ip-generic) off on flannel.1 of node 1"),
    ),
    shell(
        "GSO off on the tunnel (`ethtool -K flannel.1 gso off tso off`)",
        "ethtool -K flannel.1 gso off tso off",
        "ethtool -K flannel.1 gso on tso on",
        Expected::Red("off on flannel.1 of node 1"),
    ),
    shell(
        "the pod's MTU lowered to 700",
        "ip netns exec $POD ip link set dev eth0 mtu 700",
        "ip netns exec $POD ip link set dev eth0 mtu 1450",
        Expected::NotPassed("MTU 1450 -> 700 on eth0 of pod 1"),
    ),
    Slowdown {
        what: "an eBPF program on the tunnel that takes 2 µs a buffer",
        how: How::Program,
        way: Way::Packets,
        before: &[],
        expected: Expected::Red("eBPF program burn on egress of flannel.1 of node 1"),
    },
    shell(
        "a limit of 1 Gbit/s on the tunnel (`tc qdisc add dev flannel.1 root tbf`)",
        "tc qdisc add dev flannel.1 root tbf rate 1gbit burst 256k limit 4m",
        "tc qdisc del dev flannel.1 root",
        Expected::Red("qdisc noqueue -> tbf on flannel.1 of node 1"),
    ),
    shell(
        "netem: 1 ms of delay on the tunnel",
        "tc qdisc add dev flannel.1 root netem delay 1ms limit 10000",
        "tc qdisc del dev flannel.1 root",
        Expected::Red("qdisc noqueue -> netem on flannel.1 of node 1"),
    ),
    shell(
        "netem: 1 % of loss on the tunnel",
        "tc qdisc add dev flannel.1 root netem loss 1% limit 10000",
        "tc qdisc del dev flannel.1 root",
        Expected::Red("qdisc noqueue -> netem on flannel.1 of node 1"),
    ),
    Slowdown {
        what: "one processor taken away (`taskset -c 0`)",
        how: How::Nothing,
        way: Way::All,
        before: ONE_PROCESSOR,
        expected: Expected::NotRed,
    },
    Slowdown {
        what: "something else that never rests on the second processor",
        how: How::Hog,
        way: Way::All,
        before: &[],
        expected: Expected::NotRed,
    },
];

impl Slowdown {
    /// Makes it, or says why it cannot be made here.
    pub(super) fn make(&self, world: &World) -> Result<Result<Undo, String>> {
        let (node, pod) = (world.node(1), world.lab.options.pod(1, 1));
        Ok(match &self.how {
            How::Nothing => Ok(Undo::Nothing),
            How::Program => match Burn::on(&node, "flannel.1", Hook::Egress) {
                Ok(burn) => Ok(Undo::Program { _burn: burn }),
                Err(error) => Err(format!("{error:#}")),
            },
            How::Hog => {
                let mut hog = command::program("taskset");
                hog.args(["-c", "1", "sh", "-c", "while :; do :; done"]);
                Ok(Undo::Hog { _running: Running(hog.stdout(Stdio::null()).spawn()?) })
            }
            How::Shell(make, undo) => {
                let done = in_node(&node, &pod, make).output()?;
                if done.status.success() {
                    Ok(Undo::Shell { script: undo, node, pod })
                } else {
                    let said = String::from_utf8_lossy(&done.stderr);
                    Err(said.lines().next().unwrap_or("it failed").to_owned())
                }
            }
        })
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Self::Shell { script, node, pod } = self {
            // With the lab it goes as well.
            let _ = in_node(node, pod, script).output();
        }
    }
}

fn in_node(node: &str, pod: &str, script: &str) -> Command {
    let mut shell = command::program("ip");
    shell.args(["netns", "exec", node, "sh", "-c", script]).env("POD", pod);
    shell
}
