//! What is exact and differs between two runs, the likeliest cause of a slowdown first. Values; the words are made in the report.

mod instruments;

pub use self::instruments::Cost;
use super::{
    facts::{Core, Counts, Device, Facts},
    instruments::Hooked,
    metric::Scenario,
    result::Run,
};

/// Something that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The data plane.
    pub scenario: Scenario,
    /// What changed.
    pub what: What,
}

/// See [`Change`]. Of two values the first is the base's.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An offload of a device was switched off or on.
    Offload {
        /// Which device.
        device: Place,
        /// The kernel's name for it.
        feature: String,
        /// It is on now.
        is_on: bool,
    },
    /// The MTU of a device.
    Mtu {
        /// Which device.
        device: Place,
        /// Bytes.
        values: (u32, u32),
    },
    /// The queueing discipline of a device.
    Qdisc {
        /// Which device.
        device: Place,
        /// The kernel's names.
        values: (String, String),
    },
    /// A device that is on the path in one of the runs only.
    Device {
        /// Which device.
        device: Place,
        /// It is there now.
        is_there: bool,
    },
    /// An eBPF program came, went, or costs something else.
    Program {
        /// Where it is; none of one that runs elsewhere.
        device: Option<Hooked>,
        /// Its name.
        name: String,
        /// What a run of it costs.
        costs: (Cost, Cost),
    },
    /// Packets are dropped for a reason that hardly any were dropped for.
    Dropped {
        /// The kernel's.
        reason: String,
        /// Packets of a thousand buffers of the sending tunnel.
        values: (f64, f64),
    },
    /// Something that was counted.
    Count {
        /// What.
        count: Count,
        /// How much of it; none where it is not known.
        values: (f64, f64),
    },
}

/// Where a device is, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// "node 1".
    pub place: String,
    /// "flannel.1".
    pub name: String,
}

/// What is counted during streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Fragments made.
    Fragments,
    /// Packets with a wrong checksum.
    ChecksumErrors,
    /// Packets dropped, of a thousand buffers.
    Drops,
    /// Segments in a buffer.
    SegmentsPerBuffer,
    /// Segments in a buffer at the receiving tunnel.
    SegmentsPerReceivedBuffer,
    /// Bytes that the tunnel adds to a packet.
    Overhead,
    /// Microseconds that the kernel takes for half of the buffers from the tunnel to the device below.
    Encapsulation,
    /// Payload bytes in a segment.
    PayloadPerSegment,
    /// Segments sent again, of a thousand.
    Retransmitted,
    /// The share of the processors' time in processes, in percent.
    User,
    /// The same in the kernel on behalf of processes.
    System,
    /// The same in soft interrupts.
    Softirq,
    /// The same that the hypervisor took for others.
    Steal,
    /// The share of soft interrupts of the processor with most of them, in percent.
    FullCore,
}

/// How much a change weighs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It differs a little from run to run: it explains, and decides nothing.
    Informs,
    /// It is exact.
    Warns,
    /// It is exact and never meant.
    Fails,
}

/// `noqueue_qdisc_ops`, net/sched/sch_generic.c: what a tunnel and a veth begin with.
const NO_QUEUE: &str = "noqueue";
/// Fewer drops of a thousand buffers are of no account: multicast that nobody has asked for.
const FEW_DROPS: f64 = 1.0;
/// Segments that were sent again, of a thousand, which are of no account.
const FEW_RETRANSMITTED: f64 = 1.0;
/// So many more are of account wherever it began: a hundredth is lost.
const MANY_RETRANSMITTED: f64 = 10.0;
/// So many microseconds more for each buffer are felt.
const FELT_US: f64 = 0.5;
/// Segments in a buffer differ by chance by a fifth, and payload in a segment by its last ones.
const BUFFERS: f64 = 0.25;
const PAYLOAD: f64 = 0.02;

impl Change {
    /// How much it weighs.
    pub fn weight(&self) -> Weight {
        match &self.what {
            // Counters of real machines are of everything that they do.
            What::Count { .. } if self.scenario == Scenario::Remote => Weight::Informs,
            What::Offload { .. }
            | What::Mtu { .. }
            | What::Qdisc { .. }
            | What::Device { .. }
            | What::Program { device: Some(_), costs: (Cost::Absent, _) | (_, Cost::Absent), .. } => {
                Weight::Warns
            }
            What::Program { .. } | What::Dropped { .. } => Weight::Informs,
            What::Count { count, values } => match count {
                Count::Overhead => Weight::Warns,
                Count::Fragments | Count::ChecksumErrors | Count::Drops if values.1 > values.0 => {
                    Weight::Fails
                }
                Count::Fragments
                | Count::ChecksumErrors
                | Count::Drops
                | Count::SegmentsPerBuffer
                | Count::SegmentsPerReceivedBuffer
                | Count::Encapsulation
                | Count::PayloadPerSegment
                | Count::Retransmitted
                | Count::User
                | Count::System
                | Count::Softirq
                | Count::Steal
                | Count::FullCore => Weight::Informs,
            },
        }
    }

    /// How likely it is a cause: the smallest first. What was switched off on the tunnel itself costs most, and a program that takes
    /// long for each packet; a smaller MTU costs packets; what is counted follows from others.
    fn rank(&self) -> u8 {
        match &self.what {
            What::Offload { device, is_on: false, .. } if device.is_tunnel() => 0,
            What::Program { device: Some(_), costs, .. } if Cost::is_felt(*costs) => 0,
            What::Offload { is_on: false, .. } => 1,
            // One that only queues costs little; one that delays, drops or limits (netem, tbf) costs as much as it is set to.
            What::Qdisc { values, .. } if values.1 != NO_QUEUE => 1,
            What::Program { costs, .. } if Cost::is_felt(*costs) => 1,
            What::Mtu { values, .. } if values.1 < values.0 => 2,
            What::Count { count: Count::Overhead, values } if values.1 > values.0 => 2,
            What::Program { costs, .. } if Cost::is_more(*costs) => 3,
            What::Device { .. } => 3,
            What::Count { count: Count::Fragments | Count::ChecksumErrors | Count::Drops, .. }
            | What::Dropped { .. } => 4,
            What::Count { count: Count::Steal, values } if values.1 > values.0 => 4,
            What::Count { count: Count::Encapsulation, values } if values.1 - values.0 >= FELT_US => 4,
            What::Count { .. } => 5,
            What::Offload { .. } | What::Mtu { .. } | What::Qdisc { .. } | What::Program { .. } => 6,
        }
    }

    /// It may be why something got slower, and does not only follow from that.
    pub fn is_cause(&self) -> bool {
        self.rank() <= 4
    }
}

impl Place {
    fn of(device: &Device) -> Self {
        Self { place: device.place.clone(), name: device.name.clone() }
    }

    /// A tunnel, by the names that flannel, Calico and Cilium give theirs.
    fn is_tunnel(&self) -> bool {
        ["flannel", "vxlan", "wireguard", "cilium_"].iter().any(|start| self.name.starts_with(start))
    }
}

/// What changed from one run to the other, in scenarios that both have measured.
pub fn changes(base: &Run, new: &Run) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    for scenario in Scenario::ALL {
        let (Some(base), Some(new)) = (base.facts(scenario), new.facts(scenario)) else { continue };
        found.extend(of_facts(base, new).into_iter().map(|what| Change { scenario, what }));
    }
    found.sort_by_key(Change::rank);
    found
}

fn of_facts(base: &Facts, new: &Facts) -> Vec<What> {
    let find = |facts: &'_ Facts, of: &Device| -> Option<Device> {
        facts.devices.iter().find(|one| (&one.place, &one.name) == (&of.place, &of.name)).cloned()
    };
    let mut found = Vec::new();
    for device in &base.devices {
        match find(new, device) {
            Some(now) => of_device(device, &now, &mut found),
            None => found.push(What::Device { device: Place::of(device), is_there: false }),
        }
    }
    let added = new.devices.iter().filter(|device| find(base, device).is_none());
    found.extend(added.map(|device| What::Device { device: Place::of(device), is_there: true }));
    found.extend(of_counts(&base.counts, &new.counts));
    found.extend(of_cores(base, new));
    if let (Some(base), Some(new)) = (&base.instruments, &new.instruments) {
        found.extend(instruments::changes(base, new));
    }
    found
}

fn of_device(base: &Device, new: &Device, found: &mut Vec<What>) {
    let device = || Place::of(base);
    // What is not known on one side has not changed.
    if let (Some(before), Some(now)) = (&base.features, &new.features) {
        for (feature, is_on) in now {
            if before.get(feature).is_some_and(|before| before != is_on) {
                found.push(What::Offload { device: device(), feature: feature.clone(), is_on: *is_on });
            }
        }
    }
    if base.mtu != new.mtu {
        found.push(What::Mtu { device: device(), values: (base.mtu, new.mtu) });
    }
    if let (Some(before), Some(now)) = (&base.qdisc, &new.qdisc)
        && before != now
    {
        found.push(What::Qdisc { device: device(), values: (before.clone(), now.clone()) });
    }
}

/// Whether two values of a count are different ones.
type Differs = Box<dyn Fn(f64, f64) -> bool>;

fn of_counts(base: &Counts, new: &Counts) -> Vec<What> {
    let number = |value: Option<u64>| value.map(|value| value as f64);
    let differs_by = |share: f64| move |a: f64, b: f64| (b - a).abs() > share * a.abs();
    let is_none_and_some = |few: f64| move |a: f64, b: f64| (a <= few) != (b <= few);
    let rows: [(Count, Option<f64>, Option<f64>, Differs); 7] = [
        (Count::Fragments, number(base.fragments), number(new.fragments), Box::new(is_none_and_some(0.0))),
        (
            Count::ChecksumErrors,
            number(base.checksum_errors),
            number(new.checksum_errors),
            Box::new(is_none_and_some(0.0)),
        ),
        (Count::Drops, base.drops_per_mille(), new.drops_per_mille(), Box::new(is_none_and_some(FEW_DROPS))),
        (
            Count::SegmentsPerBuffer,
            base.segments_per_buffer(),
            new.segments_per_buffer(),
            Box::new(differs_by(BUFFERS)),
        ),
        (
            Count::SegmentsPerReceivedBuffer,
            base.segments_per_received_buffer(),
            new.segments_per_received_buffer(),
            Box::new(differs_by(BUFFERS)),
        ),
        (
            Count::PayloadPerSegment,
            base.payload_per_segment(),
            new.payload_per_segment(),
            Box::new(differs_by(PAYLOAD)),
        ),
        (
            Count::Retransmitted,
            base.retransmitted_per_mille(),
            new.retransmitted_per_mille(),
            Box::new(move |a, b| {
                let is_other =
                    is_none_and_some(FEW_RETRANSMITTED)(a, b) || (b - a).abs() > MANY_RETRANSMITTED;
                is_other && differs_by(1.0)(a.min(b), a.max(b))
            }),
        ),
    ];
    let changed = rows.into_iter().filter_map(|(count, base, new, differs)| {
        let values = base.zip(new)?;
        differs(values.0, values.1).then_some(What::Count { count, values })
    });
    changed.collect()
}

/// Where the processors spent their time. A share differs by chance by some percent of all.
fn of_cores(base: &Facts, new: &Facts) -> Vec<What> {
    /// A part of its time.
    type Part = fn(&Core) -> u64;
    /// Percent of all time that are of account.
    const SHARE: f64 = 10.0;
    /// And so much less of what the hypervisor takes.
    const STOLEN: f64 = 3.0;
    /// A processor with so much of it in soft interrupts has no time for more.
    const FULL: f64 = 90.0;
    let mut found = Vec::new();
    if let (Some(before), Some(now)) = (base.all_cores(), new.all_cores()) {
        let parts: [(Count, Part, f64); 4] = [
            (Count::User, |core| core.user, SHARE),
            (Count::System, |core| core.system, SHARE),
            (Count::Softirq, |core| core.softirq, SHARE),
            (Count::Steal, |core| core.steal, STOLEN),
        ];
        for (count, part, least) in parts {
            let percent = |core: &Core| core.share(part(core)).map(|share| share * 100.0);
            let values = percent(&before).zip(percent(&now));
            found.extend(
                values
                    .filter(|(base, new)| (new - base).abs() >= least)
                    .map(|values| What::Count { count, values }),
            );
        }
    }
    if let (Some(before), Some(now)) = (base.busiest_softirq(), new.busiest_softirq()) {
        let values = (before * 100.0, now * 100.0);
        if (values.0 < FULL) != (values.1 < FULL) {
            found.push(What::Count { count: Count::FullCore, values });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::testdata;

    type Edit = fn(&mut Facts);
    const ON: [&str; 3] = ["tx-checksum-ip-generic", "tx-generic-segmentation", "tx-scatter-gather"];

    pub(super) fn between(base: &Facts, new: &Facts) -> Vec<Change> {
        let with = |facts: &Facts| {
            let mut run = testdata::empty();
            run.scenarios[0].facts = Some(facts.clone());
            run
        };
        changes(&with(base), &with(new))
    }

    #[test]
    fn the_likeliest_cause_is_first() {
        let base = testdata::facts(&ON);
        let mut new = base.clone();
        new.counts.segments = Some(1000);
        new.counts.payload_bytes = Some(1000 * 1298);
        new.devices[0].mtu = 1350;
        new.devices[2].features.as_mut().unwrap().insert(ON[1].to_owned(), false);
        new.devices[1].features.as_mut().unwrap().insert(ON[0].to_owned(), false);
        let found = between(&base, &new);
        let ranks: Vec<u8> = found.iter().map(Change::rank).collect();
        assert_eq!(ranks, [0, 1, 2, 5, 5, 5], "{found:?}");
        assert!(matches!(&found[0].what, What::Offload { device, feature, is_on: false }
                if device.name == "flannel.1" && feature == ON[0]));
        assert_eq!(found.iter().filter(|change| change.is_cause()).count(), 3);
        assert!(between(&base, &base).is_empty());
        // The other way round it got better: nothing of it is a cause.
        assert!(between(&new, &base).iter().all(|change| !change.is_cause()));
    }

    /// netem on the tunnel, say; without it again, nothing of it is a cause.
    #[test]
    fn another_qdisc_is_a_cause() {
        let base = testdata::facts(&ON);
        let mut new = base.clone();
        new.devices[1].qdisc = Some("netem".to_owned());
        let found = between(&base, &new);
        assert!(matches!(&found[0].what, What::Qdisc { device, values }
                if device.name == "flannel.1" && (values.0.as_str(), values.1.as_str()) == ("noqueue", "netem")));
        assert!(found[0].is_cause());
        assert!(!between(&new, &base)[0].is_cause());
    }

    /// On a path that always sends some again, more of it is told when it is a hundredth.
    #[test]
    fn what_is_lost_is_told_wherever_it_began() {
        let with = |retransmitted| {
            let mut facts = testdata::facts(&ON);
            facts.counts.retransmitted = Some(retransmitted);
            facts
        };
        for (base, new, is_told) in
            [(0, 400, true), (0, 30, false), (80, 160, false), (80, 800, true), (800, 1000, false)]
        {
            assert_eq!(between(&with(base), &with(new)).len(), usize::from(is_told), "{base} -> {new}");
        }
    }

    #[test]
    fn where_the_processors_spend_their_time_explains() {
        let with = |rows: &[[u64; 4]]| {
            let core = |(cpu, row): (u32, &[u64; 4])| {
                let [user, system, softirq, steal] = *row;
                Core { cpu, user, system, softirq, steal, all: 1000 }
            };
            Facts { cores: Some((0..).zip(rows).map(core).collect()), ..testdata::facts(&ON) }
        };
        let base = with(&[[100, 200, 100, 0], [100, 100, 500, 0]]);
        let counts = |new: &Facts| -> Vec<(Count, i64, i64)> {
            let count = |change: Change| match change.what {
                #[expect(clippy::cast_possible_truncation, reason = "percent")]
                What::Count { count, values: (a, b) } => Some((count, a.round() as i64, b.round() as i64)),
                What::Offload { .. }
                | What::Mtu { .. }
                | What::Qdisc { .. }
                | What::Device { .. }
                | What::Program { .. }
                | What::Dropped { .. } => None,
            };
            between(&base, new).into_iter().filter_map(count).collect()
        };
        assert_eq!(counts(&with(&[[150, 150, 150, 20], [150, 100, 500, 20]])), []);
        let slow = with(&[[100, 300, 100, 100], [100, 300, 950, 0]]);
        let found = [
            (Count::Steal, 0, 5),
            (Count::System, 15, 30),
            (Count::Softirq, 30, 53),
            (Count::FullCore, 50, 95),
        ];
        assert_eq!(counts(&slow), found);
        assert!(between(&base, &slow)[0].is_cause() && !between(&base, &slow)[1].is_cause());
        // Where it was not read, or no tick has passed, nothing is known.
        for unknown in [None, Some(Vec::new()), Some(vec![Core::default()])] {
            assert_eq!(counts(&Facts { cores: unknown, ..base.clone() }), []);
        }
    }

    #[test]
    fn counters_of_real_machines_explain_and_fail_no_gate() {
        let count = What::Count { count: Count::Drops, values: (0.0, 900.0) };
        let weight = |scenario| Change { scenario, what: count.clone() }.weight();
        assert_eq!(weight(Scenario::VxlanV4), Weight::Fails);
        assert_eq!(weight(Scenario::Remote), Weight::Informs);
    }

    #[test]
    fn what_differs_by_chance_is_no_change_and_what_is_unknown_is_none() {
        let base = testdata::facts(&ON);
        let cases: [(Edit, usize, Weight); 15] = [
            (|facts| facts.counts.segments = Some(47_000), 1, Weight::Informs),
            (|facts| facts.counts.tunnel_buffers = Some(1100), 0, Weight::Informs),
            (|facts| facts.counts.tunnel_buffers = None, 0, Weight::Informs),
            (|facts| facts.counts.received_buffers = Some(40_000), 1, Weight::Informs),
            (|facts| facts.counts.received_buffers = None, 0, Weight::Informs),
            (|facts| facts.counts.tunnel_buffers = Some(0), 0, Weight::Informs),
            (|facts| facts.counts.fragments = Some(1), 1, Weight::Fails),
            (|facts| facts.counts.checksum_errors = Some(1), 1, Weight::Fails),
            (|facts| facts.counts.drops = Some(1), 0, Weight::Fails),
            (|facts| facts.counts.drops = Some(5), 1, Weight::Fails),
            (|facts| facts.counts.retransmitted = Some(400), 1, Weight::Informs),
            (|facts| facts.devices[1].features = None, 0, Weight::Warns),
            (|facts| facts.devices[1].qdisc = Some("netem".to_owned()), 1, Weight::Warns),
            (|facts| facts.devices[1].qdisc = None, 0, Weight::Warns),
            (|facts| drop(facts.devices.remove(0)), 1, Weight::Warns),
        ];
        for (number, (change, count, weight)) in cases.into_iter().enumerate() {
            let mut new = base.clone();
            change(&mut new);
            let found = between(&base, &new);
            assert_eq!(found.len(), count, "case {number}: {found:?}");
            assert!(found.iter().all(|change| change.weight() == weight), "case {number}: {found:?}");
        }
    }
}
