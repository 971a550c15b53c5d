//! Faults of VFs and of the pools that pods get them from.

use std::sync::Arc;

use super::Fault;
use crate::{
    check::testdata::{Node, PF},
    facts::{
        OfNamespace,
        netlink::{LinkFact, NamespaceFact, OperState, VfLinkState, VfVlan},
        pods::{Allocation, Sandbox},
    },
    inventory::testdata::*,
    observed::Observed,
};

const fn sriov(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: Node::sriov, change }
}

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        sriov("vf-link-down", |node| node.first_vf().link_state = Some(VfLinkState::Disable)),
        sriov("vf-link-down", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == PF) {
                link.oper_state = Some(OperState::Down);
            }
        }),
        sriov("vf-link-down", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == PF) {
                (link.up, link.oper_state) = (false, Some(OperState::Down));
            }
        }),
        sriov("vf-mac-not-allowed", |node| node.first_vf().mac = Some(mac(0x99))),
        sriov("vf-mac-shared", |node| {
            node.sriov_facts().interfaces[2].mac = node.sriov_facts().interfaces[1].mac;
        })
        .with(&["vf-mac-not-allowed"]),
        sriov("vf-mac-shared", |node| {
            node.sriov_facts().interfaces[3].mac = node.sriov_facts().interfaces[1].mac;
        }),
        sriov("vf-mtu-exceeds-pf", |node| node.sriov_facts().interfaces[1].mtu = 9000),
        sriov("vf-vlan-tagged-twice", |node| {
            node.first_vf().vlan = Some(VfVlan { id: 100, qos: 0, is_qinq: false });
            let vlan = LinkFact { kind: Some("vlan".to_owned()), link: Some(41), ..ethernet(50, "net1.100") };
            let path = "/var/run/netns/cni-1".to_owned();
            let inside = NamespaceFact { path: path.clone(), links: vec![vlan], ..NamespaceFact::default() };
            node.snapshot.namespaces = Arc::new(vec![OfNamespace { path, told: Observed::Value(inside) }]);
        }),
        sriov("vf-rate-limited", |node| node.vf_sends = 250_000_000),
        sriov("vf-driver-missing", |node| {
            node.sriov_facts().interfaces.truncate(3);
            if let Observed::Value(pfs) = &mut node.sriov_facts().pfs {
                pfs[0].vfs[2].driver = None;
            }
        }),
        sriov("vf-pod-disputed", |node| {
            let mut pods = (*node.snapshot.pods).clone();
            let allocated = ("0000:01:01.0", "/var/run/netns/cni-2");
            pods.attachments[1].netns = Some(allocated.1.to_owned());
            pods.allocations =
                vec![Allocation { pci: allocated.0.to_owned(), netns: allocated.1.to_owned() }];
            node.snapshot.pods = Arc::new(pods);
        }),
        sriov("vf-allocation-stale", |node| {
            let mut pods = (*node.snapshot.pods).clone();
            let netns = "/var/run/netns/cni-9".to_owned();
            pods.allocations = vec![Allocation { pci: "0000:01:01.2".to_owned(), netns }];
            let netns = Some("/var/run/netns/cni-1".to_owned());
            pods.sandboxes = Observed::Value(vec![Sandbox { netns, ..Sandbox::default() }]);
            node.snapshot.pods = Arc::new(pods);
            node.sriov_facts().netns.push("cni-9".to_owned());
        }),
        sriov("vf-addressed-on-node", |node| node.facts().addresses.push(address(43, "198.51.100.7/24"))),
        sriov("vf-pool-empty", |node| {
            node.pools(&[("intel", &[("devices", "01:00.0"), ("drivers", "ice"), ("pfNames", "ens1f0")])]);
        }),
        sriov("vf-iommu-missing", |node| {
            node.pools(&[("dpdk", &[("devices", "1889"), ("drivers", "vfio-pci")])]);
            without_iommu(node);
        }),
        sriov("vf-pools-overlap", |node| {
            node.pools(&[("all", &[("devices", "1889")]), ("some", &[("pfNames", "ens1f0#0-1")])]);
        }),
    ]
}

/// No VF is in an IOMMU group.
pub(in crate::check::tests) fn without_iommu(node: &mut Node) {
    if let Observed::Value(pfs) = &mut node.sriov_facts().pfs {
        pfs.iter_mut().flat_map(|pf| &mut pf.vfs).for_each(|vf| vf.iommu_group = None);
    }
}
