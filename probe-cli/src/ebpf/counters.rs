//! The counter maps: sums over CPUs, as the sample has them.

use std::collections::BTreeMap;

use aya::{Ebpf, maps::Map};
use probe_common::{
    counters::{self, Counters, Losses, OuterCounters, PeerCounters, TunnelCounters},
    keys::{RX, TX},
    limits::DIRECT,
};

use super::{error::EbpfError, percpu::PerCpu};
use crate::sample::{Counts, Kinds, OuterCounts, OuterPart, PerDirection, Syns, TunnelSample};

/// What a peer had on the tunnel device, and below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerCounts {
    pub(super) inner: PerDirection<Counts>,
    pub(super) outer: PerDirection<OuterCounts>,
}

/// All counter maps.
pub(super) struct CounterMaps {
    tunnels: TunnelCounts,
    peers: PerCpu<PeerCounters>,
    pods: PerCpu<Counters>,
    pod_syns: PerCpu<counters::Syns>,
    losses: PerCpu<Losses>,
}

impl CounterMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, EbpfError> {
        Ok(Self {
            tunnels: TunnelCounts::take(ebpf)?,
            peers: take(ebpf, "PEER_COUNTS")?,
            pods: take(ebpf, "POD_COUNTS")?,
            pod_syns: take(ebpf, "POD_SYNS")?,
            losses: take(ebpf, "LOSSES")?,
        })
    }

    /// What was counted on the tunnel device, and below it.
    pub(super) fn tunnel(&mut self, slot: u32) -> Result<TunnelSample, EbpfError> {
        self.tunnels.read(slot)
    }

    pub(super) fn peer(&mut self, slot: u32) -> Result<PeerCounts, EbpfError> {
        both(&mut self.peers, slot, add_peer, peer_counts).map(PeerCounts::of)
    }

    pub(super) fn pod(&mut self, slot: u32) -> Result<PerDirection<Counts>, EbpfError> {
        both(&mut self.pods, slot, add, counts)
    }

    /// The first `slots` peers.
    pub(super) fn peers(&mut self, slots: u32) -> Result<Vec<PeerCounts>, EbpfError> {
        let peers = all(&mut self.peers, slots, add_peer, peer_counts)?;
        Ok(peers.into_iter().map(PeerCounts::of).collect())
    }

    /// The first `slots` pods.
    pub(super) fn pods(&mut self, slots: u32) -> Result<Vec<PerDirection<Counts>>, EbpfError> {
        all(&mut self.pods, slots, add, counts)
    }

    /// SYN segments of the first `slots` pods.
    pub(super) fn pod_syns(&mut self, slots: u32) -> Result<Vec<PerDirection<Syns>>, EbpfError> {
        all(&mut self.pod_syns, slots, add_syns, syns)
    }

    /// The latter alone.
    pub(super) fn outer(&mut self, slot: u32) -> Result<PerDirection<OuterCounts>, EbpfError> {
        self.tunnels.outer(slot)
    }

    /// Packets of pods that are routed without a tunnel, as it is meant.
    pub(super) fn direct(&mut self) -> Result<PerDirection<OuterCounts>, EbpfError> {
        self.outer(DIRECT)
    }

    pub(super) fn losses(&mut self) -> Result<Losses, EbpfError> {
        self.losses.sum(0, |sum, value| {
            sum.ring_full += value.ring_full;
            sum.rate_limited += value.rate_limited;
            sum.unknown_fragments += value.unknown_fragments;
        })
    }

    /// Makes the slot a new tunnel's: its totals, its "other" peers.
    pub(super) fn clear_tunnel(&mut self, slot: u32) -> Result<(), EbpfError> {
        self.tunnels.clear(slot)?;
        self.clear_peer(slot)
    }

    pub(super) fn clear_peer(&mut self, slot: u32) -> Result<(), EbpfError> {
        for index in [slot * 2 + TX, slot * 2 + RX] {
            self.peers.clear(index)?;
        }
        Ok(())
    }

    pub(super) fn clear_pod(&mut self, slot: u32) -> Result<(), EbpfError> {
        for index in [slot * 2 + TX, slot * 2 + RX] {
            self.pods.clear(index)?;
            self.pod_syns.clear(index)?;
        }
        Ok(())
    }
}

impl PeerCounts {
    fn of(both: PerDirection<(Counts, OuterCounts)>) -> Self {
        let PerDirection { tx: (tx, outer_tx), rx: (rx, outer_rx) } = both;
        Self { inner: PerDirection { tx, rx }, outer: PerDirection { tx: outer_tx, rx: outer_rx } }
    }

    /// Packets on both devices and in both directions.
    pub(super) fn packets(&self) -> u64 {
        let Self { inner, outer } = self;
        inner.tx.packets + inner.rx.packets + outer.tx.packets + outer.rx.packets
    }
}

/// What the programs on tunnel devices counted for each of them.
pub(super) struct TunnelCounts(PerCpu<TunnelCounters>);

impl TunnelCounts {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, EbpfError> {
        take(ebpf, "TUNNEL_COUNTS").map(Self)
    }

    pub(super) fn read(&mut self, slot: u32) -> Result<TunnelSample, EbpfError> {
        let (tx, tx_cores) = self.direction(slot * 2 + TX)?;
        let (rx, rx_cores) = self.direction(slot * 2 + RX)?;
        Ok(TunnelSample {
            counts: PerDirection { tx: counts(&tx.all), rx: counts(&rx.all) },
            kinds: PerDirection { tx: kinds(&tx), rx: kinds(&rx) },
            cores: PerDirection { tx: tx_cores, rx: rx_cores },
            outer: Some(PerDirection { tx: outer_counts(&tx.outer), rx: outer_counts(&rx.outer) }),
        })
    }

    fn outer(&mut self, slot: u32) -> Result<PerDirection<OuterCounts>, EbpfError> {
        both(&mut self.0, slot, add_tunnel, |sum| outer_counts(&sum.outer))
    }

    /// The sum over all CPUs, and the packets of each that had some. Both are of one read, so that they add up. The kernel copies
    /// possible CPUs one after the other (`bpf_percpu_array_copy`, kernel/bpf/arraymap.c), which are numbered from 0 without gaps.
    fn direction(&mut self, index: u32) -> Result<(TunnelCounters, BTreeMap<u32, u64>), EbpfError> {
        let (mut sum, mut cores) = (TunnelCounters::default(), BTreeMap::new());
        for (cpu, value) in (0..).zip(self.0.each(index)?) {
            add_tunnel(&mut sum, &value);
            if value.all.packets > 0 {
                cores.insert(cpu, value.all.packets);
            }
        }
        Ok((sum, cores))
    }

    pub(super) fn clear(&mut self, slot: u32) -> Result<(), EbpfError> {
        self.0.clear(slot * 2 + TX)?;
        self.0.clear(slot * 2 + RX)
    }
}

fn take<T: aya::Pod + Default>(ebpf: &mut Ebpf, name: &'static str) -> Result<PerCpu<T>, EbpfError> {
    match ebpf.take_map(name) {
        Some(Map::PerCpuArray(map)) => PerCpu::new(map, name),
        _ => Err(EbpfError::Missing { what: format!("per-CPU array {name}") }),
    }
}

fn both<T: aya::Pod + Default, U>(
    map: &mut PerCpu<T>,
    slot: u32,
    add: impl Fn(&mut T, &T) + Copy,
    convert: impl Fn(&T) -> U,
) -> Result<PerDirection<U>, EbpfError> {
    Ok(PerDirection {
        tx: convert(&map.sum(slot * 2 + TX, add)?),
        rx: convert(&map.sum(slot * 2 + RX, add)?),
    })
}

fn all<T: aya::Pod + Default, U>(
    map: &mut PerCpu<T>,
    slots: u32,
    add: impl Fn(&mut T, &T) + Copy,
    convert: impl Fn(&T) -> U,
) -> Result<Vec<PerDirection<U>>, EbpfError> {
    let sums = map.sums(slots * 2, add)?;
    let of_slot = |both: &[T]| {
        let of = |direction: u32| both.get(direction as usize).map(&convert);
        Some(PerDirection { tx: of(TX)?, rx: of(RX)? })
    };
    Ok(sums.chunks_exact(2).filter_map(of_slot).collect())
}

fn add(sum: &mut Counters, value: &Counters) {
    sum.skbs += value.skbs;
    sum.packets += value.packets;
    sum.inner_bytes += value.inner_bytes;
    sum.outer_bytes += value.outer_bytes;
    sum.oversize += value.oversize;
    sum.fragments += value.fragments;
}

fn add_peer(sum: &mut PeerCounters, value: &PeerCounters) {
    add(&mut sum.inner, &value.inner);
    add_outer(&mut sum.outer, &value.outer);
}

fn add_tunnel(sum: &mut TunnelCounters, value: &TunnelCounters) {
    add_outer(&mut sum.outer, &value.outer);
    add(&mut sum.all, &value.all);
    sum.ipv4 += value.ipv4;
    sum.ipv6 += value.ipv6;
    sum.not_ip += value.not_ip;
    sum.tcp += value.tcp;
    sum.udp += value.udp;
    sum.other_protocol += value.other_protocol;
    sum.unsent += value.unsent;
    for (sum, value) in sum.sizes.iter_mut().zip(value.sizes) {
        *sum += value;
    }
}

fn add_outer(sum: &mut OuterCounters, value: &OuterCounters) {
    sum.packets += value.packets;
    sum.bytes += value.bytes;
    sum.fragments += value.fragments;
    sum.keepalives += value.keepalives;
    sum.keepalive_bytes += value.keepalive_bytes;
    sum.handshakes += value.handshakes;
    sum.handshake_bytes += value.handshake_bytes;
    sum.in_clear += value.in_clear;
    sum.in_clear_bytes += value.in_clear_bytes;
}

fn add_syns(sum: &mut counters::Syns, value: &counters::Syns) {
    sum.segments += value.segments;
    sum.over_budget += value.over_budget;
    sum.largest_mss = sum.largest_mss.max(value.largest_mss);
}

fn syns(value: &counters::Syns) -> Syns {
    Syns { segments: value.segments, over_budget: value.over_budget, largest_mss: value.largest_mss }
}

fn counts(value: &Counters) -> Counts {
    Counts {
        skbs: value.skbs,
        packets: value.packets,
        inner_bytes: value.inner_bytes,
        outer_bytes: value.outer_bytes,
        oversize: value.oversize,
        fragments: value.fragments,
    }
}

fn outer_counts(value: &OuterCounters) -> OuterCounts {
    OuterCounts {
        packets: value.packets,
        bytes: value.bytes,
        fragments: value.fragments,
        keepalives: OuterPart { packets: value.keepalives, bytes: value.keepalive_bytes },
        handshakes: OuterPart { packets: value.handshakes, bytes: value.handshake_bytes },
        in_clear: OuterPart { packets: value.in_clear, bytes: value.in_clear_bytes },
    }
}

fn peer_counts(value: &PeerCounters) -> (Counts, OuterCounts) {
    (counts(&value.inner), outer_counts(&value.outer))
}

fn kinds(value: &TunnelCounters) -> Kinds {
    Kinds {
        ipv4: value.ipv4,
        ipv6: value.ipv6,
        not_ip: value.not_ip,
        tcp: value.tcp,
        udp: value.udp,
        other_protocol: value.other_protocol,
        unsent: value.unsent,
        sizes: value.sizes.to_vec(),
    }
}
