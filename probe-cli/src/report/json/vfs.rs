//! `show vfs --format json`.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Metrics, words};
use crate::{
    model::{
        LinkCounters, Mac, Model, PciInterface, PfFact, VfPod, VfRow, VfSettings, VfTraffic, VfVlan,
        VirtualFunction, fields,
    },
    report::vfs::{OfPf, of_pf},
};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Document<'a> {
    schema_version: u32,
    pfs: Option<Vec<Pf<'a>>>,
    vfs: Vec<Vf<'a>>,
    notes: &'a [String],
}

/// A physical function.
#[derive(Serialize)]
struct Pf<'a> {
    pci_address: &'a str,
    name: Option<&'a str>,
    driver: Option<&'a str>,
    total_vfs: u32,
    num_vfs: Option<u32>,
    vf_devices: BTreeSet<&'a str>,
}

/// A virtual function, here and in `watch`.
#[derive(Serialize)]
pub(in crate::report) struct Vf<'a> {
    index: u32,
    pci_address: &'a str,
    pf_pci_address: &'a str,
    pf: Option<&'a str>,
    pf_driver: Option<&'a str>,
    driver: Option<&'a str>,
    device: Option<&'a str>,
    iommu_group: Option<u32>,
    interface: Option<Interface<'a>>,
    pod: Option<Pod<'a>>,
    disputed_by: Vec<Pod<'a>>,
    settings: Option<Settings>,
    traffic: Traffic<'a>,
}

#[derive(Serialize)]
struct Interface<'a> {
    name: &'a str,
    netns: Option<&'a str>,
    mtu: u32,
    mac: Option<Mac>,
    up: bool,
}

#[derive(Serialize)]
struct Pod<'a> {
    namespace: &'a str,
    name: &'a str,
    network: Option<&'a str>,
    source: &'static str,
}

#[derive(Serialize)]
struct Settings {
    index: u32,
    mac: Option<Mac>,
    vlan: Option<Vlan>,
    spoof_check: Option<bool>,
    trust: Option<bool>,
    min_tx_mbit: Option<u32>,
    max_tx_mbit: Option<u32>,
    link_state: Option<&'static str>,
}

#[derive(Serialize)]
struct Vlan {
    id: u16,
    qos: u8,
    is_qinq: bool,
}

#[derive(Serialize)]
struct Traffic<'a> {
    counted_by: &'static str,
    #[serde(flatten)]
    counters: Option<Metrics<'a, LinkCounters>>,
}

impl<'a> From<&'a Model> for Document<'a> {
    fn from(model: &'a Model) -> Self {
        Self {
            schema_version: 1,
            pfs: model.inventory.pfs.value().map(|pfs| pfs.iter().map(|pf| physical(model, pf)).collect()),
            vfs: model.vfs.iter().map(Vf::from).collect(),
            notes: &model.inventory.vf_notes,
        }
    }
}

fn physical<'a>(model: &'a Model, pf: &'a PfFact) -> Pf<'a> {
    let OfPf { name, devices } = of_pf(model, pf);
    Pf {
        pci_address: &pf.pci,
        name,
        driver: pf.driver.as_deref(),
        total_vfs: pf.total_vfs,
        num_vfs: pf.num_vfs,
        vf_devices: devices,
    }
}

impl<'a> From<&'a VfRow> for Vf<'a> {
    fn from(row: &'a VfRow) -> Self {
        let VirtualFunction {
            index,
            pci_address,
            pf_pci_address,
            pf,
            pf_driver,
            driver,
            device,
            iommu_group,
            interface,
            pod,
            disputed_by,
            settings,
        } = &row.vf;
        Self {
            index: *index,
            pci_address,
            pf_pci_address,
            pf: pf.as_deref(),
            pf_driver: pf_driver.as_deref(),
            driver: driver.as_deref(),
            device: device.as_deref(),
            iommu_group: *iommu_group,
            interface: interface.as_ref().map(Interface::from),
            pod: pod.as_ref().map(Pod::from),
            disputed_by: disputed_by.iter().map(Pod::from).collect(),
            settings: settings.map(Settings::from),
            traffic: (&row.traffic).into(),
        }
    }
}

impl<'a> From<&'a PciInterface> for Interface<'a> {
    fn from(interface: &'a PciInterface) -> Self {
        let PciInterface { pci: _, ifindex: _, name, netns, mtu, mac, up } = interface;
        Self { name, netns: netns.as_deref(), mtu: *mtu, mac: *mac, up: *up }
    }
}

impl<'a> From<&'a VfPod> for Pod<'a> {
    fn from(pod: &'a VfPod) -> Self {
        let VfPod { namespace, name, network, source } = pod;
        Self { namespace, name, network: network.as_deref(), source: words::vf_pod_source(*source) }
    }
}

impl From<VfSettings> for Settings {
    fn from(settings: VfSettings) -> Self {
        let VfSettings { index, mac, vlan, spoof_check, trust, min_tx_mbit, max_tx_mbit, link_state } =
            settings;
        let vlan = vlan.map(|VfVlan { id, qos, is_qinq }| Vlan { id, qos, is_qinq });
        let link_state = link_state.map(words::vf_link_state);
        Self { index, mac, vlan, spoof_check, trust, min_tx_mbit, max_tx_mbit, link_state }
    }
}

impl<'a> From<&'a VfTraffic> for Traffic<'a> {
    fn from(traffic: &'a VfTraffic) -> Self {
        let counters = traffic.counters().map(|counters| Metrics::new(&fields::COUNTERS, counters));
        Self { counted_by: words::counted_by(traffic), counters }
    }
}
