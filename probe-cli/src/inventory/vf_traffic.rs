//! What a VF carried, and who counted it: the best of those who did. Pure. Not whose the VF is.

use serde::{Deserialize, Serialize};

use super::vfs::PciInterface;
use crate::facts::{
    netlink::{LinkCounters, VfInfoFact, VfListFact},
    sriov::VfStats,
};

/// What a VF carried, and who counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "counted_by", rename_all = "kebab-case")]
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
    pub fn counters(self) -> Option<LinkCounters> {
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
            Self::NotCountedByTheDriver => "not by driver",
            Self::Unknown => "unknown",
        }
    }
}

/// What eBPF programs on the interface of a VF counted, seen from its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounters {
    /// Frames received, each segment of a GRO buffer one.
    pub rx_packets: u64,
    /// Frames sent, each segment of a GSO buffer one.
    pub tx_packets: u64,
    /// Bytes of the frames received, without the checksum behind them.
    pub rx_bytes: u64,
    /// Bytes of the frames sent.
    pub tx_bytes: u64,
}

/// The best counters of a VF: what programs on its interface counted; the interface's own, which are read for every sample,
/// too; what its PF's driver answers in `list`, if that is more than zeros; what the driver has in files.
pub(super) fn traffic(
    interface: Option<&PciInterface>,
    frames: Option<FrameCounters>,
    list: Option<&VfListFact>,
    told: Option<&VfInfoFact>,
    stats: Option<VfStats>,
) -> VfTraffic {
    if let Some(counters) = interface.and_then(|interface| interface.counters) {
        return match frames {
            Some(FrameCounters { rx_packets, tx_packets, rx_bytes, tx_bytes }) => {
                VfTraffic::Ebpf(LinkCounters { rx_packets, tx_packets, rx_bytes, tx_bytes, ..counters })
            }
            None => VfTraffic::Interface(counters),
        };
    }
    let told = told.and_then(|told| told.counters);
    // One that counts for one VF counts for all.
    let counts = list
        .into_iter()
        .flat_map(|list| &list.vfs)
        .any(|vf| vf.counters.is_some_and(|counters| counters != LinkCounters::default()));
    match (told, stats) {
        (Some(counters), _) if counts => VfTraffic::PfDriver(counters),
        (_, Some(stats)) => VfTraffic::Sysfs(stats.into()),
        (Some(_), None) => VfTraffic::NotCountedByTheDriver,
        (None, None) => VfTraffic::Unknown,
    }
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

    fn counters(rx_packets: u64) -> LinkCounters {
        LinkCounters { rx_packets, ..LinkCounters::default() }
    }

    fn told(index: u32, rx_packets: u64) -> VfInfoFact {
        VfInfoFact { index, counters: Some(counters(rx_packets)), ..VfInfoFact::default() }
    }

    #[test]
    fn the_best_who_count_are_believed() {
        let interface = PciInterface { counters: Some(counters(1)), ..PciInterface::default() };
        let silent = PciInterface::default();
        let list = |vfs: Vec<VfInfoFact>| VfListFact { count: Some(2), vfs, truncated: false };
        let counting = list(vec![told(0, 2), told(1, 0)]);
        let zeros = list(vec![told(0, 0), told(1, 0)]);
        let others = list(vec![told(1, 9)]);
        let without = list(vec![VfInfoFact { counters: None, ..told(0, 0) }, told(1, 9)]);
        let files = Some(VfStats { rx_packets: 3, ..VfStats::default() });
        for (interface, list, stats, expected) in [
            (Some(&interface), Some(&counting), files, VfTraffic::Interface(counters(1))),
            (Some(&silent), Some(&counting), files, VfTraffic::PfDriver(counters(2))),
            (None, Some(&counting), None, VfTraffic::PfDriver(counters(2))),
            (None, Some(&zeros), files, VfTraffic::Sysfs(counters(3))),
            (None, Some(&zeros), Some(VfStats::default()), VfTraffic::Sysfs(counters(0))),
            (None, Some(&zeros), None, VfTraffic::NotCountedByTheDriver),
            // The answer was cut before this VF, or says nothing of what it carried.
            (None, Some(&others), files, VfTraffic::Sysfs(counters(3))),
            (None, Some(&others), None, VfTraffic::Unknown),
            (None, Some(&without), files, VfTraffic::Sysfs(counters(3))),
            (None, Some(&without), None, VfTraffic::Unknown),
            (None, None, files, VfTraffic::Sysfs(counters(3))),
            (None, None, None, VfTraffic::Unknown),
        ] {
            let told = list.and_then(|list| list.vfs.iter().find(|vf| vf.index == 0));
            assert_eq!(traffic(interface, None, list, told, stats), expected, "{list:?} {stats:?}");
        }
        let frames = FrameCounters { rx_packets: 7, tx_packets: 8, rx_bytes: 9, tx_bytes: 10 };
        let dropped = LinkCounters { rx_dropped: 11, tx_dropped: 12, ..counters(1) };
        let interface = PciInterface { counters: Some(dropped), ..interface };
        let by_ebpf = LinkCounters { rx_packets: 7, tx_packets: 8, rx_bytes: 9, tx_bytes: 10, ..dropped };
        let found = |interface| traffic(interface, Some(frames), Some(&counting), None, files);
        assert_eq!(found(Some(&interface)), VfTraffic::Ebpf(by_ebpf));
        // It went elsewhere since everything was read.
        assert_eq!(found(Some(&silent)), VfTraffic::Sysfs(counters(3)));
    }
}
