//! Device information (k8snetworkplumbingwg/device-info-spec): what a device plugin says of a device, and Multus of the device
//! of a pod's interface. Both write the same document; the file's name says whose it is.

use serde::Deserialize;

use super::limits;
use crate::facts::pods::{InterfaceDevice, ResourceDevice};

/// Of devices: `<resource>-<device ID>-device.json`, with `/` written as `-`.
pub(super) const OF_DEVICES: &str = "/var/run/k8s.cni.cncf.io/devinfo/dp";
/// Of interfaces: `<network>-<container ID>_<interface>` (multus pkg/types/conf.go, `delegateRuntimeConfig`), with `/` written
/// as `-`.
pub(super) const OF_INTERFACES: &str = "/var/run/k8s.cni.cncf.io/devinfo/cni";

/// Shortest container ID. Runtimes' have 64 hexadecimal digits; people and tools use the first 12 or 13.
const SHORTEST_ID: usize = 12;

#[derive(Deserialize)]
struct DeviceInfo {
    #[serde(default)]
    pci: Option<Device>,
    /// A vDPA device is a PCI function's, too.
    #[serde(default)]
    vdpa: Option<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Device {
    #[serde(default)]
    pci_address: Option<String>,
}

/// The PCI address; none for a device that is no PCI function.
fn pci(text: &str) -> Result<Option<String>, String> {
    let info: DeviceInfo = serde_json::from_str(text)
        .map_err(|error| format!("not device information ({})", limits::mistake(&error)))?;
    let device = info.pci.or(info.vdpa);
    let pci = device.and_then(|device| device.pci_address).filter(|pci| !pci.is_empty());
    match pci {
        Some(pci) if pci.len() > limits::ID => Err("its PCI address is too long".to_owned()),
        pci => Ok(pci),
    }
}

pub(super) fn of_device(name: &str, text: &str) -> Result<Option<ResourceDevice>, String> {
    let Some(device) = name.strip_suffix("-device.json") else { return Ok(None) };
    Ok(pci(text)?.map(|pci| ResourceDevice { resource_and_device: device.to_owned(), pci }))
}

pub(super) fn of_interface(name: &str, text: &str) -> Result<Option<InterfaceDevice>, String> {
    let name = name.strip_suffix(".json").unwrap_or(name);
    let Some((network, container_id, ifname)) = parts(name) else {
        return Err("its name is not <network>-<container ID>_<interface>".to_owned());
    };
    Ok(pci(text)?.map(|pci| InterfaceDevice {
        pci,
        container_id: container_id.to_owned(),
        ifname: ifname.to_owned(),
        network: network.to_owned(),
    }))
}

/// Network, container ID and interface. Networks and interfaces may have dashes and underscores in their names.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    name.match_indices('_').find_map(|(at, _)| {
        let (before, ifname) = (name.get(..at)?, name.get(at + 1..)?);
        let (network, id) = before.rsplit_once('-')?;
        let is_id = id.len() >= SHORTEST_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some((network, id, ifname))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const INFO: &str = r#"{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:01:10.0",
        "pf-pci-address":"0000:01:00.0","vhost-net":"/dev/vhost-net"}}"#;

    #[test]
    fn the_name_says_whose_device_it_is() {
        for (network, ifname) in [("sriov-net", "net1"), ("default-a_b", "my_if-1"), ("", "net1")] {
            let expected = InterfaceDevice {
                pci: "0000:01:10.0".to_owned(),
                container_id: ID.to_owned(),
                ifname: ifname.to_owned(),
                network: network.to_owned(),
            };
            assert_eq!(of_interface(&format!("{network}-{ID}_{ifname}"), INFO), Ok(Some(expected)));
        }
        for name in ["", "net1", "sriov-net-abc_net1", &format!("sriov-net-{ID}")] {
            assert!(of_interface(name, INFO).is_err(), "{name}");
        }
    }

    #[test]
    fn devices_of_plugins_and_those_that_are_none() {
        let name = "example.com-sriov-0000:01:10.0-device.json";
        let expected = ResourceDevice {
            resource_and_device: "example.com-sriov-0000:01:10.0".to_owned(),
            pci: "0000:01:10.0".to_owned(),
        };
        assert_eq!(of_device(name, INFO), Ok(Some(expected)));
        assert_eq!(of_device("something-else", INFO), Ok(None));
        assert_eq!(of_device(name, r#"{"type":"memif","memif":{"role":"master"}}"#), Ok(None));
        assert!(of_device(name, &INFO.replace("pci", "vdpa").replace("vdpa-", "pci-")).unwrap().is_some());
        assert!(of_device(name, "{").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, name in ".*") {
            let mut bytes = INFO.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(Some(found)) = of_device(&name, &text) {
                prop_assert!(found.pci.len() <= text.len() && name.starts_with(&found.resource_and_device));
            }
            if let Ok(Some(found)) = of_interface(&format!("{name}-{ID}_{name}"), &text) {
                prop_assert!(found.pci.len() <= text.len() && !found.container_id.is_empty());
            }
        }
    }
}
