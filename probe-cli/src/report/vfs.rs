//! Virtual functions as text and JSON: `show vfs`.

use std::collections::BTreeSet;

use super::{
    align::{aligned, heading, wrapped},
    json::Vfs,
};
use crate::{
    model::{Inventory, LinkCounters, Model, PfFact, VfRow, VirtualFunction},
    text,
};

/// The virtual functions of a physical one.
pub(super) struct OfPf<'a> {
    /// Name of the PF's interface.
    pub(super) name: Option<&'a str>,
    /// Which devices they are.
    pub(super) devices: BTreeSet<&'a str>,
}

/// What is known of a PF by its virtual functions.
pub(super) fn of_pf<'a>(model: &'a Model, pf: &PfFact) -> OfPf<'a> {
    let of_pf = || model.vfs.iter().map(|row| &row.vf).filter(|vf| vf.pf_pci_address == pf.pci);
    OfPf {
        name: of_pf().find_map(|vf| vf.pf.as_deref()),
        devices: of_pf().filter_map(|vf| vf.device.as_deref()).collect(),
    }
}

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    super::document(&Vfs::from(model))
}

/// Why there are no virtual functions, as far as that is known. "None" is said only of what could be read.
pub fn nothing(model: &Model) -> String {
    let Inventory { pfs, other_pfs, vf_notes, .. } = &*model.inventory;
    if !vf_notes.is_empty() {
        return format!("no virtual function is known: {}", vf_notes.join("; "));
    }
    let Some(pfs) = pfs.value() else {
        return "no virtual function is known: there is no sysfs (/sys) to read; mount it, or give --host-root a DIR that has it"
            .to_owned();
    };
    let made: Vec<String> = pfs.iter().filter(|pf| pf.num_vfs != Some(0)).map(function).collect();
    if !made.is_empty() {
        return format!(
            "no virtual function is known: sysfs has {}, but not which they are; run with sudo, or give the host's files with \
             --host-root DIR",
            made.join(", ")
        );
    }
    let list = |pfs: &[PfFact]| pfs.iter().map(function).collect::<Vec<_>>().join(", ");
    match (pfs.is_empty(), other_pfs.is_empty()) {
        (false, _) => {
            format!("this node has no virtual functions: its NICs offer them, but sriov_numvfs is 0 ({})", list(pfs))
        }
        (true, false) => format!(
            "no virtual function of this node is known: sysfs has {}, but the interfaces of these PFs are in no network \
             namespace that could be read; look at the node that has them with --netns",
            list(other_pfs)
        ),
        (true, true) => "this node has no virtual functions: no NIC here supports SR-IOV; enable it in the firmware, or look at \
                         the node that has the NIC with --netns"
            .to_owned(),
    }
}

/// `0000:01:00.0 (4 of 64 VFs)`.
fn function(pf: &PfFact) -> String {
    let made = pf.num_vfs.map_or_else(|| "?".to_owned(), |made| made.to_string());
    format!("{} ({made} of {} VFs)", pf.pci, pf.total_vfs)
}

/// A table of PFs, and two of VFs, since one would be too wide: whose each is, and what is set and counted; then the notes.
pub fn table(model: &Model) -> String {
    let rows = &model.vfs;
    let dash = || "-".to_owned();
    let name = |vf: &VirtualFunction| {
        format!("{} vf {}", text::escape(vf.pf.as_deref().unwrap_or(&vf.pf_pci_address)), vf.index)
    };
    let mut whose = vec![heading(&["VF", "PCI ADDRESS", "DRIVER", "IOMMU", "INTERFACE", "MTU", "POD"])];
    whose.extend(rows.iter().map(|VfRow { vf, .. }| {
        let interface = vf.interface.as_ref();
        let netns = interface.and_then(|interface| interface.netns.as_deref());
        let pod = match (&vf.pod, netns) {
            (Some(pod), _) => {
                let network = pod.network.as_ref().map(|network| format!(" ({})", text::escape(network)));
                format!(
                    "{}/{}{}",
                    text::escape(&pod.namespace),
                    text::escape(&pod.name),
                    network.unwrap_or_default()
                )
            }
            (None, Some(netns)) => format!("in netns {}", text::escape(netns)),
            (None, None) => dash(),
        };
        vec![
            name(vf),
            text::escape(&vf.pci_address),
            vf.driver.as_deref().map_or_else(|| "none".to_owned(), text::escape),
            vf.iommu_group.map_or_else(dash, |group| group.to_string()),
            interface.map_or_else(dash, |interface| text::escape(&interface.name)),
            interface.map_or_else(dash, |interface| interface.mtu.to_string()),
            pod,
        ]
    }));
    let names = ["VF", "MAC", "VLAN", "SPOOF", "TRUST", "LINK", "RX", "TX", "COUNTED BY"];
    let mut set = vec![heading(&names)];
    set.extend(rows.iter().map(|VfRow { vf, traffic, .. }| {
        let settings = vf.settings.as_ref();
        let on = |value: Option<bool>| value.map_or_else(dash, |on| if on { "on" } else { "off" }.to_owned());
        let link = settings
            .and_then(|settings| settings.link_state)
            .map(|state| format!("{state:?}").to_lowercase());
        let bytes =
            |of: fn(&LinkCounters) -> u64| traffic.counters().map_or_else(dash, |c| text::bytes(of(c)));
        let (rx, tx) = (bytes(|counters| counters.rx_bytes), bytes(|counters| counters.tx_bytes));
        let mac =
            vf.interface.as_ref().and_then(|i| i.mac).or_else(|| settings.and_then(|settings| settings.mac));
        vec![
            name(vf),
            mac.map_or_else(dash, |mac| mac.to_string()),
            settings.and_then(|settings| settings.vlan).map_or_else(dash, |vlan| vlan.id.to_string()),
            on(settings.and_then(|settings| settings.spoof_check)),
            on(settings.and_then(|settings| settings.trust)),
            link.unwrap_or_else(dash),
            rx,
            tx,
            traffic.counted_by().to_owned(),
        ]
    }));
    let mut out = String::new();
    if !model.inventory.pfs.rows().is_empty() {
        aligned(&mut out, &physical(model));
        out.push('\n');
    }
    aligned(&mut out, &whose);
    out.push('\n');
    aligned(&mut out, &set);
    for note in &model.inventory.vf_notes {
        wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

/// `4 of 128`: how many there are of those that there could be.
fn physical(model: &Model) -> Vec<Vec<String>> {
    let dash = || "-".to_owned();
    let mut rows = vec![heading(&["PF", "PCI ADDRESS", "DRIVER", "VFS", "VFS ARE"])];
    rows.extend(model.inventory.pfs.rows().iter().map(|pf| {
        let OfPf { name, devices } = of_pf(model, pf);
        let count = pf.num_vfs.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let devices: Vec<&str> = devices.into_iter().collect();
        vec![
            name.map_or_else(dash, text::escape),
            text::escape(&pf.pci),
            pf.driver.as_deref().map_or_else(|| "none".to_owned(), text::escape),
            format!("{count} of {}", pf.total_vfs),
            if devices.is_empty() { dash() } else { text::escape(&devices.join(" ")) },
        ]
    }));
    rows
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::{super::align::WIDTH, *};
    use crate::model::{
        Mac, PciInterface, VfLinkState, VfPod, VfPodSource, VfSettings, VfTraffic, VfVlan,
        testdata::of_inventory,
    };

    fn model(notes: Vec<String>) -> Model {
        let counters = LinkCounters { rx_packets: 900, rx_bytes: 1_300_000, ..LinkCounters::default() };
        let first = VirtualFunction {
            index: 0,
            pci_address: "0000:01:10.0".to_owned(),
            pf_pci_address: "0000:01:00.0".to_owned(),
            pf: Some("ens1f0".to_owned()),
            pf_driver: Some("igb".to_owned()),
            driver: Some("igbvf".to_owned()),
            device: Some("8086:1520".to_owned()),
            iommu_group: Some(21),
            interface: Some(PciInterface {
                pci: "0000:01:10.0".to_owned(),
                ifindex: 3,
                name: "net1".to_owned(),
                netns: Some("cni-7a".to_owned()),
                mtu: 1500,
                mac: Some(Mac([2, 0, 0, 0, 0, 1])),
                up: true,
            }),
            pod: Some(VfPod {
                namespace: "shop".to_owned(),
                name: "evil\u{1b}[2Jpod-with-a-long-name".to_owned(),
                network: Some("sriov-net".to_owned()),
                source: VfPodSource::SriovCni,
            }),
            disputed_by: Vec::new(),
            settings: Some(VfSettings {
                vlan: Some(VfVlan { id: 100, qos: 0, is_qinq: false }),
                spoof_check: Some(true),
                trust: Some(false),
                link_state: Some(VfLinkState::Auto),
                ..VfSettings::default()
            }),
        };
        let second = VirtualFunction {
            index: 1,
            pci_address: "0000:01:10.2".to_owned(),
            driver: Some("vfio-pci".to_owned()),
            interface: None,
            pod: None,
            settings: None,
            ..first.clone()
        };
        let row = |vf, traffic| VfRow { vf, traffic, rate: None, wire: None };
        let pf = PfFact {
            pci: "0000:01:00.0".to_owned(),
            driver: Some("igb".to_owned()),
            total_vfs: 7,
            num_vfs: Some(2),
            ..PfFact::default()
        };
        let other = PfFact { pci: "0000:01:00.1".to_owned(), num_vfs: None, driver: None, ..pf.clone() };
        Model {
            vfs: vec![
                row(first, VfTraffic::Interface(counters)),
                row(second, VfTraffic::NotCountedByTheDriver),
            ],
            ..of_inventory(Inventory { vf_notes: notes, pfs: vec![pf, other].into(), ..Inventory::default() })
        }
    }

    #[test]
    fn both_tables_fit_a_terminal() {
        let text = table(&model(vec!["something \u{1b} odd".to_owned()]));
        insta::assert_snapshot!(text);
        for line in text.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn the_document_is_documented() {
        let document = json(&model(Vec::new())).unwrap();
        assert!(!document.trim_end().contains(char::is_control), "{document:?}");
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value["vfs"][0]).unwrap());
        assert_eq!(value["vfs"][1]["traffic"]["counted_by"], "not-counted-by-the-driver");
        assert!(value["vfs"][1]["settings"].is_null());
        let words = include_str!("../../../docs/json.md");
        for vf in value["vfs"].as_array().unwrap().iter().chain(value["pfs"].as_array().unwrap()) {
            for name in vf.as_object().unwrap().keys() {
                assert!(words.contains(&format!("`{name}`")), "docs/json.md does not name {name}");
            }
        }
    }

    /// What is in sysfs is not denied.
    #[test]
    fn why_there_are_none() {
        let pf = |pci: &str, num_vfs| PfFact {
            pci: pci.to_owned(),
            total_vfs: 64,
            num_vfs: Some(num_vfs),
            ..PfFact::default()
        };
        let said = |pfs: Vec<PfFact>, other_pfs: Vec<PfFact>, vf_notes: Vec<String>| {
            nothing(&of_inventory(Inventory { pfs: pfs.into(), other_pfs, vf_notes, ..Inventory::default() }))
        };
        for (pfs, others, notes, expected) in [
            (vec![], vec![], vec![], "no NIC here supports SR-IOV"),
            (vec![pf("0000:01:00.0", 0)], vec![], vec![], "sriov_numvfs is 0 (0000:01:00.0 (0 of 64 VFs))"),
            (
                vec![pf("0000:01:00.0", 4)],
                vec![],
                vec![],
                "sysfs has 0000:01:00.0 (4 of 64 VFs), but not which they are",
            ),
            (
                vec![],
                vec![pf("0000:01:00.0", 4), pf("0000:01:00.1", 2)],
                vec![],
                "sysfs has 0000:01:00.0 (4 of 64 VFs), 0000:01:00.1 (2 of 64 VFs), but the interfaces",
            ),
            (vec![], vec![], vec!["permission denied".to_owned()], "is known: permission denied"),
        ] {
            let said = said(pfs, others, notes);
            assert!(said.contains(expected), "{said}");
        }
        let unread = nothing(&of_inventory(Inventory::default()));
        assert!(unread.contains("there is no sysfs"), "{unread}");
    }
}
