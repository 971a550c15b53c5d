//! The lab that a benchmark runs in, visible to this process and its children only.

use std::{fmt::Write as _, fs, net::IpAddr, path::Path, process::Child, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use overlay_probe::{
    lab::{
        self, Dataplane, Family, LabOptions,
        load::{Load, LoadOptions},
        registry::Lab,
    },
    netns,
};

use crate::{command, ui};

/// Of a node that has much to tell.
pub(super) const PODS: u16 = 250;
/// Gives the process a /run of its own, so that the kernel removes every namespace with it.
pub(super) fn own_mounts() -> Result<()> {
    netns::private_run().context("cannot make a private /run")
}

/// A lab, gone when dropped.
pub(super) struct World {
    /// What was built.
    pub(super) lab: Lab,
}

impl World {
    /// Builds it: IPv4 and VXLAN, so many nodes, so many pods on each.
    pub(super) fn up(nodes: u16, pods: u16) -> Result<Self> {
        Self::with(nodes, pods, Family::V4, Dataplane::Vxlan)
    }

    /// The same with other families and tunnels.
    pub(super) fn with(nodes: u16, pods: u16, family: Family, dataplane: Dataplane) -> Result<Self> {
        let prefix = "bench".to_owned();
        let options = LabOptions { prefix, nodes, pods, family, dataplane, ..LabOptions::default() };
        Ok(Self { lab: lab::up(&options, &mut |_| {})? })
    }

    /// Two nodes of which the first has much to tell: so many remote nodes, beside the lab's own.
    pub(super) fn busy(peers: u32) -> Result<Self> {
        ui::note(&format!("building a node with {PODS} pods and {peers} peers"));
        let world = Self::up(2, PODS)?;
        add_peers(&world.node(1), peers)?;
        Ok(world)
    }

    /// Sends traffic between its pods, as a node that is observed has.
    pub(super) fn load(&self) -> Result<Load> {
        let prefix = self.lab.options.prefix.clone();
        Ok(Load::start(&LoadOptions { prefix, tcp_mbit: 50, udp_pps: 500, flows: 8, waves: false })?)
    }

    /// Address of the second node's first pod.
    pub(super) fn pod_address(&self, is_v6: bool) -> Result<IpAddr> {
        let pod = self.lab.nodes.get(1).and_then(|node| node.pods.first()).context("the lab has no pod")?;
        let mut addresses = pod.addresses.iter();
        addresses.find(|address| address.is_ipv6() == is_v6).copied().context("the pod has no such address")
    }

    /// Name of a node's namespace, from 1.
    pub(super) fn node(&self, node: u16) -> String {
        self.lab.options.node(node)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left goes with the process.
        let _ = lab::down(&self.lab.options.prefix);
    }
}

/// Runs a command of words inside a namespace.
pub(super) fn inside(netns: &str, words: &str) -> Result<String> {
    command::capture(command::program("ip").args(["netns", "exec", netns]).args(words.split(' ')))
}

/// Peers as flannel makes them: a route, a neighbour and an FDB entry each.
fn add_peers(node: &str, peers: u32) -> Result<()> {
    let mut ip = String::new();
    let mut bridge = String::new();
    for peer in 0..peers {
        let (high, low) = (peer / 250, peer % 250);
        let mac = format!("02:aa:00:00:{high:02x}:{low:02x}");
        // Writing to a String cannot fail.
        let _ = writeln!(ip, "neigh add 10.{}.{low}.0 lladdr {mac} dev flannel.1 nud permanent", 60 + high);
        let _ =
            writeln!(ip, "route add 10.{0}.{low}.0/24 via 10.{0}.{low}.0 dev flannel.1 onlink", 60 + high);
        let _ = writeln!(bridge, "fdb add {mac} dev flannel.1 dst 172.30.{high}.{}", low + 1);
    }
    let directory = tempfile::tempdir()?;
    for (program, batch) in [("ip", ip), ("bridge", bridge)] {
        let file = directory.path().join(program);
        fs::write(&file, batch)?;
        inside(node, &format!("{program} -batch {}", file.display()))?;
    }
    Ok(())
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A child that is killed when dropped.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Waits for the file that says it is ready.
    pub(super) fn wait_for(&mut self, file: &Path) -> Result<()> {
        for _ in 0..3000 {
            if file.exists() {
                return Ok(());
            }
            self.is_running()?;
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the tool did not begin to count within 30 s")
    }

    /// An error when it has ended.
    pub(super) fn is_running(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            Some(status) => bail!("it ended at once: {status}"),
            None => Ok(()),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn end(mut self) -> Result<()> {
        let pid = libc::pid_t::try_from(self.0.id())?;
        // SAFETY: no memory is involved, and the child is not waited for before, so that the number is its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
