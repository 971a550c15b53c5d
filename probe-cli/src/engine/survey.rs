//! Looks at the node once: its tables and what they come to. Nothing is attached, and no privilege is needed but where the
//! kernel wants one to tell of WireGuard's peers.

use std::path::Path;

use super::{error::EngineError, host::HostOptions, inventory::InventorySource};
use crate::{
    facts::{files::Chart, netlink::Facts},
    hostfiles,
    inventory::{
        Inventory, LinkList, TunnelKind,
        intent::{self, Intent},
        links,
    },
    netlink::Source,
    procfs, sriov,
};

/// The node at one instant.
#[derive(Debug)]
pub struct Survey {
    /// What the kernel's tables say.
    pub facts: Facts,
    /// What that comes to.
    pub inventory: Inventory,
}

/// What the node is by its files and its kernel.
#[derive(Debug)]
pub struct Configured {
    /// What the node's files want; none when the files here are of another node.
    pub intent: Option<Intent>,
    /// Manifests of charts among the node's files.
    pub charts: Vec<Chart>,
    /// The kernel can make WireGuard devices; none when that is not known.
    pub has_wireguard: Option<bool>,
    /// Host name in our own UTS namespace.
    pub hostname: Option<String>,
    /// Release of the running kernel.
    pub kernel: Option<String>,
}

/// Reads everything in the calling thread's network namespace. Must be called inside a current-thread runtime.
pub async fn survey(host: &HostOptions) -> Result<Survey, EngineError> {
    let mut source = InventorySource::open(host)?;
    source.ask().await;
    let (facts, inventory) = source.read_facts().await?;
    Ok(Survey { facts, inventory })
}

impl Survey {
    /// What the files below the host's root want of the node, and what its kernel can do.
    pub fn configured(&self, host: &HostOptions) -> Configured {
        let files = host.is_node.then(|| hostfiles::read(&host.root));
        let intent = files.as_ref().map(intent::intent);
        let charts = files.as_ref().and_then(|files| files.charts.value()).cloned().unwrap_or_default();
        let has_device = self.inventory.tunnels.iter().any(|tunnel| tunnel.kind == TunnelKind::Wireguard);
        let has_wireguard = if has_device { Some(true) } else { procfs::has_module(&host.root, "wireguard") };
        Configured {
            intent,
            charts,
            has_wireguard,
            hostname: procfs::hostname(),
            kernel: procfs::kernel_release(),
        }
    }

    /// The links with their roles, and what could not be read of PFs and VFs. Sysfs is below `root`.
    pub fn links(&mut self, root: &Path) -> (LinkList, Vec<String>) {
        let mut notes = Vec::new();
        let pfs = sriov::physical_functions(root).unwrap_or_else(|error| {
            notes.push(format!("SR-IOV devices cannot be read: {error}"));
            Vec::new()
        });
        // Before Linux 5.14 a link does not say what is behind it; ethtool does, and it is asked only where it matters.
        if !pfs.is_empty() {
            let hardware = Source::connect().and_then(|source| source.hardware());
            match hardware {
                Ok(found) => {
                    for (known, _) in found {
                        let mut links = self.facts.links.iter_mut();
                        if let Some(link) = links.find(|link| link.ifindex == known.ifindex) {
                            link.parent_device = known.parent_device;
                        }
                    }
                }
                Err(error) => notes.push(error.to_string()),
            }
        }
        (links(&self.facts, &self.inventory, &pfs), notes)
    }
}
