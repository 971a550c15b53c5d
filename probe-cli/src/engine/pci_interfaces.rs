//! Interfaces of PCI functions with what they counted, here and in other network namespaces. Which of them matter is not asked.

use crate::{
    facts::{netlink::LinkCounters, sriov::PciInterface},
    netlink::{NetlinkError, Source},
    netns::Namespace,
};

/// An interface and what it counted.
pub(super) type Counted = (PciInterface, Option<LinkCounters>);

/// The interfaces of hardware in another namespace, which nothing of ours stays in.
pub(super) fn interfaces_of(namespace: &Namespace, name: &str) -> Result<Vec<Counted>, NetlinkError> {
    found(&Source::connect_in(namespace)?, Some(name))
}

/// The interfaces of hardware in the calling thread's namespace, and a socket that stays in it.
pub(super) fn interfaces() -> Result<(Source, Vec<Counted>), NetlinkError> {
    let source = Source::connect()?;
    let found = found(&source, None)?;
    Ok((source, found))
}

fn found(source: &Source, netns: Option<&str>) -> Result<Vec<Counted>, NetlinkError> {
    let found = source.hardware()?;
    let found = found.into_iter().filter_map(|(link, counters)| {
        let interface = PciInterface {
            pci: link.parent_device?,
            ifindex: link.ifindex,
            name: link.name,
            netns: netns.map(str::to_owned),
            mtu: link.mtu,
            mac: link.mac,
            up: link.up,
        };
        Some((interface, counters))
    });
    Ok(found.collect())
}
