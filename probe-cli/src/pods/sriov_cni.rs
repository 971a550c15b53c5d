//! What sriov-cni leaves on a node: `/var/lib/cni/sriov/pci/<PCI address>` holds the path of the network namespace that has
//! the VF (pkg/utils/pci_allocator.go), `/var/lib/cni/sriov/<container ID>-<interface>` the configuration that the VF was
//! set up with (`SaveNetConf` in pkg/utils/utils.go).

use serde::Deserialize;

use super::limits::{self, LeftOut};
use crate::facts::pods::{Allocation, VfConfiguration};

/// Namespaces by PCI address.
pub(super) const ALLOCATIONS: &str = "/var/lib/cni/sriov/pci";
/// Configurations, and the directory of allocations.
pub(super) const CONFIGURATIONS: &str = "/var/lib/cni/sriov";

/// `NetConf` of pkg/types/types.go.
#[derive(Deserialize)]
struct NetConf {
    /// The network's name.
    #[serde(default)]
    name: String,
    #[serde(default, rename = "deviceID")]
    device_id: String,
}

pub(super) fn allocation(name: &str, text: &str) -> Result<Option<Allocation>, String> {
    let netns = text.trim();
    if netns.is_empty() {
        return Err("blank".to_owned());
    }
    if netns.len() > limits::PATH {
        return Err("longer than a path".to_owned());
    }
    Ok(Some(Allocation { pci: name.to_owned(), netns: netns.to_owned() }))
}

pub(super) fn configuration(name: &str, text: &str) -> Result<Option<VfConfiguration>, String> {
    // A runtime's container IDs have no dash, interfaces may.
    let Some((container_id, ifname)) = name.split_once('-') else {
        return Err("its name is not <container ID>-<interface>".to_owned());
    };
    let conf: NetConf = serde_json::from_str(text)
        .map_err(|error| format!("not a configuration of sriov-cni ({})", limits::mistake(&error)))?;
    if conf.device_id.is_empty() {
        return Err("without deviceID".to_owned());
    }
    let mut left_out = LeftOut::default();
    left_out.text("PCI addresses", conf.device_id.clone(), limits::ID);
    left_out.text("names", conf.name.clone(), limits::NAME);
    left_out.refusal()?;
    Ok(Some(VfConfiguration {
        pci: conf.device_id,
        container_id: container_id.to_owned(),
        ifname: ifname.to_owned(),
        network: conf.name,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As sriov-cni writes it.
    const CONF: &str = r#"{"cniVersion":"0.3.1","name":"sriov-net","type":"sriov","ipam":{},"dns":{},"Master":"ens1f0",
        "MAC":"","MTU":null,"OrigVfState":{"HostIFName":"ens1f0v3","SpoofChk":true,"Trust":false,"AdminMAC":"",
        "EffectiveMAC":"02:00:00:00:00:03","Vlan":0,"VlanQoS":0,"VlanProto":33024,"MinTxRate":0,"MaxTxRate":0,
        "LinkState":0},"deviceID":"0000:01:10.6","VFID":3,"vlan":100,"trust":"on"}"#;

    #[test]
    fn a_configuration_names_the_vf_and_its_user() {
        let expected = VfConfiguration {
            pci: "0000:01:10.6".to_owned(),
            container_id: "0a1b".to_owned(),
            ifname: "net-1".to_owned(),
            network: "sriov-net".to_owned(),
        };
        assert_eq!(configuration("0a1b-net-1", CONF), Ok(Some(expected)));
        for (name, text) in [("0a1b", CONF), ("a-b", "{}"), ("a-b", ""), ("a-b", "7")] {
            assert!(configuration(name, text).is_err(), "{name} {text}");
        }
    }

    #[test]
    fn an_allocation_names_the_namespace() {
        let expected =
            Allocation { pci: "0000:01:10.0".to_owned(), netns: "/var/run/netns/cni-1".to_owned() };
        assert_eq!(allocation("0000:01:10.0", "/var/run/netns/cni-1\n"), Ok(Some(expected)));
        assert!(allocation("0000:01:10.0", " \n").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = CONF.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(Some(found)) = configuration(&text, &text) {
                // Escapes take more room than what they stand for.
                let longest = found.pci.len().max(found.network.len()).max(found.container_id.len());
                prop_assert!(longest <= text.len());
            }
        }
    }
}
