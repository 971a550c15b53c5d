//! What a VF carried, and who counted it: the best of those who did. Pure. Not whose the VF is.

use std::collections::BTreeSet;

use crate::{
    facts::{netlink::LinkCounters, sriov::VfStats},
    sample::{VfCounts, VfDriver, VfSample},
};

/// What a VF carried, and who counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VfTraffic {
    /// eBPF programs on its own interface: packets as the wire has them, bytes of whole frames. What was dropped is the
    /// interface's own figure.
    Ebpf(LinkCounters),
    /// Its own interface.
    Interface(LinkCounters),
    /// The PF's driver.
    PfDriver(LinkCounters),
    /// The PF's driver, which tells it by files in sysfs.
    Sysfs(LinkCounters),
    /// Nobody: the PF's driver answers with zeros for all of its VFs, as igb does.
    NotCountedByTheDriver,
    /// Not known.
    #[default]
    Unknown,
}

impl VfTraffic {
    /// The counters, where somebody counts.
    pub fn counters(&self) -> Option<&LinkCounters> {
        match self {
            Self::Ebpf(counters)
            | Self::Interface(counters)
            | Self::PfDriver(counters)
            | Self::Sysfs(counters) => Some(counters),
            Self::NotCountedByTheDriver | Self::Unknown => None,
        }
    }

    /// Who counted, in a few words.
    pub fn counted_by(&self) -> &'static str {
        match self {
            Self::Ebpf(_) => "eBPF",
            Self::Interface(_) => "interface",
            Self::PfDriver(_) => "PF driver",
            Self::Sysfs(_) => "sysfs",
            Self::NotCountedByTheDriver => "no counters",
            Self::Unknown => "unknown",
        }
    }
}

/// The best counters of a VF: what programs on its interface counted; the interface's own, which are read for every sample,
/// too; what its PF's driver answers, if it counts at all (`counts`), which is what it has in files otherwise.
pub(super) fn traffic(sample: Option<&VfSample>, driver: Option<&VfDriver>, counts: bool) -> VfTraffic {
    if let Some((sample, counters)) = sample.and_then(|sample| Some((sample, sample.interface?))) {
        return match &sample.programs {
            Some(programs) => VfTraffic::Ebpf(frames(programs, counters)),
            None => VfTraffic::Interface(counters),
        };
    }
    match driver.map_or((None, None), |driver| (driver.told, driver.files)) {
        (Some(counters), _) if counts => VfTraffic::PfDriver(counters),
        (_, Some(stats)) => VfTraffic::Sysfs(stats.into()),
        (Some(_), None) => VfTraffic::NotCountedByTheDriver,
        (None, None) => VfTraffic::Unknown,
    }
}

/// Packets and frames as programs counted them; what was dropped is the interface's own figure.
fn frames(VfCounts { counts, .. }: &VfCounts, interface: LinkCounters) -> LinkCounters {
    LinkCounters {
        rx_packets: counts.rx.packets,
        tx_packets: counts.tx.packets,
        rx_bytes: counts.rx.outer_bytes,
        tx_bytes: counts.tx.outer_bytes,
        ..interface
    }
}

/// PFs whose driver counts: one that has counted anything for one VF counts for all.
pub(super) fn counting(drivers: &[VfDriver]) -> BTreeSet<&str> {
    let has_counted = |driver: &&VfDriver| driver.told.is_some_and(|told| told != LinkCounters::default());
    drivers.iter().filter(has_counted).map(|driver| driver.pf.as_str()).collect()
}

impl From<VfStats> for LinkCounters {
    fn from(stats: VfStats) -> Self {
        let VfStats { rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped } = stats;
        Self { rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Counts, PerDirection};

    fn counters(rx_packets: u64) -> LinkCounters {
        LinkCounters { rx_packets, ..LinkCounters::default() }
    }

    #[test]
    fn the_best_who_count_are_believed() {
        let sample = |interface: Option<LinkCounters>| VfSample { interface, ..VfSample::default() };
        let (interface, silent) = (sample(Some(counters(1))), sample(None));
        let driver = |told: Option<u64>, files: Option<u64>| VfDriver {
            told: told.map(counters),
            files: files.map(|rx_packets| VfStats { rx_packets, ..VfStats::default() }),
            ..VfDriver::default()
        };
        let (both, zeros, files, neither) =
            (driver(Some(2), Some(3)), driver(Some(0), None), driver(None, Some(3)), driver(None, None));
        for (sample, driver, counts, expected) in [
            (Some(&interface), Some(&both), true, VfTraffic::Interface(counters(1))),
            (Some(&silent), Some(&both), true, VfTraffic::PfDriver(counters(2))),
            (None, Some(&both), true, VfTraffic::PfDriver(counters(2))),
            (None, Some(&zeros), true, VfTraffic::PfDriver(counters(0))),
            (None, Some(&both), false, VfTraffic::Sysfs(counters(3))),
            (None, Some(&driver(Some(0), Some(0))), false, VfTraffic::Sysfs(counters(0))),
            (None, Some(&zeros), false, VfTraffic::NotCountedByTheDriver),
            // The answer was cut before this VF, or says nothing of what it carried.
            (None, Some(&files), true, VfTraffic::Sysfs(counters(3))),
            (None, Some(&neither), true, VfTraffic::Unknown),
            (None, None, false, VfTraffic::Unknown),
        ] {
            assert_eq!(traffic(sample, driver, counts), expected, "{driver:?} {counts}");
        }
        let direction = |packets, outer_bytes| Counts { packets, outer_bytes, ..Counts::default() };
        let counts = PerDirection { rx: direction(7, 9), tx: direction(8, 10) };
        let programs = Some(VfCounts { counts, ..VfCounts::default() });
        let dropped = LinkCounters { rx_dropped: 11, tx_dropped: 12, ..counters(1) };
        let by_ebpf = LinkCounters { rx_packets: 7, tx_packets: 8, rx_bytes: 9, tx_bytes: 10, ..dropped };
        let counted = VfSample { programs, ..sample(Some(dropped)) };
        assert_eq!(traffic(Some(&counted), Some(&both), true), VfTraffic::Ebpf(by_ebpf));
        // It went elsewhere since everything was read.
        let gone = VfSample { interface: None, ..counted };
        assert_eq!(traffic(Some(&gone), Some(&files), true), VfTraffic::Sysfs(counters(3)));
    }

    #[test]
    fn a_driver_that_answers_zeros_does_not_count() {
        let driver = |pf: &str, told: Option<u64>| VfDriver {
            pf: pf.to_owned(),
            told: told.map(counters),
            ..VfDriver::default()
        };
        let drivers = [driver("a", Some(0)), driver("a", Some(9)), driver("b", Some(0)), driver("c", None)];
        assert_eq!(counting(&drivers), BTreeSet::from(["a"]));
    }
}
