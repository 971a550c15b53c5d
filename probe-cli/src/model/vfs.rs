//! Virtual functions with what they carry: who counts, and rates from two samples.

use std::{collections::BTreeMap, mem, time::Duration};

use super::{
    flow::Rates,
    interfaces,
    sizes::Bins,
    types::{VfRates, VfRow, VfWire},
    vf_traffic::{VfTraffic, counting, traffic},
};
use crate::{
    inventory::VirtualFunction,
    sample::{PerDirection, Sample, VfDriver, VfDrivers, VfSample},
};

/// The rows of the node's VFs.
pub(super) fn rows(
    vfs: &[VirtualFunction],
    now: &Sample,
    before: Option<&Sample>,
    bins: &mut Bins,
) -> Vec<VfRow> {
    let samples = by_pci(&now.vfs);
    let earlier = before.map(|before| by_pci(&before.vfs));
    let told = Told::new(&now.vf_drivers.told);
    let interval = before.and_then(|before| now.vfs_at.checked_sub(before.vfs_at)).filter(|it| !it.is_zero());
    vfs.iter()
        .map(|vf| {
            let sample = samples.get(vf.pci_address.as_str()).copied();
            let traffic = told.traffic(vf, sample);
            let before = earlier.as_ref().and_then(|before| before.get(vf.pci_address.as_str())).copied();
            let rate = match traffic {
                VfTraffic::PfDriver(_) | VfTraffic::Sysfs(_) => by_driver(vf, traffic, &now.vf_drivers),
                VfTraffic::Ebpf(_) | VfTraffic::Interface(_) => by_interface(sample, before, interval),
                VfTraffic::NotCountedByTheDriver | VfTraffic::Unknown => None,
            };
            let wire = wire(vf, traffic, sample, bins, now.time)
                .map(|wire| VfWire { rates: wire_rates(sample, before, interval), ..wire });
            VfRow { vf: vf.clone(), traffic, rate, wire }
        })
        .collect()
}

fn by_pci(samples: &[VfSample]) -> BTreeMap<&str, &VfSample> {
    samples.iter().map(|sample| (sample.pci.as_str(), sample)).collect()
}

/// What PFs' drivers told, to be looked up.
struct Told<'a> {
    rows: BTreeMap<&'a str, &'a VfDriver>,
    counting: std::collections::BTreeSet<&'a str>,
}

impl<'a> Told<'a> {
    fn new(rows: &'a [VfDriver]) -> Self {
        Self { rows: rows.iter().map(|row| (row.pci.as_str(), row)).collect(), counting: counting(rows) }
    }

    fn traffic(&self, vf: &VirtualFunction, sample: Option<&VfSample>) -> VfTraffic {
        let row = self.rows.get(vf.pci_address.as_str()).copied();
        traffic(sample, row, self.counting.contains(vf.pf_pci_address.as_str()))
    }
}

/// What eBPF tells, where it is who counts.
fn wire(
    vf: &VirtualFunction,
    traffic: VfTraffic,
    sample: Option<&VfSample>,
    bins: &mut Bins,
    now: Duration,
) -> Option<VfWire> {
    let counted = matches!(traffic, VfTraffic::Ebpf(_)).then(|| sample?.programs.as_ref())??;
    let mtu = vf.interface.as_ref()?.mtu;
    let (sizes, sizes_since) = bins.of_vf(&vf.pci_address, mtu, &counted.kinds, now);
    Some(VfWire { counts: counted.counts, rates: None, kinds: counted.kinds.clone(), sizes, sizes_since })
}

/// Rates of what the programs counted, as long as they are the same.
fn wire_rates(
    now: Option<&VfSample>,
    before: Option<&VfSample>,
    interval: Option<Duration>,
) -> Option<PerDirection<Rates>> {
    let (now, before) = (now?.programs.as_ref()?, before?.programs.as_ref()?);
    let interval = interval.filter(|_| now.since == before.since)?;
    Some(PerDirection {
        tx: Rates::between(&now.counts.tx, &before.counts.tx, interval)?,
        rx: Rates::between(&now.counts.rx, &before.counts.rx, interval)?,
    })
}

/// Rates of what was counted on an interface. None when nothing was before, or it began anew: a VF that was taken away and
/// given again is another one.
fn by_interface(
    now: Option<&VfSample>,
    before: Option<&VfSample>,
    interval: Option<Duration>,
) -> Option<PerDirection<VfRates>> {
    let (now, before, interval) = (now?, before?, interval?);
    let place = |sample: &VfSample| (sample.netns.clone(), sample.ifindex);
    let since = |sample: &VfSample| sample.programs.as_ref().map(|programs| programs.since);
    if place(now) != place(before) || since(now) != since(before) {
        return None;
    }
    rates(traffic(Some(now), None, false), traffic(Some(before), None, false), interval)
}

/// Rates of what the PF's driver counted, over the time between its last two answers: samples between them have the same
/// counters, which does not mean that nothing was carried.
fn by_driver(vf: &VirtualFunction, now: VfTraffic, drivers: &VfDrivers) -> Option<PerDirection<VfRates>> {
    let (at, told) = drivers.before.as_ref()?;
    let before = Told::new(told).traffic(vf, None);
    if mem::discriminant(&before) != mem::discriminant(&now) {
        return None;
    }
    let interval = drivers.at.checked_sub(*at).filter(|interval| !interval.is_zero())?;
    rates(now, before, interval)
}

fn rates(now: VfTraffic, before: VfTraffic, interval: Duration) -> Option<PerDirection<VfRates>> {
    interfaces::rates(now.counters()?, before.counters()?, interval)
}

#[cfg(test)]
mod tests {
    use probe_common::sizes::{BUCKETS, EDGE};

    use super::*;
    use crate::{
        facts::{netlink::LinkCounters, sriov::VfStats},
        inventory::PciInterface,
        model::Edge,
        sample::{Counts, Kinds, VfCounts},
    };

    fn vf() -> VirtualFunction {
        let interface = PciInterface { mtu: 1500, ..PciInterface::default() };
        VirtualFunction { interface: Some(interface), ..VirtualFunction::default() }
    }

    fn counters(packets: u64) -> LinkCounters {
        LinkCounters { rx_packets: packets, rx_bytes: packets * 100, ..LinkCounters::default() }
    }

    fn sample(ifindex: u32, packets: u64) -> Sample {
        let vf = VfSample { ifindex, interface: Some(counters(packets)), ..VfSample::default() };
        Sample { vfs: vec![vf], ..Sample::default() }
    }

    /// The same two seconds later.
    fn later(sample: Sample) -> Sample {
        Sample { vfs_at: Duration::from_secs(2), ..sample }
    }

    fn row(now: &Sample, before: Option<&Sample>) -> VfRow {
        rows(&[vf()], now, before, &mut Bins::default()).remove(0)
    }

    #[test]
    fn rates_of_the_same_counters_only() {
        let now = later(sample(3, 30));
        let found = row(&now, Some(&sample(3, 10))).rate.unwrap();
        assert_eq!(
            (found.rx.packets_per_s, found.rx.bits_per_s, found.tx),
            (10.0, 8000.0, VfRates::default())
        );
        let mut uncounted = sample(3, 10);
        uncounted.vfs[0].interface = None;
        for before in [later(sample(3, 10)), sample(3, 31), sample(4, 10), uncounted, Sample::default()] {
            assert_eq!(row(&now, Some(&before)).rate, None, "{before:?}");
        }
        assert_eq!(row(&now, None).rate, None);
    }

    #[test]
    fn what_ebpf_counts_has_rates_since_it_began_and_sizes_against_the_mtu() {
        let seconds = Duration::from_secs;
        let counted = |since: u64, packets: u64| {
            let mut sample = sample(3, packets);
            let counts =
                PerDirection { rx: Counts { packets, ..Counts::default() }, ..PerDirection::default() };
            let mut sizes = vec![0; BUCKETS];
            (sizes[0], sizes[EDGE]) = (packets - 1, 1);
            let kinds = PerDirection { rx: Kinds { sizes, ..Kinds::default() }, ..PerDirection::default() };
            sample.vfs[0].programs = Some(VfCounts { since: seconds(since), counts, kinds });
            sample
        };
        let now = later(counted(5, 30));
        let row = |before: &Sample| row(&now, Some(before));
        assert_eq!(row(&counted(5, 10)).rate.map(|rate| rate.rx.packets_per_s), Some(10.0));
        let wire = row(&counted(5, 10)).wire.unwrap();
        assert_eq!(wire.counts.rx.packets, 30);
        let filled: Vec<_> = wire.sizes.iter().filter(|bucket| bucket.packets.rx > 0).collect();
        assert_eq!((filled[0].to, filled[0].packets.rx), (Some(64), 29));
        assert_eq!((filled[1].to, filled[1].edge, filled[1].packets.rx), (Some(1500), Edge::At, 1));
        // It began anew since, and another counted before.
        for before in [counted(4, 10), sample(3, 10)] {
            assert_eq!(row(&before).rate, None);
        }
        assert_eq!(super::tests::row(&sample(3, 30), None).wire, None);
    }

    #[test]
    fn a_drivers_rates_are_over_the_time_between_its_answers() {
        let seconds = Duration::from_secs;
        let driver = |packets: u64| VfDriver { told: Some(counters(packets)), ..VfDriver::default() };
        let files = |rx_packets: u64| VfDriver {
            files: Some(VfStats { rx_packets, ..VfStats::default() }),
            ..VfDriver::default()
        };
        let asked = |now: u64, told: VfDriver, before: Option<(u64, VfDriver)>| {
            let before = before.map(|(at, told)| (seconds(at), vec![told]));
            Sample {
                vf_drivers: VfDrivers { at: seconds(now), told: vec![told], before },
                ..Sample::default()
            }
        };
        // One second ago the counters were the same: the driver was not asked since.
        let rate = |now: &Sample| row(now, Some(now)).rate;
        let found = rate(&asked(15, driver(70), Some((10, driver(20))))).unwrap();
        assert_eq!(
            (found.rx.packets_per_s, found.rx.bits_per_s, found.tx.packets_per_s),
            (10.0, 8000.0, 0.0)
        );
        let found = rate(&asked(15, files(70), Some((10, files(20)))));
        assert_eq!(found.map(|rate| rate.rx.packets_per_s), Some(10.0));
        for (now, before) in [
            (15, None),
            (15, Some((10, driver(71)))),
            (15, Some((15, driver(20)))),
            (15, Some((16, driver(20)))),
            (15, Some((10, VfDriver::default()))),
            (15, Some((10, files(20)))),
            (15, Some((10, driver(0)))),
        ] {
            assert_eq!(rate(&asked(now, driver(70), before.clone())), None, "{before:?}");
        }
    }
}
