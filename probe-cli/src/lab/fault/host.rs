//! Faults of the node's own settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    Maker,
    scene::{Part, Scene, Unfit, on_node, sysctl},
};
use crate::{
    lab::plan::{self, Family},
    netlink::configure::{Route, Step},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("forwarding-off", forwarding_off),
    ("ipv6-forwarding-off", ipv6_forwarding_off),
    ("tunnel-forwarding-off", |scene| {
        with_v4(scene)?;
        Ok(vec![setting(&format!("ipv4/conf/{}/forwarding", scene.tunnel()?.name), "0", "1")])
    }),
    ("reverse-path-strict", reverse_path),
    ("default-route-missing", default_route),
    ("router-advertisements-ignored", router_advertisements),
    ("networkmanager-manages", network_manager),
    ("cloud-setup-enabled", cloud_setup),
    ("firewall-active", |_| {
        let text = "ENABLED=yes\nLOGLEVEL=low\n".to_owned();
        Ok(vec![Part::File { path: "etc/ufw/ufw.conf".to_owned(), text }])
    }),
    ("nic-in-pod-network", in_pod_network),
    ("localhost-without-ipv6", |scene| {
        if scene.is_v6() {
            Ok(vec![scene.edited("etc/hosts", "::1 localhost ip6-localhost ip6-loopback\n", "")?])
        } else {
            Err(Unfit("a lab of IPv6 only"))
        }
    }),
];

/// `RTPROT_RA`: written by the kernel for a router advertisement (linux/rtnetlink.h).
const RTPROT_RA: u8 = 9;

fn setting(path: &str, fault: &str, own: &str) -> Part {
    on_node(vec![sysctl(path, fault)], vec![sysctl(path, own)])
}

fn with_v4(scene: &Scene<'_>) -> Result<(), Unfit> {
    if scene.options().family.v4() { Ok(()) } else { Err(Unfit("a lab with IPv4")) }
}

fn with_v6(scene: &Scene<'_>) -> Result<(), Unfit> {
    if scene.options().family.v6() { Ok(()) } else { Err(Unfit("a lab with IPv6")) }
}

fn forwarding_off(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    with_v4(scene)?;
    Ok(vec![setting("ipv4/ip_forward", "0", "1")])
}

fn ipv6_forwarding_off(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    with_v6(scene)?;
    Ok(vec![setting("ipv6/conf/all/forwarding", "0", "1")])
}

/// Packets of a peer's pod come in by the tunnel, and the route to it leaves by another device, which leads nowhere.
fn reverse_path(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    with_v4(scene)?;
    let pods = plan::pod_addresses(Family::V4, scene.peer(), 1);
    let destination = pods.first().copied().map(IpNet::from).ok_or(Unfit("a lab with IPv4"))?;
    let name = "br1".to_owned();
    let route = Route { destination, via: None, name: name.clone(), onlink: false, protocol: None };
    let make = vec![
        Step::Bridge { name: name.clone() },
        Step::Up { name: name.clone() },
        Step::Route(route),
        sysctl("ipv4/conf/all/rp_filter", "1"),
    ];
    Ok(vec![on_node(make, vec![sysctl("ipv4/conf/all/rp_filter", "0"), Step::Delete { name }])])
}

fn default_route(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    with_v4(scene)?;
    let routes = || plan::default_routes(Family::V4);
    Ok(vec![on_node(
        routes().into_iter().map(Step::DeleteRoute).collect(),
        routes().into_iter().map(Step::Route).collect(),
    )])
}

/// The lab's NICs have accept_ra 1, the kernel's default.
fn router_advertisements(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    with_v6(scene)?;
    let default = plan::default_routes(Family::V6);
    let learned = Route {
        destination: net(Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 0).into(), 64),
        via: None,
        name: "eth0".to_owned(),
        onlink: false,
        protocol: Some(RTPROT_RA),
    };
    let mut make: Vec<Step> = default.iter().cloned().map(Step::DeleteRoute).collect();
    make.push(Step::Route(learned.clone()));
    let mut undo = vec![Step::DeleteRoute(learned)];
    undo.extend(default.into_iter().map(Step::Route));
    Ok(vec![on_node(make, undo)])
}

/// systemd has a control group with processes of its, and the file that RKE2's documentation asks for is not there.
fn network_manager(_: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    Ok(vec![
        Part::File { path: format!("{UNITS}/NetworkManager.service"), text: "[Unit]\n".to_owned() },
        Part::File {
            path: "sys/fs/cgroup/system.slice/NetworkManager.service/cgroup.events".to_owned(),
            text: "populated 1\nfrozen 0\n".to_owned(),
        },
        Part::Gone { path: "etc/NetworkManager/conf.d/rke2-canal.conf".to_owned() },
    ])
}

/// Where systemd looks for units.
const UNITS: &str = "etc/systemd/system";

fn cloud_setup(_: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    Ok(vec![
        Part::File { path: format!("{UNITS}/NetworkManager.service"), text: "[Unit]\n".to_owned() },
        Part::Link {
            path: format!("{UNITS}/multi-user.target.wants/nm-cloud-setup.service"),
            target: "/usr/lib/systemd/system/nm-cloud-setup.service",
        },
    ])
}

fn in_pod_network(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let address = if scene.is_v6() {
        net(Ipv6Addr::new(0xfd00, 0x42, 0, 200, 0, 0, 0, 1).into(), 64)
    } else {
        net(Ipv4Addr::new(10, 42, 200, 1).into(), 24)
    };
    let name = || "eth0".to_owned();
    Ok(vec![on_node(
        vec![Step::Address { name: name(), address }],
        vec![Step::DeleteAddress { name: name(), address }],
    )])
}

fn net(address: IpAddr, prefix: u8) -> IpNet {
    IpNet::new(address, prefix).unwrap_or(IpNet::from(address))
}
