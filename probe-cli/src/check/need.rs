//! What checks need to have been read. A check whose need is not met is not judged, whatever it would have said.

use crate::{
    model::{Model, Probed},
    observed::Observed,
};

/// Something that must have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Addresses of the node.
    Addresses,
    /// Routes of both families.
    Routes,
    /// Neighbours and FDB entries of tunnels.
    TunnelTables,
    /// Peers of WireGuard devices.
    WireguardPeers,
    /// The node's files.
    Files,
    /// Names of pods, from the container runtime.
    Runtime,
    /// Sysctls of the node.
    Sysctls,
    /// Neighbours of the devices that lead to other nodes.
    UnderlayNeighbours,
    /// Path MTUs that the kernel has learned.
    LearnedMtus,
    /// Drivers and offloads of tunnels and of what carries them.
    Devices,
    /// Counters at two moments.
    Window,
    /// host-local's files.
    Ipam,
    /// What is inside pods' network namespaces.
    PodNetworks,
    /// The release of the kernel.
    Kernel,
    /// Physical and virtual functions.
    Vfs,
    /// What PFs' drivers have set for their VFs.
    VfSettings,
    /// Network functions on the PCI bus.
    PciFunctions,
    /// The configuration of the SR-IOV device plugin; none is no trouble.
    DevicePlugin,
    /// Packets, counted by programs that are attached when somebody asks.
    Traffic,
    /// What the kernel drops, and why: seen by a program that is attached with those.
    Drops,
    /// Probes that were sent to other nodes because somebody asked.
    Probes,
    /// Such probes of several flows to each address.
    ProbedFlows,
    /// A switch to another backend that somebody plans.
    Planned,
}

impl Need {
    /// What to ask for; none when nobody has to ask, or somebody has. It is no gap in what was looked at.
    pub fn unasked(self, model: &Model) -> Option<&'static str> {
        if self == Self::Traffic && model.counted == Observed::Absent {
            Some("needs --with-traffic")
        } else if self == Self::Probes && model.probed == Observed::Absent {
            Some("needs --probe")
        } else if self == Self::ProbedFlows && !is_of_flows(&model.probed) {
            Some("needs --probe --flows 16")
        } else if self == Self::Planned && model.planned_backend.is_none() {
            Some("needs --for wireguard")
        } else {
            None
        }
    }

    /// Why it is not there; none when it is.
    pub fn missing(self, model: &Model) -> Option<String> {
        let snapshot = &model.snapshot;
        let netlink = &snapshot.netlink;
        match self {
            Self::Addresses => why(&netlink.addresses, "the node's addresses were not read"),
            Self::Routes => why(&netlink.routes.ipv4, "the node's IPv4 routes were not read")
                .or_else(|| netlink.routes.ipv6.trouble()),
            Self::TunnelTables => netlink.neighbours.troubles().chain(netlink.fdb.troubles()).next(),
            Self::WireguardPeers => netlink.wireguard.iter().find_map(|device| device.told.trouble()),
            Self::Files => why(
                &snapshot.files,
                "the files that can be read are another node's: give this node's root with --host-root",
            ),
            Self::Runtime => why(
                &snapshot.pods.sandboxes,
                "no container runtime was found: give its socket with --cri-socket",
            ),
            Self::Sysctls => why(
                &snapshot.network.sysctls.ipv4_all.forwarding,
                "the node's sysctls were not read: /proc/sys is not there",
            ),
            Self::UnderlayNeighbours => {
                snapshot.network.devices.iter().find_map(|device| device.neighbours.trouble())
            }
            Self::LearnedMtus => {
                snapshot.network.pmtu_ipv4.trouble().or_else(|| snapshot.network.pmtu_ipv6.trouble())
            }
            Self::Devices => snapshot.network.devices.iter().find_map(|device| {
                device.device.features.trouble().or_else(|| device.device.driver.trouble())
            }),
            Self::Window => model.window.is_none().then(|| "counters were read once only".to_owned()),
            Self::Ipam => snapshot.ipam.trouble(),
            // A single pod may end while it is looked at.
            Self::PodNetworks => snapshot.inside.iter().find_map(|pod| match &pod.told {
                Observed::Denied { .. } => pod.told.trouble(),
                Observed::Value(_)
                | Observed::Absent
                | Observed::Unsupported { .. }
                | Observed::Failed { .. } => None,
            }),
            Self::Kernel => why(&snapshot.host.kernel, "the release of the kernel was not read"),
            Self::Vfs => snapshot.sriov.pfs.trouble(),
            Self::VfSettings => snapshot.sriov.lists.iter().find_map(|list| list.told.trouble()),
            Self::PciFunctions => snapshot.pci.trouble(),
            Self::Traffic => model.counted.trouble(),
            Self::Drops => model.drops.trouble(),
            Self::Probes | Self::ProbedFlows => model.probed.trouble(),
            Self::Planned => None,
            Self::DevicePlugin => snapshot.files.value().and_then(|files| files.device_plugin.trouble()),
        }
    }
}

/// Whether several flows to each address were asked for, or the probes could not be sent.
fn is_of_flows(probed: &Observed<Probed>) -> bool {
    *probed != Observed::Absent && probed.value().is_none_or(|probed| probed.flows > 1)
}

/// Why there is no value; also when it is simply not there.
fn why<T>(observed: &Observed<T>, absent: &str) -> Option<String> {
    match observed {
        Observed::Value(_) => None,
        Observed::Absent => Some(absent.to_owned()),
        Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => {
            observed.trouble()
        }
    }
}
