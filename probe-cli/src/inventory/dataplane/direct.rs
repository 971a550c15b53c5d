//! Fingerprints of data planes that wrap nothing: routes to other nodes' pod networks by way of the nodes themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Certainty::{Certain, Likely},
    Encapsulation, PlaneDevice, System,
    signs::{Candidate, NodeSigns, is_calico_block},
};
use crate::{
    facts::netlink::RouteFact,
    inventory::{
        TunnelKind,
        index::{family, is_other_tunnel},
        node::{CALICO_PROTOCOLS, siblings},
    },
    text::counted,
};

/// One for each NIC and system.
pub(super) fn judge(signs: &NodeSigns<'_>) -> Vec<Candidate> {
    let mut found: BTreeMap<(u32, System), Vec<&RouteFact>> = BTreeMap::new();
    for own in &signs.inventory.node.pod_cidrs {
        let is_block = signs
            .index
            .facts
            .routes
            .iter()
            .any(|route| is_calico_block(route) && route.destination == own.cidr);
        for route in siblings(signs.index, own.cidr) {
            let Some(ifindex) = route.ifindex else { continue };
            // BGP daemons other than Calico's own write with a protocol of theirs.
            let system = if CALICO_PROTOCOLS.contains(&route.protocol) || is_block {
                System::Calico
            } else if signs.cilium_host.is_some() {
                System::Cilium
            } else {
                signs.flannel().0
            };
            let routes = found.entry((ifindex, system)).or_default();
            if !routes.contains(&route) {
                routes.push(route);
            }
        }
    }
    let mut judged: Vec<Candidate> = found
        .into_iter()
        .filter_map(|((ifindex, system), routes)| {
            let link = signs.index.link(ifindex)?;
            let name = &link.name;
            let mut evidence = vec![format!(
                "{name} has {} beside the node's own pod network, by way of other nodes",
                counted(routes.len(), "route")
            )];
            let certainty = match system {
                System::Calico if routes.iter().all(|route| CALICO_PROTOCOLS.contains(&route.protocol)) => {
                    evidence.push("the routes are Calico's".to_owned());
                    Certain
                }
                System::Calico => {
                    evidence.push("the node's own pod network is a block of Calico".to_owned());
                    Likely
                }
                System::Cilium => {
                    evidence.extend(signs.cilium());
                    Likely
                }
                System::Canal
                | System::Rke2Flannel
                | System::Flannel
                | System::CalicoEbpf
                | System::Unknown => {
                    evidence.push(signs.flannel().1);
                    Likely
                }
            };
            if is_other_tunnel(link) {
                // host-gw by way of a VPN.
                let kind = link.kind.as_deref().unwrap_or_default();
                evidence.push(format!("{name} is a {kind} device with an encapsulation of its own"));
            }
            let gateways: BTreeSet<_> = routes.iter().filter_map(|route| route.gateway).collect();
            let families: BTreeSet<u8> =
                routes.iter().map(|route| family(route.destination.addr())).collect();
            Some(Candidate {
                system,
                encapsulation: Encapsulation::None,
                certainty: Some(certainty),
                evidence,
                device: PlaneDevice {
                    ifindex,
                    name: name.clone(),
                    families: families.into_iter().collect(),
                    peers: Some(gateways.len()),
                    routes: routes.len(),
                    idle: false,
                    unconfigured: false,
                    stale: None,
                    bypassed: None,
                },
            })
        })
        .collect();
    // Cilium without a tunnel, on the only node or with routes that somebody else knows.
    let mut tunnels = signs.inventory.all_tunnels();
    let has_tunnel = tunnels
        .any(|tunnel| tunnel.external && matches!(tunnel.kind, TunnelKind::Vxlan | TunnelKind::Geneve));
    if let Some(host) = signs.cilium_host
        && !has_tunnel
        && judged.is_empty()
    {
        judged.push(Candidate {
            system: System::Cilium,
            encapsulation: Encapsulation::None,
            certainty: Some(Likely),
            evidence: signs.cilium().into_iter().collect(),
            device: PlaneDevice {
                ifindex: host.ifindex,
                name: host.name.clone(),
                families: Vec::new(),
                peers: None,
                routes: 0,
                idle: false,
                unconfigured: false,
                stale: None,
                bypassed: None,
            },
        });
    }
    judged
}
