//! The node uses a VF that pods may get.

use super::{super::prelude::*, named};
use crate::model::device_pools;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-addressed-on-node",
    family: Family::Vfs,
    title: "a virtual function that pods may get has an address on the node",
    symptom: "Connections of the node break when a pod starts; two routes lead into one network.",
    core: false,
    needs: &[Need::Vfs, Need::Files, Need::DevicePlugin, Need::PciFunctions, Need::Addresses],
    explained_by: &[],
    explain: Explain {
        how: "Addresses of VFs' interfaces in the node's own namespace, where a pool of the device plugin takes the VF.",
        why: "NetworkManager, systemd-networkd or a DHCP client configures every interface that appears, free VFs included.",
        fix: "Tell the network manager to leave VFs alone, and remove the address.",
        not_if: "The node is meant to use that VF: then no pool may take it.",
        seen_in: "sriov-network-operator#414, fedora-coreos-tracker#1383",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pools = device_pools(&model.snapshot);
    let taken = |pci: &str| pools.iter().find(|row| row.matches.contains(&pci));
    let offered: Vec<_> = model
        .vfs
        .iter()
        .filter_map(|row| Some((&row.vf, row.vf.interface.as_ref()?, taken(&row.vf.pci_address)?)))
        .collect();
    if offered.is_empty() {
        return Outcome::DoesNotApply(
            "no pool of the SR-IOV device plugin takes a virtual function with an interface",
        );
    }
    let mut findings = Vec::new();
    for (vf, interface, pool) in offered {
        if interface.netns.is_some() || vf.pod.is_some() {
            continue;
        }
        let mut addresses = model.snapshot.netlink.addresses.rows().iter();
        let Some(own) = addresses.find(|own| own.ifindex == interface.ifindex && own.global) else {
            continue;
        };
        let address = own.address;
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Interface,
                &vf.pci_address,
                format!("{} has the address {address} on the node, and pods may get it.", named(vf)),
            )
            .seen(shown(&interface.name), address, "IFA_ADDRESS")
            .seen("pool", shown(&pool.pool.name.value), escape(&pool.pool.name.place()))
            .fix("Tell the network manager to leave VFs alone, then remove the address.")
            .run(format!("ip address del {address} dev {}", quoted(&interface.name))),
        );
    }
    Outcome::Judged(findings)
}
