//! What programs count and what the kernel drops on a node of which nothing is wrong, and how that is changed.

use std::collections::BTreeMap;

use super::Node;
use crate::{
    inventory::{PeerKey, testdata::*},
    model::drops::testdata::VXLAN,
    observed::Observed,
    sample::{
        Counts, DropRow, DroppedPacket, Drops, OuterCounts, OuterPart, PeerSample, PerDirection, Sample,
        TunnelSample,
    },
};

/// Counters of tunnels before the first packet.
pub(super) fn nothing(counted: &Sample) -> BTreeMap<u32, TunnelSample> {
    let outer = |tunnel: &TunnelSample| tunnel.outer.map(|_| PerDirection::default());
    let before = |tunnel: &TunnelSample| TunnelSample { outer: outer(tunnel), ..TunnelSample::default() };
    counted.tunnels.iter().map(|(ifindex, tunnel)| (*ifindex, before(tunnel))).collect()
}

/// The same of peers.
pub(super) fn nothing_of_peers(counted: &Sample) -> BTreeMap<(u32, PeerKey), PeerSample> {
    let outer = |peer: &PeerSample| peer.outer.map(|_| PerDirection::default());
    let before = |peer: &PeerSample| PeerSample { outer: outer(peer), ..PeerSample::default() };
    counted.peers.iter().map(|(key, peer)| (*key, before(peer))).collect()
}

impl Node {
    /// Programs count, and have seen packets that there is nothing to say about.
    pub(crate) fn counting(mut self) -> Self {
        self.counted.counted = Observed::Value(());
        for ifindex in [FLANNEL, FLANNEL6] {
            self.carry(ifindex, |tunnel| {
                let counts = Counts {
                    skbs: 9,
                    packets: 9,
                    inner_bytes: 9_000,
                    outer_bytes: 9_450,
                    ..Counts::default()
                };
                tunnel.counts = PerDirection { tx: counts, rx: counts };
                let outer = OuterCounts { packets: 9, bytes: 9_450, ..OuterCounts::default() };
                tunnel.outer = Some(PerDirection { tx: outer, rx: outer });
            });
        }
        // What every node drops.
        self.drop(FLANNEL, "NO_TX_TARGET", |row| row.to_group = true);
        self.drop(20, "NETFILTER_DROP", |_| ());
        self.drop(FLANNEL, "NEIGH_FAILED", |row| row.packets = 2);
        self.drop(ETH0, "OTHERHOST", |row| row.outer = Some(VXLAN));
        self
    }

    /// The kernel drops some packets on a device.
    pub(crate) fn drop(&mut self, ifindex: u32, reason: &str, change: impl FnOnce(&mut DropRow)) {
        if self.counted.drops == Observed::Absent {
            let known = [
                "LOCAL_MAC",
                "NETFILTER_DROP",
                "NO_TX_TARGET",
                "OTHERHOST",
                "PKT_TOO_BIG",
                "VXLAN_VNI_NOT_FOUND",
            ];
            let known = known.map(str::to_owned).to_vec();
            self.counted.drops = Observed::Value(Box::new(Drops { known, ..Drops::default() }));
        }
        let Observed::Value(drops) = &mut self.counted.drops else { return };
        let last = DroppedPacket {
            mac: Some(mac(9)),
            source: Some(ip("192.0.2.2")),
            destination: Some(ip("192.0.2.1")),
            port: Some(8472),
            ..DroppedPacket::default()
        };
        let mut row = DropRow { ifindex, reason: reason.to_owned(), packets: 30, last, ..DropRow::default() };
        change(&mut row);
        drops.rows.push(row);
    }

    /// Packets to pods of a peer are outside its tunnel in the window.
    pub(crate) fn bare(&mut self, tunnel: u32, key: PeerKey) {
        let in_clear = OuterPart { packets: 12, bytes: 1_200 };
        let tx = OuterCounts { in_clear, ..OuterCounts::default() };
        let outer = Some(PerDirection { tx, rx: OuterCounts::default() });
        self.counted.counted = Observed::Value(());
        self.carry(tunnel, |carried| carried.outer = outer);
        self.counted.peers.insert((tunnel, key), PeerSample { outer, ..PeerSample::default() });
    }

    /// Changes what a tunnel carried in the window.
    pub(crate) fn carry(&mut self, ifindex: u32, change: impl FnOnce(&mut TunnelSample)) {
        change(self.counted.tunnels.entry(ifindex).or_default());
    }
}
