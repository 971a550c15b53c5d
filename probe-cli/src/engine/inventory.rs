//! Reads the tables and the pods by name, and joins them.

use std::collections::BTreeMap;

use crate::{
    inventory::{self, Inventory, NamedPod, PeerKey, PublicKey, Tunnel, TunnelKind},
    lab,
    netlink::{NetlinkError, Source, facts::WireguardFact},
    sample::{Both, WireguardSample},
};

/// Everything that makes an inventory.
pub(super) struct InventorySource {
    netlink: Source,
    lab: lab::registry::Reader,
    named: Vec<NamedPod>,
    /// The WireGuard devices when everything was read last, without their counters.
    wireguard: Vec<WireguardFact>,
}

impl InventorySource {
    /// Opens the sources in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let mut source = Self {
            netlink: Source::connect()?,
            lab: lab::registry::Reader::for_current_node(),
            named: Vec::new(),
            wireguard: Vec::new(),
        };
        source.names_changed();
        Ok(source)
    }

    /// Looks for pods by name; true when they are others than before. Cheap when nothing changed.
    pub(super) fn names_changed(&mut self) -> bool {
        match self.lab.pods_if_changed() {
            Some(pods) if pods != self.named => {
                self.named = pods;
                true
            }
            _ => false,
        }
    }

    /// Reads everything.
    pub(super) async fn read(&mut self) -> Result<Inventory, NetlinkError> {
        let facts = self.netlink.facts().await?;
        self.wireguard = facts.wireguard.iter().map(WireguardFact::without_counters).collect();
        Ok(inventory::inventory(&facts, &self.named))
    }

    /// What WireGuard counted for the peers of its devices among `tunnels`; and whether a device or a peer is another
    /// than when everything was read. The kernel tells of no such change.
    pub(super) fn wireguard(&self, tunnels: &[Tunnel]) -> (BTreeMap<(u32, PeerKey), WireguardSample>, bool) {
        let of_kind = |tunnel: &&Tunnel| tunnel.kind == TunnelKind::Wireguard;
        let ifindices: Vec<u32> = tunnels.iter().filter(of_kind).map(|tunnel| tunnel.ifindex).collect();
        // What cannot be read is said when everything is read again.
        let (devices, _) = self.netlink.wireguard(&ifindices);
        let changed = !devices.iter().map(WireguardFact::without_counters).eq(self.wireguard.iter().cloned());
        let mut samples = BTreeMap::new();
        for device in &devices {
            for peer in &device.peers {
                let key = PeerKey::PublicKey(PublicKey(peer.public_key));
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
