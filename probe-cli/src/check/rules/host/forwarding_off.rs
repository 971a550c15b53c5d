//! The kernel does not forward packets between pods and tunnels.

use std::{collections::BTreeSet, net::IpAddr};

use super::{super::prelude::*, RTPROT_RA, interface_sysctl};
use crate::{
    facts::netlink::LinkFact,
    model::{Pod, Tunnel},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-forwarding-off",
    family: Family::Host,
    title: "the kernel does not forward packets",
    symptom: "Pods reach neither other nodes nor services, while the node itself does.",
    core: true,
    needs: &[Need::Sysctls],
    explained_by: &[],
    explain: Explain {
        how: "net.ipv4.ip_forward and net.ipv6.conf.all.forwarding, for the families that pods have; and net.ipv4.conf.DEVICE.forwarding of \
              tunnels, of the NICs below them and of pods' interfaces: IPv4 packets are forwarded where they come in by a device that \
              has it (ip_route_input_slow, net/ipv4).",
        why: "A sysctl file of a hardening guide, or a network manager, turned forwarding off after the agent had turned it on.",
        fix: "Turn it on, and find the file below /etc/sysctl.d that turns it off. Before IPv6 is forwarded, set accept_ra to 2 on NICs that \
              have their default route from router advertisements: with 1 the kernel drops it.",
        not_if: "Cilium or Calico's eBPF data plane forwards without the kernel's routing: those are not judged.",
        seen_in: "rke2#2557, moby#47966",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let planes = &model.inventory.data_planes;
    if !planes.iter().any(|plane| plane.system.forwards_by_routes()) {
        return Outcome::DoesNotApply("no data plane that forwards by the kernel's routes");
    }
    let sysctls = &model.snapshot.network.sysctls;
    let has_pods = |family: u8| {
        let pods = model.inventory.pods.iter().filter(|pod| !pod.host_network);
        pods.flat_map(|pod| &pod.addresses).any(|address| address.is_ipv6() == (family == 6))
    };
    let is_carried =
        |family: u8| planes.iter().any(|plane| plane.families().contains(&family)) || has_pods(family);
    let mut findings = Vec::new();
    for (family, value, name) in [
        (4, &sysctls.ipv4_all.forwarding, "net.ipv4.ip_forward"),
        (6, &sysctls.ipv6_all.forwarding, "net.ipv6.conf.all.forwarding"),
    ] {
        if !is_carried(family) {
            continue;
        }
        if value.value().is_none() {
            let why = value.trouble().unwrap_or_else(|| format!("/proc/sys has no {name}"));
            return Outcome::NotJudged(why);
        }
        if value.value() == Some(&0) {
            let finding = Finding::new(
                Fail,
                SubjectKind::Setting,
                name,
                format!("The kernel forwards no IPv{family} packets: pods reach only this node."),
            )
            .seen(name, 0, format!("/proc/sys/{}", name.replace('.', "/")))
            .fix("Turn forwarding on, and find what turns it off: grep -r forward /etc/sysctl.conf /etc/sysctl.d");
            let before = if family == 6 { accepting_advertisements(model) } else { Vec::new() };
            let commands = before.into_iter().chain([format!("sysctl -w {name}=1")]);
            findings.push(commands.fold(finding, Finding::run));
        }
    }
    if sysctls.ipv4_all.forwarding.value() == Some(&1) && is_carried(4) {
        findings.extend(devices(model));
    }
    Outcome::Judged(findings)
}

/// Devices that do not forward what comes in by them, although the kernel does: IPv4's setting is each device's own, that of IPv6
/// is the kernel's.
fn devices(model: &Model) -> impl Iterator<Item = Finding> {
    let inventory = &model.inventory;
    let planes =
        inventory.data_planes.iter().filter(|plane| !plane.is_stale()).flat_map(|plane| &plane.devices);
    let of_planes = planes.filter(|device| device.families.contains(&4)).map(|device| device.ifindex);
    let used: BTreeSet<u32> = of_planes.filter(|ifindex| inventory.is_in_use(*ifindex)).collect();
    let tunnels = inventory.all_tunnels().filter(|tunnel| used.contains(&tunnel.ifindex));
    let mut incoming: BTreeSet<u32> =
        tunnels.flat_map(Tunnel::underlays).map(|below| below.ifindex).collect();
    incoming.extend(used);
    let links = &model.snapshot.netlink.links;
    let has_ipv4 = |pod: &&Pod| !pod.host_network && pod.addresses.iter().any(IpAddr::is_ipv4);
    let ends = inventory.pods.iter().map(AsRef::as_ref).filter(has_ipv4).filter_map(|pod| pod.host_ifindex);
    // What comes in by a bridge's port comes in by the bridge.
    incoming.extend(ends.map(|end| {
        links.iter().find(|link| link.ifindex == end).and_then(|link| link.master).unwrap_or(end)
    }));
    let is_off = move |link: &&LinkFact| {
        incoming.contains(&link.ifindex) && link.ipv4_conf.is_some_and(|conf| conf.forwarding == 0)
    };
    links.iter().filter(is_off).map(|link| {
        let name = escape(&link.name);
        let setting = format!("net.ipv4.conf.{}.forwarding", link.name.replace('.', "/"));
        Finding::new(
            Fail,
            SubjectKind::Setting,
            &setting,
            format!("IPv4 packets that come in by {name} are not forwarded: its own setting is off."),
        )
        .seen(escape(&setting), 0, "IFLA_INET_CONF")
        .fix("Turn forwarding on for the device, and find what turns it off: grep -r forward /etc/sysctl.conf /etc/sysctl.d")
        .run(interface_sysctl(4, &link.name, "forwarding=1"))
    })
}

/// What keeps default routes that router advertisements made: with 1 the kernel takes no advertisements while it forwards, and
/// drops the routes that it learned (`addrconf_forward_change`, `rt6_purge_dflt_routers`, net/ipv6).
fn accepting_advertisements(model: &Model) -> Vec<String> {
    let routes = model.snapshot.netlink.routes.ipv6.rows().iter();
    let learned = routes.filter(|route| route.destination.prefix_len() == 0 && route.protocol == RTPROT_RA);
    let nics: BTreeSet<u32> = learned.filter_map(|route| route.ifindex).collect();
    let links = model.snapshot.netlink.links.iter().filter(|link| nics.contains(&link.ifindex));
    links.map(|link| interface_sysctl(6, &link.name, "accept_ra=2")).collect()
}
