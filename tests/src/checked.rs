//! A lab's node, with the files that it would have, as `check` sees it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, UdpSocket},
    thread,
};

use overlay_probe::{
    lab::{Dataplane, Family, LabOptions, fault, files},
    netns,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{lab::TestLab, ns, settled, tool::run, wait_for};

/// The first node of a lab of its own.
pub struct Node {
    /// The lab.
    pub lab: TestLab,
    files: TempDir,
}

impl Node {
    /// Builds a lab of three nodes with two pods each.
    pub fn up(dataplane: Dataplane, family: Family) -> Self {
        let options = LabOptions { nodes: 3, pods: 2, family, dataplane, ..LabOptions::default() };
        let mut lab = TestLab::with(&options);
        let files = TempDir::new().unwrap();
        files::install(&mut lab.lab, files.path()).unwrap();
        Self { lab, files }
    }

    /// Its namespace.
    pub fn name(&self) -> String {
        self.lab.node(1)
    }

    /// The root of its files.
    pub fn root(&self) -> std::path::PathBuf {
        self.files.path().join(self.name())
    }

    /// Gives it a fault.
    pub fn inject(&self, name: &str) {
        fault::inject(self.lab.prefix(), name, 1).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Takes its faults away, and what the kernel remembers of them.
    pub fn undo(&self) {
        fault::undo(self.lab.prefix(), None).unwrap();
        wait_for("the other nodes to answer on the underlay", || self.asks_again().then_some(()));
    }

    /// Sends something to each node that did not answer when it was asked last: until then, its neighbour entry stays as it is, although
    /// it would answer by now. Whether there is none.
    pub fn asks_again(&self) -> bool {
        let unanswered = ns(&self.name(), "ip neigh show dev eth0 nud failed nud incomplete nud probe");
        let addresses: Vec<IpAddr> =
            unanswered.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        thread::scope(|scope| {
            let sender = scope.spawn(|| {
                netns::enter(&netns::open(&self.name()).unwrap()).unwrap();
                for address in &addresses {
                    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    // Refused by a port that nobody has.
                    let _ = UdpSocket::bind(any).unwrap().send_to(b"x", (*address, 9));
                }
            });
            sender.join().unwrap();
        });
        addresses.is_empty()
    }

    /// Runs `check` on it: exit code and what it prints.
    pub fn check(&self, more: &[&str]) -> (Option<i32>, String) {
        let (name, root) = (self.name(), self.root());
        let mut args =
            vec!["--netns", &name, "--host-root", root.to_str().unwrap(), "check", "--window", "50ms"];
        args.extend(more);
        let output = run(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Ids of findings, those that another one explains marked so; and the whole document.
    pub fn found(&self) -> (Option<i32>, Vec<(String, bool)>, Value) {
        self.found_with(&[])
    }

    /// The same with more options.
    pub fn found_with(&self, more: &[&str]) -> (Option<i32>, Vec<(String, bool)>, Value) {
        let (code, text) = self.check(&[&["--format", "json"], more].concat());
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let findings = document["findings"].as_array().unwrap().iter();
        let found = findings
            .map(|finding| (finding["id"].as_str().unwrap().to_owned(), !finding["explained_by"].is_null()))
            .collect();
        (code, found, document)
    }

    /// Panics when anything is wrong with it.
    pub fn is_healthy(&self, when: &str) {
        let (code, found, document) = self.found();
        assert!(found.is_empty(), "{when}: {document}");
        assert_eq!((code, document["verdict"].as_str()), (Some(0), Some("ok")), "{when}: {document}");
    }

    /// Waits until nothing is wrong with it any more: the kernel finishes with some changes of a device a little later.
    pub fn becomes_healthy(&self, when: &str) {
        let is_well = || {
            let is_well = self.found().1.is_empty();
            if !is_well {
                self.asks_again();
            }
            is_well
        };
        settled(is_well, |is_well| *is_well);
        self.is_healthy(when);
    }

    /// All that a fault may change: devices, addresses, routes, tables, settings, files. Without what changes by itself.
    pub fn state(&self) -> BTreeSet<String> {
        let (node, pods) = (self.name(), [1, 2].map(|pod| self.lab.lab.options.pod(1, pod)));
        let mut state = BTreeSet::new();
        let mut add = |netns: &str, command: &str| {
            for line in ns(netns, command).lines() {
                // Indices of devices that were made again are others.
                let line = line
                    .split_once(": ")
                    .filter(|(start, _)| start.parse::<u32>().is_ok())
                    .map_or(line, |(_, rest)| rest);
                // Link-local addresses of pods wait for their uniqueness to be proven.
                if line.contains("fe80:") {
                    continue;
                }
                state.insert(format!("{netns} {command}: {}", line.trim()));
            }
        };
        for netns in pods.iter().chain([&node]) {
            for command in
                ["ip -o link", "ip -o address", "ip -4 route show table all", "ip -6 route show table all"]
            {
                add(netns, command);
            }
            add(netns, "ip neigh show nud permanent");
        }
        add(&node, "ip -d -o link show type vxlan");
        add(&node, "bridge fdb show");
        add(&node, "sysctl -a --pattern net.ipv[46].*(forward|rp_filter|accept_ra|addr_gen_mode)");
        if self.lab.lab.options.dataplane.wireguard() {
            for device in ["flannel-wg", "flannel-wg-v6"] {
                add(&node, &format!("wg show {device} allowed-ips"));
                add(&node, &format!("wg show {device} endpoints"));
            }
        }
        add(&self.lab.lab.options.underlay(), "ip -o link");
        let files = ns(&node, &format!("grep -r -I ^ {}", self.root().display()));
        state.extend(files.lines().map(str::to_owned));
        let links = ns(&node, &format!("find {} -type l", self.root().display()));
        state.extend(links.lines().map(str::to_owned));
        state
    }
}
