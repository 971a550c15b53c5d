//! The SR-IOV network device plugin's `config.json`: below `/etc/pcidp`, where its container has it, when the host has that
//! directory; else in the ConfigMap volume that the kubelet writes below the plugin's pod.

use super::{
    notes::FileNotes,
    parse::{json, note_trouble},
    root::Root,
    tree::At,
};
use crate::{
    facts::{
        device_plugin::{DevicePluginConfig, DevicePool, DeviceSelector},
        files::Sourced,
    },
    observed::Observed,
};

/// The plugin's own default (`--config-file`).
const FILE: &str = "/etc/pcidp/config.json";
/// Where the kubelet has the files of pods.
const PODS: &str = "/var/lib/kubelet/pods";
/// The volume of the plugin's pod in its own manifest and in the operator's.
const VOLUME: &str = "volumes/kubernetes.io~configmap/config-volume/config.json";
/// Most pods that are looked at.
const MOST_PODS: usize = 10_000;
/// Most pools, selectors of one, and values of one list.
const POOLS: usize = 256;
const SELECTORS: usize = 64;
const VALUES: usize = 1024;

/// Selectors that are read.
const READ: [&str; 10] = [
    "vendors",
    "devices",
    "drivers",
    "pciAddresses",
    "pfNames",
    "rootDevices",
    "linkTypes",
    "acpiIndexes",
    "isRdma",
    "needVhostNet",
];

/// What the plugin is told.
pub(super) fn read(root: &Root, notes: &mut FileNotes) -> Observed<DevicePluginConfig> {
    let found = config(root, FILE, notes);
    if !matches!(found, Observed::Absent) {
        return found;
    }
    let pods = root.names(PODS, MOST_PODS, |_, kind| kind.is_dir());
    // That the kubelet's directory cannot be read is said with flannel's files, which are in it too.
    for pod in pods.value().into_iter().flat_map(|pods| &pods.first) {
        let path = format!("{PODS}/{pod}/{VOLUME}");
        let found = config(root, &path, notes);
        note_trouble(&found, &path, notes);
        // Others call a volume so, too.
        if found.value().is_some_and(|found| !found.resources.is_empty()) {
            return found;
        }
    }
    Observed::Absent
}

fn config(root: &Root, path: &str, notes: &mut FileNotes) -> Observed<DevicePluginConfig> {
    json(root, path).map(|node| {
        let at = At::go_json(path, &node);
        let list = at.get("resourceList").into_iter().flat_map(At::items);
        DevicePluginConfig {
            file: path.to_owned(),
            resources: list.take(POOLS).filter_map(|at| pool(&at, notes)).collect(),
        }
    })
}

pub(super) fn pool(at: &At<'_>, notes: &mut FileNotes) -> Option<DevicePool> {
    let Some(name) = at.string("resourceName") else {
        notes.at(at, "a pool without resourceName".to_owned());
        return None;
    };
    let selectors = at.get("selectors").map(|selectors| {
        // One map, or a list of them (since version 3.6).
        let maps: Vec<At<'_>> =
            if selectors.is_list() { selectors.items().take(SELECTORS).collect() } else { vec![selectors] };
        maps.iter().filter(|at| at.is_map()).map(|at| selector(at, notes)).collect()
    });
    Some(DevicePool {
        name,
        prefix: at.string("resourcePrefix"),
        device_type: at.string("deviceType"),
        selectors: selectors.unwrap_or_default(),
    })
}

fn selector(at: &At<'_>, notes: &mut FileNotes) -> DeviceSelector {
    let list = |key: &str| -> Vec<Sourced<String>> {
        let values = at.get(key).into_iter().flat_map(At::texts).take(VALUES);
        values.map(|(at, text)| at.sourced(text.to_owned())).collect()
    };
    DeviceSelector {
        vendors: list("vendors"),
        devices: list("devices"),
        drivers: list("drivers"),
        pci_addresses: list("pciAddresses"),
        pf_names: list("pfNames"),
        root_devices: list("rootDevices"),
        link_types: list("linkTypes"),
        acpi_indexes: list("acpiIndexes"),
        is_rdma: at.flag("isRdma", notes),
        needs_vhost_net: at.flag("needVhostNet", notes),
        others: others(at),
    }
}

/// Names of selectors that [`selector`] does not read and that are not empty.
fn others(at: &At<'_>) -> Vec<Sourced<String>> {
    let is_read = |key: &str| READ.iter().any(|read| read.eq_ignore_ascii_case(key));
    let asks = |value: &At<'_>| value.is_map() || value.texts().any(|(_, text)| !text.is_empty());
    let unread = at.entries().filter(|(key, value)| !is_read(key) && asks(value));
    unread.take(VALUES).map(|(key, value)| value.sourced(key.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The example of the plugin's README, with a list of selectors as well.
    const CONFIG: &str = r#"{
    "resourceList": [{
            "resourceName": "intel_sriov_netdevice",
            "selectors": [{
                "vendors": ["8086"],
                "devices": ["154c", "10ed", "1889"],
                "drivers": ["i40evf", "iavf", "ixgbevf"],
                "pfNames": ["enp0s0f0#0-3,5", "enp2s2f1"]
            }, { "rootDevices": ["0000:86:00.0"] }]
        },
        {
            "resourceName": "mlnx_rdma",
            "resourcePrefix": "mellanox.com",
            "deviceType": "netDevice",
            "selectors": { "vendors": ["15b3"], "isRdma": true, "linkTypes": ["ether"],
                "pciAddresses": [], "nicNames": [], "vdpaType": "virtio", "ddpProfiles": null }
        },
        { "resourcePrefix": "no.name" },
        7
    ]
}"#;

    fn read_below(root: &Path) -> (Observed<DevicePluginConfig>, Vec<Sourced<String>>) {
        let mut notes = FileNotes::default();
        (read(&Root::open(root).unwrap(), &mut notes), notes.into_list())
    }

    fn values(list: &[Sourced<String>]) -> Vec<&str> {
        list.iter().map(|sourced| sourced.value.as_str()).collect()
    }

    #[test]
    fn pools_and_their_selectors() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_below(root.path()), (Observed::Absent, Vec::new()));
        let volume = root.path().join("var/lib/kubelet/pods/uid-1").join(VOLUME);
        fs::create_dir_all(volume.parent().unwrap()).unwrap();
        fs::write(&volume, "{\"other\": 1}").unwrap();
        assert_eq!(read_below(root.path()).0, Observed::Absent, "somebody else's volume of that name");
        fs::write(&volume, CONFIG).unwrap();
        let (found, notes) = read_below(root.path());
        let found = found.value().unwrap();
        assert_eq!(found.file, format!("/var/lib/kubelet/pods/uid-1/{VOLUME}"));
        let [intel, mellanox] = found.resources.as_slice() else { panic!("{found:?}") };
        assert_eq!(intel.name.value, "intel_sriov_netdevice");
        assert_eq!((&intel.prefix, &intel.device_type), (&None, &None));
        assert_eq!(values(&intel.selectors[0].devices), ["154c", "10ed", "1889"]);
        assert_eq!(values(&intel.selectors[0].pf_names), ["enp0s0f0#0-3,5", "enp2s2f1"]);
        assert_eq!(intel.selectors[0].devices[1].line, Some(6));
        assert_eq!(values(&intel.selectors[1].root_devices), ["0000:86:00.0"]);
        assert_eq!(mellanox.prefix.as_ref().unwrap().value, "mellanox.com");
        assert!(mellanox.selectors[0].is_rdma.as_ref().unwrap().value);
        assert_eq!(mellanox.selectors[0].pci_addresses, []);
        assert_eq!(values(&mellanox.selectors[0].others), ["vdpaType"]);
        assert_eq!(values(&intel.selectors[0].others), Vec::<&str>::new());
        assert!(notes.iter().any(|note| note.value.contains("without resourceName")), "{notes:?}");
        // The host's own comes first.
        fs::create_dir_all(root.path().join("etc/pcidp")).unwrap();
        fs::write(root.path().join("etc/pcidp/config.json"), "{\"resourceList\": []}").unwrap();
        assert_eq!(read_below(root.path()).0.value().unwrap().file, FILE);
        fs::write(root.path().join("etc/pcidp/config.json"), "{").unwrap();
        assert!(read_below(root.path()).0.trouble().unwrap().contains("config.json"));
    }
}
