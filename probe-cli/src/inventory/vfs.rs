//! Virtual functions: the PF's view of each, its interface wherever that is, and its pod. Pure.

mod pods;

use std::collections::BTreeMap;

use self::pods::Claims;
use crate::{
    facts::{
        netlink::{VfInfoFact, VfLinkState, VfListFact, VfVlan},
        pci::PciFunctionFact,
        pods::PodFacts,
        sriov::{PciInterface, PfFact, SriovFacts, VfFact},
    },
    mac::Mac,
    observed::Observed,
    text::shown,
};

/// A virtual function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualFunction {
    /// Its number below the PF.
    pub index: u32,
    /// PCI address.
    pub pci_address: String,
    /// PCI address of the PF.
    pub pf_pci_address: String,
    /// Name of the PF's interface; none when it is in no namespace that could be read.
    pub pf: Option<String>,
    /// Driver of the PF.
    pub pf_driver: Option<String>,
    /// Driver that has it; none without one.
    pub driver: Option<String>,
    /// PCI IDs of vendor and device, as `8086:1889`; none when they could not be read.
    pub device: Option<String>,
    /// IOMMU group.
    pub iommu_group: Option<u32>,
    /// Its interface; none with `vfio-pci`, whose user has all of it.
    pub interface: Option<PciInterface>,
    /// The pod that has it.
    pub pod: Option<VfPod>,
    /// Pods that other sources name.
    pub disputed_by: Vec<VfPod>,
    /// What the PF's driver has set; none when it does not tell.
    pub settings: Option<VfSettings>,
}

/// What the PF's driver has set for a VF; see [`VfInfoFact`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfSettings {
    /// Its number below the PF.
    pub index: u32,
    /// The address that the PF's administrator gave it; none when the VF may choose.
    pub mac: Option<Mac>,
    /// The VLAN that its packets are tagged with; none without one.
    pub vlan: Option<VfVlan>,
    /// Packets from other addresses are dropped; none when the driver does not say.
    pub spoof_check: Option<bool>,
    /// It may change what is set; none when the driver does not say.
    pub trust: Option<bool>,
    /// Least transmit rate in Mbit/s; none when not limited.
    pub min_tx_mbit: Option<u32>,
    /// Most transmit rate in Mbit/s; none when not limited.
    pub max_tx_mbit: Option<u32>,
    /// State of its link.
    pub link_state: Option<VfLinkState>,
}

impl From<&VfInfoFact> for VfSettings {
    fn from(told: &VfInfoFact) -> Self {
        let &VfInfoFact {
            index,
            mac,
            vlan,
            spoof_check,
            trust,
            min_tx_mbit,
            max_tx_mbit,
            link_state,
            counters: _,
        } = told;
        Self { index, mac, vlan, spoof_check, trust, min_tx_mbit, max_tx_mbit, link_state }
    }
}

/// A pod that has a VF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfPod {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// CNI network that the VF belongs to; none when the source does not tell.
    pub network: Option<String>,
    /// Who says so.
    pub source: VfPodSource,
}

/// Who says which pod has a VF, from the strongest to the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VfPodSource {
    /// sriov-cni's allocation names the namespace, and libcni's cache or the runtime the pod that lives in it; or sriov-cni's
    /// configuration names the sandbox.
    SriovCni,
    /// The configuration in libcni's cache names the PCI address.
    LibcniDevice,
    /// The kubelet has given the device to a container of the pod.
    Kubelet,
    /// Multus' note of an interface's device names the PCI address and the sandbox.
    DeviceInfo,
    /// The interface is in the pod's network namespace.
    Netns,
}

/// Says which devices they are.
pub(super) fn name_devices(vfs: &mut [VirtualFunction], functions: &[PciFunctionFact]) {
    let by_address: BTreeMap<&str, &PciFunctionFact> =
        functions.iter().map(|function| (function.address.as_str(), function)).collect();
    for vf in vfs {
        let function = by_address.get(vf.pci_address.as_str());
        vf.device = function.map(|function| format!("{}:{}", function.vendor, function.device));
    }
}

/// The VFs of a node, and what does not fit together; `pods` is what is said of who has them.
pub(super) fn virtual_functions(facts: &SriovFacts, pods: &PodFacts) -> (Vec<VirtualFunction>, Vec<String>) {
    let unread = facts.pfs.trouble().map(|why| format!("virtual functions cannot be read: {why}"));
    let lists = facts.lists.iter().filter_map(|list| list.told.trouble());
    let mut notes: Vec<String> = unread.into_iter().chain(lists).chain(facts.notes.iter().cloned()).collect();
    if !facts.has_vfs() {
        return (Vec::new(), notes);
    }
    notes.extend(pods.notes.iter().cloned());
    let claims = Claims::new(pods);
    let mut found = Vec::new();
    for pf in facts.pfs.rows() {
        let list = facts.lists.iter().find(|list| list.pci == pf.pci).and_then(|list| list.told.value());
        let name = interface(facts, &pf.pci).map(|interface| interface.name.clone());
        if list.is_some_and(|list| list.truncated) {
            notes.push(format!(
                "{}: the kernel listed only {} of its VFs; settings and driver counters of the rest are unknown",
                shown(name.as_deref().unwrap_or(&pf.pci)),
                list.map_or(0, |list| list.vfs.len()),
            ));
        }
        for vf in &pf.vfs {
            found.push(one(facts, &claims, pf, name.clone(), list, vf));
        }
    }
    notes.extend(unanswered(pods, &found));
    (found, notes)
}

/// Who could not be asked, or is not there though a pod is missing.
fn unanswered(claims: &PodFacts, found: &[VirtualFunction]) -> Vec<String> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut notes: Vec<String> =
        claims.sandboxes.trouble().into_iter().chain(claims.devices.trouble()).collect();
    if claims.devices == Observed::Absent && found.iter().any(|vf| vf.pod.is_none()) {
        notes.push(
            "the kubelet's pod-resources socket is not there, so pods of VFs are known from files of CNI plugins only"
                .to_owned(),
        );
    }
    notes
}

fn one(
    facts: &SriovFacts,
    claims: &Claims<'_>,
    pf: &PfFact,
    pf_name: Option<String>,
    list: Option<&VfListFact>,
    vf: &VfFact,
) -> VirtualFunction {
    let interface = interface(facts, &vf.pci).cloned();
    let told = list.and_then(|list| list.vfs.iter().find(|told| told.index == vf.index));
    let mut pods = claims.of(vf, interface.as_ref());
    let disputed_by: Vec<VfPod> = pods
        .iter()
        .skip(1)
        .filter(|other| {
            pods.first()
                .is_some_and(|first| (&first.namespace, &first.name) != (&other.namespace, &other.name))
        })
        .cloned()
        .collect();
    pods.truncate(1);
    let pod = pods.pop();
    VirtualFunction {
        index: vf.index,
        pci_address: vf.pci.clone(),
        pf_pci_address: pf.pci.clone(),
        pf: pf_name,
        pf_driver: pf.driver.clone(),
        driver: vf.driver.clone(),
        device: None,
        iommu_group: vf.iommu_group,
        interface,
        pod,
        disputed_by,
        settings: told.map(VfSettings::from),
    }
}

fn interface<'a>(facts: &'a SriovFacts, pci: &str) -> Option<&'a PciInterface> {
    facts.interfaces.iter().find(|interface| interface.pci == pci)
}

impl VfPodSource {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::SriovCni => "sriov-cni",
            Self::LibcniDevice => "the CNI cache",
            Self::Kubelet => "the kubelet",
            Self::DeviceInfo => "its device information",
            Self::Netns => "its network namespace",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{
        pods::{Allocation, Attachment},
        sriov::OfPf,
    };

    const VF0: &str = "0000:01:10.0";
    const VF1: &str = "0000:01:10.2";

    fn attachment(pod: &str, netns: &str, device: Option<&str>) -> Attachment {
        Attachment {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            network: "sriov-net".to_owned(),
            ifname: "net1".to_owned(),
            netns: Some(format!("/var/run/netns/{netns}")),
            device: device.map(str::to_owned),
            ..Attachment::default()
        }
    }

    fn facts() -> SriovFacts {
        let vf = |index, pci: &str, driver: &str| VfFact {
            index,
            pci: pci.to_owned(),
            driver: Some(driver.to_owned()),
            iommu_group: Some(20 + index),
            stats: None,
        };
        SriovFacts {
            pfs: vec![PfFact {
                pci: "0000:01:00.0".to_owned(),
                driver: Some("igb".to_owned()),
                total_vfs: 7,
                num_vfs: Some(2),
                vfs: vec![vf(0, VF0, "igbvf"), vf(1, VF1, "vfio-pci")],
            }]
            .into(),
            interfaces: vec![
                PciInterface {
                    pci: "0000:01:00.0".to_owned(),
                    name: "eth0".to_owned(),
                    ..PciInterface::default()
                },
                PciInterface {
                    pci: VF0.to_owned(),
                    name: "net1".to_owned(),
                    netns: Some("cni-1".to_owned()),
                    ..PciInterface::default()
                },
            ],
            netns: vec!["cni-1".to_owned(), "cni-2".to_owned()],
            ..SriovFacts::default()
        }
    }

    /// Who says nothing of any VF.
    fn claims() -> PodFacts {
        PodFacts { devices: Observed::Value(Vec::new()), ..PodFacts::default() }
    }

    /// What the PF's driver tells of its first VFs.
    fn list(vfs: u32, truncated: bool) -> Vec<OfPf> {
        let vfs = (0..vfs).map(|index| VfInfoFact { index, trust: Some(true), ..VfInfoFact::default() });
        let told = VfListFact { count: Some(2), vfs: vfs.collect(), truncated };
        vec![OfPf { pci: "0000:01:00.0".to_owned(), told: Observed::Value(told) }]
    }

    #[test]
    fn the_strongest_source_names_the_pod_and_disagreement_is_told() {
        let (facts, mut claims) = (facts(), claims());
        let pod = |claims: &PodFacts, index: usize| {
            let pod = virtual_functions(&facts, claims).0[index].pod.clone()?;
            Some((pod.name, pod.network, pod.source))
        };
        assert_eq!(pod(&claims, 0), None);
        claims.attachments = vec![attachment("cart-0", "cni-1", None)];
        assert_eq!(pod(&claims, 0), Some(("cart-0".to_owned(), None, VfPodSource::Netns)));
        let network = Some("sriov-net".to_owned());
        // A VF of vfio-pci has no interface anywhere.
        claims.attachments.push(attachment("dpdk-0", "cni-2", Some(VF1)));
        assert_eq!(pod(&claims, 1), Some(("dpdk-0".to_owned(), network, VfPodSource::LibcniDevice)));
        claims.allocations =
            vec![Allocation { pci: VF0.to_owned(), netns: "/var/run/netns/cni-2".to_owned() }];
        assert_eq!(pod(&claims, 0), Some(("dpdk-0".to_owned(), None, VfPodSource::SriovCni)));
        assert_eq!(virtual_functions(&facts, &claims).0[0].disputed_by[0].name, "cart-0");
    }

    #[test]
    fn who_does_not_answer_is_told() {
        let (mut facts, mut claims) = (facts(), claims());
        claims.sandboxes = Observed::Failed { error: "x: refused".to_owned() };
        claims.devices = Observed::Denied { need: "root to use y".to_owned() };
        assert_eq!(virtual_functions(&facts, &claims).1, ["x: refused", "needs root to use y"]);
        claims = PodFacts::default();
        let [note] = &virtual_functions(&facts, &claims).1[..] else { panic!() };
        assert!(note.contains("from files of CNI plugins only"), "{note}");
        // Where nothing is missing, nobody is missed.
        claims.attachments =
            vec![attachment("cart-0", "cni-1", None), attachment("dpdk-0", "cni-2", Some(VF1))];
        assert_eq!(virtual_functions(&facts, &claims).1, Vec::<String>::new());
        claims.devices = Observed::Denied { need: "root to use y".to_owned() };
        facts.pfs.clear();
        assert_eq!(virtual_functions(&facts, &claims).1, Vec::<String>::new());
    }

    #[test]
    fn a_list_cut_short() {
        let mut facts = facts();
        facts.lists = list(1, true);
        let (vfs, notes) = virtual_functions(&facts, &claims());
        assert!(notes.iter().any(|note| note.contains("listed only 1 of its VFs")), "{notes:?}");
        assert_eq!(vfs[1].settings, None);
    }

    /// The kernel's list has a length of 16 bits, which 256 VFs do not fit into.
    #[test]
    fn of_256_vfs_those_that_the_list_lost_have_no_settings() {
        let mut facts = facts();
        facts.pfs[0].vfs = (0..256)
            .map(|index| VfFact {
                index,
                pci: format!("0000:02:{:02x}.{}", index / 8, index % 8),
                ..VfFact::default()
            })
            .collect();
        facts.lists = list(222, true);
        let (vfs, notes) = virtual_functions(&facts, &claims());
        assert_eq!((vfs.len(), notes.len()), (256, 1), "{notes:?}");
        assert!(notes[0].contains("listed only 222 of its VFs"), "{notes:?}");
        assert!(vfs.iter().all(|vf| vf.settings.is_some() == (vf.index < 222)));
    }

    #[test]
    fn a_pf_of_another_node_is_left_out() {
        let kept = |driver: Option<&str>, there: bool| {
            let mut facts = facts();
            facts.pfs[0].driver = driver.map(str::to_owned);
            if !there {
                facts.interfaces.retain(|interface| interface.name != "eth0");
            }
            facts.leave_out_others();
            !facts.pfs.is_empty()
        };
        for (driver, there, is_kept) in [
            (Some("igb"), true, true),
            (Some("igb"), false, false),
            (Some("nvme"), false, false),
            (Some("vfio-pci"), false, true),
            (None, false, true),
        ] {
            assert_eq!(kept(driver, there), is_kept, "{driver:?} {there}");
        }
    }
}
