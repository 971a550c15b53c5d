//! Labs of a test's own, removed when the test ends, however it ends.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use overlay_probe::{
    lab::{self, Family, LabOptions, registry::Lab},
    netns::{self, Namespace},
};

use tempfile::NamedTempFile;

use crate::{ns, sh, wait_for};

/// A lab that lives as long as this.
pub struct TestLab {
    /// What was built.
    pub lab: Lab,
}

impl TestLab {
    /// Builds one under a prefix that no other test has.
    pub fn up(nodes: u16, pods: u16, family: Family) -> Self {
        Self::with(&LabOptions { nodes, pods, family, ..LabOptions::default() })
    }

    /// Builds one; the prefix is chosen here.
    pub fn with(options: &LabOptions) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("t{}x{number}", std::process::id());
        let lab =
            lab::up(&LabOptions { prefix, ..options.clone() }, &mut |_| {}).expect("these tests need root");
        Self { lab }
    }

    /// Its prefix.
    pub fn prefix(&self) -> &str {
        &self.lab.options.prefix
    }

    /// Name of a node's namespace, from 1.
    pub fn node(&self, node: u16) -> String {
        self.lab.options.node(node)
    }

    /// A pod's namespace, both from 1.
    pub fn pod(&self, node: u16, pod: u16) -> Namespace {
        netns::open(&self.lab.options.pod(node, pod)).unwrap()
    }

    /// A pod's address.
    pub fn address(&self, node: u16, pod: u16, ipv6: bool) -> std::net::IpAddr {
        let pod = &self.lab.nodes[usize::from(node) - 1].pods[usize::from(pod) - 1];
        *pod.addresses.iter().find(|address| address.is_ipv6() == ipv6).unwrap()
    }

    /// Makes the nodes' NICs put real packets on the wire, one by one, and hand them up one by one: then their
    /// counters and tcpdump see what a wire would carry.
    pub fn offloads_off(&self) {
        for node in &self.lab.nodes {
            offloads_off(&node.netns, "eth0");
        }
        for node in &self.lab.nodes {
            ns(&self.lab.options.underlay(), &format!("ethtool -K node{} gro off", node.number));
        }
        self.neighbours();
        self.quiet();
    }

    /// Waits until nobody reports multicast groups any more: a new address is reported twice, each after up to a second
    /// (RFC 3810 sections 9.11 and 9.1, RFC 3376 alike), and would be on every count.
    fn quiet(&self) {
        const SILENCE: Duration = Duration::from_millis(1200);
        /// Looking is work too, which a busy machine does instead of what is waited for.
        const BETWEEN: Duration = Duration::from_millis(200);
        let counters = || ns(&self.lab.options.underlay(), "ip -j -s link show");
        let (mut before, mut since) = (counters(), Instant::now());
        wait_for("the underlay to be quiet", || {
            thread::sleep(BETWEEN);
            let now = counters();
            if now != before {
                (before, since) = (now, Instant::now());
            }
            (since.elapsed() >= SILENCE).then_some(())
        });
    }

    /// Nodes know each other for good: no ARP and no neighbour discovery on the wire to count.
    fn neighbours(&self) {
        for peer in &self.lab.nodes {
            let link = ns(&peer.netns, "ip -j link show dev eth0");
            let link: serde_json::Value = serde_json::from_str(&link).unwrap();
            let mac = link[0]["address"].as_str().unwrap();
            for node in self.lab.nodes.iter().filter(|node| node.number != peer.number) {
                for address in &peer.addresses {
                    let entry = format!("ip neigh replace {address} lladdr {mac} dev eth0 nud permanent");
                    ns(&node.netns, &entry);
                }
            }
        }
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        lab::down(self.prefix()).unwrap();
    }
}

/// Makes an interface put real packets on the wire, one by one, and hand them up one by one.
pub fn offloads_off(netns: &str, interface: &str) {
    let features = ["tso", "gso", "gro", "tx-udp_tnl-segmentation", "tx-udp-segmentation"];
    ns(netns, &format!("ethtool -K {interface} {} off", features.join(" off ")));
}

/// A namespace for a data plane made by hand.
pub struct TestNetns(String);

impl TestNetns {
    /// Makes one under a name that no other test has.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}{name}x{number}", std::process::id());
        sh("ip", &["netns", "add", &name]);
        Self(name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` commands in it, one a line, all of them in one process.
    pub fn ip(&self, commands: &str) {
        let lines: Vec<&str> = commands.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), lines.join("\n")).unwrap();
        let batch = file.path().to_str().unwrap();
        sh("ip", &["-n", &self.0, "-batch", batch]);
    }
}

impl Drop for TestNetns {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}
