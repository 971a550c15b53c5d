//! Rates of interfaces from two samples of the kernel's own counters.

use std::{collections::BTreeMap, time::Duration};

use super::types::{InterfaceRow, VfRates};
use crate::{
    facts::netlink::LinkCounters,
    inventory::Pod,
    sample::{PerDirection, Sample},
};

/// Counters of pods' interfaces by path of the namespace and interface index.
pub(super) type Counted<'a> = BTreeMap<(&'a str, u32), LinkCounters>;

/// The counters of a sample, to be looked up.
pub(super) fn counted(sample: &Sample) -> Counted<'_> {
    let of = sample.pod_interfaces.iter();
    of.map(|one| ((one.netns.as_str(), one.ifindex), one.counters)).collect()
}

/// The rows of a pod's interfaces.
pub(super) fn rows(
    pod: &Pod,
    now: &Counted<'_>,
    before: Option<&Counted<'_>>,
    interval: Option<Duration>,
) -> Vec<InterfaceRow> {
    let row = |interface: &crate::inventory::PodInterface| {
        let key = pod.netns.as_deref().map(|netns| (netns, interface.ifindex));
        let counters = key.and_then(|key| now.get(&key)).copied();
        let earlier = key.and_then(|key| before?.get(&key)).copied();
        let rate = counters
            .zip(earlier)
            .zip(interval)
            .and_then(|((now, before), interval)| rates(&now, &before, interval));
        InterfaceRow { interface: interface.clone(), counters, rate }
    };
    pod.interfaces.iter().map(row).collect()
}

/// Rates of one interface's counters; none when one is smaller than before, which makes it another interface's.
pub(super) fn rates(
    now: &LinkCounters,
    before: &LinkCounters,
    interval: Duration,
) -> Option<PerDirection<VfRates>> {
    let per_second = |now: u64, before: u64| Some(now.checked_sub(before)? as f64 / interval.as_secs_f64());
    Some(PerDirection {
        tx: VfRates {
            packets_per_s: per_second(now.tx_packets, before.tx_packets)?,
            bits_per_s: per_second(now.tx_bytes, before.tx_bytes)? * 8.0,
            drops_per_s: per_second(now.tx_dropped, before.tx_dropped)?,
        },
        rx: VfRates {
            packets_per_s: per_second(now.rx_packets, before.rx_packets)?,
            bits_per_s: per_second(now.rx_bytes, before.rx_bytes)? * 8.0,
            drops_per_s: per_second(now.rx_dropped, before.rx_dropped)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::PodInterface, sample::PodInterfaceSample};

    fn sample(ifindex: u32, packets: u64) -> Sample {
        let counters =
            LinkCounters { tx_packets: packets, tx_bytes: packets * 100, ..LinkCounters::default() };
        let one = PodInterfaceSample { netns: "/run/netns/a".to_owned(), ifindex, counters };
        Sample { pod_interfaces: vec![one], ..Sample::default() }
    }

    #[test]
    fn rates_of_the_same_interface_only() {
        let pod = Pod {
            netns: Some("/run/netns/a".to_owned()),
            interfaces: vec![PodInterface { ifindex: 3, ..PodInterface::default() }],
            ..Pod::default()
        };
        let two = Some(Duration::from_secs(2));
        let row =
            |now: &Sample, before: &Sample| rows(&pod, &counted(now), Some(&counted(before)), two).remove(0);
        let found = row(&sample(3, 30), &sample(3, 10));
        let rate = found.rate.unwrap();
        assert_eq!((rate.tx.packets_per_s, rate.tx.bits_per_s, rate.rx), (10.0, 8000.0, VfRates::default()));
        for (now, before) in
            [(sample(3, 9), sample(3, 10)), (sample(3, 9), sample(4, 1)), (sample(4, 9), sample(3, 1))]
        {
            assert_eq!(row(&now, &before).rate, None, "{now:?}");
        }
        assert_eq!(row(&sample(4, 9), &sample(3, 1)).counters, None);
        assert_eq!(rows(&pod, &counted(&sample(3, 1)), None, None)[0].rate, None);
    }
}
