//! Faults of sizes.

use super::{
    Maker,
    scene::{Part, Place, Scene, Unfit, on_node},
};
use crate::{lab::plan, netlink::configure::Step};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("nic-mtu-lowered", nic_lowered),
    ("pod-mtu-too-large", pods_too_large),
    ("pod-mtu-differs", pod_differs),
    ("tunnel-mtu-below-ipv6", below_ipv6),
    ("nic-with-jumbo-frames", jumbo),
    ("underlay-drops-large", drops_large),
];

/// Less than the headers of any tunnel, and IPv6 goes on.
const LESS: u32 = 60;
/// Below what IPv6 needs (RFC 8200, section 5).
const BELOW_IPV6: u32 = 1270;
const JUMBO: u32 = 9000;

fn mtu(name: &str, mtu: u32) -> Step {
    Step::Mtu { name: name.to_owned(), mtu }
}

fn nic_lowered(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = scene.options().underlay_mtu;
    // VXLAN and WireGuard devices keep theirs.
    Ok(vec![on_node(vec![mtu("eth0", own - LESS)], vec![mtu("eth0", own)])])
}

/// Both ends of a pod's interface.
fn pod_mtu(scene: &Scene<'_>, pod: u16, to: u32) -> Result<Vec<Part>, Unfit> {
    let host = &scene.pod(pod)?.host_ifname;
    let own = scene.options().pod_mtu();
    Ok(vec![
        on_node(vec![mtu(host, to)], vec![mtu(host, own)]),
        Part::Steps { place: Place::Pod(pod), make: vec![mtu("eth0", to)], undo: vec![mtu("eth0", own)] },
    ])
}

fn pods_too_large(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    scene.pod(1)?;
    let mut parts = Vec::new();
    for (pod, _) in (1..).zip(scene.pods()) {
        parts.extend(pod_mtu(scene, pod, scene.options().underlay_mtu)?);
    }
    Ok(parts)
}

fn pod_differs(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    scene.pod(2)?;
    pod_mtu(scene, 1, scene.options().pod_mtu() - LESS)
}

fn below_ipv6(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnels = scene.tunnels();
    let tunnel = tunnels.iter().find(|tunnel| tunnel.local.is_ipv6()).ok_or(Unfit("a lab with IPv6"))?;
    // The kernel takes IPv6 off the device, with its addresses, routes and neighbours (`addrconf_notify`).
    let mut undo = vec![mtu(&tunnel.name, tunnel.mtu)];
    undo.extend(scene.remade(tunnel));
    Ok(vec![on_node(vec![mtu(&tunnel.name, BELOW_IPV6)], undo)])
}

/// A veth drops what its other end sends and is larger, and says nothing (`is_skb_forwardable`).
fn drops_large(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = scene.options().underlay_mtu;
    let port = format!("node{}", scene.number());
    let (make, undo) = (vec![mtu(&port, own - LESS)], vec![mtu(&port, own)]);
    Ok(vec![Part::Steps { place: Place::Underlay, make, undo }])
}

fn jumbo(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let options = scene.options();
    let large = plan::LabOptions { underlay_mtu: JUMBO, ..options.clone() };
    let devices = |options: &plan::LabOptions| {
        let vxlan =
            plan::tunnels(options, scene.number()).into_iter().map(|tunnel| (tunnel.name, tunnel.mtu));
        let wireguard = options.wireguard_names().map(|name| (name.to_owned(), options.wireguard_mtu()));
        vxlan.chain(wireguard).map(|(name, to)| mtu(&name, to)).collect::<Vec<_>>()
    };
    let (mut make, mut undo) = (vec![mtu("eth0", JUMBO)], devices(options));
    make.extend(devices(&large));
    // Tunnels first: the kernel holds VXLAN's MTU below that of the NIC.
    undo.push(mtu("eth0", options.underlay_mtu));
    Ok(vec![on_node(make, undo)])
}
