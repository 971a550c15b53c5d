//! The running probe: one loaded object, attached where the inventory says, read when asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aya::Ebpf;
use probe_common::limits::{self, TUNNELS};

use super::{
    attach::{self, AttachMode, Hook, LinkPlace},
    attached::Attached,
    baseline::{Baseline, Offset},
    counters::{CounterMaps, PeerCounts},
    error::EbpfError,
    events::Events,
    explain::Explainer,
    heartbeat::Heart,
    lookup::LookupMaps,
    object::{self, Limits, PROGRAMS},
    plan::{self, AllSlots},
    slots::Slots,
    stats::{self, Timing},
};
use crate::{
    inventory::Inventory,
    sample::{
        GonePeers, GonePods, Observer, OuterCounts, OuterPart, PeerSample, PerDirection, PmtuEvent, Sample,
        Syns, TunnelSample,
    },
};

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProbeOptions {
    /// Sizes of the maps.
    pub limits: Limits,
    /// Attach this way instead of the best way that the kernel has.
    pub mode: Option<AttachMode>,
    /// Time between two calls of [`Probe::read`]: whoever finds our filters can tell by it that nobody reads any more.
    pub interval: Duration,
}

/// See the module. Dropping it detaches everything.
pub struct Probe {
    // Attachments go before the programs they refer to.
    attached: Attached,
    /// While somebody asks why packets are "other".
    explainer: Option<Box<Explainer>>,
    limits: Limits,
    mode: AttachMode,
    lookups: LookupMaps,
    counters: CounterMaps,
    events: Events,
    slots: AllSlots,
    /// Counts of pods and peers that are gone, so that the parts keep adding up.
    gone_pods: GonePods,
    gone_peers: BTreeMap<u32, GonePeers>,
    baseline: Baseline,
    /// Offsets of peers that are gone, by tunnel: a tunnel's is the sum of its parts'.
    gone_offsets: BTreeMap<u32, Offset>,
    /// Devices below each tunnel that counts together with them.
    together: BTreeMap<u32, BTreeSet<u32>>,
    /// Underlay devices of each tunnel, by interface index.
    underlays: BTreeMap<u32, Vec<u32>>,
    map_bytes: u64,
    timing: Option<Timing>,
    /// With clsact, where the kernel can keep one.
    heart: Option<Heart>,
    interval: Duration,
    ebpf: Ebpf,
}

impl Probe {
    /// Loads the embedded object. Nothing is attached yet.
    pub fn load(options: ProbeOptions) -> Result<Self, EbpfError> {
        let mode = attach::choose(options.mode)?;
        let mut ebpf = object::load(object::OBJECT, options.limits)?;
        let map_bytes = stats::map_bytes(&ebpf);
        // Before anything is attached: a filter without a beat is one of a run that ended.
        let heart = match mode {
            AttachMode::Clsact => Heart::start(&mut ebpf, PROGRAMS, options.interval)?,
            AttachMode::Tcx => None,
        };
        Ok(Self {
            attached: Attached::default(),
            explainer: None,
            limits: options.limits,
            mode,
            lookups: LookupMaps::take(&mut ebpf)?,
            counters: CounterMaps::take(&mut ebpf)?,
            events: Events::take(&mut ebpf)?,
            slots: AllSlots {
                tunnels: Slots::new(0, TUNNELS),
                peers: Slots::new(TUNNELS, options.limits.peers),
                pods: Slots::new(1, options.limits.pods),
                allowed_ips: limits::allowed_ips(options.limits.peers),
                pod_networks: limits::pod_networks(options.limits.peers),
            },
            gone_pods: GonePods::default(),
            gone_peers: BTreeMap::new(),
            baseline: Baseline::default(),
            gone_offsets: BTreeMap::new(),
            together: BTreeMap::new(),
            underlays: BTreeMap::new(),
            map_bytes,
            timing: None,
            heart,
            interval: options.interval,
            ebpf,
        })
    }

    /// How programs are attached.
    pub fn mode(&self) -> AttachMode {
        self.mode
    }

    /// Makes maps and attachments follow the inventory. What could not be attached is returned, one error each; a
    /// map that could not be written is the error of the whole.
    pub fn follow(&mut self, inventory: &Inventory) -> Result<Vec<EbpfError>, EbpfError> {
        self.beat()?;
        let tunnels = self.slots.tunnels.assign(inventory.tunnels.iter().map(|tunnel| tunnel.ifindex));
        let peers = self.slots.peers.assign(
            inventory
                .peers
                .iter()
                .filter(|peer| self.slots.tunnels.get(&peer.tunnel).is_some())
                .map(|peer| (peer.tunnel, peer.key)),
        );
        let pods = self.slots.pods.assign(inventory.pods.iter().map(|pod| pod.key()));
        let tables = plan::tables(inventory, &self.slots);
        let hooks = plan::hooks(inventory, &tables);

        self.lookups.remove_stale(&tables)?;
        for ((tunnel, _), slot) in &peers.removed {
            let carried = self.peer(*slot, true)?;
            let gone = self.gone_peers.entry(*tunnel).or_default();
            gone.peers += 1;
            gone.carried += carried;
            *self.gone_offsets.entry(*tunnel).or_default() += self.baseline.forget(*slot);
        }
        for (_, slot) in &pods.removed {
            self.gone_pods.pods += 1;
            self.gone_pods.counts += self.counters.pod(*slot)?;
        }
        for (tunnel, _) in &tunnels.removed {
            self.gone_peers.remove(tunnel);
            self.gone_offsets.remove(tunnel);
            self.together.remove(tunnel);
        }
        for (_, slot) in &tunnels.added {
            self.counters.clear_tunnel(*slot)?;
            self.baseline.forget(*slot);
        }
        for (_, slot) in &peers.added {
            self.counters.clear_peer(*slot)?;
            self.baseline.forget(*slot);
        }
        for (_, slot) in &pods.added {
            self.counters.clear_pod(*slot)?;
        }
        if let Some(explainer) = &mut self.explainer {
            // What it cannot be attached to is what the others cannot be, and they say so.
            explainer.follow(tables.clone(), &hooks, self.mode)?;
        }
        self.lookups.insert(tables)?;
        self.underlays = inventory
            .tunnels
            .iter()
            .map(|tunnel| (tunnel.ifindex, tunnel.underlays().map(|underlay| underlay.ifindex).collect()))
            .collect();
        let counting = self.counting();
        let errors = self.attached.follow(&mut self.ebpf, self.mode, PROGRAMS, &hooks);
        let begins: BTreeSet<u32> = self.counting().difference(&counting).copied().collect();
        let new: BTreeSet<u32> = tunnels.added.iter().map(|(ifindex, _)| *ifindex).collect();
        let tunnels: Vec<u32> = self.slots.tunnels.iter().map(|(ifindex, _)| *ifindex).collect();
        for tunnel in tunnels {
            let below = self.underlays.get(&tunnel).into_iter().flatten().copied().collect();
            if !self.is_watched(tunnel) || !self.attached.has(tunnel, Hook::Tunnel) {
                self.together.remove(&tunnel);
            } else if self.together.get(&tunnel) != Some(&below) || begins.contains(&tunnel) {
                self.count_together(tunnel, begins.contains(&tunnel), new.contains(&tunnel))?;
                self.together.insert(tunnel, below);
            }
        }
        Ok(errors)
    }

    /// Tunnels that programs are on.
    fn counting(&self) -> BTreeSet<u32> {
        self.attached.hooks().filter(|(_, hook)| *hook == Hook::Tunnel).map(|(ifindex, _)| ifindex).collect()
    }

    /// What a peer's slot has counted below the tunnel and on it. A packet may have been counted on one of them and not yet on the other:
    /// of several tries the one counts after which the fewest came.
    fn at_once(&mut self, slot: u32) -> Result<PeerCounts, EbpfError> {
        const TRIES: usize = 8;
        let mut best = (u64::MAX, PeerCounts::default());
        let mut before = self.counters.peer(slot)?;
        for _ in 0..TRIES {
            let after = self.counters.peer(slot)?;
            let passed = after.packets() - before.packets();
            if passed < best.0 {
                best = (passed, before);
            }
            if passed == 0 {
                break;
            }
            before = after;
        }
        Ok(best.1)
    }

    /// True when outer packets of a tunnel are counted on every device that they leave by: half of them would be no figure.
    fn is_watched(&self, tunnel: u32) -> bool {
        self.underlays.get(&tunnel).is_some_and(|below| {
            let attached = |&device: &u32| self.attached.has(device, Hook::Underlay);
            !below.is_empty() && below.iter().all(attached)
        })
    }

    /// From here on the programs on a tunnel and those below it count the same packets. Where the tunnel's begin, those below were
    /// there a moment before; a tunnel that is not new has counted alone, or not at all, for a while.
    fn count_together(&mut self, tunnel: u32, begins: bool, is_new: bool) -> Result<(), EbpfError> {
        let Some(own) = self.slots.tunnels.get(&tunnel) else { return Ok(()) };
        let peers = self.slots.peers.iter().filter(|((of, _), _)| *of == tunnel).map(|(_, slot)| slot);
        let slots: Vec<u32> = peers.chain([own]).collect();
        let mut whole = Offset::default();
        for slot in slots {
            let PeerCounts { inner, outer } = self.at_once(slot)?;
            let mut offset = self.baseline.peers.get(&slot).copied().unwrap_or_default();
            if begins {
                offset = offset.begin(&outer, &inner);
            }
            if !is_new {
                offset = offset.level(&outer, &inner);
            }
            self.baseline.peers.insert(slot, offset);
            whole += offset;
        }
        if let Some(gone) = self.gone_peers.get_mut(&tunnel) {
            let outer = gone.carried.outer.unwrap_or_default();
            let offset = Offset::default().level(&outer, &gone.carried.counts);
            gone.carried.outer = Some(offset.apply(outer));
            *self.gone_offsets.entry(tunnel).or_default() += offset;
        }
        whole += self.gone_offsets.get(&tunnel).copied().unwrap_or_default();
        // The sum of its parts, so that they keep adding up.
        self.baseline.tunnels.insert(own, whole);
        Ok(())
    }

    /// Interfaces that a TCX link was taken from by somebody.
    pub fn detached(&self) -> BTreeSet<u32> {
        self.attached
            .detached()
            .chain(self.explainer.iter().flat_map(|explainer| explainer.detached()))
            .collect()
    }

    /// Forgets what it put on these interfaces and somebody has taken off, so that following the inventory puts it on again.
    pub fn forget(&mut self, interfaces: &BTreeSet<u32>) {
        self.together.retain(|tunnel, below| !interfaces.contains(tunnel) && below.is_disjoint(interfaces));
        self.attached.forget(interfaces);
        if let Some(explainer) = &mut self.explainer {
            explainer.forget(interfaces);
        }
    }

    /// Loads the programs that say why packets are "other" and puts them beside those that count, until so many packets are
    /// explained. Asked again, it begins anew.
    pub fn explain(&mut self, inventory: &Inventory, packets: u64) -> Result<(), EbpfError> {
        self.explain_end();
        let mut explainer = Explainer::load(self.limits, self.mode, self.interval, packets)?;
        let tables = plan::tables(inventory, &self.slots);
        let hooks = plan::hooks(inventory, &tables);
        let errors = explainer.follow(tables, &hooks, self.mode)?;
        // An interface may go away at any moment.
        if let Some(error) = errors.into_iter().find(|error| !error.interface_is_gone()) {
            explainer.end();
            return Err(error);
        }
        self.explainer = Some(Box::new(explainer));
        Ok(())
    }

    /// Takes those programs off again.
    pub fn explain_end(&mut self) {
        if let Some(explainer) = self.explainer.take() {
            explainer.end();
        }
    }

    /// All packets that were asked for are explained, and the programs have nothing more to do.
    pub fn has_explained(&self) -> bool {
        self.explainer.as_ref().is_some_and(|explainer| explainer.is_done())
    }

    /// True when following the same inventory once more would count something one by one that is in "other" now.
    pub fn can_improve(&self) -> bool {
        self.slots.tunnels.are_wanted() || self.slots.peers.are_wanted() || self.slots.pods.are_wanted()
    }

    /// Where our clsact filters are; empty with TCX.
    pub fn places(&self) -> Vec<LinkPlace> {
        self.attached.places().chain(self.explainer.iter().flat_map(|explainer| explainer.places())).collect()
    }

    /// Interfaces that the programs are on now.
    pub fn attached(&self) -> impl Iterator<Item = (u32, Hook)> {
        self.attached.hooks()
    }

    /// Turns run-time statistics on or off. They cost every eBPF program on the machine two clock readings a run.
    pub fn measure(&mut self, on: bool) -> Result<(), EbpfError> {
        self.timing = match (on, self.timing.take()) {
            (false, _) => None,
            (true, Some(timing)) => Some(timing),
            (true, None) => Some(stats::measure()?),
        };
        Ok(())
    }

    /// Reads everything. Clocks and the process's own cost are the caller's to fill in.
    pub fn read(&mut self) -> Result<Sample, EbpfError> {
        self.beat()?;
        let mut sample = Sample::default();
        let tunnels: Vec<(u32, u32)> = self.slots.tunnels.iter().map(|(key, slot)| (*key, slot)).collect();
        for &(ifindex, slot) in &tunnels {
            let watched = self.is_watched(ifindex);
            let read = self.counters.tunnel(slot)?;
            let counted = read.outer.filter(|_| watched);
            let outer = counted.map(|counted| self.baseline.of_tunnel(slot, counted));
            sample.tunnels.insert(ifindex, TunnelSample { outer, ..read });
        }
        // After the tunnels: peers have all that a tunnel has, and what came meanwhile.
        let of_peers = self.slots.peers.iter().map(|(_, slot)| slot);
        let of_peers = end(of_peers.chain(tunnels.iter().map(|(_, slot)| *slot)));
        let counted = self.counters.peers(of_peers)?;
        let is_watched = |tunnel: &TunnelSample| tunnel.outer.is_some();
        let peer = |ifindex: u32, slot: u32| -> Option<PeerSample> {
            let PeerCounts { inner: counts, outer } = *counted.get(slot as usize)?;
            let is_watched = sample.tunnels.get(&ifindex).is_some_and(is_watched);
            let outer = is_watched.then(|| self.baseline.of_peer(slot, outer));
            Some(PeerSample { counts, outer })
        };
        let others = tunnels.iter().filter_map(|(ifindex, slot)| Some((*ifindex, peer(*ifindex, *slot)?)));
        sample.other_peers = others.collect();
        let peers = self.slots.peers.iter().filter_map(|(key, slot)| Some((*key, peer(key.0, slot)?)));
        sample.peers = peers.collect();
        let of_pods = end(self.slots.pods.iter().map(|(_, slot)| slot)).max(1);
        let (pods, syns) = (self.counters.pods(of_pods)?, self.counters.pod_syns(of_pods)?);
        let pod = |slot: u32| pods.get(slot as usize).copied();
        let syn = |slot: u32| syns.get(slot as usize).copied().unwrap_or_default();
        sample.pods.extend(self.slots.pods.iter().filter_map(|(key, slot)| Some((key.clone(), pod(slot)?))));
        sample.other_pods = pod(0).unwrap_or_default();
        let had_some = |syns: &PerDirection<Syns>| syns.tx.segments + syns.rx.segments > 0;
        let had =
            self.slots.pods.iter().map(|(key, slot)| (key, syn(slot))).filter(|(_, syns)| had_some(syns));
        sample.pod_syns = had.map(|(key, syns)| (key.clone(), syns)).collect();
        sample.other_syns = syn(0);
        sample.direct = if self.attached.hooks().any(|(_, hook)| hook == Hook::Underlay) {
            let counted = self.counters.direct()?;
            let of = |outer: OuterCounts| OuterPart { packets: outer.packets, bytes: outer.bytes };
            Some(PerDirection { tx: of(counted.tx), rx: of(counted.rx) })
        } else {
            None
        };
        sample.gone_pods = self.gone_pods;
        sample.gone_peers.clone_from(&self.gone_peers);
        sample.pmtu_events = self.events(&tunnels);
        sample.explained = match &mut self.explainer {
            Some(explainer) => Some(Box::new(explainer.read(&tunnels, self.interval)?)),
            None => None,
        };
        sample.observer = self.observer()?;
        Ok(sample)
    }

    fn beat(&mut self) -> Result<(), EbpfError> {
        self.heart.as_mut().map_or(Ok(()), |heart| heart.beat(self.interval))
    }

    fn peer(&mut self, slot: u32, watched: bool) -> Result<PeerSample, EbpfError> {
        let PeerCounts { inner: counts, outer } = self.counters.peer(slot)?;
        let outer = watched.then(|| self.baseline.of_peer(slot, outer));
        Ok(PeerSample { counts, outer })
    }

    fn events(&mut self, tunnels: &[(u32, u32)]) -> Vec<PmtuEvent> {
        let events = self.events.drain().into_iter();
        events
            .filter_map(|event| {
                let (tunnel, _) = tunnels.iter().find(|(_, slot)| *slot == event.slot)?;
                Some(PmtuEvent {
                    at: event.at,
                    tunnel: *tunnel,
                    reporter: event.reporter,
                    destination: event.destination,
                    mtu: event.mtu,
                    quoted_bytes: event.quoted_bytes,
                })
            })
            .collect()
    }

    fn observer(&mut self) -> Result<Observer, EbpfError> {
        let losses = self.counters.losses()?;
        let mut programs = stats::costs(&mut self.ebpf, PROGRAMS.all())?;
        let mut map_bytes = self.map_bytes;
        if let Some(explainer) = &mut self.explainer {
            programs.extend(explainer.costs()?);
            map_bytes += explainer.map_bytes();
        }
        Ok(Observer {
            programs,
            map_bytes,
            events_ring_full: losses.ring_full,
            events_rate_limited: losses.rate_limited,
            unknown_fragments: losses.unknown_fragments,
            pods_without_slot: self.slots.pods.without(),
            peers_without_slot: self.slots.peers.without(),
            keys_without_place: self.lookups.unplaced(),
            ..Observer::default()
        })
    }
}

/// How many slots there are up to the last of these.
fn end(slots: impl Iterator<Item = u32>) -> u32 {
    slots.max().map_or(0, |last| last + 1)
}
