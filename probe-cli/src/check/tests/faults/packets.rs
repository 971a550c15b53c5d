//! Faults that only packets show.

use super::Fault;
use crate::{
    check::testdata::Node,
    facts::{PeerKey, PodKey, netlink::PublicKey},
    inventory::testdata::*,
    model::drops::testdata::VXLAN,
    sample::{Counts, OuterCounts, PerDirection, Syns},
};

const fn counted(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: || Node::canal().counting(), change }
}

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        counted("dataplane-vni-unknown", |node| {
            node.drop(ETH0, "VXLAN_VNI_NOT_FOUND", |row| (row.outer, row.last.vni) = (Some(VXLAN), Some(7)));
        }),
        counted("dataplane-packets-filtered", |node| {
            node.drop(ETH0, "NETFILTER_DROP", |row| row.outer = Some(VXLAN));
        }),
        counted("dataplane-packets-dropped", |node| node.drop(FLANNEL, "NEIGH_FAILED", |_| ())),
        counted("dataplane-pods-in-clear", |node| node.bare(FLANNEL, PeerKey::Mac(mac(2)))),
        Fault {
            raises: "dataplane-pods-in-clear",
            with: &[],
            base: Node::wireguard,
            change: |node| node.bare(5, PeerKey::PublicKey(PublicKey([2; 32]))),
        },
        counted("mtu-packets-too-big", |node| node.drop(20, "PKT_TOO_BIG", |_| ())),
        counted("peer-vtep-mac-duplicate", |node| node.drop(FLANNEL, "LOCAL_MAC", |_| ())),
        counted("peer-vtep-mac-stale", |node| node.drop(FLANNEL, "OTHERHOST", |_| ())),
        counted("peer-packets-without-fdb", |node| node.drop(FLANNEL, "NO_TX_TARGET", |_| ())),
        counted("mtu-packets-too-big", |node| {
            node.carry(FLANNEL, |tunnel| tunnel.counts.tx.oversize = 3);
            let pod = PodKey { namespace: String::new(), name: "cali20".to_owned(), host_ifindex: 20 };
            let counts = Counts { oversize: 2, ..Counts::default() };
            node.counted.pods.insert(pod.clone(), PerDirection { tx: counts, ..PerDirection::default() });
            let syns = Syns { segments: 3, over_budget: 2, largest_mss: 1460 };
            node.counted.pod_syns.insert(pod, PerDirection { tx: syns, ..PerDirection::default() });
        }),
        counted("mtu-outer-fragments", |node| {
            let fragments = OuterCounts { packets: 9, fragments: 4, ..OuterCounts::default() };
            node.carry(FLANNEL, |tunnel| {
                tunnel.outer = Some(PerDirection { tx: fragments, rx: fragments });
            });
        }),
    ]
}
