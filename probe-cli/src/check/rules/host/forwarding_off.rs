//! The kernel does not forward packets between pods and tunnels.

use std::collections::BTreeSet;

use super::{super::prelude::*, RTPROT_RA, interface_sysctl};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-forwarding-off",
    family: Family::Host,
    title: "the kernel does not forward packets",
    symptom: "Pods reach neither other nodes nor services, while the node itself does.",
    core: true,
    needs: &[Need::Sysctls],
    explained_by: &[],
    explain: Explain {
        how: "net.ipv4.ip_forward and net.ipv6.conf.all.forwarding, for the families that pods have.",
        why: "A sysctl file of a hardening guide, or a network manager, turned forwarding off after the agent had turned it on.",
        fix: "Turn it on, and find the file below /etc/sysctl.d that turns it off. Before IPv6 is forwarded, set accept_ra to 2 on NICs that \
              have their default route from router advertisements: with 1 the kernel drops it.",
        not_if: "Cilium or Calico's eBPF data plane forwards without the kernel's routing: those are not judged.",
        seen_in: "rke2#2557, moby#47966",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    use crate::model::System;
    let planes = &model.inventory.data_planes;
    let routes_by_kernel = |system: System| !matches!(system, System::Cilium | System::CalicoEbpf);
    if !planes.iter().any(|plane| routes_by_kernel(plane.system)) {
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
    Outcome::Judged(findings)
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
