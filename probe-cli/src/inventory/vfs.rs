//! Virtual functions: the PF's view of each, its interface wherever that is, and its pod. Pure.

mod pods;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::pods::{Claims, netns_name};
use super::vf_traffic::{FrameCounters, VfTraffic, traffic};
use crate::{
    facts::{
        netlink::{LinkCounters, VfInfoFact, VfLinkState, VfListFact, VfVlan},
        pods::PodFacts,
        sriov::{PfFact, VfFact},
    },
    mac::Mac,
    observed::Observed,
    text::shown,
};

/// What was found out, of one moment.
#[derive(Clone, Debug, Default)]
pub struct VfFacts {
    /// PFs with their VFs.
    pub pfs: Vec<PfFact>,
    /// What the drivers tell of VFs, by the PF's PCI address.
    pub lists: BTreeMap<String, VfListFact>,
    /// Interfaces of PCI functions, in every namespace that could be read.
    pub interfaces: Vec<PciInterface>,
    /// What eBPF programs counted on the interfaces of VFs, by PCI address.
    pub frames: BTreeMap<String, FrameCounters>,
    /// What the runtime, the kubelet and files say of pods and their devices.
    pub claims: PodFacts,
    /// Names of the network namespaces that there are.
    pub netns: Vec<String>,
    /// What could not be read, with the cause.
    pub notes: Vec<String>,
}

impl VfFacts {
    /// Leaves out what is not this node's: sysfs shows every PCI device of the machine in every network namespace, and
    /// other classes than NICs have VFs, too. A PF is of this node when its interface could be found; one that has no
    /// driver, or whose driver gives it to a user whole, has none anywhere.
    pub fn leave_out_others(&mut self) {
        let Self { pfs, interfaces, .. } = self;
        pfs.retain(|pf| {
            matches!(pf.driver.as_deref(), None | Some("vfio-pci"))
                || interfaces.iter().any(|interface| interface.pci == pf.pci)
        });
    }
}

/// A network interface of a PCI function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciInterface {
    /// PCI address of the function.
    #[serde(skip)]
    pub pci: String,
    /// Its index in its namespace.
    #[serde(skip)]
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Name of the network namespace that it is in; none for the node's own.
    pub netns: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// The address that it uses.
    pub mac: Option<Mac>,
    /// `IFF_UP`.
    pub up: bool,
    /// What it counted.
    #[serde(skip)]
    pub counters: Option<LinkCounters>,
}

/// A virtual function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What it carried.
    pub traffic: VfTraffic,
}

/// What the PF's driver has set for a VF; see [`VfInfoFact`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// The VFs of a node, and what does not fit together.
pub fn virtual_functions(facts: &VfFacts) -> (Vec<VirtualFunction>, Vec<String>) {
    let mut notes = facts.notes.clone();
    notes.extend(facts.claims.notes.iter().cloned());
    let claims = Claims::new(&facts.claims);
    let mut found = Vec::new();
    for pf in &facts.pfs {
        let list = facts.lists.get(&pf.pci);
        let name = interface(facts, &pf.pci).map(|interface| interface.name.clone());
        if list.is_some_and(|list| list.truncated) {
            notes.push(format!(
                "{}: the kernel's answer holds {} of its VFs: what is set on the others is unknown, and what they \
                 carried when nothing else counts it",
                shown(name.as_deref().unwrap_or(&pf.pci)),
                list.map_or(0, |list| list.vfs.len()),
            ));
        }
        for vf in &pf.vfs {
            found.push(one(facts, &claims, pf, name.clone(), list, vf, &mut notes));
        }
    }
    notes.extend(unanswered(&facts.claims, &found));
    for allocation in &facts.claims.allocations {
        if netns_name(&allocation.netns).is_some_and(|name| !facts.netns.iter().any(|there| there == name)) {
            notes.push(format!(
                "{} is allocated to {}, which does not exist: the next pod that gets it will fail; remove {}",
                shown(&allocation.pci),
                shown(&allocation.netns),
                shown(&format!("/var/lib/cni/sriov/pci/{}", allocation.pci)),
            ));
        }
    }
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
    facts: &VfFacts,
    claims: &Claims<'_>,
    pf: &PfFact,
    pf_name: Option<String>,
    list: Option<&VfListFact>,
    vf: &VfFact,
    notes: &mut Vec<String>,
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
    if let (Some(pod), Some(other)) = (&pod, disputed_by.first()) {
        notes.push(format!(
            "VF {}: {} says it is of pod {}/{}, {} says {}/{}",
            vf.pci,
            pod.source.words(),
            shown(&pod.namespace),
            shown(&pod.name),
            other.source.words(),
            shown(&other.namespace),
            shown(&other.name),
        ));
    }
    VirtualFunction {
        index: vf.index,
        pci_address: vf.pci.clone(),
        pf_pci_address: pf.pci.clone(),
        pf: pf_name,
        pf_driver: pf.driver.clone(),
        driver: vf.driver.clone(),
        iommu_group: vf.iommu_group,
        traffic: traffic(interface.as_ref(), facts.frames.get(&vf.pci).copied(), list, told, vf.stats),
        interface,
        pod,
        disputed_by,
        settings: told.map(VfSettings::from),
    }
}

fn interface<'a>(facts: &'a VfFacts, pci: &str) -> Option<&'a PciInterface> {
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
        netlink::LinkCounters,
        pods::{Allocation, Attachment},
        sriov::VfStats,
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

    fn facts() -> VfFacts {
        let vf = |index, pci: &str, driver: &str| VfFact {
            index,
            pci: pci.to_owned(),
            driver: Some(driver.to_owned()),
            iommu_group: Some(20 + index),
            stats: None,
        };
        VfFacts {
            pfs: vec![PfFact {
                pci: "0000:01:00.0".to_owned(),
                driver: Some("igb".to_owned()),
                total_vfs: 7,
                num_vfs: Some(2),
                vfs: vec![vf(0, VF0, "igbvf"), vf(1, VF1, "vfio-pci")],
            }],
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
                    counters: Some(LinkCounters { rx_packets: 3, ..LinkCounters::default() }),
                    ..PciInterface::default()
                },
            ],
            netns: vec!["cni-1".to_owned(), "cni-2".to_owned()],
            claims: PodFacts { devices: Observed::Value(Vec::new()), ..PodFacts::default() },
            ..VfFacts::default()
        }
    }

    fn told(index: u32, rx_packets: u64) -> VfInfoFact {
        let counters = LinkCounters { rx_packets, ..LinkCounters::default() };
        VfInfoFact { index, trust: Some(true), counters: Some(counters), ..VfInfoFact::default() }
    }

    fn list(vfs: Vec<VfInfoFact>) -> BTreeMap<String, VfListFact> {
        [("0000:01:00.0".to_owned(), VfListFact { count: Some(2), vfs, truncated: false })].into()
    }

    #[test]
    fn a_driver_that_answers_zeros_does_not_count() {
        let mut facts = facts();
        facts.lists = list(vec![told(0, 0), told(1, 0)]);
        let (vfs, notes) = virtual_functions(&facts);
        assert_eq!(notes, Vec::<String>::new());
        assert!(matches!(vfs[0].traffic, VfTraffic::Interface(counters) if counters.rx_packets == 3));
        assert_eq!(vfs[1].traffic, VfTraffic::NotCountedByTheDriver);
        assert_eq!((vfs[1].pf.as_deref(), vfs[1].interface.is_none()), (Some("eth0"), true));
        // A driver that counts for one counts for all: here zero is a number.
        facts.lists = list(vec![told(0, 9), told(1, 0)]);
        let (vfs, _) = virtual_functions(&facts);
        assert_eq!(vfs[1].traffic, VfTraffic::PfDriver(LinkCounters::default()));
        facts.lists.clear();
        assert_eq!(virtual_functions(&facts).0[1].traffic, VfTraffic::Unknown);
    }

    #[test]
    fn the_strongest_source_names_the_pod_and_disagreement_is_told() {
        let mut facts = facts();
        let pod = |facts: &VfFacts, index: usize| {
            let pod = virtual_functions(facts).0[index].pod.clone()?;
            Some((pod.name, pod.network, pod.source))
        };
        assert_eq!(pod(&facts, 0), None);
        facts.claims.attachments = vec![attachment("cart-0", "cni-1", None)];
        assert_eq!(pod(&facts, 0), Some(("cart-0".to_owned(), None, VfPodSource::Netns)));
        let network = Some("sriov-net".to_owned());
        // A VF of vfio-pci has no interface anywhere.
        facts.claims.attachments.push(attachment("dpdk-0", "cni-2", Some(VF1)));
        assert_eq!(pod(&facts, 1), Some(("dpdk-0".to_owned(), network, VfPodSource::LibcniDevice)));
        facts.claims.allocations =
            vec![Allocation { pci: VF0.to_owned(), netns: "/var/run/netns/cni-2".to_owned() }];
        assert_eq!(pod(&facts, 0), Some(("dpdk-0".to_owned(), None, VfPodSource::SriovCni)));
        let (vfs, notes) = virtual_functions(&facts);
        assert_eq!(vfs[0].disputed_by[0].name, "cart-0");
        assert!(notes[0].contains("sriov-cni says it is of pod shop/dpdk-0"), "{notes:?}");
    }

    #[test]
    fn who_does_not_answer_is_told() {
        let mut facts = facts();
        facts.claims.sandboxes = Observed::Failed { error: "x: refused".to_owned() };
        facts.claims.devices = Observed::Denied { need: "root to use y".to_owned() };
        assert_eq!(virtual_functions(&facts).1, ["x: refused", "needs root to use y"]);
        facts.claims = PodFacts::default();
        let [note] = &virtual_functions(&facts).1[..] else { panic!() };
        assert!(note.contains("from files of CNI plugins only"), "{note}");
        // Where nothing is missing, nobody is missed.
        facts.claims.attachments =
            vec![attachment("cart-0", "cni-1", None), attachment("dpdk-0", "cni-2", Some(VF1))];
        assert_eq!(virtual_functions(&facts).1, Vec::<String>::new());
        facts.claims.devices = Observed::Denied { need: "root to use y".to_owned() };
        facts.pfs.clear();
        assert_eq!(virtual_functions(&facts).1, Vec::<String>::new());
    }

    #[test]
    fn an_allocation_to_nowhere_and_a_list_cut_short() {
        let mut facts = facts();
        facts.claims.allocations =
            vec![Allocation { pci: VF0.to_owned(), netns: "/var/run/netns/cni-9".to_owned() }];
        facts.lists = list(vec![told(0, 0)]);
        facts.lists.values_mut().for_each(|list| list.truncated = true);
        let (vfs, notes) = virtual_functions(&facts);
        assert!(
            notes.iter().any(|note| note.contains("remove /var/lib/cni/sriov/pci/0000:01:10.0")),
            "{notes:?}"
        );
        assert!(notes.iter().any(|note| note.contains("holds 1 of its VFs")), "{notes:?}");
        assert_eq!(vfs[1].settings, None);
    }

    /// The kernel's list has a length of 16 bits, which 256 VFs do not fit into.
    #[test]
    fn of_256_vfs_those_that_the_list_lost_have_what_sysfs_tells() {
        let mut facts = facts();
        facts.interfaces.retain(|interface| interface.pci == "0000:01:00.0");
        facts.pfs[0].vfs = (0..256)
            .map(|index| VfFact {
                index,
                pci: format!("0000:02:{:02x}.{}", index / 8, index % 8),
                stats: (index % 2 == 0)
                    .then(|| VfStats { rx_packets: u64::from(index), ..VfStats::default() }),
                ..VfFact::default()
            })
            .collect();
        let listed = (0..222).map(|index| told(index, 1000 + u64::from(index))).collect();
        facts.lists = list(listed);
        facts.lists.values_mut().for_each(|list| list.truncated = true);
        let (vfs, notes) = virtual_functions(&facts);
        assert_eq!((vfs.len(), notes.len()), (256, 1), "{notes:?}");
        assert!(notes[0].contains("holds 222 of its VFs"), "{notes:?}");
        for vf in vfs {
            let counters =
                |rx_packets| LinkCounters { rx_packets: u64::from(rx_packets), ..LinkCounters::default() };
            let expected = match vf.index {
                index @ ..222 => VfTraffic::PfDriver(counters(1000 + index)),
                index if index % 2 == 0 => VfTraffic::Sysfs(counters(index)),
                _ => VfTraffic::Unknown,
            };
            assert_eq!((vf.traffic, vf.settings.is_some()), (expected, vf.index < 222), "VF {}", vf.index);
        }
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
