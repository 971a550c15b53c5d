//! Rates of virtual functions from two samples.

use std::time::Duration;

use super::types::{VfRates, VfRow};
use crate::{
    inventory::{VfTraffic, VirtualFunction},
    sample::{Both, Sample},
};

/// The rows of `now`'s VFs.
pub(super) fn rows(now: &Sample, before: Option<&Sample>, interval: Option<Duration>) -> Vec<VfRow> {
    let earlier =
        |vf: &VirtualFunction| before?.vfs.iter().find(|before| before.pci_address == vf.pci_address);
    now.vfs
        .iter()
        .map(|vf| VfRow { vf: vf.clone(), rate: earlier(vf).and_then(|before| rates(vf, before, interval?)) })
        .collect()
}

/// None when somebody else counted before, or the counters were reset: a VF that was taken away and given again is
/// another one.
fn rates(now: &VirtualFunction, before: &VirtualFunction, interval: Duration) -> Option<Both<VfRates>> {
    let same = matches!(
        (now.traffic, before.traffic),
        (VfTraffic::Interface(_), VfTraffic::Interface(_)) | (VfTraffic::PfDriver(_), VfTraffic::PfDriver(_))
    );
    let place = |vf: &VirtualFunction| vf.interface.as_ref().map(|i| (i.netns.clone(), i.ifindex));
    let (now_c, before_c) = (now.traffic.counters()?, before.traffic.counters()?);
    if !same || place(now) != place(before) {
        return None;
    }
    let per_second = |now: u64, before: u64| Some(now.checked_sub(before)? as f64 / interval.as_secs_f64());
    Some(Both {
        tx: VfRates {
            packets_per_s: per_second(now_c.tx_packets, before_c.tx_packets)?,
            bits_per_s: per_second(now_c.tx_bytes, before_c.tx_bytes)? * 8.0,
            drops_per_s: per_second(now_c.tx_dropped, before_c.tx_dropped)?,
        },
        rx: VfRates {
            packets_per_s: per_second(now_c.rx_packets, before_c.rx_packets)?,
            bits_per_s: per_second(now_c.rx_bytes, before_c.rx_bytes)? * 8.0,
            drops_per_s: per_second(now_c.rx_dropped, before_c.rx_dropped)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::PciInterface, netlink::facts::LinkCounters};

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

    #[test]
    fn rates_of_the_same_counters_only() {
        let two = Some(Duration::from_secs(2));
        let rate = |now: &Sample, before: &Sample| rows(now, Some(before), two)[0].rate;
        let found = rate(&sample(3, counted(30)), &sample(3, counted(10))).unwrap();
        assert_eq!(
            (found.rx.packets_per_s, found.rx.bits_per_s, found.tx),
            (10.0, 8000.0, VfRates::default())
        );
        let now = sample(3, counted(30));
        for before in [
            sample(3, counted(31)),
            sample(4, counted(10)),
            sample(3, VfTraffic::PfDriver(LinkCounters::default())),
            sample(3, VfTraffic::Unknown),
            Sample::default(),
        ] {
            assert_eq!(rate(&now, &before), None, "{before:?}");
        }
        assert_eq!(rows(&now, None, None)[0].rate, None);
    }
}
