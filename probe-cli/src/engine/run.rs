//! The running engine.

use std::{collections::BTreeSet, io, mem, os::fd::OwnedFd, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    error::EngineError,
    filters,
    host::HostOptions,
    note::Note,
    openable::openable,
    refresh::Refresh,
    sources::Sources,
    vfs::{VfReading, VfSource},
};
use crate::{
    ebpf::{AttachMode, DropWatch, EbpfError, Hook, Probe, ProbeOptions},
    facts::{Snapshot, network::PodNetwork},
    inventory::{Inventory, Joined},
    leftovers::RunDirectory,
    netlink::{ChangeKind, Changes},
    observed::Observed,
    privilege::Openable,
    procfs::{self, ThreadClock},
    sample::{Behind, Drops, Explained, Frame, Observer, PodInterfaceSample, Sample},
};

/// Run-time statistics are measured in one interval of this many: they cost every eBPF program on the machine.
const MEASURE_EVERY: u64 = 10;

/// How to run.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Time between samples.
    pub interval: Duration,
    /// How to load and attach.
    pub probe: ProbeOptions,
    /// Where the node's files and sockets are.
    pub host: HostOptions,
    /// Where clsact filters are noted.
    pub notes: RunDirectory,
    /// Count what the kernel drops, too.
    pub drops: bool,
}

/// Sources, probe and the last sample. Lives on one thread, in one network namespace.
pub struct Engine {
    sources: Sources,
    vfs: Box<VfSource>,
    changes: Changes,
    refresh: Refresh,
    probe: Probe,
    /// What the kernel drops; absent when nobody asks.
    drops: Observed<Box<DropWatch>>,
    snapshot: Arc<Snapshot>,
    /// Of the snapshot that the probe follows; what is known of VFs may be newer in the other one.
    joined: Joined,
    /// Interface indices of links that went since the inventory was read.
    gone: BTreeSet<u32>,
    /// The first sample, of before the first interval.
    first: Box<Sample>,
    next: Instant,
    interval: Duration,
    ticks: u64,
    /// A WireGuard device or peer is another than in the inventory.
    wireguard_changed: bool,
    /// A pod has other interfaces than in the inventory.
    pods_changed: bool,
    /// The kernel let us measure our programs; no more tries after a refusal.
    measurable: bool,
    /// For how long they were measured, and since when they are again.
    timed: Duration,
    timing: Option<Duration>,
    /// Where our clsact filters are, for the run after a killed one.
    note: Note,
    /// What could not be attached, in words.
    problems: Vec<String>,
    /// When it was looked whether our programs are still there.
    programs_seen: Duration,
    /// Why it cannot be said why packets are "other", for the next sample.
    unexplained: Option<String>,
    /// Threads of this process that do no observing.
    others: Vec<ThreadClock>,
}

impl Engine {
    /// Reads the inventory, loads the programs and attaches them. When this returns, counting has begun.
    ///
    /// Must be called inside a current-thread runtime, on a thread that stays in the node's network namespace.
    pub async fn start(options: EngineOptions) -> Result<Self, EngineError> {
        procfs::return_large_buffers();
        // Subscribe first: what changes while we read is then not missed.
        let changes = Changes::connect()?;
        let mut sources = Sources::open(&options.host)?;
        sources.ask().await;
        let mut vfs = Box::new(VfSource::new(&options.host.root));
        vfs.follow(procfs::monotonic());
        let snapshot = sources.read_all(vfs.facts()).await?;
        let joined = Joined::new(Arc::clone(&snapshot));
        let inventory = joined.inventory();
        sources.follow_pods();
        if inventory.tunnels.is_empty() && inventory.vfs.is_empty() {
            return Err(EngineError::NoOverlay);
        }
        let mut probe = Probe::load(options.probe)?;
        let note = Note::before(options.notes, &probe);
        let errors = probe.follow(inventory)?;
        vfs.count(probe.mode());
        // Behind the programs that count: a drop is of a packet that they have seen.
        let drops = if options.drops { DropWatch::start(inventory).map(Box::new) } else { Observed::Absent };
        let mut engine = Self {
            sources,
            vfs,
            changes,
            refresh: Refresh::new(procfs::monotonic()),
            probe,
            drops,
            snapshot,
            joined,
            gone: BTreeSet::new(),
            first: Box::default(),
            next: Instant::now() + options.interval,
            interval: options.interval,
            ticks: 0,
            wireguard_changed: false,
            pods_changed: false,
            measurable: true,
            timed: Duration::ZERO,
            timing: None,
            note,
            problems: Vec::new(),
            programs_seen: procfs::monotonic(),
            unexplained: None,
            others: Vec::new(),
        };
        engine.note.update(&engine.probe);
        // At the start every refusal is final: better no picture than half a one.
        for error in errors {
            if !error.interface_is_gone() {
                return Err(error.into());
            }
        }
        engine.measure();
        engine.first = Box::new(engine.sample()?);
        // A start does not wait for pods that are entered one by one.
        engine.sources.look_inside_from_now_on();
        Ok(engine)
    }

    /// What there was when counting had begun, before the first interval.
    pub fn first(&self) -> Frame {
        Frame { snapshot: Arc::clone(&self.snapshot), sample: Sample::clone(&self.first) }
    }

    /// The inventory that the last frame's snapshot has, as long as nothing but VFs changed since it was made.
    pub fn joined(&self) -> &Joined {
        &self.joined
    }

    /// Goes on reading the host's files, which are read once otherwise; see `Sources::follow_files`. To be called before it is
    /// confined what this thread may open.
    pub fn follow_files(&mut self, is_confined: bool) -> io::Result<()> {
        self.sources.follow_files(is_confined)
    }

    /// What is still opened from here on, whatever happens on the node.
    pub fn openable(&self) -> Openable<OwnedFd> {
        openable(self.sources.host(), self.snapshot.files.value(), self.note.path())
    }

    /// How programs are attached.
    pub fn mode(&self) -> AttachMode {
        self.probe.mode()
    }

    /// Interfaces that the programs are on, with their names where the inventory has them.
    pub fn attached(&self) -> Vec<(String, Hook)> {
        self.probe.attached().map(|(ifindex, hook)| (self.name(ifindex), hook)).collect()
    }

    fn name(&self, ifindex: u32) -> String {
        self.joined
            .inventory()
            .tunnels
            .iter()
            .find_map(|tunnel| {
                let underlay = tunnel.underlays().find(|u| u.ifindex == ifindex);
                if tunnel.ifindex == ifindex {
                    Some(tunnel.name.clone())
                } else {
                    underlay.map(|underlay| underlay.name.clone())
                }
            })
            .unwrap_or_else(|| ifindex.to_string())
    }

    /// Waits for the end of the interval, following changes meanwhile, and gives what there is then. Cancelling loses
    /// nothing: the next call waits on.
    pub async fn tick(&mut self) -> Result<Frame, EngineError> {
        loop {
            let wait = self.refresh.due().saturating_sub(procfs::monotonic());
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.next) => break,
                change = self.changes.next() => {
                    if let ChangeKind::LinkGone(ifindex) = change? {
                        self.gone.insert(ifindex);
                    }
                    self.refresh.change(procfs::monotonic());
                    self.sources.happened();
                }
                () = tokio::time::sleep(wait) => self.follow().await?,
            }
        }
        self.schedule();
        // Neither is spared for the other.
        let (changed, inside) = (self.sources.pods_changed(), self.sources.sees_more_inside());
        if self.sources.files_changed() || changed {
            self.follow().await?;
        } else if let Some(inside) = inside {
            self.take_inside(inside).await?;
        }
        let lost = self.look_after_programs().await?;
        let mut sample = self.sample()?;
        sample.is_interrupted = lost.is_some();
        sample.problems.extend(lost);
        if self.wireguard_changed || self.pods_changed {
            self.refresh.change(procfs::monotonic());
        }
        self.ticks += 1;
        self.measure();
        Ok(Frame { snapshot: Arc::clone(&self.snapshot), sample })
    }

    /// The next sample is one interval after the last was due. When that has passed already, it is one interval from now: what
    /// changes is followed meanwhile, and no two samples come at once.
    fn schedule(&mut self) {
        let (due, now) = (self.next + self.interval, Instant::now());
        self.next = if due > now { due } else { now + self.interval };
    }

    /// Reads the tables again and makes the probe follow what exists by them.
    async fn follow(&mut self) -> Result<(), EngineError> {
        // Before the read: what goes while it is under way may be in it.
        let gone = mem::take(&mut self.gone);
        self.snapshot = self.sources.refresh(self.vfs.facts()).await?;
        let before = mem::replace(&mut self.joined, Joined::new(Arc::clone(&self.snapshot)));
        let inventory: &Inventory = self.joined.inventory();
        self.refresh.done(procfs::monotonic());
        let left = without(inventory, &gone);
        if left == *inventory
            && inventory.without_ages() == before.inventory().without_ages()
            && self.problems.is_empty()
            && !self.probe.can_improve()
        {
            return Ok(());
        }
        self.note.attaching();
        if left != *inventory {
            // New devices with the numbers of old ones: nothing of ours is on them, however alike they look.
            self.probe.follow(&left)?;
        }
        if let Observed::Value(watch) = &mut self.drops
            && let Err(error) = watch.follow(inventory)
        {
            self.drops = Observed::Failed { error: error.to_string() };
        }
        let errors = self.probe.follow(inventory)?;
        // An interface may go away at any moment; what refuses for another reason is shown, and tried again.
        self.problems =
            errors.iter().filter(|error| !error.interface_is_gone()).map(ToString::to_string).collect();
        self.note.update(&self.probe);
        if self.probe.can_improve() {
            self.refresh.change(procfs::monotonic());
        }
        Ok(())
    }

    /// Takes over what was found in pods. Where nothing else is new, no table is read for it and nothing joined again.
    async fn take_inside(&mut self, inside: Vec<PodNetwork>) -> Result<(), EngineError> {
        if !self.joined.is_of(&self.snapshot) {
            return self.follow().await;
        }
        self.joined = self.joined.with_inside(procfs::wall_clock(), inside);
        self.snapshot = Arc::clone(self.joined.snapshot());
        self.sources.take(&self.snapshot);
        Ok(())
    }

    /// Puts our programs on again where somebody has removed them, and says so: what passed meanwhile was not counted.
    async fn look_after_programs(&mut self) -> Result<Option<String>, EngineError> {
        let now = procfs::monotonic();
        let places = self.probe.places();
        if now < self.programs_seen + filters::EVERY {
            return Ok(None);
        }
        self.programs_seen = now;
        let mut lost = self.probe.detached();
        if !places.is_empty() {
            match filters::lost(&places).await {
                Ok(gone) => lost.extend(gone),
                Err(error) => {
                    let what = "whether the filters of this run are still there is unknown";
                    return Ok(Some(format!("{what}: {error}")));
                }
            }
        }
        if lost.is_empty() {
            return Ok(None);
        }
        self.note.attaching();
        self.probe.forget(&lost);
        let errors = self.probe.follow(self.joined.inventory())?;
        self.problems =
            errors.iter().filter(|error| !error.interface_is_gone()).map(ToString::to_string).collect();
        self.note.update(&self.probe);
        let names: Vec<String> = lost.iter().map(|ifindex| self.name(*ifindex)).collect();
        Ok(Some(format!(
            "another program removed this run's programs from {}; they are attached again, and packets in between are not counted",
            names.join(" and ")
        )))
    }

    /// Begins to say why packets are "other", for so many of them, which the next samples have. Counting goes on as it is.
    pub fn explain(&mut self, packets: u64) -> Result<(), EngineError> {
        self.note.attaching();
        let done = self.probe.explain(self.joined.inventory(), packets);
        self.note.update(&self.probe);
        Ok(done?)
    }

    /// The same for who can wait for the next sample to say what went wrong; none ends it.
    pub fn explain_if_possible(&mut self, packets: Option<u64>) {
        self.unexplained = None;
        match packets {
            Some(packets) => {
                self.unexplained = self.explain(packets).err().map(|error| error.to_string());
            }
            None => self.end_explaining(),
        }
    }

    fn end_explaining(&mut self) {
        self.probe.explain_end();
        self.note.update(&self.probe);
    }

    /// Looks again at what is looked at now and then only: pods' network namespaces, a few with each sample, and tables that change
    /// slowly.
    pub fn look_again(&mut self) {
        self.sources.look_again();
        self.refresh.change(procfs::monotonic());
    }

    /// How far apart samples are.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Takes samples so far apart from now on.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
        self.next = self.next.min(Instant::now() + interval);
    }

    /// Leaves what these threads spend out of what the observer costs.
    pub fn leave_out(&mut self, threads: Vec<ThreadClock>) {
        self.others = threads;
    }

    /// Takes everything off. Dropping the engine does the same, but for a clsact qdisc of our own.
    pub async fn stop(self) {
        let Self { probe, note, .. } = self;
        drop(probe);
        note.finish().await;
    }

    fn sample(&mut self) -> Result<Sample, EbpfError> {
        let mut sample = self.probe.read()?;
        if self.probe.has_explained() {
            self.end_explaining();
        }
        if let Some(problem) = self.unexplained.take() {
            sample.explained = Some(Box::new(Explained { problem: Some(problem), ..Explained::default() }));
        }
        sample.counted = Observed::Value(());
        sample.drops = self.dropped(&mut sample.observer);
        sample.time = procfs::wall_clock();
        sample.monotonic = procfs::monotonic();
        // Timing that goes on is turned on again at once.
        if let Some(began) = self.timing.replace(sample.monotonic) {
            self.timed += sample.monotonic.saturating_sub(began);
        } else {
            self.timing = None;
        }
        sample.observer.timed = self.timed;
        (sample.wireguard, self.wireguard_changed) = self.sources.wireguard();
        let (interfaces, changed) = self.sources.pod_interfaces();
        self.pods_changed = changed;
        sample.pod_interfaces = interfaces
            .into_iter()
            .map(|((netns, ifindex), counters)| PodInterfaceSample { netns, ifindex, counters })
            .collect();
        sample.node = Box::new(self.sources.counters());
        self.vfs.follow(sample.monotonic);
        self.snapshot = self.sources.with_sriov(self.vfs.facts());
        let VfReading { vfs, at, drivers, notes } = self.vfs.read();
        (sample.vfs, sample.vfs_at, sample.vf_drivers, sample.vf_notes) = (vfs, at, drivers, notes);
        let (programs, map_bytes) = self.vfs.cost()?;
        sample.observer.programs.extend(programs);
        sample.observer.map_bytes += map_bytes;
        sample.hooks = self.sources.hooks(self.joined.inventory(), &sample.observer.programs);
        sample.observer.cpu = procfs::cpu_time(&mut self.others);
        sample.observer.rss_bytes = procfs::resident_bytes();
        sample.problems.clone_from(&self.problems);
        sample.behind = self.behind_others();
        Ok(sample)
    }

    /// What the kernel has dropped; what that costs is added.
    fn dropped(&mut self, observer: &mut Observer) -> Observed<Box<Drops>> {
        self.drops.as_mut().and_then(|watch| {
            match watch.read().and_then(|drops| Ok((drops, watch.cost()?))) {
                Ok((drops, cost)) => {
                    observer.programs.push(cost);
                    observer.map_bytes += watch.map_bytes();
                    Observed::Value(Box::new(drops))
                }
                Err(error) => Observed::Failed { error: error.to_string() },
            }
        })
    }

    /// Where a foreign filter may decide on packets before ours sees them.
    fn behind_others(&self) -> Vec<Behind> {
        let places = self.probe.places().into_iter().filter(|place| !place.is_first());
        places.map(|place| Behind { ifindex: place.ifindex, egress: place.egress }).collect()
    }

    /// Turns measuring on for the interval that begins, or off.
    fn measure(&mut self) {
        let on = self.ticks.is_multiple_of(MEASURE_EVERY);
        if self.measurable && self.probe.measure(on).is_err() {
            // Needs CAP_SYS_ADMIN; without it the cost is unknown, and shown so.
            self.measurable = false;
        }
        self.timing = (on && self.measurable).then(procfs::monotonic);
    }
}

/// The inventory without the devices of these interface indices.
fn without(inventory: &Inventory, gone: &BTreeSet<u32>) -> Inventory {
    let mut left = inventory.clone();
    left.tunnels.retain(|tunnel| !gone.contains(&tunnel.ifindex));
    left.peers.retain(|peer| !gone.contains(&peer.tunnel));
    for tunnel in &mut left.tunnels {
        tunnel.underlay.take_if(|underlay| gone.contains(&underlay.ifindex));
        tunnel.more_underlays.retain(|underlay| !gone.contains(&underlay.ifindex));
    }
    left
}
