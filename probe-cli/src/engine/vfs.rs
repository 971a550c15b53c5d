//! Reads what there is of virtual functions: sysfs, the PFs' drivers, the interfaces in every named network namespace, files.

use std::{io, path::Path};

use crate::{
    inventory::{PciInterface, VfFacts},
    netlink::{NetlinkError, Source},
    netns, pods, sriov,
};

/// What there is below `root` and in the kernel. A namespace or PF that cannot be read becomes a note.
pub fn vf_facts(root: &Path) -> io::Result<VfFacts> {
    let mut facts = VfFacts {
        pfs: sriov::physical_functions(root)?,
        claims: pods::device_claims(root),
        netns: netns::list(),
        ..VfFacts::default()
    };
    if facts.pfs.is_empty() {
        return Ok(facts);
    }
    let mut indices = Vec::new();
    match interfaces(None) {
        Ok(found) => indices.extend(found),
        Err(error) => facts.notes.push(error.to_string()),
    }
    // The PFs themselves are asked from their own namespace.
    if let Ok(source) = Source::connect() {
        for (ifindex, interface) in &indices {
            if !facts.pfs.iter().any(|pf| pf.pci == interface.pci) {
                continue;
            }
            match source.vf_list(*ifindex) {
                Ok(list) => drop(facts.lists.insert(interface.pci.clone(), list)),
                Err(error) => facts.notes.push(format!("{}: {error}", interface.name)),
            }
        }
    }
    facts.interfaces.extend(indices.into_iter().map(|(_, interface)| interface));
    let own = netns::current_identity().ok();
    for name in &facts.netns {
        let found = netns::open(name).and_then(|namespace| {
            if namespace.identity().ok() == own {
                return Ok(Ok(Vec::new()));
            }
            netns::run_in(&namespace, || interfaces(Some(name)))
        });
        match found {
            Ok(Ok(found)) => facts.interfaces.extend(found.into_iter().map(|(_, interface)| interface)),
            Ok(Err(error)) => facts.notes.push(format!("network namespace {name}: {error}")),
            // A pod that ended meanwhile.
            Err(netns::NetnsError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => facts.notes.push(error.to_string()),
        }
    }
    Ok(facts)
}

/// The interfaces of hardware in the calling thread's namespace, with their indices.
fn interfaces(netns: Option<&str>) -> Result<Vec<(u32, PciInterface)>, NetlinkError> {
    let found = Source::connect()?.hardware()?;
    Ok(found
        .into_iter()
        .filter_map(|(link, counters)| {
            let interface = PciInterface {
                pci: link.parent_device?,
                name: link.name,
                netns: netns.map(str::to_owned),
                mtu: link.mtu,
                mac: link.mac,
                up: link.up,
                counters,
            };
            Some((link.ifindex, interface))
        })
        .collect())
}
