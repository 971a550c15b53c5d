//! Rates of virtual functions from two samples.

use std::{mem, time::Duration};

use super::{
    interfaces,
    sizes::sizes,
    types::{VfRates, VfRow, VfWire},
};
use crate::{
    inventory::{VfTraffic, VirtualFunction},
    sample::{Both, Sample, VfDriverTimes},
};

/// The rows of `now`'s VFs.
pub(super) fn rows(now: &Sample, before: Option<&Sample>) -> Vec<VfRow> {
    now.vfs
        .iter()
        .map(|vf| VfRow {
            vf: vf.clone(),
            rate: match vf.traffic {
                VfTraffic::PfDriver(_) | VfTraffic::Sysfs(_) => by_driver(vf, &now.vf_drivers),
                _ => before.and_then(|before| by_interface(vf, now, before)),
            },
            wire: wire(vf, now),
        })
        .collect()
}

/// What eBPF tells, where it is who counts.
fn wire(vf: &VirtualFunction, now: &Sample) -> Option<VfWire> {
    let counted = matches!(vf.traffic, VfTraffic::Ebpf(_)).then(|| now.vf_counts.get(&vf.pci_address))??;
    let mtu = vf.interface.as_ref()?.mtu;
    Some(VfWire { counts: counted.counts, kinds: counted.kinds.clone(), sizes: sizes(mtu, &counted.kinds) })
}

/// Rates of what was counted on an interface. None when nothing was before, or it began anew: a VF that was taken away and
/// given again is another one.
fn by_interface(vf: &VirtualFunction, now: &Sample, before: &Sample) -> Option<Both<VfRates>> {
    let earlier = before.vfs.iter().find(|before| before.pci_address == vf.pci_address)?;
    let place = |vf: &VirtualFunction| vf.interface.as_ref().map(|i| (i.netns.clone(), i.ifindex));
    let since = |sample: &Sample| sample.vf_counts.get(&vf.pci_address).map(|counted| counted.since);
    let same = match (vf.traffic, earlier.traffic) {
        (VfTraffic::Interface(_), VfTraffic::Interface(_)) => true,
        (VfTraffic::Ebpf(_), VfTraffic::Ebpf(_)) => since(now) == since(before),
        _ => false,
    };
    if !same || place(vf) != place(earlier) {
        return None;
    }
    let interval = now.vfs_at.checked_sub(before.vfs_at).filter(|interval| !interval.is_zero())?;
    rates(vf.traffic, earlier.traffic, interval)
}

/// Rates of what the PF's driver counted, over the time between its last two answers: samples between them have the same
/// counters, which does not mean that nothing was carried.
fn by_driver(now: &VirtualFunction, times: &VfDriverTimes) -> Option<Both<VfRates>> {
    let (at, counted) = times.before.as_ref()?;
    let before = counted.get(&now.pci_address)?;
    if mem::discriminant(before) != mem::discriminant(&now.traffic) {
        return None;
    }
    let interval = times.at.checked_sub(*at).filter(|interval| !interval.is_zero())?;
    rates(now.traffic, *before, interval)
}

fn rates(now: VfTraffic, before: VfTraffic, interval: Duration) -> Option<Both<VfRates>> {
    interfaces::rates(&now.counters()?, &before.counters()?, interval)
}

#[cfg(test)]
mod tests {
    use probe_common::sizes::{BUCKETS, EDGE};

    use super::*;
    use crate::{
        facts::netlink::LinkCounters,
        inventory::PciInterface,
        model::Edge,
        sample::{Counts, Kinds, VfSample},
    };

    fn sample(ifindex: u32, traffic: VfTraffic) -> Sample {
        let interface = PciInterface { ifindex, ..PciInterface::default() };
        let vf = VirtualFunction { interface: Some(interface), traffic, ..VirtualFunction::default() };
        Sample { vfs: vec![vf], ..Sample::default() }
    }

    fn counted(packets: u64) -> VfTraffic {
        VfTraffic::Interface(LinkCounters {
            rx_packets: packets,
            rx_bytes: packets * 100,
            ..LinkCounters::default()
        })
    }

    /// The same two seconds later.
    fn later(sample: Sample) -> Sample {
        Sample { vfs_at: Duration::from_secs(2), ..sample }
    }

    #[test]
    fn rates_of_the_same_counters_only() {
        let rate = |now: &Sample, before: &Sample| rows(now, Some(before))[0].rate;
        let found = rate(&later(sample(3, counted(30))), &sample(3, counted(10))).unwrap();
        assert_eq!(
            (found.rx.packets_per_s, found.rx.bits_per_s, found.tx),
            (10.0, 8000.0, VfRates::default())
        );
        let now = later(sample(3, counted(30)));
        for before in [
            later(sample(3, counted(10))),
            sample(3, counted(31)),
            sample(4, counted(10)),
            sample(3, VfTraffic::PfDriver(LinkCounters::default())),
            sample(3, VfTraffic::Unknown),
            Sample::default(),
        ] {
            assert_eq!(rate(&now, &before), None, "{before:?}");
        }
        assert_eq!(rows(&now, None)[0].rate, None);
    }

    #[test]
    fn what_ebpf_counts_has_rates_since_it_began_and_sizes_against_the_mtu() {
        let seconds = Duration::from_secs;
        let sample = |since: u64, packets: u64| {
            let VfTraffic::Interface(counters) = counted(packets) else { panic!() };
            let mut sample = sample(3, VfTraffic::Ebpf(counters));
            sample.vfs[0].interface.as_mut().unwrap().mtu = 1500;
            let counts = Both { rx: Counts { packets, ..Counts::default() }, ..Both::default() };
            let mut sizes = vec![0; BUCKETS];
            (sizes[0], sizes[EDGE]) = (packets - 1, 1);
            let kinds = Both { rx: Kinds { sizes, ..Kinds::default() }, ..Both::default() };
            sample.vf_counts = [(String::new(), VfSample { since: seconds(since), counts, kinds })].into();
            sample
        };
        let now = later(sample(5, 30));
        let row = |before: &Sample| rows(&now, Some(before)).remove(0);
        assert_eq!(row(&sample(5, 10)).rate.map(|rate| rate.rx.packets_per_s), Some(10.0));
        let wire = row(&sample(5, 10)).wire.unwrap();
        assert_eq!(wire.counts.rx.packets, 30);
        let filled: Vec<_> = wire.sizes.iter().filter(|bucket| bucket.packets.rx > 0).collect();
        assert_eq!((filled[0].to, filled[0].packets.rx), (Some(64), 29));
        assert_eq!((filled[1].to, filled[1].edge, filled[1].packets.rx), (Some(1500), Edge::At, 1));
        // It began anew since, and another counted before.
        for before in [sample(4, 10), super::tests::sample(3, counted(10))] {
            assert_eq!(row(&before).rate, None);
        }
        let by_interface = super::tests::sample(3, counted(30));
        assert_eq!(rows(&by_interface, None)[0].wire, None);
    }

    #[test]
    fn a_drivers_rates_are_over_the_time_between_its_answers() {
        let seconds = Duration::from_secs;
        let driver = |packets: u64| {
            VfTraffic::PfDriver(LinkCounters {
                tx_packets: packets,
                tx_bytes: packets * 100,
                ..LinkCounters::default()
            })
        };
        let asked = |now: u64, before: Option<(u64, VfTraffic)>| {
            let before = before.map(|(at, traffic)| (seconds(at), [(String::new(), traffic)].into()));
            Sample { vf_drivers: VfDriverTimes { at: seconds(now), before }, ..sample(3, driver(70)) }
        };
        let rate = |now: &Sample| {
            // One second ago the counters were the same: the driver was not asked since.
            rows(now, Some(now))[0].rate
        };
        let found = rate(&asked(15, Some((10, driver(20))))).unwrap();
        assert_eq!(
            (found.tx.packets_per_s, found.tx.bits_per_s, found.rx.packets_per_s),
            (10.0, 8000.0, 0.0)
        );
        let files = |packets: u64| match driver(packets) {
            VfTraffic::PfDriver(counters) => VfTraffic::Sysfs(counters),
            other => other,
        };
        let now = Sample { vf_drivers: asked(15, Some((10, files(20)))).vf_drivers, ..sample(3, files(70)) };
        assert_eq!(rate(&now).map(|rate| rate.tx.packets_per_s), Some(10.0));
        for unknown in [
            asked(15, None),
            asked(15, Some((10, driver(71)))),
            asked(15, Some((15, driver(20)))),
            asked(15, Some((16, driver(20)))),
            asked(15, Some((10, counted(20)))),
            asked(15, Some((10, VfTraffic::Sysfs(LinkCounters::default())))),
            asked(15, Some((10, VfTraffic::NotCountedByTheDriver))),
        ] {
            assert_eq!(rate(&unknown), None, "{unknown:?}");
        }
    }
}
