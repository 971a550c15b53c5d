//! Faults of pods: their addresses, routes and what CNI keeps about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    Maker,
    scene::{Part, Place, Scene, Unfit, on_node, sysctl},
};
use crate::{
    lab::{files, plan, registry::Pod},
    netlink::configure::{Route, Step},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("pod-address-twice", twice),
    ("pod-address-outside", outside),
    ("pod-default-route-secondary", secondary_default),
    ("pod-address-deleted", |scene| {
        let pod = scene.pod(1)?;
        let own = address(pod)?;
        let make = vec![Step::DeleteAddress { name: "eth0".to_owned(), address: IpNet::from(own) }];
        // A namespace's last IPv4 address takes its routes with it.
        Ok(vec![Part::Steps { place: Place::Pod(1), make, undo: plan::pod_steps(&pod.addresses) }])
    }),
    ("pod-default-route-deleted", |scene| {
        let pod = scene.pod(1)?;
        let route =
            if address(pod)?.is_ipv4() { plan::pod_default_route() } else { plan::pod_default_route_v6() };
        let (make, undo) = (vec![Step::DeleteRoute(route.clone())], vec![Step::Route(route)]);
        Ok(vec![Part::Steps { place: Place::Pod(1), make, undo }])
    }),
    ("pod-interface-down", |scene| {
        let pod = scene.pod(1)?;
        let name = pod.host_ifname.clone();
        // Setting it down deletes its routes and IPv6 addresses.
        let undo = plan::host_veth_steps(&name, &pod.addresses);
        Ok(vec![on_node(vec![Step::Down { name }], undo)])
    }),
    ("pod-parent-down", parent_down),
    ("pod-proxy-arp-off", |scene| {
        let pod = scene.pod(1)?;
        if !address(pod)?.is_ipv4() {
            return Err(Unfit("a lab with IPv4"));
        }
        let path = format!("ipv4/conf/{}/proxy_arp", pod.host_ifname);
        Ok(vec![on_node(vec![sysctl(&path, "0")], vec![sysctl(&path, "1")])])
    }),
    ("pod-route-missing", |scene| {
        let pod = scene.pod(1)?;
        let route = host_route(pod, address(pod)?);
        Ok(vec![on_node(vec![Step::DeleteRoute(route.clone())], vec![Step::Route(route)])])
    }),
];

/// A pod's address of the lab's first family.
fn address(pod: &Pod) -> Result<IpAddr, Unfit> {
    pod.addresses.first().copied().ok_or(Unfit("pods with addresses"))
}

fn host_route(pod: &Pod, address: IpAddr) -> Route {
    Route {
        destination: IpNet::from(address),
        via: None,
        name: pod.host_ifname.clone(),
        onlink: false,
        protocol: None,
    }
}

/// A pod has another address than it was given: in its namespace, on the node, and in CNI's cache.
fn readdressed(scene: &Scene<'_>, number: u16, other: IpAddr) -> Result<Vec<Part>, Unfit> {
    let pod = scene.pod(number)?;
    let own = address(pod)?;
    let eth0 = || "eth0".to_owned();
    let set = |address| Step::Address { name: eth0(), address: IpNet::from(address) };
    let unset = |address| Step::DeleteAddress { name: eth0(), address: IpNet::from(address) };
    let mut as_cached = pod.clone();
    for address in as_cached.addresses.iter_mut().filter(|address| **address == own) {
        *address = other;
    }
    // A namespace's last address takes its routes with it.
    let default = || if own.is_ipv4() { plan::pod_steps(&[other]) } else { Vec::new() };
    let path = format!("var/lib/cni/results/k8s-pod-network-{}-eth0", files::container_id(pod));
    let (mut make, mut undo) = (vec![unset(own), set(other)], vec![unset(other)]);
    make.extend(default());
    undo.extend(plan::pod_steps(&pod.addresses));
    Ok(vec![
        Part::Steps { place: Place::Pod(number), make, undo },
        on_node(
            vec![Step::DeleteRoute(host_route(pod, own)), Step::Route(host_route(pod, other))],
            vec![Step::DeleteRoute(host_route(pod, other)), Step::Route(host_route(pod, own))],
        ),
        Part::File { path, text: files::cached(scene.options(), &as_cached) },
    ])
}

/// host-local gave it a second time, and the kernel has the later route.
fn twice(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let first = scene.pod(1)?;
    let taken = address(first)?;
    let route = host_route(first, taken);
    let mut parts = vec![on_node(vec![Step::DeleteRoute(route.clone())], vec![Step::Route(route)])];
    parts.extend(readdressed(scene, 2, taken)?);
    Ok(parts)
}

fn outside(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let other: IpAddr = if scene.is_v6() {
        Ipv6Addr::new(0xfd00, 0x88, 0, 0, 0, 0, 0, 5).into()
    } else {
        Ipv4Addr::new(10, 88, 0, 5).into()
    };
    readdressed(scene, 1, other)
}

/// A second NIC that somebody sets down, and a pod's interface above it.
fn parent_down(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    scene.pod(1)?;
    let name = || "br1".to_owned();
    let made = vec![Step::Bridge { name: name() }, Step::Up { name: name() }];
    Ok(vec![
        on_node(made, vec![Step::Delete { name: name() }]),
        // The kernel sets nothing up above a device that is down.
        Part::Macvlan { pod: 1, name: "net1".to_owned(), below: name() },
        on_node(vec![Step::Down { name: name() }], Vec::new()),
    ])
}

/// A second interface with a gateway of its own.
fn secondary_default(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    scene.pod(1)?;
    if !scene.options().family.v4() {
        return Err(Unfit("a lab with IPv4"));
    }
    let name = || "net1".to_owned();
    let own = plan::pod_default_route();
    let via = Some(Ipv4Addr::new(10, 60, 0, 1).into());
    let other = Route { via, name: name(), ..plan::pod_default_route() };
    let address = IpNet::new(Ipv4Addr::new(10, 60, 0, 5).into(), 24).unwrap_or_default();
    let make = vec![
        Step::Bridge { name: name() },
        Step::Address { name: name(), address },
        Step::Up { name: name() },
        Step::DeleteRoute(own.clone()),
        Step::Route(other),
    ];
    Ok(vec![Part::Steps {
        place: Place::Pod(1),
        make,
        undo: vec![Step::Delete { name: name() }, Step::Route(own)],
    }])
}
