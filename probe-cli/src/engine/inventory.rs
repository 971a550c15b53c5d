//! Reads the tables and the pods by name, and joins them.

use std::collections::BTreeMap;

use super::{host::HostOptions, pods::PodSource};
use crate::{
    facts::{
        files::{HostsEntry, Sourced},
        netlink::{Facts, LinkCounters, OfDevice, WireguardFact},
        pods::PodFacts,
    },
    hostfiles,
    inventory::{self, Inventory, PeerKey, Tunnel, TunnelKind},
    netlink::{NetlinkError, Source},
    sample::{Both, WireguardSample},
};

/// Everything that makes an inventory.
pub(super) struct InventorySource {
    netlink: Source,
    pods: Box<PodSource>,
    /// What `/etc/hosts` said at the start; nothing when the files here are of another node.
    hosts: Vec<Sourced<HostsEntry>>,
    /// The WireGuard devices when everything was read last, without their counters.
    wireguard: Vec<OfDevice<WireguardFact>>,
}

impl InventorySource {
    /// Opens the sources in the calling thread's network namespace.
    pub(super) fn open(host: &HostOptions) -> Result<Self, NetlinkError> {
        let pods = Box::new(PodSource::new(host));
        Ok(Self {
            netlink: Source::connect()?,
            hosts: pods.root().map(hostfiles::hosts).unwrap_or_default(),
            pods,
            wireguard: Vec::new(),
        })
    }

    /// Asks who pods are, and waits for the answers.
    pub(super) async fn ask(&mut self) {
        self.pods.ask().await;
    }

    /// Goes on asking who pods are, in the background. Must be called inside a runtime of tokio.
    pub(super) fn follow_pods(&mut self) {
        self.pods.follow();
    }

    /// True when pods have come or gone. Cheap.
    pub(super) fn pods_changed(&mut self) -> bool {
        self.pods.changed()
    }

    /// Something has happened that may have to do with pods.
    pub(super) fn happened(&mut self) {
        self.pods.happened();
    }

    /// What is known of who pods are, and of their devices.
    pub(super) fn pod_facts(&self) -> &PodFacts {
        self.pods.facts()
    }

    /// Counters of the interfaces of pods that have several, and whether a pod has others than in the inventory.
    pub(super) fn pod_interfaces(&mut self) -> (BTreeMap<(String, u32), LinkCounters>, bool) {
        self.pods.counters(&self.netlink)
    }

    /// Reads everything.
    pub(super) async fn read(&mut self) -> Result<Inventory, NetlinkError> {
        self.read_facts().await.map(|(_, inventory)| inventory)
    }

    /// Reads everything; gives also what it was made of.
    pub(super) async fn read_facts(&mut self) -> Result<(Facts, Inventory), NetlinkError> {
        let facts = self.netlink.facts().await?;
        self.wireguard = without_counters(&facts.wireguard);
        self.pods.read(&self.netlink);
        let mut inventory = inventory::inventory(&facts, self.pods.facts(), &self.pods.namespaces());
        inventory.notes.extend(self.pods.unread().iter().cloned());
        inventory.name_nodes(&self.hosts);
        Ok((facts, inventory))
    }

    /// What WireGuard counted for the peers of its devices among `tunnels`; and whether a device or a peer is another
    /// than when everything was read. The kernel tells of no such change.
    pub(super) fn wireguard(&self, tunnels: &[Tunnel]) -> (BTreeMap<(u32, PeerKey), WireguardSample>, bool) {
        let of_kind = |tunnel: &&Tunnel| tunnel.kind == TunnelKind::Wireguard;
        let ifindices: Vec<u32> = tunnels.iter().filter(of_kind).map(|tunnel| tunnel.ifindex).collect();
        // What cannot be read is said when everything is read again.
        let (devices, _) = self.netlink.wireguard(&ifindices);
        let changed = without_counters(&devices) != self.wireguard;
        let mut samples = BTreeMap::new();
        for device in devices.iter().filter_map(|device| device.told.value()) {
            for peer in &device.peers {
                let key = PeerKey::PublicKey(peer.public_key);
                let counters = peer.counters;
                let sample = WireguardSample {
                    last_handshake: counters.last_handshake,
                    bytes: Both { tx: counters.tx_bytes, rx: counters.rx_bytes },
                };
                samples.insert((device.ifindex, key), sample);
            }
        }
        (samples, changed)
    }
}

/// What changes only when somebody changes it, or when a peer moves.
fn without_counters(devices: &[OfDevice<WireguardFact>]) -> Vec<OfDevice<WireguardFact>> {
    let of = |device: &OfDevice<WireguardFact>| OfDevice {
        ifindex: device.ifindex,
        told: device.told.clone().map(|device| device.without_counters()),
    };
    devices.iter().map(of).collect()
}
