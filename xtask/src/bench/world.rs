//! The lab that a benchmark runs in, visible to this process and its children only.

use std::{path::Path, process::Child, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use overlay_probe::{
    lab::{self, Family, LabOptions, registry::Lab},
    netns,
};

use crate::command;

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
    /// Builds it: IPv4, so many nodes, so many pods on each.
    pub(super) fn up(nodes: u16, pods: u16) -> Result<Self> {
        let options = LabOptions {
            prefix: "bench".to_owned(),
            nodes,
            pods,
            family: Family::V4,
            ..LabOptions::default()
        };
        Ok(Self { lab: lab::up(&options, &mut |_| {})? })
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

/// A child that is killed when dropped.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Waits for the file that says it is ready.
    pub(super) fn wait_for(&mut self, file: &Path) -> Result<()> {
        for _ in 0..3000 {
            if file.exists() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("the tool ended at once: {status}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the tool did not begin to count within 30 s")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
