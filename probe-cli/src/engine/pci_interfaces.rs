//! Interfaces of PCI functions with what they counted, here and in other network namespaces. Which of them matter is not asked.

use crate::{
    facts::{netlink::LinkCounters, sriov::PciInterface},
    netlink::{NetlinkError, Source},
    netns::{self, Namespace, NetnsError},
};

/// An interface and what it counted.
pub(super) type Counted = (PciInterface, Option<LinkCounters>);

/// The interfaces of hardware in another namespace, which nothing of ours stays in.
pub(super) fn interfaces_of(
    namespace: &Namespace,
    name: &str,
) -> Result<Result<Vec<Counted>, NetlinkError>, NetnsError> {
    netns::run_in(namespace, || interfaces(Some(name)).map(|(_, found)| found))
}

/// The interfaces of hardware in the calling thread's namespace, and a socket that stays in it.
pub(super) fn interfaces(netns: Option<&str>) -> Result<(Source, Vec<Counted>), NetlinkError> {
    let source = Source::connect()?;
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
    let found = found.collect();
    Ok((source, found))
}
