//! Which of several data planes carries nothing any more, or takes what another one should have.

use ipnet::IpNet;

use super::{
    Bypass, Certainty, Encapsulation, Stale, System,
    signs::{Candidate, NodeSigns},
};
use crate::inventory::{index::family, node::siblings};

/// Marks the devices.
pub(super) fn mark(signs: &NodeSigns<'_>, found: &mut [Candidate]) {
    bypasses(signs, found);
    let carriers: Vec<Carrier> = found
        .iter()
        .filter(|judged| carries(judged))
        .map(|judged| Carrier {
            ifindex: judged.device.ifindex,
            name: judged.device.name.clone(),
            families: judged.device.families.clone(),
            directly: (judged.encapsulation == Encapsulation::None).then_some(judged.system),
        })
        .collect();
    for judged in found.iter_mut() {
        if let Some(carried_by) = carried_directly(signs, judged) {
            judged.device.stale = Some(Stale::Idle { carried_by });
        }
    }
    let configured: Vec<(u32, Option<u8>)> = found
        .iter()
        .filter(|judged| {
            judged.system != System::Unknown && (!is_idle(signs, judged) || has_address(signs, judged))
        })
        .map(|judged| (judged.device.ifindex, family_of(signs, judged)))
        .collect();
    for judged in found.iter_mut().filter(|judged| is_idle(signs, judged)) {
        let system = judged.system;
        let is_unused = is_unused(signs, judged);
        let family = family_of(signs, judged);
        let device = &mut judged.device;
        // Where the tables do not tell of peers, there may be some.
        device.idle = device.peers == Some(0);
        let by_other = carriers.iter().find(|carrier| {
            carrier.ifindex != device.ifindex
                // With direct routing all nodes may be reached without the tunnel, which waits for others.
                && !carrier.directly.is_some_and(|direct| are_kin(direct, system))
                && family.is_none_or(|family| carrier.families.is_empty() || carrier.families.contains(&family))
        });
        if let Some(carrier) = by_other {
            device.stale = Some(Stale::Idle { carried_by: carrier.name.clone() });
        } else if device.idle && is_unused {
            let mut others = configured.iter().filter(|(ifindex, _)| *ifindex != device.ifindex);
            device.unconfigured =
                has_pods(signs, family) && !others.any(|(_, of)| of.is_none() || *of == family);
            device.stale = (!device.unconfigured).then_some(Stale::Unused);
        }
    }
}

/// The family of pods that a device carries. One that leads nowhere has none; that of its outer packets is the same with flannel
/// and Calico.
fn family_of(signs: &NodeSigns<'_>, judged: &Candidate) -> Option<u8> {
    let device = &judged.device;
    let tunnel = || signs.inventory.all_tunnels().find(|tunnel| tunnel.ifindex == device.ifindex);
    device.families.first().copied().or_else(|| tunnel()?.outer_family)
}

/// This node has pods with addresses of the family, or a network for them.
fn has_pods(signs: &NodeSigns<'_>, of: Option<u8>) -> bool {
    let node = &signs.inventory.node;
    let networks = node.pod_cidrs.iter().map(|own| own.cidr.addr());
    let mut all = networks.chain(signs.inventory.pods.iter().flat_map(|pod| pod.addresses.iter().copied()));
    of.is_some_and(|of| all.any(|address| family(address) == of))
}

/// The NIC that leads to the pods of all nodes that a device of flannel has entries of, while it has no route itself: the backend
/// was switched to host-gw. (With direct routing flannel writes no entries of nodes that need no tunnel. Calico does.)
fn carried_directly(signs: &NodeSigns<'_>, judged: &Candidate) -> Option<String> {
    let is_flannels = are_kin(judged.system, System::Flannel);
    let device = &judged.device;
    if !is_flannels || judged.encapsulation != Encapsulation::Vxlan || device.routes > 0 {
        return None;
    }
    let own = &signs.inventory.node.pod_cidrs;
    let routes: Vec<_> = own.iter().flat_map(|own| siblings(signs.index, own.cidr)).collect();
    let peers = signs.inventory.peers.iter().filter(|peer| peer.tunnel == device.ifindex);
    let mut nic = None;
    for peer in peers {
        let node = peer.node_address?;
        nic = Some(routes.iter().find(|route| route.gateway == Some(node))?.ifindex?);
    }
    signs.index.link(nic?).map(|link| link.name.clone())
}

/// A device that leads to other nodes' pods.
struct Carrier {
    ifindex: u32,
    name: String,
    families: Vec<u8>,
    /// Who made it, when it wraps nothing.
    directly: Option<System>,
}

/// Of one agent, whatever its pods tell.
fn are_kin(a: System, b: System) -> bool {
    let agent = |system| match system {
        System::Canal | System::Rke2Flannel | System::Flannel => System::Flannel,
        System::Calico | System::CalicoEbpf => System::Calico,
        System::Cilium => System::Cilium,
        System::Unknown => System::Unknown,
    };
    agent(a) == agent(b)
}

/// It leads to other nodes' pods, as far as the kernel's tables tell.
fn carries(judged: &Candidate) -> bool {
    let device = &judged.device;
    match judged.encapsulation {
        Encapsulation::Wireguard => device.peers != Some(0) && device.routes > 0,
        Encapsulation::Vxlan
        | Encapsulation::Ipip
        | Encapsulation::Geneve
        | Encapsulation::Udp
        | Encapsulation::None => device.routes > 0 || is_certain_cilium(judged),
    }
}

/// It leads nowhere: no peer, and no route, which WireGuard has even without peers.
fn is_idle(signs: &NodeSigns<'_>, judged: &Candidate) -> bool {
    let device = &judged.device;
    // Somebody's own tunnel may know its destinations in ways that are not known here.
    let is_known = judged.system != System::Unknown;
    let floods = signs.inventory.tunnels.iter().any(|t| t.ifindex == device.ifindex && t.flood > 0);
    match judged.encapsulation {
        Encapsulation::None => false,
        Encapsulation::Wireguard => device.peers == Some(0),
        Encapsulation::Vxlan if !is_known => device.peers == Some(0) && device.routes == 0 && !floods,
        Encapsulation::Vxlan | Encapsulation::Ipip | Encapsulation::Geneve | Encapsulation::Udp => {
            let knows_nobody = device.peers.is_none_or(|peers| peers == 0) && device.routes == 0;
            is_known && knows_nobody && !is_certain_cilium(judged)
        }
    }
}

/// An idle device without an address. Agents of flannel and Calico give one to each device that they look after, on the only
/// node of a cluster, too; Cilium's has none.
fn is_unused(signs: &NodeSigns<'_>, judged: &Candidate) -> bool {
    let is_without = matches!(judged.system, System::Unknown | System::Cilium);
    !is_without && signs.index.facts.addresses.value().is_some() && !has_address(signs, judged)
}

/// It has an address that is not link-local.
fn has_address(signs: &NodeSigns<'_>, judged: &Candidate) -> bool {
    signs.index.addresses(judged.device.ifindex).iter().any(|fact| fact.global)
}

/// Cilium's destinations are in no table of the kernel.
fn is_certain_cilium(judged: &Candidate) -> bool {
    judged.system == System::Cilium && judged.certainty == Some(Certainty::Certain)
}

/// VXLAN and other routes that are more specific than that of a WireGuard device with peers.
fn bypasses(signs: &NodeSigns<'_>, found: &mut [Candidate]) {
    let is_wireguard = |judged: &&Candidate| judged.encapsulation == Encapsulation::Wireguard;
    let wide: Vec<(u32, String, Vec<IpNet>)> = found
        .iter()
        .filter(is_wireguard)
        // What a VPN of somebody routes has nothing to do with pods.
        .filter(|judged| judged.system != System::Unknown && carries(judged))
        .map(|judged| {
            let device = &judged.device;
            let routes = signs.routes(device.ifindex).filter(|route| route.gateway.is_none());
            (device.ifindex, device.name.clone(), routes.map(|route| route.destination).collect())
        })
        .collect();
    let mut taken: Vec<(u32, Bypass)> = Vec::new();
    for judged in found
        .iter_mut()
        .filter(|judged| !matches!(judged.encapsulation, Encapsulation::Wireguard | Encapsulation::None))
    {
        for (wireguard, name, wide) in &wide {
            let specific: Vec<IpNet> = signs
                .routes(judged.device.ifindex)
                .map(|route| route.destination)
                .filter(|route| {
                    wide.iter().any(|wide| wide.contains(route) && wide.prefix_len() < route.prefix_len())
                })
                .collect();
            if specific.is_empty() {
                continue;
            }
            let peers = signs.inventory.peers.iter().filter(|peer| peer.tunnel == *wireguard);
            let allowed: Vec<IpNet> = peers.flat_map(|peer| peer.pod_cidrs.iter().copied()).collect();
            let routes = specific.len();
            let with_peer =
                specific.iter().filter(|route| allowed.iter().any(|net| net.contains(*route))).count();
            taken.push((*wireguard, Bypass { by: judged.device.name.clone(), routes, with_peer }));
            judged.device.stale = Some(Stale::MoreSpecific { than: name.clone(), routes, with_peer });
        }
    }
    for (wireguard, bypass) in taken {
        if let Some(judged) = found.iter_mut().find(|judged| judged.device.ifindex == wireguard) {
            judged.device.bypassed = Some(bypass);
        }
    }
}
